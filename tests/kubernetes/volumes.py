"""Volumes of a pod as directories, with the symbolic links that a kubelet makes."""

import base64
import contextlib
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.kubernetes.resources import Json
from tests.kubernetes.world import World

_numbers = itertools.count()
Issue = Callable[[str, str], str]
"""A token for (namespace, ServiceAccount)."""


class NotThere(Exception):
    """A volume or a variable needs an object or a key that is not there (yet)."""


class Volumes:
    """The volumes of one pod below ``directory``."""

    def __init__(self, world: World, directory: Path, issue: Issue) -> None:
        self._world, self._directory, self._issue = world, directory, issue
        self._tokens: dict[str, str] = {}

    def path(self, name: str) -> Path:
        """Where the volume is."""
        return self._directory / "volumes" / name

    def make(self, pod: Json) -> None:
        """Make or refresh all volumes. NotThere: something is missing."""
        for volume in pod["spec"].get("volumes") or []:
            path = self.path(volume["name"])
            if "persistentVolumeClaim" in volume:
                self._claim(pod, volume, path)
                continue
            path.mkdir(parents=True, exist_ok=True)
            if "emptyDir" not in volume:
                publish(path, self._files(pod, volume))

    def refresh(self, pod: Json) -> None:
        """Follow objects that changed; if one is missing now, its files stay as they were."""
        with contextlib.suppress(NotThere):
            self.make(pod)

    def uses(self, pod: Json, kind: str, name: str) -> bool:
        """Whether a Secret or ConfigMap is mounted."""
        field, key = ("secret", "secretName") if kind == "Secret" else ("configMap", "name")
        for volume in pod["spec"].get("volumes") or []:
            if (volume.get(field) or {}).get(key) == name:
                return True
            sources = (volume.get("projected") or {}).get("sources") or []
            if any((source.get(field) or {}).get("name") == name for source in sources):
                return True
        return False

    def _claim(self, pod: Json, volume: Json, path: Path) -> None:
        name = volume["persistentVolumeClaim"]["claimName"]
        kept = self._directory.parent / "claims" / pod["metadata"]["namespace"] / name
        kept.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_symlink():
            path.symlink_to(kept)

    def _files(self, pod: Json, volume: Json) -> dict[str, bytes]:
        if "secret" in volume:
            source = {**volume["secret"], "name": volume["secret"].get("secretName")}
            return self._secret(pod, source)
        if "configMap" in volume:
            return self._config_map(pod, volume["configMap"])
        if "downwardAPI" in volume:
            return downward(pod, volume["downwardAPI"].get("items") or [])
        if "projected" not in volume:
            raise NotThere(f"volume {volume['name']} is of a kind that is not modelled")
        files: dict[str, bytes] = {}
        for source in volume["projected"].get("sources") or []:
            if "secret" in source:
                files.update(self._secret(pod, source["secret"]))
            elif "configMap" in source:
                files.update(self._config_map(pod, source["configMap"]))
            elif "downwardAPI" in source:
                files.update(downward(pod, source["downwardAPI"].get("items") or []))
            elif "serviceAccountToken" in source:
                files[source["serviceAccountToken"]["path"]] = self._token(pod).encode()
        return files

    def _token(self, pod: Json) -> str:
        account = pod["spec"].get("serviceAccountName", "default")
        if account not in self._tokens:
            self._tokens[account] = self._issue(pod["metadata"]["namespace"], account)
        return self._tokens[account]

    def _secret(self, pod: Json, source: Json) -> dict[str, bytes]:
        found = self._object(pod, "Secret", source)
        data = {key: base64.b64decode(text) for key, text in (found.get("data") or {}).items()}
        return chosen(source, data)

    def _config_map(self, pod: Json, source: Json) -> dict[str, bytes]:
        found = self._object(pod, "ConfigMap", source)
        data = {key: text.encode() for key, text in (found.get("data") or {}).items()}
        binary = found.get("binaryData") or {}
        return chosen(source, {**data, **{k: base64.b64decode(v) for k, v in binary.items()}})

    def _object(self, pod: Json, kind: str, source: Json) -> Json:
        found = self._world.get(kind, pod["metadata"]["namespace"], source["name"])
        if found is None and not source.get("optional"):
            raise NotThere(f'{kind.lower()} "{source["name"]}" not found')
        return found or {}


def chosen(source: Json, data: dict[str, bytes]) -> dict[str, bytes]:
    """All keys, or those that ``items`` names, under their paths."""
    if not source.get("items"):
        return data
    missing = [each["key"] for each in source["items"] if each["key"] not in data]
    if missing and not source.get("optional"):
        raise NotThere(f"references non-existent secret key: {missing[0]}")
    return {each["path"]: data[each["key"]] for each in source["items"] if each["key"] in data}


def downward(pod: Json, items: list[Json]) -> dict[str, bytes]:
    """Fields of the pod as files."""
    return {
        each["path"]: field_of(pod, each["fieldRef"]["fieldPath"]).encode()
        for each in items
        if "fieldRef" in each
    }


def field_of(pod: Json, path: str) -> str:
    """``fieldRef``: a field of the pod as text."""
    if path.endswith("']"):
        holder, _bracket, key = path.removesuffix("']").partition("['")
        return str((pod["metadata"].get(holder.partition(".")[2]) or {}).get(key, ""))
    if path == "status.podIPs":
        return ",".join(each["ip"] for each in pod["status"].get("podIPs") or [])
    value: object = pod
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, dict):
        return "\n".join(f'{key}="{text}"' for key, text in sorted(value.items()))
    return "" if value is None else str(value)


def publish(path: Path, files: dict[str, bytes]) -> None:
    """Replace all files at once: a new directory, and the link ``..data`` turned to it."""
    link = path / "..data"
    old = path / os.readlink(link) if link.is_symlink() else None
    if old is not None and _same(old, files):
        return
    fresh = path / f"..{next(_numbers)}"
    for name, data in files.items():
        target = fresh / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o644)
    fresh.mkdir(exist_ok=True)
    turned = path / "..data_tmp"
    turned.symlink_to(fresh.name)
    turned.rename(link)
    tops = {Path(name).parts[0] for name in files}
    for top in tops:
        if not (path / top).is_symlink():
            (path / top).symlink_to(f"..data/{top}")
    for entry in path.iterdir():
        if not entry.name.startswith("..") and entry.name not in tops:
            entry.unlink()
    if old is not None:
        shutil.rmtree(old)


def _same(directory: Path, files: dict[str, bytes]) -> bool:
    held = {
        str(found.relative_to(directory)): found.read_bytes()
        for found in directory.rglob("*")
        if found.is_file()
    }
    return held == files
