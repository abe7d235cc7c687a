"""What happened, for people: shown by `sitectl events`, sent over SSE, logged once."""

import msgspec

from router.model.errors import Severity

__all__ = ["Event", "Note", "Problem", "Severity"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One change of state. ``code`` is short and stable (``link-up``, ``target-down``)."""

    at: str  # UTC ISO 8601.
    severity: Severity
    code: str
    subject: str  # The link, service, target or site it is about.
    message: str
    hint: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong right now, shown in `status`. ``code`` is ``SW`` and four digits.

    ``since``: UTC ISO 8601, empty where it is not known.
    """

    code: str
    message: str
    hint: str
    since: str = ""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something in the wanted state that has no effect, or is good to know. For `check`."""

    severity: Severity
    code: str
    message: str
    hint: str
