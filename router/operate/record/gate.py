"""What keeps the journal and the log readable when somebody makes one thing happen for ever."""

import msgspec

from router.model import limits
from router.model.events import Event


class _Bucket:
    """Of one code: how many more may pass, and how many did not."""

    __slots__ = ("held_back", "left", "since")

    def __init__(self, now: float) -> None:
        self.left = float(limits.EVENTS_BURST)
        self.since = now
        self.held_back = 0


class EventGate:
    """Lets `EVENTS_BURST` events of each code through, then one each `EVENTS_INTERVAL_S`.

    Codes are constants of the program, so the number of buckets is bounded.
    """

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}

    def let_through(self, event: Event, now: float) -> Event | None:
        """``event``, with the number of those held back before it; None: hold it back."""
        bucket = self._buckets.get(event.code)
        if bucket is None:
            bucket = self._buckets[event.code] = _Bucket(now)
        earned = (now - bucket.since) / limits.EVENTS_INTERVAL_S
        bucket.left = min(float(limits.EVENTS_BURST), bucket.left + earned)
        bucket.since = now
        if bucket.left < 1:
            bucket.held_back += 1
            return None
        bucket.left -= 1
        held_back, bucket.held_back = bucket.held_back, 0
        if not held_back:
            return event
        told = f"{event.message} ({held_back} more like it were not told.)"
        return msgspec.structs.replace(event, message=told)
