"""Texts that contain ``{{name}}``, for burst hooks. Names are a fixed list.

A library would bring a language (Jinja: loops, attributes, filters, a sandbox to trust); a name in
braces is enough, and an unknown name is an error when the document is read.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

NAMES: Final = {
    "burst": "the name of the Burst document",
    "service": "the service it watches",
    "site": "the name of this site",
    "event": "saturated or calm",
    "demand": "requests under way and waiting, mean over the window, rounded up",
    "used": "requests wanted at once, share of the capacity, percent, whole",
    "full": "share of the window in which this site was full, percent, whole",
    "overflow": "share of the requests that overflowed, percent, whole",
    "refused": "share of the requests refused, percent, whole",
    "queueWaitMs": "mean wait in the queue, milliseconds, whole",
    "capacity": "slots configured for the ready targets here, 0: none",
    "since": "when the state began, UTC ISO 8601",
    "id": "of this change of state: the same for each try and after a restart",
    "test": "true or false",
}

NUMBERS: Final = ("demand", "used", "full", "overflow", "refused", "queueWaitMs", "capacity")
"""Names whose values are whole numbers."""
STEADY: Final = frozenset({"burst", "service", "site"})
"""Names whose values are the same for every event of a burst."""

_PLACE: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def unknown(text: str) -> str | None:
    """The first ``{{…}}`` in ``text`` with an unknown name, or ``{{`` alone; None: all are
    known."""
    for found in _PLACE.finditer(text):
        if found[1].strip() not in NAMES:
            return found[1].strip()
    rest = _PLACE.sub("", text)
    return "{{" if "{{" in rest else None


def names_in(text: str) -> frozenset[str]:
    """The names that ``text`` uses."""
    return frozenset(found[1].strip() for found in _PLACE.finditer(text))


def filled(text: str, values: Mapping[str, str]) -> str:
    """``text`` with each ``{{name}}`` replaced once: values are not expanded again."""
    return _PLACE.sub(lambda found: values[found[1].strip()], text)


def filled_whole(value: Any, values: Mapping[str, str]) -> Any:
    """``value`` (of JSON's kinds) with all texts in it `filled`; keys stay as they are."""
    if isinstance(value, str):
        return filled(value, values)
    if isinstance(value, dict):
        return {key: filled_whole(item, values) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [filled_whole(item, values) for item in value]
    return value
