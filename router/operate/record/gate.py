"""A rate limit that keeps journal and log readable when one event repeats for ever."""

import msgspec

from router.model import limits
from router.model.events import Event
from router.model.token_bucket import TokenBucket


class _OneCode:
    """How many more events of it may pass, and how many did not."""

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
