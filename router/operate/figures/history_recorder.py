"""The last quarter of an hour of every service port: reads the forwarder and stores the history."""

from collections.abc import Iterator
from math import ceil, floor, inf

from router.admin.views.history import HistorySample, HistorySite, ServiceHistory
from router.history.in_flight_means import InFlightMeans
from router.history.readings import OTHERS, IntervalCounts, Sample
from router.history.recent import History
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.model.specs import ServiceSpec
from router.model.ticks import next_tick
from router.net.ports import Timer, Timers
from router.node.site_router import SiteRouter
from router.workers.history_sites import HistorySites

EXACT_S = 1e-6  # Tolerance, so that a step or look exactly at a tick is not left to the next one.
GOLDEN = (5**0.5 - 1) / 2  # The fractional parts of its multiples are spread evenly over 0 to 1.


class HistoryRecorder:
    """Owner of the history. Reads a bounded number of service ports at once.

    Moments are monotonic, and converted to wall-clock time when asked for, as `WallClock` does.
    """

    def __init__(self, timers: Timers, router: SiteRouter) -> None:
        self._timers = timers
        self._router = router
        self._clock = router.wall_clock
        self._history = History()
        self._means = InFlightMeans()
        self._means_beside = InFlightMeans()
        self._sites = HistorySites(router.site_name)
        self._specs: dict[ServiceKey, ServiceSpec] = {}
        """The last declaration of each service port in the history."""
        self._step_at = 0.0
        self._looked = -1  # The number of the last sample.
        self._timer: Timer | None = None
        self._due_at = inf  # When the timer is due.
        self._stalls = 0  # In the present step.
        self._rests_since: float | None = None

    def start(self) -> None:
        """Call once. The first step ends together with that of every other worker of this
        router."""
        now = self._timers.now()
        self._history.close(now)
        self._step_at = next_tick(now, limits.HISTORY_STEP_S)
        self._wait(now)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rests_since = None

    def lately(self, key: ServiceKey) -> IntervalCounts | None:
        """Counts of a service port over the last seconds; None: it is too new."""
        reading = self._router.readings.reading_of(key)
        if reading is None:
            return None
        return self._history.lately(key, reading, self._timers.now())

    def busy(self, key: ServiceKey) -> float:
        """Mean requests in flight at this site's targets of a service port over the last seconds,
        for clients of any site."""
        return self._means.mean(key, self._last_look())

    def busy_beside(self, key: ServiceKey) -> float:
        """As `busy`, at the remaining targets of the site's other routers."""
        now = self._router.forwarder.readings.in_flight_beside(key)
        if now is None:
            return 0.0
        if self._rests_since is not None:
            return now  # An idle router takes no samples.
        return self._means_beside.mean(key, self._last_look())

    @property
    def unanswered(self) -> list[ServiceKey]:
        """Sorted service ports whose requests failed, or lost their clients, in the last step or
        since."""
        return sorted(self._history.unanswered(self._router.readings.losses()))

    def histories(
        self, service: str | None = None, port: int | None = None
    ) -> Iterator[ServiceHistory]:
        """Histories of this site's service ports, by key; ``service`` None: all, and those that are
        gone, so that sums over all do not change when one goes.

        The caller may let the router go on between two of them.
        """
        keys = self._router.readings.keys
        for key in sorted({*keys, *self._history.keys}) if service is None else keys:
            if service in (None, key.name) and port in (None, key.port):
                found = self._history_of(key)
                if found is not None:
                    yield found

    # Inside

    def _last_look(self) -> int:
        """The number of the last sample included in a mean."""
        number = _look_at(self._timers.now())
        if self._rests_since is None and self._looked < number:
            return number - 1  # This sample is still to come: without it the mean would be too low.
        return number

    def _look(self) -> None:
        now = self._timers.now()
        self._note_stall(now)
        self._looked = _look_at(now)
        history, forwarder = self._history, self._router.forwarder
        history.look(1 + self._rested(now, before=1))
        is_idle = forwarder.is_idle
        for key, held in forwarder.readings.under_way():
            history.hold(key, held)
            is_idle = False
        self._means.look(_look_at(now))
        for key, in_flight in forwarder.readings.busy():
            self._means.hold(key, in_flight)
        if self._router.links.adjacencies.siblings:
            self._means_beside.look(_look_at(now))
            for key, in_flight in forwarder.readings.busy_beside():
                self._means_beside.hold(key, in_flight)
        forwarder.sampling.sample_latency()
        if now >= self._step_at:
            self._step(now)
        if is_idle:
            self._rest(now)
        else:
            self._wait(now)

    def _note_stall(self, now: float) -> None:
        """After a stall of the router the step ends a whole step later.

        The router now handles the backlog of requests at once: a step that began now would count
        all of it, and show a rate that no client ever asked for.
        """
        if (
            now - self._due_at <= limits.HISTORY_STALL_S
            or self._stalls >= limits.HISTORY_STALLS_MAX
        ):
            return
        self._stalls += 1
        missing = ceil((now - self._step_at) / limits.HISTORY_STEP_S + 1)
        self._step_at += max(0, missing) * limits.HISTORY_STEP_S

    def _wait(self, now: float) -> None:
        self._call_at(self._next_moment(now))

    def _call_at(self, moment: float) -> None:
        self._due_at = moment
        self._timer = self._timers.call_at(moment, self._look)

    def _next_moment(self, now: float) -> float:
        """The time of the next sample: one in each tick, at varying offsets. At a fixed offset,
        anything periodic with the tick would be seen always or never. A step's sample is at its
        beginning."""
        number = max(_look_at(now), self._looked + 1)
        while (moment := self._moment(number)) <= now:
            number += 1
        return moment

    def _moment(self, number: int) -> float:
        begin = number * limits.HISTORY_LOOK_S
        if abs(begin - self._step_at) < EXACT_S:
            return begin
        return begin + GOLDEN * number % 1 * (limits.HISTORY_LOOK_S - 2 * EXACT_S)

    def _rest(self, now: float) -> None:
        """Take no samples until the step ends or a client connects: all would be zero."""
        self._rests_since = now
        self._router.forwarder.on_next_activity(self._stirred)
        at = next_tick(max(now, self._step_at - EXACT_S), limits.HISTORY_LOOK_S)
        self._call_at(at)

    def _stirred(self) -> None:
        if self._rests_since is None:
            return  # A sample was taken in the meantime.
        now = self._timers.now()
        self._note_stall(now)
        is_ahead = _look_at(self._next_moment(now)) == _look_at(now)
        self._history.look(self._rested(now, before=int(is_ahead)))
        if self._timer is not None:
            self._timer.cancel()
        self._wait(now)

    def _rested(self, now: float, before: int = 0) -> int:
        """End the rest; return how many samples it left out, minus the ``before`` ones still to
        come."""
        since, self._rests_since = self._rests_since, None
        if since is None:
            return 0
        self._means.rest(_look_at(now) - before)
        looks = floor(now / limits.HISTORY_LOOK_S) - floor(since / limits.HISTORY_LOOK_S)
        return max(0, looks - before)

    def _step(self, now: float) -> None:
        """Close a step. A late step is longer, and the next one still ends on time.

        Steps end at multiples of their length, by a clock that all workers of a router share: their
        figures then cover the same time, and add up. Within a tick a sample comes early in one step
        and late in the next. If steps waited for it, their lengths would differ by a tenth, and so
        would their rates.
        """
        self._stalls = 0
        self._step_at = next_tick(now + EXACT_S, limits.HISTORY_STEP_S)
        self._history.close(now)
        self._means.forget(_look_at(now))
        self._means_beside.forget(_look_at(now))
        self._specs = {key: self._specs[key] for key in self._history.keys & self._specs.keys()}
        self._sites.look(self._router.routing.table, now)
        self._read(iter(self._router.readings.keys), now)

    def _read(self, keys: Iterator[ServiceKey], now: float) -> None:
        """Read some service ports, and the others in later turns."""
        for _ in range(limits.HISTORY_READ_AT_ONCE):
            key = next(keys, None)
            if key is None:
                return
            reading = self._router.readings.reading_of(key)
            if reading is not None:
                self._history.step(key, reading, now)
            spec = self._router.readings.config_of(key)
            if spec is not None:
                self._specs[key] = spec
        self._timers.call_at(now, lambda: self._read(keys, now))

    def _history_of(self, key: ServiceKey) -> ServiceHistory | None:
        spec = self._router.readings.config_of(key) or self._specs.get(key)
        if spec is None:
            return None
        samples = self._history.of(key)
        served = {site for _, sample in samples for site in sample.sites}
        self._sites.look(self._router.routing.table, self._timers.now())
        sites = self._sites.of(self._router.identity, served)
        return ServiceHistory(
            service=key.name,
            port=key.port,
            protocol=spec.protocol,
            policy=spec.policy.name,
            site=self._router.identity.name,
            step_s=limits.HISTORY_STEP_S,
            sites=sites,
            samples=tuple(_sample(self._clock.utc(at), sample, sites) for at, sample in samples),
        )


def _look_at(now: float) -> int:
    """The number of the sample at ``now``, or of the last one before."""
    return floor((now + EXACT_S) / limits.HISTORY_LOOK_S)


def _sample(at: str, sample: Sample, sites: tuple[HistorySite, ...]) -> HistorySample:
    nothing = (0.0, 0)
    figures = [sample.sites.get(SiteId(site.id) or OTHERS, nothing) for site in sites]
    return HistorySample(
        at=at,
        in_flight=tuple(in_flight for in_flight, _ in figures),
        served=tuple(served for _, served in figures),
        nowhere=sample.nowhere,
        overflow=sample.overflow,
        capacity=sample.capacity,
        capacity_per_s=sample.capacity_per_s,
        targets_ready=sample.targets_ready,
        queued=sample.queued,
        p50_s=sample.p50_s,
        p99_s=sample.p99_s,
        failed=sample.failed,
        gave_up=sample.gave_up,
        shed=sample.shed,
    )
