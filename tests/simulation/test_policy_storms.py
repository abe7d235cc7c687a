"""Everything that can be changed live is changed under load, by a seed: nothing is lost.

Policies, weights, slots, rates, learnt slots, caps of sites, costs and targets change several times
a second while clients of all sites ask. No router dies here, so every request is answered, or
refused with 503; no target holds more than its slots, or lets in more than its rate; and when all
is over, nothing is counted any more.
"""

import random
from bisect import bisect_left
from itertools import pairwise

import msgspec
import pytest

from router.model.specs import ConnectorSpec, LinkSpec, SitePolicySpec, TargetSpec
from router.operate.why.recent_decisions import recalled
from tests.examples import seeds
from tests.simulation.test_fill_and_spill import at_rest
from tests.simulation.world import SERVICE, Answer, SimSite, World

POLICIES = ("fill", "balanced", "spread", "split", "failover")
CAPS: tuple[int | str | None, ...] = (None, None, 1, 3, "2/s", "5,40/s")
KINDS: tuple[int | str | None, ...] = (None, 2, 5, "auto", "10/s", "4,30/s", "auto,20/s")
RATE, WINDOW_S = 20, 1.0  # Of c, whose terms stay: only then can a window be judged.
ROUNDS = 60


class PolicyStorm:
    """Sites a, b and c in a triangle; c has a rate, a and b whatever comes."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.world = World(seed, "a", "b", "c")
        self.a, self.b, self.c = self.world.sites.values()
        self.a.link(self.b, 1)
        self.b.link(self.c, 1)
        self.a.link(self.c, 3)
        self.a.declare(queue_wait_s=0.5)
        for site in (self.a, self.b):
            site.serve(3, capacity=5)
        self.c.serve(1, capacity=f"{RATE}/s")
        self.c.connectors["here"] = ConnectorSpec(
            service="shop",
            targets=tuple(TargetSpec("127.0.0.1", port) for port in self.c.targets),
            capacity=f"6,{RATE}/s",
            window_s=WINDOW_S,
        )
        self.c.apply()
        self.world.run(5)

    def retune(self) -> None:
        """One change, of any kind, at any of the sites."""
        chance = self.chance
        what = chance.choice(("policy", "policy", "terms", "terms", "cap", "cost", "split"))
        site = chance.choice((self.a, self.b))
        if what in ("policy", "split"):
            policy = "split" if what == "split" else chance.choice(POLICIES)
            weights = {name: chance.randint(0, 3) for name in ("a", "b", "c", "gone")}
            weights["a"] += not any(weights.values())
            given = weights if policy == "split" else None
            self.a.declare(policy, weights=given, queue_wait_s=0.5, queue=chance.choice((0, 5, 50)))
        elif what == "terms":
            self._terms(site)
        elif what == "cap":
            self._cap(chance.choice((self.a, self.b)))
        else:
            self.a.links["to-b"] = LinkSpec(cost=chance.choice((1, 2, 9)))
            self.a.apply()

    def _terms(self, site: SimSite) -> None:
        chance = self.chance
        ports = chance.sample(sorted(site.targets), chance.randint(0, len(site.targets)))
        site.connectors["here"] = ConnectorSpec(
            service="shop",
            targets=tuple(TargetSpec("127.0.0.1", port) for port in ports),
            capacity=chance.choice(KINDS),
            window_s=chance.choice((1.0, 2.0)),
            stay_s=chance.choice((0.0, 1.0)),
        )
        site.apply()

    def _cap(self, site: SimSite) -> None:
        chance = self.chance
        site.policies.clear()
        cap = chance.choice(CAPS)
        if cap is not None:
            site.policies["cap"] = SitePolicySpec(
                service="shop", site_capacity=cap, window_s=1.0, stay_s=chance.choice((0.0, 2.0))
            )
        site.apply()

    def _look(self) -> None:
        """Decisions made under terms that are gone can still be shown, and so can present ones."""
        for site in self.world.sites.values():
            now, router = site.network.now(), site.router
            past = recalled(router, now, str, SERVICE.name, None, 20, "all")
            assert past
            assert msgspec.json.encode(past)
            for snapshot in router.readings.services_snapshot():
                assert msgspec.json.encode(snapshot.explanation)

    def run(self) -> list[Answer]:
        """All changes under load; what became of the requests."""
        answers: list[list[Answer]] = []
        for _ in range(ROUNDS):
            answers += [
                site.offer(rate=self.chance.choice((5, 40)), seconds=0.3)
                for site in self.world.sites.values()
            ]
            for _ in range(self.chance.randint(0, 2)):
                self.retune()
                self.world.run(self.chance.uniform(0.0, 0.1))
            self.world.run(0.3)
            self._look()
        self.world.run(8)
        return [answer for several in answers for answer in several]


@pytest.mark.parametrize("seed", seeds(3))
def test_whatever_is_changed_live_no_request_is_lost_and_no_limit_broken(seed: int) -> None:
    storm = PolicyStorm(seed)
    answers = storm.run()
    assert len(answers) > 500
    wrong = [one for one in answers if one.status not in (200, 503)]
    assert not wrong, (wrong[0].status, wrong[0].error, wrong[0].began, len(wrong))
    served = sum(one.status == 200 for one in answers)
    assert served > len(answers) / 3
    for one in answers:
        assert one.ended - one.began < 5.0
    (target,) = storm.c.targets.values()
    assert target.most_in_hand <= 6
    times = target.begun_at
    assert all(before <= after for before, after in pairwise(times))
    most = max(bisect_left(times, one + WINDOW_S - 0.002) - i for i, one in enumerate(times))
    assert most <= RATE
    at_rest(storm.world)
