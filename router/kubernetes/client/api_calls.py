"""Calls to an API server as values, and what its answers say. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from router.kubernetes.client.errors import decoded, malformed
from router.kubernetes.objects.kinds import KINDS, KindInfo
from router.kubernetes.objects.names import FIELD_MANAGER
from router.kubernetes.objects.objects import Object, metadata, name_of

ALL_NAMESPACES: Final = "*"
JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
_REVIEW: Final = "SelfSubjectAccessReview"


class ApiCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call. ``verb`` as in rights (RBAC); ``repeats``: doing it twice is as doing it once."""

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
    """One HTTP answer, read to its end. ``retry_after_s``: the wait that the server asks for."""

    status: int
    body: bytes
    retry_after_s: float | None = None


class Page(msgspec.Struct, frozen=True):
    """Part of a list. ``version``: of the whole list, on every page; ``more``: where it goes on."""

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
    """Where the API serves objects of that kind."""
    root = "apis" if "/" in info.api_version else "api"
    parts = [root, info.api_version]
    if namespace != ALL_NAMESPACES:
        parts += ["namespaces", namespace]
    return "/".join([*parts, *(part for part in (info.plural, name, subresource) if part)])


def discovery(api_version: str) -> ApiCall:
    """What the server has of a group and version."""
    root = "apis" if "/" in api_version else "api"
    return ApiCall(verb="get", kind="", method="GET", path=f"{root}/{api_version}")


def get(info: KindInfo, name: str, namespace: str) -> ApiCall:
    """The object of that name."""
    path = path_of(info, namespace, name)
    return ApiCall(verb="get", kind=info.kind, name=name, method="GET", path=path)


def listing(
    info: KindInfo, namespace: str, selected: Mapping[str, str], most: int, more: str = ""
) -> ApiCall:
    """A page of all objects; ``selected`` as of `selectors`, ``more`` as the page before says."""
    params = {**selected, "limit": str(most)}
    if more:
        params["continue"] = more
    return ApiCall(
        verb="list", kind=info.kind, method="GET", path=path_of(info, namespace), params=params
    )


def selectors(labels: str = "", fields: str = "") -> dict[str, str]:
    """Which objects of a list or watch; empty: all."""
    found = {"labelSelector": labels, "fieldSelector": fields}
    return {name: text for name, text in found.items() if text}


def create(info: KindInfo, made: Object, namespace: str, manager: str = FIELD_MANAGER) -> ApiCall:
    """Make an object. Sent again it would be there already."""
    return ApiCall(
        verb="create",
        kind=info.kind,
        name=name_of(made),
        method="POST",
        path=path_of(info, namespace),
        params={"fieldManager": manager},
        body=made,
        repeats=False,
    )


def replace(
    info: KindInfo,
    whole: Object,
    namespace: str,
    subresource: str = "",
    manager: str = FIELD_MANAGER,
) -> ApiCall:
    """Put ``whole`` in place of the object that has its version."""
    name = name_of(whole)
    return ApiCall(
        verb="update",
        kind=info.kind,
        name=name,
        method="PUT",
        path=path_of(info, namespace, name, subresource),
        params={"fieldManager": manager},
        body=whole,
    )


def patch(
    info: KindInfo,
    name: str,
    changes: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    namespace: str,
    subresource: str = "",
    manager: str = FIELD_MANAGER,
) -> ApiCall:
    """Merge ``changes`` (None removes a field), or apply a list of JSON patch operations, once."""
    is_merge = isinstance(changes, Mapping)
    return ApiCall(
        verb="patch",
        kind=info.kind,
        name=name,
        method="PATCH",
        path=path_of(info, namespace, name, subresource),
        params={"fieldManager": manager},
        body=changes,
        content_type=MERGE_PATCH if is_merge else JSON_PATCH,
        repeats=is_merge,
    )


def apply(
    info: KindInfo,
    wanted: Object,
    namespace: str,
    *,
    force: bool,
    subresource: str = "",
    manager: str = FIELD_MANAGER,
) -> ApiCall:
    """Server-side apply: the fields of ``wanted`` become ours, others stay as they are."""
    name = name_of(wanted)
    return ApiCall(
        verb="patch",
        kind=info.kind,
        name=name,
        method="PATCH",
        path=path_of(info, namespace, name, subresource),
        params={"fieldManager": manager, "force": "true" if force else "false"},
        body=wanted,
        content_type=APPLY_PATCH,
    )


def delete(
    info: KindInfo, name: str, namespace: str, *, uid: str = "", version: str = ""
) -> ApiCall:
    """Delete it, in the background what it owns; with ``uid`` or ``version`` only that very one."""
    options: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
    }
    known = {"uid": uid, "resourceVersion": version}
    if uid or version:
        options["preconditions"] = {name: value for name, value in known.items() if value}
    path = path_of(info, namespace, name)
    return ApiCall(
        verb="delete", kind=info.kind, name=name, method="DELETE", path=path, body=options
    )


def review(path: str, question: Object) -> ApiCall:
    """A question that is answered and not stored."""
    return ApiCall(
        verb="create", kind=str(question["kind"]), method="POST", path=path, body=question
    )


def access_review(attributes: Mapping[str, str], namespace: str) -> ApiCall:
    """Whether we may: ``verb``, ``resource``, ``group``, ``name``, ``subresource``."""
    info = KINDS[_REVIEW]
    question = {
        "apiVersion": info.api_version,
        "kind": info.kind,
        "spec": {"resourceAttributes": {"namespace": namespace, **attributes}},
    }
    return review(path_of(info, ALL_NAMESPACES), question)


def page_in(body: bytes, kind: str) -> Page:
    """A page of a list of ``kind``. ApiError: it is none; as an empty one it would withdraw all."""
    found = decoded(body, _List)
    version = found.metadata.resource_version
    if found.kind != f"{kind}List" or not version:
        raise malformed(f"a {found.kind or 'text'} that is no list of {kind} objects")
    return Page(found.items or [], version, found.metadata.more)


def creatable(body: bytes) -> frozenset[str]:
    """The plurals that an answer to `discovery` offers for creation.

    While a CustomResourceDefinition is being deleted its kind is still listed, but without the verb
    ``create`` (apiextensions-apiserver, customresource_discovery_controller.go).
    """
    found = decoded(body, _Resources).resources or ()
    return frozenset(each.name for each in found if "create" in (each.verbs or ()))


def is_allowed(answer: Object) -> bool:
    """What an `access_review` comes to."""
    status = answer.get("status")
    return isinstance(status, Mapping) and status.get("allowed") is True


def typed(found: dict[str, Any], info: KindInfo) -> dict[str, Any]:
    """``found`` with the kind and version that items of a list leave out."""
    found.setdefault("apiVersion", info.api_version)
    found.setdefault("kind", info.kind)
    return found


def namespace_of(found: Object) -> str:
    """That of the object; empty: it says none."""
    namespace = metadata(found).get("namespace", "")
    return namespace if isinstance(namespace, str) else ""
