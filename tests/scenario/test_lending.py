"""`--reserve-for-own` and `--max-share`: the slots that other sites get, and the reports of it."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.scenario.clients import sending
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import stays, until
from tests.scenario.worker_sites import are_ready, site_of_workers

SLOTS = 10


class Three:
    """``near`` has 10 slots and clients, ``asks`` only clients, and ``far``, at cost 5, room."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.near, self.asks, self.far = (net.site(name) for name in ("near", "asks", "far"))
        self.targets = {name: net.http(name, 0.002) for name in ("near", "far")}
        self.near.declare("shop", queue=200, queueWait="20s")
        target = self.targets["near"]
        bind = ("service", "bind", "shop", "host", target.address)
        self.near.quick(*bind, "--target-port", str(target.port), "--capacity", str(SLOTS))
        self.far.connect("shop", self.targets["far"], capacity=100)
        net.link(self.asks, self.near, 1)
        net.link(self.asks, self.far, 5)
        net.start()
        net.ready("shop", {"near": 1, "far": 1})

    def lend(self, reserve: str, share: str) -> None:
        """As `sitectl` sets it at ``near``, and until ``asks`` knows it."""
        flags = ("--reserve-for-own", reserve, "--max-share", share)
        self.near.quick("service", "set", "shop", *flags)
        reserved = None if reserve == "none" else round(SLOTS * float(reserve[:-1]) / 100)
        most = None if share == "none" else round(SLOTS * float(share[:-1]) / 100)
        until(
            lambda: (
                self.seen("reserved") == (reserved or 0)
                and self.seen("most_for_one") == most
                # A load report says the above; the signed advert, which bounds it, comes later.
                and self.seen("capacity") == SLOTS
            ),
            "the other site knows",
        )

    def seen(self, field: str) -> object:
        """Of ``near``, as ``asks`` shows it."""
        sites = self.asks.service("shop")["sites"]
        return next(one[field] for one in sites if one["site"] == "near")

    def why(self) -> tuple[str, str]:
        """Verdict and reason of ``near``, at ``asks``."""
        candidates = self.asks.json("why", "shop")["candidates"]
        return next((one["verdict"], one["reason"]) for one in candidates if one["site"] == "near")

    def metric(self, name: str, labels: str) -> float:
        """At ``near``; 0 where there is none."""
        found = re.findall(rf"^{name}\{{(.*)\}} (\S+)$", self.near.metrics(), re.MULTILINE)
        return sum(float(value) for told, value in found if labels in told)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    with Network(tmp_path_factory.mktemp("lending")) as net:
        yield Three(net)


def held(site: Site) -> dict[str, int]:
    return site.in_flight("shop")


def test_others_leave_the_reserve_free_and_own_clients_use_it(three: Three) -> None:
    near, asks = three.near, three.asks
    three.lend("30%", "none")
    for target in three.targets.values():
        target.hold()
    others = sending(asks.address, SHOP_PORT, SLOTS)
    until(lambda: held(asks) == {"near": 7, "far": 3}, "7 are lent, and 3 went on")
    said = (
        "full for others: 7 in flight, and of its 10 slots 3 are reserved for clients of that site"
    )
    until(lambda: three.why() == ("full", said), "why says so")
    text = near.ctl("service", "status", "shop").out
    assert "For other sites: 30% (3 of 10 slots) is reserved for clients of this site" in text
    assert "10, 3 reserved" in asks.ctl("service", "status", "shop").out
    assert three.metric("spillway_reserved_slots", 'site="near"') == 3
    assert three.metric("spillway_lent_slots", 'neighbour="asks"') == 7
    own = sending(near.address, SHOP_PORT, 3)
    until(lambda: held(near)["near"] == SLOTS, "own clients have the rest")
    until(lambda: three.why()[1] == "10 in flight, its capacity is 10", "it is full for all")
    for target in three.targets.values():
        target.release()
    assert Counter(one.site for one in others.result()) == {"near": 7, "far": 3}
    assert Counter(one.site for one in own.result()) == {"near": 3}
    three.net.at_rest("shop")


def test_a_neighbor_holds_its_share_and_both_sites_say_so(three: Three) -> None:
    near, asks = three.near, three.asks
    three.lend("none", "40%")
    for target in three.targets.values():
        target.hold()
    others = sending(asks.address, SHOP_PORT, SLOTS)
    until(lambda: held(asks) == {"near": 4, "far": 6}, "4 are lent, and 6 went on")
    said = "this site holds 4 slots of its 10, the most that site lets one neighbor hold"
    until(lambda: three.why() == ("full", said), "why says so")
    text = near.ctl("service", "status", "shop").out
    assert "For other sites: one neighbor holds at most 40% (4 of 10 slots)" in text
    for target in three.targets.values():
        target.release()
    assert {one.status for one in others.result()} == {200}
    last = asks.json("why", "shop", "--last", "10")
    reasons = {
        one["reason"] for past in last for one in past["candidates"] if one["site"] == "near"
    }
    assert said in reasons
    three.net.at_rest("shop")


def test_without_slots_it_has_no_effect_and_that_is_a_note(three: Three) -> None:
    near = three.near
    three.lend("30%", "none")
    near.quick("service", "set", "shop", "--capacity", "none")

    def codes() -> set[str]:
        return {note["code"] for note in near.get("status")["notes"]}

    until(lambda: "SW0355" in codes(), "it is noted")
    until(lambda: three.seen("reserved") == 0, "all is lent")
    near.quick("service", "set", "shop", "--capacity", str(SLOTS))
    until(lambda: "SW0355" not in codes(), "it counts again")
    until(lambda: three.seen("reserved") == 3, "that is known")


def test_workers_of_a_router_lend_together_what_one_would(net: Network) -> None:
    """Links of one process come to one worker, and lead on to the slots of the other."""
    west = site_of_workers(net)
    target = net.http("west", 0.002)
    west.connect("shop", target, capacity=8)
    asks = [net.site(name) for name in ("first", "second")]
    for one in asks:
        net.link(one, west, 1)
    net.start()
    until(lambda: are_ready(west, 2), "both workers are ready")
    net.ready("shop", {"west": 1}, west, *asks)
    flags = ("--reserve-for-own", "25%", "--max-share", "50%")
    west.quick("service", "set", "shop", *flags)

    def seen() -> set[tuple[object, ...]]:
        found = [one for site in asks for one in site.service("shop")["sites"]]
        return {(one["capacity"], one["reserved"], one["most_for_one"]) for one in found}

    until(lambda: seen() == {(8, 2, 4)}, "both sites know what is lent")
    target.hold()
    waiting = [sending(asks[0].address, SHOP_PORT, 8)]
    until(lambda: held(west) == {"west": 4}, "one neighbor holds its share")
    waiting.append(sending(asks[1].address, SHOP_PORT, 8))
    until(lambda: held(west) == {"west": 6}, "both hold all but the reserve")
    stays(lambda: held(west) == {"west": 6}, "no more is lent", 0.5)
    waiting.append(sending(west.address, SHOP_PORT, 2))
    until(lambda: held(west) == {"west": 8}, "own clients have the rest")
    target.release()
    assert {one.status for some in waiting for one in some.result()} == {200}
