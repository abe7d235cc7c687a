"""Rules of Roles in human-readable form. Pure."""

from collections.abc import Iterable
from typing import Final

OR_BIND: Final = ", or bind it again: sitectl check says which"
"""Ends the step of a refusal: the Role may have the rule, and its RoleBinding be gone."""


def rule_text(group: str, resource: str, *verbs: str, only: Iterable[str] = ()) -> str:
    """A rule of a Role that permits ``verbs``; ``group`` is empty for Kubernetes' core kinds.

    ``only``: names of the objects that the rule is limited to; empty: it holds for all objects.
    """
    names = _listed(only)
    limited = f", resourceNames: {names}" if names != "[]" else ""
    return f'apiGroups: ["{group}"], resources: ["{resource}"]{limited}, verbs: {_listed(verbs)}'


def _listed(words: Iterable[str]) -> str:
    quoted = ", ".join(f'"{word}"' for word in words)
    return f"[{quoted}]"
