"""Input and result of a hook."""

from collections.abc import Mapping

import msgspec

from router.model import limits
from router.model.bursts import BurstState


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a hook. ``values``: by the names of `documents.templates`.

    ``id``: identifies the change of state; the same for all its tries.
    """

    id: str
    event: BurstState
    is_test: bool
    values: Mapping[str, str]


class HookOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """``text``: the hook's answer, human-readable. ``hint``: the next step if it failed."""

    ok: bool
    text: str
    hint: str = ""


def shown(data: bytes) -> str:
    """A hook's output as one bounded line without control characters."""
    words = " ".join(data.decode("utf-8", "replace").split())
    plain = "".join(sign if sign.isprintable() else "?" for sign in words)
    most = limits.BURST_TEXT_CHARS_MAX
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"
