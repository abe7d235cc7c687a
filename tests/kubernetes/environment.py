"""What a container finds: its variables and arguments, with mounts mapped to real directories."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.kubernetes.quantities import quantity
from tests.kubernetes.resources import Json
from tests.kubernetes.volumes import NotThere, Volumes, field_of
from tests.kubernetes.world import World

_REFERENCE: Final = re.compile(r"\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")


class Mounts:
    """There are no mount namespaces: paths below a mount are replaced wherever they are named."""

    def __init__(self, container: Json, volumes: Volumes) -> None:
        self._real: dict[str, Path] = {}
        for mount in container.get("volumeMounts") or []:
            path = volumes.path(mount["name"])
            if mount.get("subPath"):
                path = path / mount["subPath"]
            self._real[mount["mountPath"].rstrip("/")] = path
        longest = sorted(self._real, key=len, reverse=True)
        words = "|".join(re.escape(each) for each in longest)
        self._pattern = re.compile(rf"(?<![\w./-])({words})(?=$|[^\w.-])") if words else None

    def real(self, text: str) -> str:
        """A text with the real directories in it."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: str(self._real[found[1]]), text)

    def at(self, path: str) -> Path | None:
        """Where a mount path is; None: nothing is mounted there."""
        return self._real.get(path.rstrip("/"))


class Loopback:
    """There are no network namespaces: each 127.0.0.N of `hostAliases` is an address of the pod's.

    It stands in for that address in commands, arguments and variables, and in the hosts file at
    ``path``, which nothing but the programs of tests reads: there is no /etc of the pod's own.
    """

    def __init__(self, pod: Json, path: Path, address: Callable[[], str]) -> None:
        aliases = pod["spec"].get("hostAliases") or []
        self.path = path
        self.addresses = {
            each["ip"]: address() for each in aliases if each["ip"].startswith("127.0.0.")
        }
        words = "|".join(re.escape(each) for each in self.addresses)
        self._pattern = re.compile(rf"(?<![\w.])({words})(?![\w.])") if words else None
        lines = [f"{self.mapped(each['ip'])} {' '.join(each['hostnames'])}\n" for each in aliases]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(["# Entries added by HostAliases.\n", *lines]))

    def mapped(self, text: str) -> str:
        """A text with the pod's own addresses in it."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self.addresses[found[1]], text)


def variables(world: World, pod: Json, container: Json) -> dict[str, str]:
    """``envFrom`` and ``env`` in their order, references expanded. NotThere: a key is missing."""
    found: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        prefix = source.get("prefix", "")
        kind = "Secret" if "secretRef" in source else "ConfigMap"
        reference = source.get("secretRef") or source.get("configMapRef") or {}
        for key, text in _data(world, pod, kind, reference).items():
            found[prefix + key] = text
    for each in container.get("env") or []:
        if "valueFrom" in each:
            value = _value_from(world, pod, container, each["valueFrom"])
            if value is not None:
                found[each["name"]] = value
        else:
            found[each["name"]] = expanded(each.get("value", ""), found)
    return found


def expanded(text: str, known: dict[str, str]) -> str:
    """``$(NAME)`` replaced by its value in ``known``; ``$$(NAME)`` stays as ``$(NAME)``."""
    parts = text.split("$$")
    return "$".join(_REFERENCE.sub(lambda at: known.get(at[1], at[0]), part) for part in parts)


def _value_from(world: World, pod: Json, container: Json, source: Json) -> str | None:
    if "fieldRef" in source:
        return field_of(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return _resource(container, source["resourceFieldRef"])
    kind = "Secret" if "secretKeyRef" in source else "ConfigMap"
    reference = source.get("secretKeyRef") or source["configMapKeyRef"]
    data = _data(world, pod, kind, reference)
    if reference["key"] in data:
        return data[reference["key"]]
    if reference.get("optional"):
        return None
    raise NotThere(f"couldn't find key {reference['key']} in {kind} {reference['name']}")


def _data(world: World, pod: Json, kind: str, reference: Json) -> dict[str, str]:
    found = world.get(kind, pod["metadata"]["namespace"], reference["name"])
    if found is None:
        if reference.get("optional"):
            return {}
        raise NotThere(f'{kind.lower()} "{reference["name"]}" not found')
    data = found.get("data") or {}
    if kind == "Secret":
        return {key: base64.b64decode(text).decode() for key, text in data.items()}
    return dict(data)


def _resource(container: Json, reference: Json) -> str:
    group, _dot, name = reference["resource"].partition(".")
    text = str(((container.get("resources") or {}).get(group) or {}).get(name, "0"))
    value = quantity(text)
    divisor = quantity(str(reference.get("divisor") or "1")) or 1
    return str(-int(-value // divisor))
