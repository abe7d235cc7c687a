"""Where a document of a namespace is, and the command that removes it there. Pure."""

from collections.abc import Iterable
from typing import Final

from router.documents import file_name
from router.kubernetes.objects import names, skupper2_kinds
from router.kubernetes.translation.documents import config_map_name
from router.model.specs import Document, Kind

_WHOLE_DOCUMENTS: Final = ("ServiceExport", *skupper2_kinds.KINDS)
"""Kinds of objects that say nothing else than what a document of theirs says."""


def own_place(kind: Kind, name: str) -> str:
    """Where verbs write the document: the one key of its ConfigMap; for a site and a link, their
    object."""
    if kind == "Site":
        return f"ConfigMap/{names.SITE_CONFIGMAP}"
    if kind == "Link":
        return f"Secret/{name}"
    return f"ConfigMap/{config_map_name(kind, name)}[{file_name(kind, name)}]"


def edit_of(document: Document, kubectl: str = "kubectl") -> str:
    """The command that changes a document in a place of the user's."""
    return f"{kubectl} edit {_object(document)}"


def removal_of(document: Document, kubectl: str = "kubectl") -> str:
    """The command that removes a document from a place of the user's: an object that is one
    document is deleted, one of several edited."""
    if document.source.partition("/")[0] in _WHOLE_DOCUMENTS:
        return f"{kubectl} delete {_object(document)}"
    return edit_of(document, kubectl)


def removals(documents: Iterable[Document], kind: Kind) -> dict[str, str]:
    """By name, the commands that remove documents of ``kind`` that verbs refuse to remove, since
    users wrote their objects."""
    found = [one for one in documents if one.kind == kind]
    found.sort(key=lambda one: (one.source, one.line), reverse=True)
    kept = {one.name: one for one in found}  # Of two, the first source's counts, as in `resolve`.
    return {
        name: removal_of(one) for name, one in kept.items() if one.source != own_place(kind, name)
    }


def _object(document: Document) -> str:
    return document.source.partition("[")[0].lower()
