"""Workers and a frontend with Redis between two sites, as examples/worker-frontend.

Burst and return have the published ratios (15/s over, 10/s under) with a shorter window, so that
the test does not take a minute: what counts is requests by window, whatever its length.
"""

import sys
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from tests.scenario.asking import EXAMPLES, Place, ask
from tests.scenario.clients import Answer, Load, by_site
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.redis import Client, Redis
from tests.scenario.waiting import until

PROGRAMS = EXAMPLES / "worker-frontend"
FRONTEND, REDIS = SHOP_PORT + 71, SHOP_PORT + 72
OWN_REDIS, OWN_FRONTEND = SHOP_PORT + 75, SHOP_PORT + 76
PER_S, RESUME_PER_S, WINDOW_S = 15, 10, 2
CALM, OVER, BETWEEN = 8.0, 30.0, 13.0


class Workers:
    """Redis is at ``onprem``; frontends and workers are at both sites."""

    def __init__(self, net: Network, redis: Redis) -> None:
        self.net, self.redis = net, redis
        self.onprem, self.cloud = net.site("onprem"), net.site("cloud")
        self.sites = {"onprem": self.onprem, "cloud": self.cloud}
        net.link(self.onprem, self.cloud, 1)
        self.onprem.declare("redis", REDIS, protocol="tcp")
        self.onprem.connect("redis", redis)
        self.set_policy(name="split", weights={"onprem": 50, "cloud": 50})
        redis.start()
        net.start()
        net.ready("redis", {"onprem": 1})
        for number, (name, site) in enumerate(self.sites.items()):
            place = Place(net.target_address, OWN_FRONTEND + number)
            through = f"{site.address}:{REDIS}"
            self.run("worker", name, through)
            self.run("frontend", name, place, through)
            site.connect("frontend", place)
        net.ready("frontend", {"onprem": 1, "cloud": 1})
        until(lambda: set(self.heard()) == set(self.sites), "both workers listen")

    def run(self, program: str, *words: object) -> None:
        """Start a program as the README says."""
        self.net.background_process(
            [sys.executable, str(PROGRAMS / f"{program}.py"), *map(str, words)]
        )

    def set_policy(self, **policy: object) -> None:
        """Of the frontend."""
        self.onprem.document(
            "Service", "frontend", {"protocol": "http", "ports": [FRONTEND], "policy": policy}
        )

    def burst_at(self, spill: str) -> None:
        """Spill by the rate, as the owner of ``onprem`` types it."""
        self.set_policy(name="fill")
        self.onprem.ctl(
            *("service", "set", "frontend", "--site-capacity", f"{PER_S}/s"),
            *("--resume", f"{RESUME_PER_S}/s", "--window", f"{WINDOW_S}s"),
            *("--stay", f"{WINDOW_S}s", "--spill", spill),
        )

    def heard(self) -> dict[str, int]:
        """How many jobs each worker has heard of, asked of Redis itself."""
        with Client(self.redis.address, self.redis.port) as client:
            flat = client.ask("HGETALL", "heard")
        assert isinstance(flat, list)
        return {str(k, "ascii"): int(v) for k, v in zip(flat[::2], flat[1::2], strict=True)}  # type: ignore[arg-type]

    def load(self, rate: float) -> Load:
        """Clients of ``onprem``."""
        return Load([(self.onprem.address, FRONTEND)], rate)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """Once for all tests of this file."""
    with (
        Network(tmp_path_factory.mktemp("workers")) as net,
        Redis(net.target_address, OWN_REDIS) as redis,
    ):
        yield Workers(net, redis)


def test_split_gives_half_to_each_site_and_every_worker_hears_every_job(workers: Workers) -> None:
    before = workers.heard()
    answered = ask(workers.onprem.address, FRONTEND, "--requests", 200, "--clients", 4)
    assert set(answered) == {"onprem", "cloud"}
    assert answered["onprem"] == pytest.approx(100, abs=4)
    until(
        lambda: all(count - before[name] == 200 for name, count in workers.heard().items()),
        "workers of both sites heard all",
    )


