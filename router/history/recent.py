"""The samples of all service ports: one owner, bounded."""

from collections import deque
from collections.abc import Iterable, Mapping, Set
from math import inf

import msgspec

from router.history.readings import NOTHING_YET, IntervalCounts, Sample, change, parts, sample
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.model.port_reading import Reading

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Sample).decode


class _Port:
    """One service port. Samples are stored packed; equal consecutive ones share one object."""

    __slots__ = ("before_last", "held", "last", "samples", "seen_at", "stepped_at")

    def __init__(self) -> None:
        self.held: dict[SiteId, int] = {}
        """In flight by site, summed over the looks of this step."""
        self.last: tuple[float, Reading] | None = None
        """At the end of the last step, …"""
        self.before_last: tuple[float, Reading] | None = None
        """… and of the one before."""
        self.seen_at = -inf
        """The end of the last step in which the service port was there."""
        self.samples: deque[bytes] = deque(maxlen=limits.HISTORY_STEPS)
        self.stepped_at: deque[float] = deque(maxlen=limits.HISTORY_STEPS)

    def keep(
        self,
        since: IntervalCounts,
        reading: Reading,
        in_flight: Mapping[SiteId, float],
        now: float,
    ) -> None:
        """Store the changes until ``now`` as one sample, or as several if they cover several
        steps."""
        steps = max(1, round(since.lasted_s / limits.HISTORY_STEP_S))
        for ago, part in zip(range(steps)[::-1], parts(since, steps), strict=True):
            packed = _pack(sample(part, reading, in_flight))
            samples = self.samples
            samples.append(samples[-1] if samples and samples[-1] == packed else packed)
            self.stepped_at.append(now - ago * since.lasted_s / steps)


