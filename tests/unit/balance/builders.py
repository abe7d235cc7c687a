"""Candidates and ledgers in few words."""

from router.balance.balancer import ServiceBalancer
from router.balance.deciding.decisions import Decision, NoChoice
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model.capacity import TargetTerms
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import RemoteCandidate
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


def balancer_of(
    ledger: LocalLedger,
    *remotes: RemoteCandidate,
    policy: PolicyName = "fill",
    weights: dict[str, int] | None = None,
    spill_at: float | None = None,
    isolation: Isolation = "none",
) -> ServiceBalancer:
    spec = PolicySpec(policy, {} if weights is None else weights, spill_at, isolation)
    balancer = ServiceBalancer(WEB, HERE, "here", ledger, spec)
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


def load(balancer: ServiceBalancer, advert: RemoteCandidate, in_flight: int) -> None:
    """A report of ``advert``'s site, heard at time 0."""
    balancer.report_load(advert.site, in_flight, advert.targets_ready, advert.capacity, 0.0)
