"""Calls to an API server as values, and the parsing of its answers. Pure."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.kubernetes.client.errors import decoded, malformed
from router.kubernetes.objects.kinds import KindInfo
from router.kubernetes.objects.objects import Object, metadata

ALL_NAMESPACES: Final = "*"
JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"


class ApiCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call. ``verb`` as in RBAC; ``repeats``: the call is idempotent."""

    verb: str
    kind: str
    name: str = ""
    method: str
    path: str
    params: Mapping[str, str] = {}
    body: object = None
    content_type: str = JSON
    repeats: bool = True


class ApiAnswer(msgspec.Struct, frozen=True):
    """One HTTP answer, read to its end. ``retry_after_s``: the wait that the server requests."""

    status: int
    body: bytes
    retry_after_s: float | None = None


class Page(msgspec.Struct, frozen=True):
    """Part of a list. ``version``: of the whole list, on each page; ``more``: where to continue."""

    items: list[dict[str, Any]]
    version: str
    more: str = ""


class _ListMeta(
    msgspec.Struct, frozen=True, rename={"resource_version": "resourceVersion", "more": "continue"}
):
    resource_version: str = ""
    more: str = ""


class _List(msgspec.Struct, frozen=True):
    kind: str = ""
    metadata: _ListMeta = _ListMeta()
    items: list[dict[str, Any]] | None = None  # Go writes an empty list as null.


class _Resource(msgspec.Struct, frozen=True):
    name: str = ""
    verbs: list[str] | None = None


class _Resources(msgspec.Struct, frozen=True):
    resources: list[_Resource] | None = None


def path_of(info: KindInfo, namespace: str, name: str = "", subresource: str = "") -> str:
    """The API path of objects of that kind."""
    parts = [group_path(info.api_version)]
    if namespace != ALL_NAMESPACES:
        parts += ["namespaces", namespace]
    return "/".join([*parts, *(part for part in (info.plural, name, subresource) if part)])


def group_path(api_version: str) -> str:
    """The API path of a group and version."""
    return f"{'apis' if '/' in api_version else 'api'}/{api_version}"


def selectors(labels: str = "", fields: str = "") -> dict[str, str]:
    """Query fields that select the objects of a list or watch; empty: all."""
    found = {"labelSelector": labels, "fieldSelector": fields}
    return {name: text for name, text in found.items() if text}


def page_in(body: bytes, kind: str) -> Page:
    """A page of a list of ``kind``. ApiError if it is none: an empty list would withdraw all."""
    found = decoded(body, _List)
    version = found.metadata.resource_version
    if found.kind != f"{kind}List" or not version:
        raise malformed(f"a {found.kind or 'text'} that is no list of {kind} objects")
    return Page(found.items or [], version, found.metadata.more)


def creatable(body: bytes) -> frozenset[str]:
    """The plurals that a group and version offers for creation.

    While a CustomResourceDefinition is being deleted its kind is still listed, but without the verb
    ``create`` (apiextensions-apiserver, customresource_discovery_controller.go).
    """
    found = decoded(body, _Resources).resources or ()
    return frozenset(each.name for each in found if "create" in (each.verbs or ()))


def is_allowed(answer: Object) -> bool:
    """Whether a SelfSubjectAccessReview was answered with yes."""
    status = answer.get("status")
    return isinstance(status, Mapping) and status.get("allowed") is True


def typed(found: dict[str, Any], info: KindInfo) -> dict[str, Any]:
    """``found`` with the kind and version that items of a list leave out."""
    found.setdefault("apiVersion", info.api_version)
    found.setdefault("kind", info.kind)
    return found


def namespace_of(found: Object) -> str:
    """The namespace of the object; empty: it has none."""
    namespace = metadata(found).get("namespace", "")
    return namespace if isinstance(namespace, str) else ""
