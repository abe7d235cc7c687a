"""The policies of a service switched by `sitectl` while clients ask: how many requests each sends
where.
"""

import re
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.scenario.clients import by_site, fetch, sending
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import until

NAMES = ("near", "mid", "far")
SETTINGS = (
    ("spread",),
    ("split", "--weight", "mid=1", "--weight", "far=3"),
    ("failover",),
    ("balanced",),
    ("split", "--weight", "near=50%", "--weight", "far=50%"),
    ("fill",),
)


class Three:
    """``near`` has 1 target, ``mid`` at cost 2 and ``far`` at cost 5 two each, all the service."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.sites = {name: net.site(name) for name in NAMES}
        self.near = near = self.sites["near"]
        self.targets = {name: net.http(name, 0.002) for name in NAMES}
        queue = ("--queue", "200", "--queue-wait", "9s")
        near.quick("service", "create", "shop", str(SHOP_PORT), "--protocol", "http", *queue)
        for name, site in self.sites.items():
            site.connect("shop", self.targets[name], capacity=4)
        net.link(near, self.sites["mid"], 2)
        net.link(near, self.sites["far"], 5)
        net.start()
        net.ready("shop", dict.fromkeys(NAMES, 1))

    def use(self, *words: str) -> None:
        """Have the clients' site run this policy."""
        self.near.quick("service", "set", "shop", "--policy", *words)
        until(lambda: self.near.json("why", "shop")["policy"] == words[0], f"near runs {words[0]}")

    def shares(self, requests: int) -> Counter[str]:
        """Who served so many requests, one after another."""
        return Counter(fetch(self.near.address, SHOP_PORT).site for _ in range(requests))

    def verdicts(self) -> dict[str, str]:
        return {c["site"]: c["verdict"] for c in self.near.json("why", "shop")["candidates"]}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    with Network(tmp_path_factory.mktemp("policies")) as net:
        yield Three(net)


def test_each_policy_gives_the_shares_that_its_rule_says(three: Three) -> None:
    three.use("spread")
    assert three.shares(30) == {"near": 10, "mid": 10, "far": 10}
    three.use("split", "--weight", "mid=1", "--weight", "far=2")
    assert three.shares(30) == {"mid": 10, "far": 20}
    three.use("failover")
    assert three.shares(9) == {"near": 9}
    three.use("fill")
    assert three.shares(9) == {"near": 9}


def test_failover_waits_at_the_full_site_and_spread_does_not(three: Three) -> None:
    three.use("failover")
    near = three.targets["near"]
    near.hold()
    waiting = sending(three.near.address, SHOP_PORT, 6)
    until(lambda: three.near.service("shop")["queued"] == 2, "two wait for the nearest site")
    assert three.verdicts() == {"near": "full", "mid": "dearer", "far": "dearer"}
    three.use("spread")  # Those who wait are sent on at once.
    until(lambda: three.near.service("shop")["queued"] == 0, "nobody waits any more")
    near.release()
    assert by_site(waiting.result()) == {"near": 4, "mid": 1, "far": 1}
    three.net.at_rest("shop")


def test_each_site_fills_to_its_mark_before_any_uses_its_reserve(three: Three) -> None:
    near, targets = three.near, three.targets
    near.quick("service", "set", "shop", "--policy", "fill", "--spill-at", "50%")
    until(lambda: near.service("shop")["spill_at"] == 0.5, "the mark is known")
    assert "fill to 50%" in near.ctl("service", "status", "shop").out

    def held() -> dict[str, int]:
        return near.in_flight("shop")

    for target in targets.values():
        target.hold()
    waiting = []
    for expected in (1, 2, 3, 4, 5):
        waiting.append(sending(near.address, SHOP_PORT, 1))
        until(lambda: sum(held().values()) == expected, f"{expected} are held")  # noqa: B023
    assert held() == {"near": 2, "mid": 2, "far": 1}
    assert three.verdicts() == {"near": "above-mark", "mid": "above-mark", "far": "chosen"}
    rest = sending(near.address, SHOP_PORT, 7)
    until(lambda: held() == {"near": 4, "mid": 4, "far": 4}, "all reserves are used")
    for target in targets.values():
        target.release()
    for one in (*waiting, rest):
        assert all(answer.status == 200 for answer in one.result())
    near.quick("service", "set", "shop", "--spill-at", "none")
    three.net.at_rest("shop")
    spilled = re.findall(r"^spillway_spilled_total\{(.*)\} (\S+)$", near.metrics(), re.MULTILINE)
    for_mark = {
        labels: float(count) for labels, count in spilled if 'reason="above-mark"' in labels
    }
    assert sum(for_mark.values()) == 4, "two at mid and two at far; the rest found near full"


def test_policies_switched_under_load_lose_nothing(three: Three) -> None:
    stop = threading.Event()
    served: Counter[int] = Counter()
    lock = threading.Lock()

    def ask_on() -> None:
        while not stop.is_set():
            status = fetch(three.near.address, SHOP_PORT).status
            with lock:
                served[status] += 1

    clients = [threading.Thread(target=ask_on) for _ in range(6)]
    for client in clients:
        client.start()
    try:
        for words in SETTINGS:
            three.use(*words)
            before = served.total()
            until(lambda: served.total() > before + 100, f"{words[0]} serves")  # noqa: B023
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert set(served) == {200}
    three.net.at_rest("shop")


def test_weights_of_sites_that_nobody_knows_are_a_problem_until_they_are_right(
    three: Three,
) -> None:
    three.use("split", "--weight", "mid=1", "--weight", "fra=1")
    status = three.near.get("status")
    (problem,) = (problem for problem in status["problems"] if problem["code"] == "SW0312")
    assert ": fra." in problem["message"] and "sitectl service set shop" in problem["hint"]
    assert three.shares(6) == {"mid": 6}
    three.use("split", "--weight", "mid=1", "--weight", "far=1")
    three.near.until_well()
    three.use("fill")
