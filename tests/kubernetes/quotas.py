"""What ResourceQuotas and LimitRanges of a namespace refuse, in the server's words."""

from typing import Final

from tests.kubernetes.failures import forbidden
from tests.kubernetes.quantities import quantity
from tests.kubernetes.resources import Catalogue, Json, Resource
from tests.kubernetes.storage import Store

_COMPUTE: Final = ("limits.cpu", "limits.memory", "requests.cpu", "requests.memory")
_ENDED: Final = ("Succeeded", "Failed")


def admit(
    store: Store, catalogue: Catalogue, resource: Resource, namespace: str, found: Json
) -> None:
    """403: a quota of the namespace has no room for this new object, or wants more stated."""
    for quota in store.all(catalogue.kind("ResourceQuota"), namespace):
        hard = (quota.get("spec") or {}).get("hard") or {}
        if resource.kind == "Pod" and (missing := _unstated(found, hard)):
            _refuse(resource, found, f"failed quota: {quota['metadata']['name']}: {missing}")
        requested = {key: n for key, n in _counted(resource, found).items() if key in hard}
        if not requested:
            continue
        used = dict.fromkeys(requested, 0)
        for each in store.all(resource, namespace):
            for key in _counted(resource, each).keys() & requested:
                used[key] += 1
        over = sorted(key for key, n in requested.items() if used[key] + n > quantity(hard[key]))
        if over:
            sums = (("requested", requested), ("used", used), ("limited", hard))
            words = (f"{word}: {','.join(f'{k}={n[k]}' for k in over)}" for word, n in sums)
            _refuse(
                resource, found, f"exceeded quota: {quota['metadata']['name']}, {', '.join(words)}"
            )


def fill_and_check(store: Store, catalogue: Catalogue, namespace: str, pod: Json) -> None:
    """Give a new pod's containers the defaults of LimitRanges, in place. 403: beyond one."""
    containers = [*(pod["spec"].get("initContainers") or []), *pod["spec"].get("containers", [])]
    for found in store.all(catalogue.kind("LimitRange"), namespace):
        for limit in (found.get("spec") or {}).get("limits") or []:
            if limit.get("type") != "Container":
                continue
            for container in containers:
                _default(container, limit)
            causes = [text for container in containers for text in _beyond(container, limit)]
            if causes:
                shown = causes[0] if len(causes) == 1 else f"[{', '.join(causes)}]"
                _refuse(catalogue.kind("Pod"), pod, shown)


def _unstated(pod: Json, hard: Json) -> str:
    """What a quota limits and containers do not state."""
    named = {f"requests.{key}" if key in ("cpu", "memory") else key for key in hard}
    spec = pod["spec"]
    containers = [*(spec.get("initContainers") or []), *spec.get("containers", [])]
    missing = []
    for key in _COMPUTE:
        group, _dot, name = key.partition(".")
        if key in named and any(
            name not in ((each.get("resources") or {}).get(group) or {}) for each in containers
        ):
            missing.append(key)
    names = ",".join(each["name"] for each in spec.get("containers", []))
    if not missing or not names:
        return ""
    return f"must specify {'; '.join(f'{key} for: {names}' for key in missing)}"


def _counted(resource: Resource, found: Json) -> dict[str, int]:
    """The names by which quotas count it."""
    group = f".{resource.group}" if resource.group else ""
    keys = [f"count/{resource.plural}{group}"]
    if resource.kind == "Pod" and (found.get("status") or {}).get("phase") in _ENDED:
        return dict.fromkeys(keys, 1)
    if not resource.group:
        keys.append(resource.plural)
    if resource.kind == "Service":
        kind = (found.get("spec") or {}).get("type")
        if kind == "LoadBalancer":
            keys += ["services.loadbalancers", "services.nodeports"]
        elif kind == "NodePort":
            keys.append("services.nodeports")
    return dict.fromkeys(keys, 1)


def _default(container: Json, limit: Json) -> None:
    resources = container.setdefault("resources", {})
    for part, key in (("limits", "default"), ("requests", "defaultRequest")):
        for name, value in (limit.get(key) or {}).items():
            resources[part] = {name: value, **(resources.get(part) or {})}


def _beyond(container: Json, limit: Json) -> list[str]:
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    causes = []
    for word, stated, other, sign in (
        ("minimum", requests, limits, -1),
        ("maximum", limits, requests, 1),
    ):
        first, second = ("request", "limit") if word == "minimum" else ("limit", "request")
        for name, enforced in sorted((limit.get(word[:3]) or {}).items()):
            told = f"{word} {name} usage per Container is {enforced}"
            if name not in stated:
                causes.append(f"{told}. No {first} is specified")
            elif sign * (quantity(stated[name]) - quantity(enforced)) > 0:
                causes.append(f"{told}, but {first} is {stated[name]}")
            elif name in other and sign * (quantity(other[name]) - quantity(enforced)) > 0:
                causes.append(f"{told}, but {second} is {other[name]}")
    return causes


def _refuse(resource: Resource, found: Json, why: str) -> None:
    name = found["metadata"]["name"]
    raise forbidden(resource, name, f'{resource.qualified} "{name}" is forbidden: {why}')
