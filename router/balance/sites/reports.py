"""When load is reported to other sites."""

import msgspec

from router.model import limits
from router.model.ids import ServiceKey
from router.model.messages.adverts import RateLoad


class _Load(msgspec.Struct, frozen=True):
    in_flight: int
    targets_ready: int
    capacity: int | None
    rate: tuple[float, int, int] | None  # Per second, state, and permits in whole steps.
    beyond: int
    waiting: int
    reserved: int
    refuses: bool
    most_for_one: int | None

    @property
    def running(self) -> int:
        return self.in_flight + self.beyond

    @property
    def is_one_alone(self) -> bool:
        """The only request may be over in a moment."""
        return self.running == 1 and not self.waiting

    @property
    def is_full(self) -> bool:
        return self.capacity is not None and self.in_flight >= self.capacity

    @property
    def is_full_for_own(self) -> bool:
        """Full for other routers of this site, too, which have the reserve."""
        return self.capacity is not None and self.in_flight >= self.capacity + self.reserved

    @property
    def state(self) -> int:
        """The state of its rate."""
        return self.rate[1] if self.rate is not None else 0


def _told_of(rate: RateLoad | None) -> tuple[float, int, int] | None:
    """The part of a rate that is worth a report: permits while it is calm, in steps of one second's
    worth.

    While it is over, others compute from the time how many come back.
    """
    if rate is None:
        return None
    steps = 0 if rate.is_over else int(rate.permits / max(1.0, rate.per_s))
    return rate.per_s, rate.state, steps


class _Told:
    """One service port: the load that others know, the current one, and when they will know it."""

    __slots__ = ("changed_at", "differs_since", "due_at", "flipped_at", "known", "now_is")

    def __init__(self) -> None:
        self.known: _Load | None = None
        self.now_is: _Load | None = None
        self.changed_at = float("-inf")  # When the last report was sent.
        self.flipped_at = float("-inf")  # When the last report of a flip was sent.
        self.differs_since: float | None = None  # Since when `now_is` differs from `known`.
        self.due_at: float | None = None


class LoadReports:
    """Rate limits of load reports, per service port.

    A flip (full or free, a rate over or calm, ready targets none or some, refusing new requests or
    not) goes at once, and then at most every `limits.LOAD_INTERVAL_S`. A change of targets or rate,
    of the capacity by a tenth, or of all running requests by a tenth of the capacity and at least
    1, goes `limits.LOAD_CHANGE_INTERVAL_S` after the last report at the earliest. Smaller changes,
    and those of the queue alone, follow within `limits.LOAD_SETTLE_INTERVAL_S`: the last state is
    always reported. A single request, where none ran before, is reported after
    `limits.LOAD_LASTS_S`, and not at all if it is over by then. The caller sends the figures of its
    ledger at that moment.
    """

    __slots__ = ("_earliest", "_told")

    def __init__(self) -> None:
        self._told: dict[ServiceKey, _Told] = {}
        self._earliest: float | None = None  # No due time is before it.

    def note(
        self,
        key: ServiceKey,
        in_flight: int,
        targets_ready: int,
        capacity: int | None,
        now: float,
        rate: RateLoad | None = None,
        *,
        beyond: int = 0,
        waiting: int = 0,
        reserved: int = 0,
        refuses: bool = False,
        most_for_one: int | None = None,
    ) -> bool:
        """The current load of ``key`` (as in `LoadReport`). True: it is sent now."""
        told = self._told.get(key)
        if told is None:
            told = self._told[key] = _Told()
        told.now_is = _Load(
            in_flight,
            targets_ready,
            capacity,
            _told_of(rate),
            beyond,
            waiting,
            reserved,
            refuses,
            most_for_one,
        )
        if told.now_is == told.known:
            told.differs_since = None
        elif told.differs_since is None:
            told.differs_since = now
        told.due_at = due_at = _due_at(told)
        if due_at is None:
            return False
        if due_at <= now:
            _mark_sent(told, now)
            return True
        if self._earliest is None or due_at < self._earliest:
            self._earliest = due_at
        return False

    def forget(self, key: ServiceKey) -> None:
        """The service port is gone here; it is no longer reported."""
        self._told.pop(key, None)

    def next_deadline(self) -> float | None:
        """When to call `due`; it may turn out too early. None: everything is reported."""
        return self._earliest

    def due(self, now: float) -> list[ServiceKey]:
        """Service ports to report now; they count as sent. O(service ports)."""
        keys: list[ServiceKey] = []
        earliest: float | None = None
        for key, told in self._told.items():
            due_at = told.due_at
            if due_at is None:
                continue
            if due_at <= now:
                _mark_sent(told, now)
                keys.append(key)
            elif earliest is None or due_at < earliest:
                earliest = due_at
        self._earliest = earliest
        return keys


def _due_at(told: _Told) -> float | None:
    """The earliest time at which the present state may be reported; None: it is known."""
    known, now_is, since = told.known, told.now_is, told.differs_since
    if now_is is None or since is None:
        return None
    if known is None or _is_flip(known, now_is):
        return told.flipped_at + limits.LOAD_INTERVAL_S
    stated = (known.targets_ready, known.rate)
    if stated != (now_is.targets_ready, now_is.rate) or _is_other(known.capacity, now_is.capacity):
        return told.changed_at + limits.LOAD_CHANGE_INTERVAL_S
    base = now_is.capacity if now_is.capacity is not None else known.running
    step = max(1.0, limits.LOAD_CHANGE_SHARE * base)
    change = max(abs(now_is.in_flight - known.in_flight), abs(now_is.running - known.running))
    pause_s = limits.LOAD_CHANGE_INTERVAL_S if change >= step else limits.LOAD_SETTLE_INTERVAL_S
    due_at = told.changed_at + pause_s
    if now_is.is_one_alone and not known.running:
        return max(due_at, since + limits.LOAD_LASTS_S)
    return due_at


def _is_other(known: int | None, now_is: int | None) -> bool:
    """The capacity differs by a tenth or more: learned capacity changes by one all the time."""
    if known is None or now_is is None:
        return known is not now_is
    return known != now_is and abs(now_is - known) >= limits.LOAD_CHANGE_SHARE * known


def _is_flip(known: _Load, now_is: _Load) -> bool:
    return (
        known.is_full != now_is.is_full
        or (now_is.reserved > 0 and known.is_full_for_own != now_is.is_full_for_own)
        or known.state != now_is.state
        or known.refuses != now_is.refuses
        or bool(known.targets_ready) != bool(now_is.targets_ready)
    )


def _mark_sent(told: _Told, now: float) -> None:
    if told.known is None or (told.now_is is not None and _is_flip(told.known, told.now_is)):
        told.flipped_at = now
    told.changed_at = now
    told.known = told.now_is
    told.differs_since = told.due_at = None
