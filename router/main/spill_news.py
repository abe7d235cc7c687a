"""Tells when requests of a service leave this site and when they do not any more, with figures."""

from collections.abc import Callable, Sequence

from router.balance.episodes import Begun, Ended, Episodes, Now
from router.balance.spills import LocalTargets
from router.forward.figures import Left
from router.forward.forwarder import Forwarder
from router.main.journal import Journal
from router.main.port_lately import PortLately, counts
from router.model.events import Spill
from router.model.ids import ServiceKey
from router.model.ticks import next_tick
from router.net.ports import Network

SECOND_S = 1.0


class SpillNews:
    """Looks each second. ``utc``: ISO 8601 of the network's seconds.

    ``beside``: of a router of several workers, what the others have of a service port; None: it is
    one alone.
    """

    __slots__ = (
        *("_beside", "_forwarder", "_full", "_journal", "_network", "_utc"),
        "_without_target",
    )

    def __init__(
        self,
        network: Network,
        forwarder: Forwarder,
        journal: Journal,
        utc: Callable[[float], str],
        beside: Callable[[ServiceKey], Sequence[PortLately]] | None = None,
    ) -> None:
        self._network, self._forwarder = network, forwarder
        self._beside = beside
        self._journal, self._utc = journal, utc
        self._full, self._without_target = Episodes(network.now()), Episodes(network.now())
        network.call_at(network.now() + SECOND_S, self._each_second)

    def close(self) -> None:
        """What lasts ends here."""
        for one in self._full.close():
            self._tell_overflow(one)
        for one in self._without_target.close():
            self._tell_without_target(one)

    def _each_second(self) -> None:
        now = self._network.now()
        self._network.call_at(next_tick(now, SECOND_S), self._each_second)
        full = {
            key: self._now(key, whole)
            for key, left in self._forwarder.left().items()
            if (
                whole := self._of_all(key, left, lambda one: Left(one.spilled, one.still_spilled))
            ).by_site
            or self._full.knows(key)  # Nearly all leave nothing, ever.
        }
        for one in self._full.look(full, now):
            self._tell_overflow(one)
        without_target = {
            key: self._now(key, whole, expected=not self._forwarder.local_targets(key).total)
            for key, left in self._forwarder.left_without_target().items()
            if (
                whole := self._of_all(
                    key, left, lambda one: Left(one.without_target, one.still_without_target)
                )
            ).by_site
            or self._without_target.knows(key)
        }
        for one in self._without_target.look(without_target, now):
            self._tell_without_target(one)

    def _of_all(self, key: ServiceKey, own: Left, part: Callable[[PortLately], Left]) -> Left:
        """``own``, and the same of the other workers."""
        if self._beside is None:
            return own
        each = [own, *map(part, self._beside(key))]
        return Left(counts(one.by_site for one in each), sum(one.still_open for one in each))

    def _now(self, key: ServiceKey, left: Left, *, expected: bool = False) -> Now:
        load = self._forwarder.load_of(key)
        in_flight, capacity = load.in_flight, load.capacity
        if self._beside is not None:  # The load of this worker is a part of the site's.
            explanation = self._forwarder.explain(key, self._network.now())
            candidates = explanation.candidates if explanation is not None else ()
            here = next((one for one in candidates if not one.path_cost), None)
            if here is not None:
                in_flight, capacity = here.in_flight, here.capacity
        return Now(
            left=left.by_site,
            still_open=left.still_open,
            in_flight=in_flight,
            capacity=capacity,
            expected=expected,
        )

    def _tell_overflow(self, one: Begun | Ended) -> None:
        is_end = isinstance(one, Ended)
        figures, service = self._figures(one), str(one.key)
        code = "overflow-ended" if is_end else "overflow-begun"
        message = overflow_sentence(service, figures, is_end=is_end)
        self._journal.spill("info", code, service, message, overflow=figures)

    def _tell_without_target(self, one: Begun | Ended) -> None:
        figures, service = self._figures(one), str(one.key)
        if isinstance(one, Ended):
            message = ended_sentence(service, figures)
            self._journal.spill("info", "no-target-ended", service, message, without_target=figures)
        else:
            message = begun_sentence(service, figures, self._forwarder.local_targets(one.key))
            self._journal.spill(
                "warning", "no-target-begun", service, message, without_target=figures
            )

    def _figures(self, one: Begun | Ended) -> Spill:
        return Spill(
            began=self._utc(one.began),
            lasted_s=round(one.lasted_s, 1) if isinstance(one, Ended) else 0.0,
            requests=one.requests,
            to=one.to,
            in_flight_max=one.in_flight_max if isinstance(one, Ended) else one.in_flight,
            capacity=one.capacity,
        )


def overflow_sentence(service: str, figures: Spill, *, is_end: bool) -> str:
    """``shop:8080 overflowed for 12 s: 340 requests, 300 to east, 40 to north (…)``."""
    capacity = "no capacity stated" if figures.capacity is None else f"capacity {figures.capacity}"
    here = f"{figures.in_flight_max} in flight here"
    if figures.capacity is not None and figures.in_flight_max < figures.capacity:
        here += " when looked at"  # Each second: shorter fullness is not in that figure.
    if not is_end:
        return f"Service {service} overflows: {here}, {capacity}; {_where(figures)}."
    return (
        f"Service {service} overflowed for {figures.lasted_s:.0f} s: "
        f"{figures.requests} requests, {_where(figures)}; at most {here}, {capacity}."
    )


def begun_sentence(service: str, figures: Spill, targets: LocalTargets) -> str:
    """``shop:8080: 0 of 2 targets are ready here; other sites serve its requests: 4 to east``."""
    here = targets.shown if not targets.ready else "no target was ready here"
    return f"Service {service}: {here}; other sites serve its requests: {_where(figures)}."


def ended_sentence(service: str, figures: Spill) -> str:
    """As of `begun_sentence`, when nothing left for that reason for a while."""
    return (
        f"Service {service}: for {figures.lasted_s:.0f} s other sites served {figures.requests} "
        f"requests because no target was ready here: {_where(figures)}."
    )


def _where(figures: Spill) -> str:
    return ", ".join(f"{count} to {site}" for site, count in figures.to.items())
