"""Standard conditions in the status of an object. Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec

from router.kubernetes.objects.objects import Object, metadata, part


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One condition; ``reason`` is a word for tools, ``message`` is human-readable."""

    type: str
    is_true: bool
    reason: str
    message: str = ""


def conditions(found: Object, wanted: Iterable[Condition], now: str) -> list[dict[str, Any]]:
    """``wanted`` in the form of the status of ``found``. ``now``: RFC 3339, UTC.

    The time of a condition stays while its status stays. Conditions of ``found`` that are not
    wanted are left out.
    """
    before = part(found, "status", "conditions")
    known = {
        one.get("type"): one
        for one in (before if isinstance(before, list) else ())
        if isinstance(one, dict)
    }
    generation = metadata(found).get("generation")
    made = []
    for condition in wanted:
        status = "True" if condition.is_true else "False"
        old = known.get(condition.type, {})
        since = old.get("lastTransitionTime") if old.get("status") == status else None
        entry: dict[str, Any] = {
            "type": condition.type,
            "status": status,
            "reason": condition.reason,
            "message": condition.message,
            "lastTransitionTime": since if isinstance(since, str) else now,
        }
        if isinstance(generation, int):
            entry["observedGeneration"] = generation
        made.append(entry)
    return made
