"""What a hook is told, and what it comes to."""

from collections.abc import Mapping

import msgspec

from router.model import limits
from router.model.bursts import BurstState


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a hook. ``values`` by the names of `documents.templates`.

    ``id``: of the change of state, the same in every try of it.
    """

    id: str
    event: BurstState
    is_test: bool
    values: Mapping[str, str]


class HookOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """``text``: what it answered, for people. ``hint``: the next step when it failed."""

    ok: bool
    text: str
    hint: str = ""


def shown(data: bytes) -> str:
    """What a hook said: one line without control characters, bounded."""
    words = " ".join(data.decode("utf-8", "replace").split())
    plain = "".join(sign if sign.isprintable() else "?" for sign in words)
    most = limits.BURST_TEXT_CHARS_MAX
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"
