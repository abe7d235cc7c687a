"""Events of a router: stored in memory and on disk, sent to followers, written to the log."""

import logging
import time
from collections.abc import Callable, Sequence

import msgspec

from router.admin.events import EventLog
from router.model import limits
from router.model.event_codes import EVENT_CODES
from router.model.events import Change, Event, Refusals, Severity, Spill
from router.model.token_bucket import TokenBucket
from router.model.wording.routing_key_names import shown_subject, with_keys

log = logging.getLogger("router.operate")

LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

Write = Callable[[int, Event], None]


class Journal:
    """``events`` already has those before the restart. ``write``: stores an event on disk."""

    __slots__ = ("_clock", "_gate", "_now", "_write", "events", "key_of", "told")

    def __init__(
        self,
        events: EventLog,
        write: Write,
        utc_now: Callable[[], str],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.events = events
        self._write, self._clock, self._now = write, utc_now, now
        self._gate = EventGate()
        self.told: list[Callable[[Event], None]] = []
        """Called with each event at once; must return soon."""
        self.key_of: Callable[[str], str] = lambda service: ""
        """The routing key of a service, which sentences show in place of its name."""

    def tell(
        self,
        severity: Severity,
        code: str,
        subject: str,
        message: str,
        hint: str = "",
        *,
        service: str = "",
    ) -> None:
        """Record and log one event, unless there were too many like it."""
        known = EVENT_CODES.get(code)
        self.add(
            Event(
                at=self._clock(),
                severity=severity,
                code=code,
                subject=subject,
                message=message,
                hint=hint,
                kind=known.kind if known is not None else "event",
                service=service,
            )
        )

    def audit(
        self,
        code: str,
        subject: str,
        message: str,
        by: str,
        *,
        severity: Severity = "info",
        changes: Sequence[Change] = (),
        service: str = "",
    ) -> None:
        """Record an action of an operator."""
        self.add(
            Event(
                at=self._clock(),
                severity=severity,
                code=code,
                subject=subject,
                message=message,
                kind="audit",
                by=by,
                changes=tuple(changes),
                service=service,
            )
        )

    def episode(
        self,
        severity: Severity,
        code: str,
        service: str,
        message: str,
        *,
        hint: str = "",
        overflow: Spill | None = None,
        without_target: Spill | None = None,
        refused: Refusals | None = None,
    ) -> None:
        """Record that requests spill or are refused, or no longer are; the figures by reason."""
        self.add(
            Event(
                at=self._clock(),
                severity=severity,
                code=code,
                subject=service,
                message=message,
                hint=hint,
                service=service.rpartition(":")[0],
                overflow=overflow,
                without_target=without_target,
                refused=refused,
            )
        )

    def add(self, event: Event) -> None:
        """Store, send and log ``event``."""
        message = with_keys(event.message, self.key_of)
        if message != event.message:
            event = msgspec.structs.replace(event, message=message)
        passed = self._gate.let_through(event, self._now())
        if passed is None:
            return
        number = self.events.add(passed)
        self._write(number, passed)
        for hear in self.told:
            hear(passed)
        subject = shown_subject(passed.subject, passed.message)
        is_named = subject in passed.message
        text = passed.message if is_named else f"{subject}: {passed.message}"
        if passed.by:
            text = f"{text.removesuffix('.')}, by {passed.by}."
        log.log(LEVELS[passed.severity], "%s", text, extra={"code": passed.code})


class _OneCode:
    """The budget of one code, and how many events it held back."""

    __slots__ = ("bucket", "held_back")

    def __init__(self, now: float) -> None:
        self.bucket = TokenBucket(limits.EVENTS_BURST, 1 / limits.EVENTS_INTERVAL_S, now)
        self.held_back = 0


class EventGate:
    """Lets `EVENTS_BURST` events of each code through, then one each `EVENTS_INTERVAL_S`.

    Codes are constants of the program, so the number of buckets is bounded.
    """

    __slots__ = ("_codes",)

    def __init__(self) -> None:
        self._codes: dict[str, _OneCode] = {}

    def let_through(self, event: Event, now: float) -> Event | None:
        """``event``, with the number of those held back before it; None: hold it back."""
        code = self._codes.get(event.code)
        if code is None:
            code = self._codes[event.code] = _OneCode(now)
        if not code.bucket.take(now):
            code.held_back += 1
            return None
        held_back, code.held_back = code.held_back, 0
        if not held_back:
            return event
        told = f"{event.message} ({held_back} more like it were not told.)"
        return msgspec.structs.replace(event, message=told)
