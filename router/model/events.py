"""Events for operators: shown by `sitectl events`, sent over SSE, logged once."""

from typing import Protocol

import msgspec

from router.model.errors import Severity
from router.model.event_codes import EventKind

__all__ = [
    "ENDED_WITHOUT_STOPPING",
    "Change",
    "Event",
    "Note",
    "Problem",
    "Severity",
    "Spill",
    "Tell",
]

ENDED_WITHOUT_STOPPING = (
    "ended without having stopped: it was killed or crashed, or its machine went down"
)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One changed field of a document. Empty text: the field was missing before, or is now."""

    field: str
    old: str
    new: str


class Spill(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one service port that spilled to other sites since ``began``, counted by site in
    ``to``.

    ``lasted_s``: until the last one was over. ``active_s``: the seconds of that in which requests
    spilled or were in flight elsewhere; a pause of less than ten seconds begins no new event.
    ``in_flight_max`` at this site's targets, sampled once a second; ``capacity`` None: none is
    configured.
    """

    began: str
    lasted_s: float
    requests: int
    to: dict[str, int]
    in_flight_max: int
    capacity: int | None
    active_s: float = 0.0


class Refusals(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one service port that no site took. ``reasons``: counts by `LegFailure` code.

    The other fields are those of `Spill`.
    """

    began: str
    lasted_s: float
    requests: int
    reasons: dict[str, int]
    in_flight_max: int
    capacity: int | None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One change of state. ``code`` is short and stable (``link-up``; see `model.event_codes`).

    ``by``: who did it, in an audit event. ``service``: the service that the event is about, if any.
    ``overflow``, ``without_target``: figures of requests that went to other sites because this site
    was full, or because no target here was ready. ``refused``: of requests that no site took.
    """

    at: str  # UTC ISO 8601.
    severity: Severity
    code: str
    subject: str  # The link, service, target or site that the event is about.
    message: str
    hint: str = ""
    kind: EventKind = "event"
    by: str = ""
    service: str = ""
    changes: tuple[Change, ...] = ()
    overflow: Spill | None = None
    without_target: Spill | None = None
    refused: Refusals | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A present problem, shown in `status`. ``code`` is ``SW`` and four digits.

    ``since``: UTC ISO 8601, empty if unknown.
    """

    code: str
    message: str
    hint: str
    since: str = ""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A remark on the wanted state, for `check`: something has no effect, or is good to know."""

    severity: Severity
    code: str
    message: str
    hint: str


class Tell(Protocol):
    """Write one event to the journal, at the time of the call."""

    def __call__(
        self, severity: Severity, code: str, subject: str, message: str, hint: str = ""
    ) -> None: ...


class TellOfService(Protocol):
    """As `Tell`. ``service``: the name of the service that the event is about, if ``subject`` is
    another thing.
    """

    def __call__(
        self,
        severity: Severity,
        code: str,
        subject: str,
        message: str,
        hint: str = "",
        *,
        service: str = "",
    ) -> None: ...
