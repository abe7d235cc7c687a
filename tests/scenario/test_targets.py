"""Targets that connect but do not serve: put out, spilled from, and used again once fixed."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from router.model import limits
from tests.scenario.backends import HttpTarget
from tests.scenario.clients import Answer, Load, by_site, fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import Found, own_time, until

RESPONSE_S = 0.3
SERVICES = ("silent", "busy", "breaking", "asked", "stopped")
BACK_WITHIN_S = 1.0  # Of the end of its time: a check, and the news of it.
EJECTIONS = 5  # Of 2, 4, 8, 16 and 32 s: one of them outlasts what a test does meanwhile.


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
        """Why the target is not used, which lasts, once it is not and ``far`` knows."""
        until(lambda: not self.is_in(service), "it is out", 2.0)
        until(lambda: not self.is_in(service, self.far), "the other site knows", 2.0)
        (target,) = self.near.service(service)["targets"]
        assert not target["ready"]
        return str(target["error"])

    def ejections(self, service: str, at_least: int = 1) -> list[str]:
        """The reason of each ejection so far, oldest first: events stay, an ejection ends."""
        target = self.targets[service]
        prefix = f"Target {target.address}:{target.port} of {service}:{self.ports[service]} is down"

        def found() -> list[str]:
            told = sorted(self.near.get("events"), key=lambda event: str(event["at"]))
            messages = [e["message"] for e in told if e["code"] == "target-down"]
            return [m.removeprefix(f"{prefix}: ") for m in messages if m.startswith(prefix)]

        until(lambda: len(found()) >= at_least, f"{service} is ejected {at_least} times")
        return found()

    def while_out(self, service: str, work: Callable[[], Found]) -> tuple[str, Found]:
        """Why the target is out, and what ``work`` gives during that one ejection.

        Both sites know of the ejection before, and it lasts still afterwards. On a busy machine it
        may end before ``work`` does: the next request, which fails too, begins one twice as long.
        """
        for _ in range(EJECTIONS):
            reason = until(lambda: self._ejected(service), "it is out, and the other site knows")
            done = work()
            if self._ejected(service, again=False) == reason:
                return reason, done
        raise AssertionError(f"{EJECTIONS} ejections of {service} ended too early")

    def _ejected(self, service: str, *, again: bool = True) -> str:
        """Why it is out, as long as both sites know that it is."""
        (target,) = self.near.service(service)["targets"]
        if target["ready"] and again:
            self.fetch(service)
        return "" if target["ready"] or self.is_in(service, self.far) else str(target["error"])

    def back_within_s(self, service: str) -> float:
        """Until it must be used again, at the latest, after an ejection that has begun."""
        return seconds(self.ejections(service)[-1]) + BACK_WITHIN_S

    def serves_again(self, service: str) -> None:
        """It comes back by itself soon after its time, and clients get its answers."""
        began, within_s = own_time(), self.back_within_s(service)
        until(lambda: self.is_in(service), "it is back", within_s)
        until(lambda: self.fetch(service).site == "near", "it serves again", BACK_WITHIN_S)
        assert own_time() - began < within_s


def seconds(reason: str) -> float:
    """How long an ejection lasts, by its reason."""
    found = re.match(r"ejected for ([0-9.]+) s: ", reason)
    assert found is not None, reason
    return float(found[1])


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
    error = pair.ejections("silent")[0]
    assert error == "ejected for 2 s: 5 requests in a row got no answer in time"
    _, answers = pair.while_out("silent", lambda: [pair.fetch("silent") for _ in range(5)])
    assert by_site(answers) == Counter(far=5)
    pair.targets["silent"].release()
    pair.serves_again("silent")


def test_a_target_that_answers_503_is_left_told_of_and_left_for_longer_next_time(
    pair: Pair,
) -> None:
    target = pair.targets["busy"]
    target.forced = "/status/503"
    answers = [pair.fetch("busy", "POST") for _ in range(limits.EJECT_AFTER)]
    assert [answer.status for answer in answers] == [503] * limits.EJECT_AFTER
    error = pair.ejections("busy")[0]
    assert error == "ejected for 2 s: 5 requests in a row were answered 503"
    told = [e for e in pair.near.get("events") if error in e["message"]]
    assert [(e["code"], e["severity"]) for e in told] == [("target-down", "warning")]
    _, answers = pair.while_out("busy", lambda: [pair.fetch("busy") for _ in range(5)])
    assert by_site(answers) == Counter(far=5)
    shown_error, shown = pair.while_out("busy", lambda: pair.near.ctl("service", "status", "busy"))
    assert shown_error in shown.out
    until(lambda: pair.is_in("busy"), "it is back", pair.back_within_s("busy"))
    until(lambda: pair.fetch("busy").status == 503, "it is used")
    again = pair.ejections("busy", at_least=2)[1]
    assert again == "ejected for 4 s: a request was answered 503 again"
    target.forced = ""


def test_of_a_target_that_resets_no_idempotent_request_is_lost(pair: Pair) -> None:
    target = pair.targets["breaking"]
    target.forced = "/reset"
    answers = [pair.fetch("breaking") for _ in range(20)]
    assert by_site(answers) == Counter(far=20)
    assert pair.ejections("breaking")[0] == "ejected for 2 s: 5 requests in a row were reset"
    # One more for each ejection that was over before the twenty were.
    once = limits.EJECT_AFTER - 1
    until(lambda: len(target.seen) == once + len(pair.ejections("breaking")), "it gets no more")
    target.forced = ""
    pair.serves_again("breaking")


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
