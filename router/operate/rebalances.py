"""Plans and runs that move client connections to where the policy would place them now."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf

from msgspec.structs import replace

from router.admin.endpoints.rebalance import RebalanceView
from router.admin.ports import CommandFailed
from router.exchange.clients.rebalancing import RebalancePlan, RebalanceTerms
from router.exchange.forwarder import Forwarder
from router.model import limits
from router.model.ids import ServiceKey, SiteId, ports_of
from router.workers.one_worker import of
from router.workers.worker_messages import Rebalance, RebalanceQuestion, Rebalances
from router.workers.workers import Workers

_BOUNDS: Mapping[str, tuple[float, float]] = {
    "over_s": (1.0, limits.REBALANCE_OVER_S_MAX),
    "per_s": (0.1, limits.REBALANCE_PER_S_MAX),
    "idle_s": (0.0, limits.REBALANCE_OVER_S_MAX),
    "grace_s": (0.0, limits.REBALANCE_OVER_S_MAX),
}
"""Arguments of the command, in seconds or connections a second, with their bounds."""


class Rebalancer:
    """The connections of this worker; at the first of several workers, of all."""

    def __init__(
        self, forwarder: Forwarder, name_of: Callable[[SiteId], str], workers: Workers
    ) -> None:
        self._forwarder = forwarder
        self._name_of = name_of
        self._workers = workers

    def own(self, service: str, port: int | None) -> list[RebalanceView]:
        """Plans for the clients of this worker."""
        return [
            self._view(plan)
            for key in self._keys(service, port)
            if (plan := self._forwarder.moves.plan(key)) is not None
        ]

    async def plans(self, service: str, port: int | None) -> Sequence[RebalanceView]:
        """See `RebalancePlans`."""
        found = self.own(service, port)
        told = await self._workers.ask(RebalanceQuestion(service, port))
        others = [
            view for _, parts in told for part in of(parts, Rebalances) for view in part.items
        ]
        return [added([own, *(one for one in others if one.port == own.port)]) for own in found]

    def order(self, arguments: Mapping[str, str]) -> str:
        """Begin runs: ``service=NAME[:PORT]``, and any values of `RebalanceTerms`.

        Raises CommandFailed: a number is invalid, or the service is not known here.
        """
        name, colon, port = arguments["service"].partition(":")
        is_known = not colon or (port.isascii() and port.isdecimal())
        keys = self._keys(name, int(port) if colon and is_known else None) if is_known else []
        if not keys:
            raise CommandFailed(f"no service {arguments['service']!r} is known here")
        terms = _terms_of(arguments)
        terms = replace(terms, per_s=terms.per_s / self._workers.count)  # An equal part each.
        self._workers.rebalance([Rebalance(key, terms) for key in keys])
        views = [self._view(self._begin(key, terms)) for key in keys]
        count = sum(sum(view.leave.values()) for view in views)
        others = " at the first worker; each other one moves its own" if self._workers.all else ""
        return f"Connections of {name} that are to move: {count}{others}."

    def _begin(self, key: ServiceKey, terms: RebalanceTerms) -> RebalancePlan:
        """Begin a run at this worker."""
        plan = self._forwarder.moves.begin(key, terms)
        assert plan is not None, "a service that is known"
        return plan

    def _keys(self, service: str, port: int | None) -> list[ServiceKey]:
        return ports_of(self._forwarder.readings.keys, service, port)

    def _view(self, plan: RebalancePlan) -> RebalanceView:
        return RebalanceView(
            service=plan.key.name,
            port=plan.key.port,
            connections=self._named(plan.placed),
            leave=self._named(plan.placement.leave),
            come=self._named(plan.placement.come),
            running=self._forwarder.moves.rebalancing.is_running(plan.key),
            ending=plan.ending,
            routing_key=self._forwarder.readings.routing_key_of(plan.key.name),
        )

    def _named(self, counts: Mapping[SiteId, int]) -> dict[str, int]:
        found: Counter[str] = Counter()
        for site, count in counts.items():
            found[self._name_of(site)] += count
        return dict(found)


def _terms_of(arguments: Mapping[str, str]) -> RebalanceTerms:
    unknown = arguments.keys() - _BOUNDS.keys() - {"service"}
    if unknown:
        raise CommandFailed(f"rebalance has no {sorted(unknown)[0]!r}")
    stated: dict[str, float] = {}
    for name, (least, most) in _BOUNDS.items():
        text = arguments.get(name)
        if text is None:
            continue
        try:
            value = float(text)
        except ValueError:
            value = inf
        if not least <= value <= most:
            raise CommandFailed(f"{name} is a number from {least:g} to {most:g}, not {text[:20]!r}")
        stated[name] = value
    return RebalanceTerms(**stated)


def added(views: Iterable[RebalanceView]) -> RebalanceView:
    """One service port, summed over the views of several workers."""
    first, *others = views
    connections, leave, come = Counter(first.connections), Counter(first.leave), Counter(first.come)
    for one in others:
        connections.update(one.connections)
        leave.update(one.leave)
        come.update(one.come)
    return replace(
        first,
        connections=dict(connections),
        leave=dict(leave),
        come=dict(come),
        running=first.running or any(one.running for one in others),
        ending=first.ending + sum(one.ending for one in others),
    )
