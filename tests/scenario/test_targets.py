"""Targets that connect but do not serve: put out, spilled from, and used again once mended."""

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from router.model import limits
from tests.scenario.backends import HttpTarget
from tests.scenario.clients import Answer, Load, by_site, fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import own_time, until

RESPONSE_S = 0.3
SERVICES = ("silent", "busy", "breaking", "asked", "stopped")
BACK_WITHIN_S = 1.0  # Of the end of its time: a check, and the news of it.


class Pair:
    """``near`` with the targets under test, ``far`` with good ones; every service has its own."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.near, self.far = net.site("near"), net.site("far")
        self.targets: dict[str, HttpTarget] = {}
        self.ports: dict[str, int] = {}
        for port, name in enumerate(SERVICES, SHOP_PORT):
            self.ports[name] = port
            self.targets[name] = net.http("near", 0.02)
            self.near.declare(name, port, timeouts={"response": f"{RESPONSE_S}s"})
            self.near.quick(*self.bind(name), "--capacity", "50")
            self.far.connect(name, net.http("far", 0.02), capacity=50)
        net.link(self.near, self.far, 5)
        net.start()
        net.see_each_other()
        for name in SERVICES:
            net.ready(name, {"near": 1, "far": 1})

    def bind(self, service: str) -> tuple[str, ...]:
        """The words that bind the target of ``service``."""
        target = self.targets[service]
        place = ("host", target.address, "--target-port", str(target.port))
        return ("service", "bind", service, *place)

    def fetch(self, service: str, method: str = "GET") -> Answer:
        return fetch(self.near.address, self.ports[service], method=method)

    def is_in(self, service: str, at: Site | None = None) -> bool:
        """Whether the target at ``near`` is used, as a site sees it."""
        return (at or self.near).ready_targets(service)["near"] == 1

    def out_of_use(self, service: str) -> str:
        """Why the target is not used, once it is not and ``far`` knows."""
        until(lambda: not self.is_in(service), "it is out", 2.0)
        until(lambda: not self.is_in(service, self.far), "the other site knows", 2.0)
        (target,) = self.near.service(service)["targets"]
        assert not target["ready"]
        return str(target["error"])

    def returns(self, service: str, out_s: float) -> None:
        """It comes back by itself soon after its time."""
        began = own_time()
        until(lambda: self.is_in(service), "it is back", out_s + BACK_WITHIN_S)
        until(lambda: self.fetch(service).site == "near", "it serves again", BACK_WITHIN_S)
        assert own_time() - began < out_s + BACK_WITHIN_S


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("pair")) as net:
        yield Pair(net)


def test_a_target_that_never_answers_is_left_after_five_timeouts_and_found_again(
    pair: Pair,
) -> None:
    pair.targets["silent"].hold()
    answers, own_s = [], []
    for _ in range(limits.EJECT_AFTER):
        began = own_time()
        answers.append(pair.fetch("silent"))
        own_s.append(own_time() - began)
    assert [answer.status for answer in answers] == [504] * limits.EJECT_AFTER
    assert min(answer.ended - answer.began for answer in answers) >= RESPONSE_S
    assert sorted(own_s)[2] < RESPONSE_S * (1 + limits.POOL_SWEEP_SHARE) + 0.1
    error = pair.out_of_use("silent")
    assert error == "ejected for 2 s: 5 requests in a row got no answer in time"
    assert by_site(pair.fetch("silent") for _ in range(5)) == Counter(far=5)
    pair.targets["silent"].release()
    pair.returns("silent", limits.EJECT_BASE_S)


def test_a_target_that_answers_503_is_left_told_of_and_left_for_longer_next_time(
    pair: Pair,
) -> None:
    target = pair.targets["busy"]
    target.forced = "/status/503"
    answers = [pair.fetch("busy", "POST") for _ in range(limits.EJECT_AFTER)]
    assert [answer.status for answer in answers] == [503] * limits.EJECT_AFTER
    error = pair.out_of_use("busy")
    assert error == "ejected for 2 s: 5 requests in a row were answered 503"
    assert by_site(pair.fetch("busy") for _ in range(5)) == Counter(far=5)
    shown = pair.near.ctl("service", "status", "busy").out
    assert error in shown
    told = [e for e in pair.near.get("events") if error in e["message"]]
    assert [(e["code"], e["severity"]) for e in told] == [("target-down", "warning")]
    until(lambda: pair.is_in("busy"), "it is back", limits.EJECT_BASE_S + BACK_WITHIN_S)
    until(lambda: pair.fetch("busy").status == 503, "it is used")
    assert pair.out_of_use("busy") == "ejected for 4 s: a request was answered 503 again"
    target.forced = ""


def test_of_a_target_that_resets_no_idempotent_request_is_lost(pair: Pair) -> None:
    target = pair.targets["breaking"]
    target.forced = "/reset"
    answers = [pair.fetch("breaking") for _ in range(20)]
    assert by_site(answers) == Counter(far=20)
    assert pair.out_of_use("breaking").endswith("5 requests in a row were reset")
    assert len(target.seen) == limits.EJECT_AFTER
    target.forced = ""
    pair.returns("breaking", limits.EJECT_BASE_S)


def test_a_path_is_asked_for_and_settings_change_while_it_runs(pair: Pair) -> None:
    near, target = pair.near, pair.targets["asked"]
    bind = pair.bind("asked")
    near.ctl(*bind, "--health-path", "/status/503", "--health-interval", "100ms")
    assert pair.out_of_use("asked") == "answered 503 to GET /status/503"
    near.ctl(*bind, "--health-path", "/status/302")
    until(lambda: pair.is_in("asked"), "a redirect is good", 2.0)
    assert target.seen[-1].path == "/status/302"
    assert target.seen[-1].all("user-agent") == ["spillway-health"]
    assert target.seen[-1].all("connection") == ["close"]
    assert pair.fetch("asked").site == "near"


def test_a_host_target_that_stops_under_load_loses_only_posts_that_were_in_flight(
    pair: Pair,
) -> None:
    target = pair.targets["stopped"]
    place = [(pair.near.address, pair.ports["stopped"])]
    with Load(place, 60) as gets, Load(place, 60, method="POST") as posts:
        until(lambda: len(target.seen) > 50, "it serves")
        until(lambda: target.in_hand > 0, "it works on something")
        began = time.monotonic()
        target.stop()
        over = time.monotonic()
        until(lambda: pair.near.ready_targets("stopped")["near"] == 0, "it is known")
        until(lambda: posts.answers and posts.answers[-1].site == "far", "the other site serves")
        target.start()
        until(lambda: pair.is_in("stopped"), "it is back")
    assert by_site(gets.failed) == Counter()
    assert set(by_site(posts.failed)) <= {"target-reset"}
    assert all(post.began <= over and post.ended >= began for post in posts.failed)
