"""A failing site is left: real routers, rogue egresses, and clients that ask 40 times a second.

The ingress has two places, an honest site 50 at cost 10, the rogue says it has 1,000 at cost 1.
Each kind of failure has a service and a rogue; all run at once, since each takes its time.
"""

import contextlib
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from router.model import limits
from tests.hostile.egress import BODY, Conduct, RogueEgress
from tests.scenario.clients import Answer, Load
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import WAIT_S, own_time, until

RESPONSE_S = 1
SERVICE_S = 0.1
SETTLES_S, FAILING_S = 10.0, 24.0
FAILED_SHARE_MAX = 0.02
PER_S = {"silent": 40, "stalls": 40, "garbage": 40, "resets": 40, "flaky": 40}
"""For services with two places at the door, which hold half of these requests."""
FEW_PER_S = {"torn": 10, "unconnected": 10, "busy": 10}
"""At one without a place."""
FAILING = (*PER_S, "torn", "unconnected")
ALWAYS_FAILING = tuple(kind for kind in FAILING if kind != "flaky")
"""A flaky one answers one probe of five, and is ejected again soon."""
NARROW, NARROW_PER_S = "narrow", 25
"""One place here, and one at the honest site: it is full all the time."""


class Scene:
    """What happened while the rogues failed for `FAILING_S` and then served."""

    def __init__(self, net: Network, directory: Path) -> None:
        door, far = net.site("door"), net.site("far")
        kinds: tuple[Conduct, ...] = (*PER_S, *FEW_PER_S)  # type: ignore[arg-type]
        ports = {name: SHOP_PORT + number for number, name in enumerate((*kinds, NARROW))}
        for name, port in ports.items():
            door.declare(name, port, timeouts={"response": RESPONSE_S})
            far.connect(name, net.http("far", SERVICE_S), capacity=1 if name == NARROW else 50)
            if name not in FEW_PER_S:
                places = 1 if name == NARROW else 2
                door.connect(name, net.http("door", SERVICE_S), capacity=places)
        net.link(door, far, cost=10)
        net.start()
        for name in ports:
            known = {"far": 1} if name in FEW_PER_S else {"door": 1, "far": 1}
            net.ready(name, known, door)
        self.door, self.rogues = door, dict[str, RogueEgress]()
        self.answers: dict[str, list[Answer]] = {}
        with contextlib.ExitStack() as stack:
            for kind in kinds:
                token = directory / f"{kind}.token"
                door.ctl("token", "create", str(token), "--token-type", "cert")
                rogue = stack.enter_context(RogueEgress(token, kind, f"rogue-{kind}"))
                rogue.take_service(kind, ports[kind])
                self.rogues[kind] = rogue
            for kind in kinds:
                until(lambda kind=kind: self.site(kind), f"{kind} is offered")  # type: ignore[misc]
            self.began = time.monotonic()
            loads = {
                name: stack.enter_context(Load([(door.address, port)], per_s, at_once=500))
                for name, port in ports.items()
                for per_s in [{**PER_S, **FEW_PER_S}.get(name, NARROW_PER_S)]
            }
            until(lambda: time.monotonic() > self.began + FAILING_S, "time passes", 2 * FAILING_S)
            self.observe()
            self.recovered, own = time.monotonic(), own_time()
            for rogue in self.rogues.values():
                rogue.conduct = "serves"
            self.back: dict[str, float] = {}
            longest_s = max(self.period_s.values())
            until(self.all_are_back, "all rogues serve again", longest_s + WAIT_S)
            assert own_time() - own < longest_s + WAIT_S
            for name, load in loads.items():
                self.answers[name] = load.answers
        net.at_rest("silent", door)

    def site(self, kind: str) -> Any:
        """The rogue of a kind as the ingress sees it."""
        sites = self.door.service(kind)["sites"]
        return next((one for one in sites if one["site"] == f"rogue-{kind}"), None)

    def observe(self) -> None:
        """What the ingress shows of the rogues while they fail."""
        self.status = self.door.get("status")
        self.why = {kind: self.door.json("why", kind) for kind in (*FAILING, "busy", NARROW)}
        self.shown = {kind: self.site(kind) for kind in FAILING}
        self.metrics = self.door.metrics()
        self.check = self.door.ctl("check", "-o", "json", code=3).json()
        self.table = self.door.ctl("service", "status", "resets").out
        events = self.door.get("events")
        self.ejections = {
            kind: [
                one["message"]
                for one in events
                if one["code"] == "site-ejected" and one["subject"] == f"rogue-{kind}"
            ]
            for kind in (*FAILING, "busy")
        }
        self.ejected_sites = {one["subject"] for one in events if one["code"] == "site-ejected"}
        self.period_s = {
            kind: max(float(text.split("ejected for ")[1].split(" s")[0]) for text in texts)
            for kind, texts in self.ejections.items()
            if texts
        }

    def all_are_back(self) -> bool:
        """Note when each rogue serves its first request after it recovered.

        One whose probe was on its way just then may be reported as back before that.
        """
        for kind in FAILING:
            since = [at for at in self.rogues[kind].opened if at > self.recovered]
            if since and kind not in self.back:
                self.back[kind] = since[0] - self.recovered  # However late this looks.
        returned = {one["subject"] for one in self.door.get("events") if "returned" in one["code"]}
        told = returned >= {f"rogue-{kind}" for kind in FAILING}
        return told and self.back.keys() >= set(FAILING)

    def begun(self, name: str, since_s: float, until_s: float) -> list[Answer]:
        """Answers of requests that began then."""
        return [one for one in self.answers[name] if since_s <= one.began - self.began < until_s]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("ejection")
    with Network(directory) as net:
        yield Scene(net, directory)


