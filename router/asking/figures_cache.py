"""The figures of this site, gathered once for all askers within a while. The work is done in slices
so that traffic goes on between them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from router.admin.views.history import ServiceHistory
from router.admin.views.links import LinkView
from router.admin.views.status import Status
from router.asking.site_answer import ServedAnswer, ServiceAnswer
from router.asking.targets import public_targets
from router.asking.texts import printable
from router.model import limits
from router.model.ids import SiteId
from router.model.messages.packed import pack
from router.model.port_reading import SERVED_NOWHERE
from router.net.ports import Network
from router.service.counters import NamedCounters
from router.service.figures import ServiceSnapshot


class SiteFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that this site can reveal about itself, read on request; made by `operate.sites`.

    ``service_names``: every service name that a problem may mention. ``site_name``: a site's
    current or last known name. ``snapshots``: the service ports, each as of the moment it is read.
    ``histories``: of one port of a service, or of all.
    """

    status: Callable[[], Status]
    links: Callable[[], Sequence[LinkView]]
    service_names: Callable[[], frozenset[str]]
    site_name: Callable[[SiteId], str]
    snapshots: Callable[[], Iterator[ServiceSnapshot]]
    histories: Callable[[str | None, int | None], Iterator[ServiceHistory]]


class Gathered(msgspec.Struct, frozen=True):
    """The figures of one moment. ``services``: (name, encoded row), in order."""

    at: float
    status: Status
    links: tuple[LinkView, ...]
    names: frozenset[str]
    services: tuple[tuple[str, bytes], ...]


class FiguresCache:
    """Gathers once for all askers who come meanwhile or within `limits.SITE_KEPT_S` afterwards."""

    __slots__ = ("_facts", "_found", "_gathered", "_network", "_snapshots", "_waiting")

    def __init__(self, network: Network, facts: SiteFacts) -> None:
        self._network = network
        self._facts = facts
        self._gathered: Gathered | None = None
        self._snapshots: Iterator[ServiceSnapshot] | None = None
        self._found: list[tuple[str, bytes]] = []
        self._waiting: list[Callable[[Gathered], None]] = []

    def ask(self, done: Callable[[Gathered], None]) -> None:
        """Call ``done`` once; before this call returns if the cached figures are recent enough."""
        now = self._network.now()
        if self._gathered is not None and now - self._gathered.at <= limits.SITE_KEPT_S:
            done(self._gathered)
            return
        self._waiting.append(done)
        if self._snapshots is None:
            self._snapshots, self._found = self._facts.snapshots(), []
            self._go_on()

    def _go_on(self) -> None:
        try:
            self._read()
        except Exception:
            # Otherwise all later askers would wait for it, too.
            self._snapshots, self._waiting = None, []
            raise

    def _read(self) -> None:
        """Read some service ports; schedule the rest."""
        assert self._snapshots is not None
        now = self._network.now()
        for count, snapshot in enumerate(self._snapshots, start=1):
            if snapshot.declared:
                told = _service(snapshot, self._facts.site_name, now)
                self._found.append((snapshot.key.name, pack(told)))
            if count == limits.SITE_READ_AT_ONCE:
                self._network.call_at(now + limits.SITE_READ_PAUSE_S, self._go_on)
                return
        facts, self._snapshots = self._facts, None
        self._gathered = Gathered(
            now, facts.status(), tuple(facts.links()), facts.service_names(), tuple(self._found)
        )
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done(self._gathered)


def _service(
    snapshot: ServiceSnapshot, site_name: Callable[[SiteId], str], now: float
) -> ServiceAnswer:
    load = snapshot.load
    return ServiceAnswer(
        name=snapshot.key.name,
        port=snapshot.key.port,
        protocol=snapshot.config.protocol,
        policy=snapshot.config.policy.name,
        requests_total=snapshot.counters.requests_total,
        overflow_total=snapshot.counters.overflow_total,
        queued=snapshot.queued,
        in_flight=load.in_flight,
        targets_ready=load.targets_ready,
        capacity=load.capacity,
        rate_per_s=load.rate.per_s if load.rate is not None else None,
        served=_served(snapshot.counters.named(site_name)),
        targets=public_targets(snapshot.targets, now),
    )


def _served(counters: NamedCounters) -> tuple[ServedAnswer, ...]:
    requests: dict[str, int] = {}
    for (site, _), histogram in counters.requests.items():
        requests[site] = requests.get(site, 0) + sum(histogram.counts)
    overflow: dict[str, int] = {}
    for (site, _), count in counters.overflow.items():
        overflow[site] = overflow.get(site, 0) + count
    return tuple(
        ServedAnswer(printable(site), requests[site], overflow.get(site, 0))
        for site in _busiest(requests)
    )


def _busiest(requests: Mapping[str, int]) -> Sequence[str]:
    order = sorted(requests, key=lambda site: (site == SERVED_NOWHERE, -requests[site], site))
    return order[: limits.SITE_SERVED_MAX]