class History:
    """Fed by one owner: `look` and `hold` several times a step, then `close` and a `step` each."""

    __slots__ = (
        *("_begun_at", "_closed_at", "_closed_looks", "_crowded", "_crowded_before"),
        *("_looks", "_ports"),
        *("_held_of_new", "_held_of_new_before", "_unanswered"),
    )

    def __init__(self) -> None:
        self._ports: dict[ServiceKey, _Port] = {}
        self._looks = 0
        self._closed_looks = 0
        self._begun_at: float | None = None
        """When the last closed step began; None: unknown."""
        self._closed_at: float | None = None
        self._crowded: set[ServiceKey] = set()
        """Service ports without room in this step, …"""
        self._crowded_before: set[ServiceKey] = set()
        """… or in the last one: their counts do not belong to one step alone."""
        self._held_of_new: dict[ServiceKey, dict[SiteId, int]] = {}
        """As `_Port.held`, for service ports without a first step yet: in this step, …"""
        self._held_of_new_before: dict[ServiceKey, dict[SiteId, int]] = {}
        """… and in the last one."""
        self._unanswered: set[ServiceKey] = set()
        """Service ports with failed requests or lost clients in their last step."""

    def look(self, times: int = 1) -> None:
        """Begin a look; `hold` follows for each service port with something in flight.

        ``times``: number of looks at once, of which all but the last found nothing.
        """
        self._looks += times

    def hold(self, key: ServiceKey, in_flight: Mapping[SiteId, int]) -> None:
        """Record the requests in flight of this site's clients at this look, by site."""
        port = self._ports.get(key)
        if port is not None:
            held = port.held
        elif key in self._held_of_new or len(self._held_of_new) < limits.HISTORY_PORTS_MAX:
            held = self._held_of_new.setdefault(key, {})
        else:
            return
        for site, count in in_flight.items():
            held[site] = held.get(site, 0) + count

    def close(self, now: float) -> None:
        """A step ends. In the one before, nothing happened at service ports that are gone; they
        are forgotten when all their samples are so."""
        self._closed_looks, self._looks = self._looks, 0
        self._begun_at, self._closed_at = self._closed_at, now
        self._crowded_before, self._crowded = self._crowded, set()
        self._held_of_new_before, self._held_of_new = self._held_of_new, {}
        oldest = now - limits.HISTORY_S
        for key, port in list(self._ports.items()):
            is_old = port.seen_at < oldest
            if is_old or self._was_away(port):
                self._unanswered.discard(key)
            if is_old:
                del self._ports[key]
            elif self._was_away(port):
                self._pass_over(port)

    def step(self, key: ServiceKey, reading: Reading, now: float) -> None:
        """Record the totals of ``key`` at the end of the step; ``now`` is the same for all keys."""
        port = self._ports.get(key)
        if port is None:
            if len(self._ports) >= limits.HISTORY_PORTS_MAX:
                self._crowded.add(key)
                return
            port = self._ports[key] = _Port()
            port.held = self._held_of_new_before.pop(key, {})
            if key not in self._crowded_before:  # The port came within this step.
                begun_at = now - limits.HISTORY_STEP_S if self._begun_at is None else self._begun_at
                port.last = (begun_at, NOTHING_YET)
        held, port.held = port.held, self._held_of_new.pop(key, {})
        if port.last is not None:
            looks = max(1, self._closed_looks)
            in_flight = {site: count / looks for site, count in held.items()}
            since = change(port.last[1], reading, now - port.last[0])
            if since.failed or since.gave_up:
                self._unanswered.add(key)
            else:
                self._unanswered.discard(key)
            port.keep(since, reading, in_flight, now)
        port.before_last, port.last, port.seen_at = port.last, (now, reading), now

    def _was_away(self, port: _Port) -> bool:
        """Whether the service port was missing at the end of one or more steps."""
        return self._begun_at is not None and port.seen_at < self._begun_at

    def _pass_over(self, port: _Port) -> None:
        """Fill a step at the end of which the port was missing: nothing happened in it."""
        if port.last is None or self._begun_at is None:
            return
        at, last = port.last
        port.keep(change(last, last, self._begun_at - at), NOTHING_YET, {}, self._begun_at)
        port.last = self._begun_at, last

    @property
    def keys(self) -> Set[ServiceKey]:
        """Service ports with samples, or that will have some soon."""
        return self._ports.keys()

    def of(self, key: ServiceKey) -> list[tuple[float, Sample]]:
        """The samples of a service port, oldest first, each with the time at which it ended."""
        port = self._ports.get(key)
        if port is None:
            return []
        return [
            (at, _unpack(packed)) for at, packed in zip(port.stepped_at, port.samples, strict=True)
        ]

    def unanswered(self, losses: Iterable[tuple[ServiceKey, int]]) -> set[ServiceKey]:
        """Service ports with failed requests or lost clients in their last step or since.

        ``losses``: the total of both so far, for ports that have any."""
        return self._unanswered | {key for key, lost in losses if lost > self._lost_before(key)}

    def lately(self, key: ServiceKey, reading: Reading, now: float) -> IntervalCounts | None:
        """Counts since the end of a step, at least half a step ago; None: unknown.

        So it covers half a step to one and a half, whenever it is called. For a service port that
        came within this step it covers the whole step, but at least `limits.HISTORY_FIRST_S`.
        """
        port = self._ports.get(key)
        if port is None:
            crowded = len(self._ports) >= limits.HISTORY_PORTS_MAX
            return None if crowded else self._first(NOTHING_YET, reading, now)
        if port.last is not None and self._was_away(port):
            return self._first(port.last[1], reading, now)
        for since in (port.last, port.before_last):
            if since is not None and now - since[0] >= limits.HISTORY_STEP_S / 2:
                return change(since[1], reading, now - since[0])
        return None

    def _lost_before(self, key: ServiceKey) -> int:
        """Number of requests that had failed or lost their clients by the end of the last step."""
        port = self._ports.get(key)
        if port is None or port.last is None:
            return 0
        _, reading = port.last
        return reading.failed + reading.gave_up

    def _first(self, before: Reading, reading: Reading, now: float) -> IntervalCounts | None:
        """For a service port that came within this step. ``before``: its totals when last seen."""
        if self._closed_at is None or now - self._closed_at < limits.HISTORY_FIRST_S:
            return None
        return change(before, reading, now - self._closed_at)
