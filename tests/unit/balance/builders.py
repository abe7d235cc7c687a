"""Candidates and ledgers in few words."""

from typing import Any

from router.balance.balancer import ServiceBalancer
from router.balance.deciding.decisions import Decision, NoChoice
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.balance.sites.egresses import NO_ROUTER
from router.balance.sites.remote_site import RemoteSite
from router.model.capacity import TargetTerms
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import LoadReport, RateLoad, RemoteCandidate
from router.model.settings import Isolation
from router.model.specs import PolicyName, PolicySpec

HERE = SiteId("00")
WEB = ServiceKey("web", 80)


def ledger_of(*capacities: int | None) -> LocalLedger:
    """A ledger with one ready target ``tN:80`` per capacity."""
    ledger = LocalLedger()
    ledger.set_targets(
        {
            f"t{n}:80": TargetTerms(name="web", capacity=capacity)
            for n, capacity in enumerate(capacities)
        }
    )
    for n in range(len(capacities)):
        ledger.set_ready(f"t{n}:80", True)
    return ledger


def take(ledger: LocalLedger, exclude: frozenset[str] = frozenset()) -> Slot:
    outcome = ledger.try_acquire(0.0, exclude)
    assert isinstance(outcome, Slot)
    return outcome


def remote(
    site: str,
    cost: int = 1,
    targets_ready: int = 1,
    capacity: int | None = 10,
    draining: bool = False,
    paths: int = 1,
) -> RemoteCandidate:
    return RemoteCandidate(
        site=SiteId(site),
        site_name=f"site-{site}",
        router=RouterId(f"r{site}"),
        path_cost=cost,
        paths=tuple((RouterId(f"via{n}"), RouterId(f"r{site}")) for n in range(paths)),
        targets_ready=targets_ready,
        capacity=capacity,
        draining=draining,
    )


class ToldBalancer(ServiceBalancer):
    """Takes other sites by name, where each has one router or the call names the router."""

    def report_load(
        self,
        site: SiteId,
        in_flight: int,
        targets_ready: int,
        capacity: int | None,
        now: float,
        rate: RateLoad | None = None,
        router: RouterId = NO_ROUTER,
        **more: Any,
    ) -> None:
        figures = in_flight, targets_ready, capacity, rate
        report = LoadReport(self._named(site, router), 1, "web", 80, *figures, **more)
        self.report(report, site, now)

    def regroup(self) -> None:
        """Take over the same candidates again, as at a change of routes that leaves them alike."""
        self.set_remotes(self._candidates)

    def report_count(
        self, site: SiteId, in_flight: int, now: float, router: RouterId = NO_ROUTER
    ) -> None:
        """The count that ACCEPTED carries."""
        remote = self._egress(site, router)
        if remote is not None:
            remote.hear(in_flight, now)

    def opened(self, site: SiteId, router: RouterId = NO_ROUTER) -> None:
        """An OPEN of ours is on its way there."""
        remote = self._egress(site, router)
        if remote is not None:
            remote.open()

    def ended(
        self, site: SiteId, in_flight: int = -1, now: float = 0.0, router: RouterId = NO_ROUTER
    ) -> None:
        """A stream of ours there is over, once per `opened`."""
        remote = self._egress(site, router)
        if remote is not None:
            remote.end(in_flight, now)

    def refused(
        self, site: SiteId, in_flight: int, now: float, router: RouterId = NO_ROUTER
    ) -> None:
        """REFUSED busy."""
        remote = self._egress(site, router)
        if remote is not None:
            remote.refuse(in_flight, now)

    def _egress(self, site: SiteId, router: RouterId) -> RemoteSite | None:
        return self.routers.get(self._named(site, router))

    def _named(self, site: SiteId, router: RouterId) -> RouterId:
        """``router``, or the only one of ``site``."""
        routers = [known for known, one in self.routers.items() if one.site == site]
        return routers[0] if not router and len(routers) == 1 else router


def balancer_of(
    ledger: LocalLedger,
    *remotes: RemoteCandidate,
    policy: PolicyName = "fill",
    weights: dict[str, int] | None = None,
    spill_at: float | None = None,
    isolation: Isolation = "none",
) -> ToldBalancer:
    spec = PolicySpec(policy, {} if weights is None else weights, spill_at, isolation)
    balancer = ToldBalancer(WEB, HERE, "here", ledger, spec)
    balancer.set_remotes(remotes)
    return balancer


def serve_at_once(
    balancer: ServiceBalancer, site: str, at_once: int, now: float = 0.0, *, served: bool = True
) -> None:
    """So many requests under way at once at the one router of ``site``, all of them answered."""
    egress = balancer.routers[RouterId(f"r{site}")]
    for _ in range(at_once):
        egress.open()
    for _ in range(at_once):
        egress.end(at_once - 1, now, served)
        egress.open()
    for left in range(at_once):
        egress.end(at_once - 1 - left, now, served)


def site_of(answer: Decision | NoChoice) -> str:
    assert isinstance(answer, Decision)
    return answer.site


def load(balancer: ToldBalancer, advert: RemoteCandidate, in_flight: int) -> None:
    """A report of ``advert``'s site, heard at time 0."""
    balancer.report_load(advert.site, in_flight, advert.targets_ready, advert.capacity, 0.0)
