"""A request to the API, read from its path and query."""

from collections.abc import Mapping
from typing import Final

import msgspec

from tests.kubernetes.decoding import Asked
from tests.kubernetes.failures import Failure, no_such_page, no_such_path
from tests.kubernetes.resources import Catalogue, Resource

_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch"}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a request wants. ``verb`` is RBAC's word; empty ``name``: the collection."""

    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def is_write(self) -> bool:
        """Whether the request would change a stored object."""
        if self.subresource in ("exec", "portforward", "token") or self.resource.verbs == (
            "create",
        ):
            return False
        return self.verb not in ("get", "list", "watch")


def read(catalogue: Catalogue, method: str, path: str, query: Mapping[str, str]) -> Wanted:
    """404 for a path that is not served."""
    place = _place(path)
    if place is None:
        raise _not_served(catalogue, path)
    group, version, namespace, rest = place
    plural, name, subresource = [*rest, "", ""][:3]
    resource = catalogue.at(group, version, plural)
    if resource is None or len(rest) > 3 or (namespace and not resource.namespaced):
        raise _not_served(catalogue, path)
    if subresource and subresource not in resource.subresources:
        raise _not_served(catalogue, path)
    return _wanted(resource, method, query, (namespace, name, subresource))


def _not_served(catalogue: Catalogue, path: str) -> Failure:
    """404 in the words of the path's group, or of a server without it."""
    root, group = [*path.strip("/").split("/"), ""][:2]
    is_served = root == "api" or group in {each.group for each in catalogue.resources}
    return no_such_path() if root in ("api", "apis") and is_served else no_such_page()


def unserved(method: str, path: str, query: Mapping[str, str]) -> Wanted | None:
    """What a request for a resource that is not served asks for; authorization judges it first."""
    place = _place(path)
    if place is None or len(place[3]) > 3:
        return None
    group, version, namespace, rest = place
    plural, name, subresource = [*rest, "", ""][:3]
    resource = Resource(kind=plural, plural=plural, group=group, version=version)
    return _wanted(resource, method, query, (namespace, name, subresource))


def _place(path: str) -> tuple[str, str, str, list[str]] | None:
    """Group, version, namespace, and what follows; None: no path of a resource."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in ("status", "finalize"):
        return group, version, rest[1], rest[2:]
    return group, version, "", rest


def _wanted(
    resource: Resource, method: str, query: Mapping[str, str], place: tuple[str, str, str]
) -> Wanted:
    namespace, name, subresource = place
    if method == "GET":
        watches = query.get("watch", "") in ("true", "1")
        verb = "watch" if watches else "get" if name else "list"
    elif method == "DELETE":
        verb = "delete" if name else "deletecollection"
    else:
        verb = _VERBS.get(method, method.lower())
    if subresource in ("exec", "portforward"):
        verb = "create" if method == "POST" else "get"
    return Wanted(
        verb=verb, resource=resource, namespace=namespace, name=name, subresource=subresource
    )


def asked(query: Mapping[str, str], agent: str) -> Asked:
    """The query of a write. Who names no manager is named after its user agent."""
    return Asked(
        dry_run=query.get("dryRun") == "All",
        manager=query.get("fieldManager") or agent.partition("/")[0] or "unknown",
        force=query.get("force") == "true",
        validation=query.get("fieldValidation") or "Warn",
    )
