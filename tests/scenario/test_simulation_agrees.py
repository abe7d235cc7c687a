"""`examples/three-sites.yaml` simulated, and the same scene as real processes: shares agree.

A real machine adds its own time to each 200 ms of work, 20 ms and more when it runs other tests,
and a slot stays taken meanwhile: so more requests go farther. Simulated work therefore takes as
long as the router that the clients ask has measured of its targets.

Tolerance: 6 points of a phase's requests, for the variation that this mean leaves out. It is far
below the difference that other rules would make: fill and balanced lie more than twice as far apart
here, which is tested too.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import msgspec
import pytest

from tests.scenario.asking import EXAMPLES, Place, ask, by_site, serve
from tests.scenario.harness import ROOT, SHOP_PORT, Network

SCENE = EXAMPLES / "three-sites.yaml"
PHASES = {"calm": (0.0, 1.5, 25), "burst": (1.5, 4.0, 125), "after": (5.5, 2.0, 25)}
"""Begin, seconds, requests a second: as in the file."""
SITES = {"onprem": (2, 5), "near": (2, 5), "far": (2, 15)}
"""Targets and the slots of each: as in the file."""
WORK_S, STATED = 0.2, "serviceTime: 200ms"
POLICIES = {"fill": SHOP_PORT + 81, "balanced": SHOP_PORT + 82}
TARGETS = SHOP_PORT + 240
TOLERANCE = 0.06
_TOOK = "spillway_request_phase_seconds"

Shares = dict[str, dict[str, float]]


def shares(counted: Counter[str]) -> dict[str, float]:
    """Of each site."""
    return {site: counted[site] / counted.total() for site in SITES}


class Seen(msgspec.Struct, frozen=True):
    """What became of each phase, and how long a target took on the average."""

    shares: Shares
    work_ms: int


@cache
def simulated(policy: str, work_ms: int) -> Shares:
    """Of each phase, as a user asks for it, but for the time that targets take."""
    scene = SCENE.read_text()
    assert scene.count(STATED) == len(SITES)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(scene.replace(STATED, f"serviceTime: {work_ms}ms"))
        file.flush()
        words = ("simulate", file.name, "--policy", policy, "--no-skupper", "-o", "json")
        done = subprocess.run(
            [sys.executable, "-m", "sitectl", *words], cwd=ROOT, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr
    outcome: Any = json.loads(done.stdout)["items"][0]
    assert outcome["requests"] == sum(round(s * rate) for _, s, rate in PHASES.values())
    (onprem,) = (site for site in outcome["sites"] if site["site"] == "onprem")
    assert onprem["refused"] == onprem["lost"] == 0
    series = onprem["series"]
    found = {}
    for phase, (begin_s, seconds, _) in PHASES.items():
        first = round(begin_s / series["step_s"])
        last = first + round(seconds / series["step_s"])
        found[phase] = shares(
            Counter({site: sum(counts[first:last]) for site, counts in series["served"].items()})
        )
    return found


class ThreeSites:
    """The scene with processes: a service for each policy, with separate targets."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.sites = {name: net.site(name) for name in SITES}
        onprem, near, far = self.sites.values()
        net.link(onprem, near, 1)
        net.link(far, near, 2)
        port = TARGETS
        for policy, service_port in POLICIES.items():
            onprem.declare(policy, service_port, policy={"name": policy})
            for name, (count, slots) in SITES.items():
                places = [Place(net.target_address, port + number) for number in range(count)]
                port += count
                serve(net, name, places, WORK_S)
                self.sites[name].connect(policy, *places, capacity=slots)
        net.start()
        net.see_each_other()
        for policy in POLICIES:
            net.ready(policy, {name: count for name, (count, _) in SITES.items()}, onprem)
        self.onprem = onprem

    def offer(self, policy: str) -> Seen:
        """All phases, one after the other."""
        found = {}
        for phase, (_, seconds, rate) in PHASES.items():
            address, port = self.onprem.address, POLICIES[policy]
            counted = by_site(ask(address, port, "--rate", rate, "--seconds", seconds))
            assert set(counted) <= set(SITES), counted
            found[phase] = shares(counted)
        return Seen(found, round(1000 * self.work_s(policy)))

    def work_s(self, policy: str) -> float:
        """Mean of all requests to the service of that name."""
        labels = f'{{phase="target",port="{POLICIES[policy]}",service="{policy}"}}'
        lines = dict(line.rsplit(" ", 1) for line in self.onprem.metrics().splitlines())
        total_s, count = (lines[f"{_TOOK}_{name}{labels}"] for name in ("sum", "count"))
        return float(total_s) / float(count)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Seen]]:
    """Both policies, offered at once to two services of the same three sites."""
    with Network(tmp_path_factory.mktemp("agrees")) as net:
        scene = ThreeSites(net)
        with ThreadPoolExecutor(len(POLICIES)) as pool:
            yield dict(zip(POLICIES, pool.map(scene.offer, POLICIES), strict=True))
        for policy in POLICIES:
            net.at_rest(policy)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("phase", PHASES)
def test_simulation_and_processes_agree(real: dict[str, Seen], policy: str, phase: str) -> None:
    seen = real[policy]
    planned_steps = simulated(policy, seen.work_ms)[phase]
    assert seen.shares[phase] == pytest.approx(planned_steps, abs=TOLERANCE), (planned_steps, seen)


def test_the_tolerance_would_show_another_rule(real: dict[str, Seen]) -> None:
    fill, balanced = (simulated(policy, real[policy].work_ms)["calm"] for policy in POLICIES)
    assert max(abs(fill[site] - balanced[site]) for site in SITES) > 2 * TOLERANCE
    seen = {policy: found.shares["calm"] for policy, found in real.items()}
    assert seen["fill"] != pytest.approx(seen["balanced"], abs=TOLERANCE)
