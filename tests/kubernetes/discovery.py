"""What clients ask first: versions, groups, resources, OpenAPI."""

from typing import Any, Final

from tests.kubernetes import schemas
from tests.kubernetes.resources import Catalogue, Json, Resource

AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
"""Asked for by the Accept header, and the type of the answer."""
_OF_OTHER_KINDS: Final = {
    "scale": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
    "eviction": {"group": "policy", "version": "v1", "kind": "Eviction"},
    "token": {"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"},
}
"""What subresources take. Where `eviction` has no group, `kubectl drain` deletes pods."""


def answer(catalogue: Catalogue, path: str) -> Json | None:
    """The document at ``path``; None: none of discovery's."""
    parts = [part for part in path.split("/") if part]
    match parts:
        case ["version"]:
            return _version()
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["apis"]:
            groups = [_group(group, version) for group, version in _groups(catalogue) if group]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        case ["api", version]:
            return _resources(catalogue, "", version)
        case ["apis", group]:
            versions = dict(_groups(catalogue))
            return _group(group, versions[group]) if group in versions else None
        case ["apis", group, version]:
            return _resources(catalogue, group, version)
        case ["openapi", "v3"]:
            return {"paths": dict(_documents(catalogue))}
        case ["openapi", "v3", *place]:
            return _document(catalogue, place)
        case _:
            return None


def aggregated(catalogue: Catalogue, path: str) -> Json | None:
    """All groups of ``/api`` or ``/apis`` with their resources at once; None: another path."""
    if path.strip("/") not in ("api", "apis"):
        return None
    is_core = path.strip("/") == "api"
    items = [
        {
            "metadata": {"name": group, "creationTimestamp": None} if group else {},
            "versions": [
                {
                    "version": version,
                    "resources": [
                        _entry(catalogue, each) for each in _of(catalogue, group, version)
                    ],
                    "freshness": "Current",
                }
            ],
        }
        for group, version in _groups(catalogue)
        if bool(group) != is_core
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _entry(catalogue: Catalogue, resource: Resource) -> Json:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    entry: Json = {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": catalogue.verbs(resource),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    subresources = [
        {
            "subresource": name,
            "responseKind": {**kind, **_OF_OTHER_KINDS.get(name, {})},
            "verbs": _subresource(resource, name)["verbs"],
        }
        for name in resource.subresources
    ]
    return {**entry, "subresources": subresources} if subresources else entry


def _version() -> Json:
    major, minor, _patch = schemas.VERSION.split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{schemas.VERSION}",
        "gitCommit": "0" * 40,
        "gitTreeState": "clean",
        "buildDate": "2024-12-11T00:00:00Z",
        "goVersion": "go1.23.3",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def _groups(catalogue: Catalogue) -> list[tuple[str, str]]:
    return list(dict.fromkeys((each.group, each.version) for each in catalogue.resources))


def _group(group: str, version: str) -> Json:
    entry = {"groupVersion": f"{group}/{version}", "version": version}
    return {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": group,
        "versions": [entry],
        "preferredVersion": entry,
    }


def _of(catalogue: Catalogue, group: str, version: str) -> tuple[Resource, ...]:
    return tuple(
        each for each in catalogue.resources if (each.group, each.version) == (group, version)
    )


def _resources(catalogue: Catalogue, group: str, version: str) -> Json | None:
    found = _of(catalogue, group, version)
    if not found:
        return None
    entries: list[Json] = []
    for each in found:
        entry: dict[str, Any] = {
            "name": each.plural,
            "singularName": each.singular,
            "namespaced": each.namespaced,
            "kind": each.kind,
            "verbs": catalogue.verbs(each),
        }
        if each.short_names:
            entry["shortNames"] = list(each.short_names)
        if each.categories:
            entry["categories"] = list(each.categories)
        entries.append(entry)
        entries += [_subresource(each, name) for name in each.subresources]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": found[0].api_version,
        "resources": entries,
    }


def _subresource(resource: Resource, name: str) -> Json:
    verbs = {
        "exec": ["create", "get"],
        "portforward": ["create", "get"],
        "log": ["get"],
        "eviction": ["create"],
        "token": ["create"],
        "finalize": ["update"],
    }
    entry: Json = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": verbs.get(name, ["get", "patch", "update"]),
    }
    return {**entry, **_OF_OTHER_KINDS.get(name, {})}


def _documents(catalogue: Catalogue) -> list[tuple[str, Json]]:
    found = []
    for group, version in _groups(catalogue):
        place = f"apis/{group}/{version}" if group else f"api/{version}"
        found.append((place, {"serverRelativeURL": f"/openapi/v3/{place}?hash=1"}))
    return found


def _document(catalogue: Catalogue, place: list[str]) -> Json | None:
    group, version = ("", place[-1]) if place[0] == "api" else (place[-2], place[-1])
    found = _of(catalogue, group, version)
    return schemas.openapi_v3(group, version, found) if found else None