class Phase(msgspec.Struct, frozen=True):
    """What clients asked from one time to another, as far as it is answered."""

    begins: float
    ends: float
    answers: list[Answer]

    @property
    def served(self) -> Counter[str]:
        """Counts by site."""
        return by_site(self.answers)


def phase(load: Load, seconds: float) -> Phase:
    """What clients ask in the next ``seconds``."""
    begins = time.monotonic()
    ends = begins + seconds
    until(lambda: time.monotonic() > ends, "the phase is over", seconds + 5)
    return Phase(begins, ends, [one for one in load.answers if begins <= one.began < ends])


def within_a_window(answers: Sequence[Answer]) -> Iterator[int]:
    """For each: how many began with it or later, and had ended before a window was over."""
    for first in answers:
        ends = first.began + WINDOW_S
        yield sum(first.began <= one.began and one.ended <= ends for one in answers)


def press_on(phases: Sequence[Phase], loads: Sequence[Load]) -> bool:
    """Whether clients asked for more than the low mark in every window of these phases.

    On a machine that stalls they may not have: then the site is right to take them again.
    """
    began = sorted(one.began for load in loads for one in load.answers)
    begins, ends = phases[0].begins, phases[-1].ends
    windows = [begins, *(at for at in began if begins <= at < ends - WINDOW_S), ends - WINDOW_S]
    asked = (bisect_left(began, at + WINDOW_S) - bisect_right(began, at) for at in windows)
    return min(asked) >= RESUME_PER_S * WINDOW_S


def test_above_the_rate_all_moves_to_the_other_site_and_returns_below_the_low_mark(
    workers: Workers,
) -> None:
    workers.burst_at("all")
    with workers.load(CALM) as calm:
        few = int(WINDOW_S * CALM)
        until(lambda: by_site(calm.answers[-few:])["onprem"] == few, "a calm time is over")

    def leaves() -> tuple[Phase, ...]:
        """How all moves above the rate, and stays away above the low mark."""
        with workers.load(OVER) as over:
            until(lambda: by_site(over.answers[-5:])["cloud"] == 5, "it spills")
            moved = phase(over, 1.5 * WINDOW_S)
        with workers.load(BETWEEN) as between:
            stayed = phase(between, WINDOW_S)
        assert [load.failed for load in (over, between)] == [[], []]
        here = [one for one in over.answers if one.site == "onprem"]
        most = max(within_a_window(here), default=0)
        assert most <= PER_S * WINDOW_S, "no more than the rate allows in a window"
        return (moved, stayed) if press_on((moved, stayed), (over, between)) else ()

    for left in until(leaves, "clients ask all the time", 40.0):
        assert left.served["cloud"] >= 0.95 * left.served.total(), left
    with workers.load(CALM) as calm:
        until(lambda: by_site(calm.answers[-6:])["onprem"] == 6, "all is back", 5 * WINDOW_S)
        back = phase(calm, WINDOW_S)
    assert set(back.served) == {"onprem"}
    assert not calm.failed
    workers.net.at_rest("frontend")


def test_with_excess_what_the_rate_allows_stays(workers: Workers) -> None:
    workers.burst_at("excess")
    with workers.load(OVER) as over:
        until(lambda: by_site(over.answers)["cloud"] > 5, "it spills")
        apart = phase(over, 2 * WINDOW_S).served
    assert over.failed == []
    stayed, allowed = apart["onprem"], 2 * WINDOW_S * PER_S
    assert 0.6 * allowed <= stayed <= 1.1 * allowed, (apart, allowed)
    assert apart["cloud"] >= 0.3 * apart.total()
    workers.net.at_rest("frontend")
    until(
        lambda: (heard := workers.heard())["onprem"] == heard["cloud"],
        "wherever it was served, both workers heard it",
    )
