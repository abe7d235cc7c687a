"""How long one decision takes: ``python -m tests.bench.decisions``, ``make bench WHAT=decisions``.

`ToldBalancer.select` alone, on one core: the local site with room, full with the next site free,
full with only the farthest free, and all full. The least of several rounds, since everything else
that a machine does only adds.
"""

import sys
import time

import msgspec
from rich.console import Console
from rich.table import Table

from router.balance.deciding.policies import POLICIES
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model.capacity import TargetTerms
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import RemoteCandidate
from router.model.specs import PolicySpec
from tests.bench import machine
from tests.unit.balance.builders import ToldBalancer

CANDIDATES = (1, 2, 5, 20)
SLOTS = 10
ROUNDS, CALLS = 60, 500  # Short ones: some are not disturbed.
GOAL_US = 5.0
KEY = ServiceKey("shop", 8080)
TARGET = "127.0.0.1:9001"


class Line(msgspec.Struct, frozen=True):
    """One kind of decision: microseconds by number of candidates."""

    policy: str
    state: str
    took_us: list[float]


def spec_of(policy: str) -> PolicySpec:
    """With weights for every site, where the policy needs them."""
    weights = {"here": 1, **{f"site-{number:02}": 1 for number in range(max(CANDIDATES) - 1)}}
    return PolicySpec(name=policy, weights=weights if policy == "split" else {})


def scene(policy: str, candidates: int, *, local_full: bool, full: int) -> ToldBalancer:
    """``full`` of the other sites have no slot, the nearest ones."""
    ledger = LocalLedger()
    ledger.set_targets({TARGET: TargetTerms(name="t", capacity=SLOTS)})
    ledger.set_ready(TARGET, True)
    if local_full:
        for _ in range(SLOTS):
            assert isinstance(ledger.try_acquire(0.0), Slot)
    balancer = ToldBalancer(KEY, SiteId("here"), "here", ledger, spec_of(policy))
    others = [
        RemoteCandidate(
            site=SiteId(f"site-{number:02}"),
            site_name=f"site-{number:02}",
            router=RouterId(f"router-{number:02}"),
            path_cost=number + 1,
            paths=((RouterId(f"router-{number:02}"),),),
            targets_ready=1,
            capacity=SLOTS,
            draining=False,
        )
        for number in range(candidates - 1)
    ]
    balancer.set_remotes(others)
    for other in others[:full]:
        balancer.report_load(other.site, SLOTS, 1, SLOTS, 0.0)
    return balancer


def microseconds(balancer: ToldBalancer) -> float:
    """Of one `select`, the loop around it included."""
    select = balancer.select
    least = float("inf")
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(CALLS):
            select(1.0)
        least = min(least, time.thread_time() - began)
    return 1e6 * least / CALLS


def measured() -> list[Line]:
    """Every policy, every state, every number of candidates."""
    lines = []
    states = ("room here", "full, next free", "full, farthest free", "all full")
    for policy in POLICIES:
        for state in states:
            took = []
            for count in CANDIDATES:
                full = {"full, farthest free": count - 2, "all full": count - 1}.get(state, 0)
                one = scene(policy, count, local_full=state != states[0], full=max(0, full))
                took.append(microseconds(one))
            lines.append(Line(policy, state, took))
    return lines


def main() -> int:
    """0 when every decision takes less than the goal at the most candidates."""
    print("\n".join(f"{name:16s} {text}" for name, text in machine.description().items()))
    lines = measured()
    table = Table(title=f"microseconds of a decision, by candidates (goal < {GOAL_US:g})")
    for column in ("policy", "state", *map(str, CANDIDATES)):
        table.add_column(column, justify="left" if column in ("policy", "state") else "right")
    for line in lines:
        table.add_row(line.policy, line.state, *(f"{took:.2f}" for took in line.took_us))
    Console(highlight=False, width=100).print(table)
    return int(any(line.took_us[-1] >= GOAL_US for line in lines))


if __name__ == "__main__":
    sys.exit(main())