@pytest.mark.parametrize("kind", FAILING)
def test_hardly_a_request_fails_that_began_after_ten_seconds(scene: Scene, kind: str) -> None:
    answers = scene.begun(kind, SETTLES_S, FAILING_S)
    failed = [one for one in answers if one.status != 200]
    print(f"{kind}: {len(failed)} of {len(answers)} failed, back after {scene.back[kind]:.1f} s")
    assert len(answers) > 100
    assert len(failed) <= max(2, FAILED_SHARE_MAX * len(answers)), [one.code for one in failed]


def test_a_flaky_site_is_ejected_for_the_share_of_its_failures(scene: Scene) -> None:
    assert " requests failed, at last " in scene.ejections["flaky"][0]
    assert scene.back["flaky"] <= scene.period_s["flaky"] + RESPONSE_S + 2.0


@pytest.mark.parametrize("kind", ALWAYS_FAILING)
def test_it_gets_one_probe_a_period_and_is_back_within_one(scene: Scene, kind: str) -> None:
    periods = len(scene.ejections[kind])
    last = [at for at in scene.rogues[kind].opened if at < scene.recovered]
    probes = last[len(last) - (periods - 1) :]  # Each of them failed, and was followed by a period.
    gaps = [later - earlier for earlier, later in pairwise(probes)]
    assert all(gap >= 2 * limits.EJECT_BASE_S * 0.95 for gap in gaps), gaps
    settled = [at for at in last if at - scene.began > SETTLES_S]
    assert len(settled) <= periods
    assert scene.back[kind] <= scene.period_s[kind] + RESPONSE_S + 2.0


@pytest.mark.parametrize("kind", ALWAYS_FAILING)
def test_it_is_shown_as_ejected(scene: Scene, kind: str) -> None:
    name = f"rogue-{kind}"
    report = next(one for one in scene.why[kind]["candidates"] if one["site"] == name)
    assert report["reason"].startswith("ejected for ") or report["ejected_s"] == 0
    if report["ejected_s"]:
        assert (report["verdict"], "s left)" in report["reason"]) == ("ejected", True)
    assert scene.shown[kind]["ejected_s"] is not None
    notes = [one for one in scene.status["notes"] if one["message"].startswith(name)]
    assert [(one["code"], one["severity"]) for one in notes] == [("SW0334", "warning")]
    assert any(name in one["message"] for one in scene.check["items"] if one["code"] == "SW0334")
    port = scene.door.service(kind)["port"]
    line = f'spillway_ejected{{port="{port}",service="{kind}",site="{name}"}} 1.0'
    assert line in scene.metrics.splitlines()


def test_a_full_egress_is_never_ejected(scene: Scene) -> None:
    assert scene.ejected_sites == {f"rogue-{kind}" for kind in FAILING}
    full = scene.begun(NARROW, 0.0, FAILING_S)
    assert any(one.status == 503 for one in full), "it was not full"
    busy = [one.status for one in scene.begun("busy", 0.0, FAILING_S)]
    late = [status for status in busy if status != 200]
    assert set(late) <= {504}, "a refusal was passed on"
    assert len(late) <= max(2, FAILED_SHARE_MAX * len(busy))  # A busy machine may stand still.


def test_service_status_has_a_column_for_it(scene: Scene) -> None:
    assert "EJECTED" in scene.table


def test_a_site_that_is_back_serves_again(scene: Scene) -> None:
    assert any(one.body == BODY for one in scene.answers["resets"])
