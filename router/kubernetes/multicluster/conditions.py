"""Conditions of ServiceExports and ServiceImports: ours, and those of another controller."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from router.kubernetes.objects.conditions import Condition, conditions
from router.kubernetes.objects.objects import Object, part, section

ReportedStatuses = Mapping[tuple[str, str], Mapping[str, Any]]
"""The wanted status of each object, by (kind, name)."""
TYPES: Final = ("Valid", "Ready", "Conflict")
"""The types that the API defines for its objects."""
MARK: Final = "Spillway: "
"""Start of each message of ours. A condition without it is from another controller."""
MESSAGE_CHARS_MAX: Final = 1_000


def condition(type_: str, *, is_true: bool, reason: str, message: str) -> Condition:
    """A condition of ours. ``type_`` and ``reason`` are from KEP-1645."""
    text = f"{MARK}{message}"[:MESSAGE_CHARS_MAX]
    return Condition(type=type_, is_true=is_true, reason=reason, message=text)


def is_foreign(found: Object) -> bool:
    """Whether another controller reports on the object."""
    return any(
        one.get("type") in TYPES and not str(one.get("message") or "").startswith(MARK)
        for one in _listed(found)
    )


def withdrawn(found: Object) -> dict[str, Any] | None:
    """The status of an object without our conditions; None: it has none of them."""
    said = _listed(found)
    others = [one for one in said if one.get("type") not in TYPES]
    if len(others) == len(said) or is_foreign(found):
        return None
    return {**section(found, "status"), "conditions": others}


def listed(found: Object, wanted: Iterable[Condition], now: str) -> list[dict[str, Any]]:
    """All conditions of ``found``: ``wanted`` for the API's types, others as they are."""
    others = [one for one in _listed(found) if one.get("type") not in TYPES]
    return [*others, *conditions(found, wanted, now)]


def _listed(found: Object) -> list[dict[str, Any]]:
    listed = part(found, "status", "conditions")
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
