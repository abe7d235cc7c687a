"""Two linked sites, targets with a configured capacity at both: fill, spill, return, say why."""

import contextlib
import socket
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.scenario.backends import HttpTarget, TcpTarget
from tests.scenario.clients import (
    ask,
    burst,
    by_site,
    connected,
    fetch,
    read_line,
    reset,
    sending,
)
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import own_time, until

CACHE_PORT = SHOP_PORT + 1
WIDE_PORT = SHOP_PORT + 2
NEAR_SLOTS, FAR_SLOTS, QUEUE, QUEUE_WAIT_S = 3, 5, 4, 0.7


class Pair:
    """``near`` is where clients come in, ``far`` is linked to it at cost 5."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.near, self.far = near, far = net.site("near"), net.site("far")
        self.shop = {site.name: net.http(site.name) for site in (near, far)}
        self.cache = {site.name: net.tcp(site.name) for site in (near, far)}
        self.wide = {site.name: net.http(site.name, 0.01) for site in (near, far)}
        near.declare("shop", SHOP_PORT, queue=QUEUE, queueWait=f"{QUEUE_WAIT_S}s")
        near.declare("cache", CACHE_PORT, protocol="tcp", queue=0)
        many = {"connectionsPerSource": 2_000}  # All clients of these tests have one address.
        near.declare("wide", WIDE_PORT, queue=2_000, queueWait="9s", limits=many)
        for site, slots in ((near, NEAR_SLOTS), (far, FAR_SLOTS)):
            site.connect("shop", self.shop[site.name], capacity=slots)
            site.connect("cache", self.cache[site.name], capacity=slots)
            site.connect("wide", self.wide[site.name], capacity=20)
        net.link(near, far, 5)
        net.start()
        net.see_each_other()
        for service in ("shop", "cache", "wide"):
            net.ready(service, {"near": 1, "far": 1})

    def in_hand(self) -> dict[str, int]:
        """Requests that the shop's targets work on."""
        return {name: target.in_hand for name, target in self.shop.items()}


@pytest.fixture(scope="module")
def fresh_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("pair")) as net:
        yield Pair(net)


@pytest.fixture
def pair(fresh_pair: Pair) -> Iterator[Pair]:
    """The two sites idle, and idle again after the test (no counter leaks)."""
    http_targets = [*fresh_pair.shop.values(), *fresh_pair.wide.values()]
    for target in http_targets:
        target.forget()
    try:
        yield fresh_pair
    finally:
        for held_target in fresh_pair.shop.values():
            held_target.release()
    for service in ("shop", "cache", "wide"):
        fresh_pair.net.at_rest(service)


@contextlib.contextmanager
def held(*targets: HttpTarget | TcpTarget) -> Iterator[None]:
    """Let these targets answer nothing for a while."""
    for target in targets:
        target.hold()
    try:
        yield
    finally:
        for target in targets:
            target.release()


def next_site(site: Site, service: str = "shop") -> str | None:
    """Where ``why`` says that the next request goes."""
    name: str | None = site.json("why", service)["decision"]["site"]
    return name


def test_local_slots_fill_first_then_the_neighbours_and_the_next_request_comes_back(
    pair: Pair,
) -> None:
    near = pair.near
    with held(*pair.shop.values()):
        first = sending(near.address, SHOP_PORT, NEAR_SLOTS)
        until(lambda: pair.in_hand() == {"near": NEAR_SLOTS, "far": 0}, "the local slots are full")
        assert next_site(near) == "far"
        second = sending(near.address, SHOP_PORT, FAR_SLOTS)
        full = {"near": NEAR_SLOTS, "far": FAR_SLOTS}
        until(lambda: pair.in_hand() == full, "the neighbor's slots are full too")
        assert near.in_flight("shop") == full
    answers = first.result() + second.result()
    assert by_site(answers) == Counter(full)
    assert {name: target.in_hand_max for name, target in pair.shop.items()} == full
    pair.net.at_rest("shop")
    assert next_site(near) == "near"
    assert fetch(near.address, SHOP_PORT).site == "near"


def test_what_spilled_is_counted_with_where_it_went_and_why(pair: Pair) -> None:
    near = pair.near
    before = near.service("shop")
    with held(*pair.shop.values()):
        local = sending(near.address, SHOP_PORT, NEAR_SLOTS)
        until(lambda: pair.in_hand()["near"] == NEAR_SLOTS, "the local slots are full")
        away = sending(near.address, SHOP_PORT, 2)
        until(lambda: pair.in_hand()["far"] == 2, "two requests went to the neighbor")
    local.result()
    away.result()
    pair.net.at_rest("shop")
    after = near.service("shop")
    assert after["overflow_total"] - before["overflow_total"] == 2
    assert after["requests_total"] - before["requests_total"] == NEAR_SLOTS + 2
    told = [line for line in near.metrics().splitlines() if "spillway_overflow_total{" in line]
    labels = f'{{port="{SHOP_PORT}",reason="full",service="shop",to="far"}}'
    assert any(line.startswith(f"spillway_overflow_total{labels}") for line in told), told


def test_one_slot_freed_is_one_request_that_comes_back(pair: Pair) -> None:
    near = pair.near
    with held(pair.shop["far"]):
        for expected in ("near", "near"):
            assert fetch(near.address, SHOP_PORT).site == expected
        with held(pair.shop["near"]):
            local = sending(near.address, SHOP_PORT, NEAR_SLOTS)
            until(lambda: pair.in_hand()["near"] == NEAR_SLOTS, "the local slots are full")
            away = sending(near.address, SHOP_PORT, 1)
            until(lambda: pair.in_hand()["far"] == 1, "one request went to the neighbor")
        assert by_site(local.result()) == Counter(near=NEAR_SLOTS)
        assert fetch(near.address, SHOP_PORT).site == "near"
    assert by_site(away.result()) == Counter(far=1)


def test_offered_ten_times_the_capacity_no_target_ever_sees_more_than_its_own(pair: Pair) -> None:
    for target in pair.shop.values():
        target.service_s = 0.05
    try:
        answers = burst(pair.near.address, SHOP_PORT, 80)
    finally:
        for target in pair.shop.values():
            target.service_s = 0.0
    count = by_site(answers)
    assert set(count) <= {"near", "far", "all-full"}, count
    assert pair.shop["near"].in_hand_max == NEAR_SLOTS
    assert pair.shop["far"].in_hand_max == FAR_SLOTS
    assert len(pair.shop["near"].seen) == count["near"]
    assert len(pair.shop["far"].seen) == count["far"]


def test_two_ingress_sites_race_for_the_last_slots_and_none_is_given_twice(pair: Pair) -> None:
    for target in pair.shop.values():
        target.service_s = 0.02
    try:
        one = sending(pair.near.address, SHOP_PORT, 40)
        other = sending(pair.far.address, SHOP_PORT, 40)
        answers = one.result() + other.result()
    finally:
        for target in pair.shop.values():
            target.service_s = 0.0
    assert set(by_site(answers)) <= {"near", "far", "all-full"}
    assert pair.shop["near"].in_hand_max == NEAR_SLOTS
    assert pair.shop["far"].in_hand_max == FAR_SLOTS


def test_a_burst_of_a_thousand_requests_loses_nothing(pair: Pair) -> None:
    answers = burst(pair.near.address, WIDE_PORT, 1_000)
    count = by_site(answers)
    assert set(count) == {"near", "far"}, count
    assert sum(len(target.seen) for target in pair.wide.values()) == 1_000
    assert all(target.in_hand_max <= 20 for target in pair.wide.values())


def test_when_all_is_full_requests_wait_then_get_503_with_retry_after(pair: Pair) -> None:
    near, slots = pair.near, NEAR_SLOTS + FAR_SLOTS
    with held(*pair.shop.values()):
        served = sending(near.address, SHOP_PORT, slots)
        until(lambda: sum(pair.in_hand().values()) == slots, "all slots are full")
        why = near.json("why", "shop")
        assert why["decision"]["site"] is None
        assert why["decision"]["reason"] == "all-full"
        began = own_time()
        late = fetch(near.address, SHOP_PORT)
        assert (late.status, late.code) == (503, "all-full")
        assert int(late.headers["retry-after"]) >= 1
        assert late.headers["content-type"].startswith("text/plain")
        assert late.ended - late.began >= 0.5
        assert own_time() - began <= 3.0
        crowd = burst(near.address, SHOP_PORT, 20)
        assert by_site(crowd) == Counter({"all-full": 20})
        at_once = [a for a in crowd if a.ended - a.began < QUEUE_WAIT_S - 0.1]
        assert len(at_once) >= 20 - QUEUE - 2, "those beyond the queue are told at once"
    assert by_site(served.result()) == Counter(near=NEAR_SLOTS, far=FAR_SLOTS)


def test_a_request_that_waits_gets_the_slot_that_comes_free(pair: Pair) -> None:
    near, slots = pair.near, NEAR_SLOTS + FAR_SLOTS
    with held(*pair.shop.values()):
        served = sending(near.address, SHOP_PORT, slots)
        until(lambda: sum(pair.in_hand().values()) == slots, "all slots are full")
        waiting = sending(near.address, SHOP_PORT, 2)
        until(lambda: near.service("shop")["queued"] == 2, "two requests wait")
    assert len(served.result()) == slots
    assert [answer.status for answer in waiting.result()] == [200, 200]


def test_tcp_counts_connections_fills_spills_refuses_and_returns(pair: Pair) -> None:
    near = pair.near
    with contextlib.ExitStack() as stack:
        doors = [
            stack.enter_context(connected(near.address, CACHE_PORT))
            for _ in range(NEAR_SLOTS + FAR_SLOTS)
        ]
        names = [ask(door, "name") for door in doors]
        assert names == ["near"] * NEAR_SLOTS + ["far"] * FAR_SLOTS
        with pytest.raises(ConnectionResetError), connected(near.address, CACHE_PORT) as refused:
            ask(refused, "name")
            read_line(refused)
        doors[0].close()
        until(lambda: near.in_flight("cache")["near"] == NEAR_SLOTS - 1, "a slot came free")
        again = stack.enter_context(connected(near.address, CACHE_PORT))
        assert ask(again, "name") == "near"
    assert pair.cache["near"].in_hand_max == NEAR_SLOTS
    assert pair.cache["far"].in_hand_max == FAR_SLOTS


def test_clients_that_reset_while_they_are_served_give_their_slots_back(pair: Pair) -> None:
    near, slots = pair.near, NEAR_SLOTS + FAR_SLOTS
    with held(*pair.shop.values()):
        for _ in range(2):
            doors = [socket.create_connection((near.address, SHOP_PORT)) for _ in range(slots + 1)]
            for door in doors:
                door.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
            until(lambda: sum(near.in_flight("shop").values()) == slots, "all slots are taken")
            for door in doors:
                reset(door)
            pair.net.at_rest("shop")


def test_why_says_where_the_next_request_goes_and_why_not_elsewhere(pair: Pair) -> None:
    why = pair.near.json("why", "shop")
    assert (why["service"], why["port"], why["policy"]) == ("shop", SHOP_PORT, "fill")
    assert why["decision"]["site"] == "near"
    assert [(c["site"], c["path_cost"], c["verdict"]) for c in why["candidates"]] == [
        ("near", 0, "chosen"),
        ("far", 5, "dearer"),
    ]
    far = why["candidates"][1]
    assert (far["capacity"], far["free"], far["path"]) == (FAR_SLOTS, FAR_SLOTS, ["far"])
    with held(pair.shop["near"]):
        local = sending(pair.near.address, SHOP_PORT, NEAR_SLOTS)
        until(lambda: pair.in_hand()["near"] == NEAR_SLOTS, "the local slots are full")
        why = pair.near.json("why", "shop")
        assert [c["verdict"] for c in why["candidates"]] == ["full", "chosen"]
        assert why["decision"]["path"] == ["far"]
        assert fetch(pair.near.address, SHOP_PORT).site == "far"
    local.result()


def test_why_of_an_unknown_service_exits_4(pair: Pair) -> None:
    pair.near.ctl("why", "nothing", code=4)


def test_each_request_on_a_kept_connection_is_balanced_by_itself(pair: Pair) -> None:
    with connected(pair.near.address, SHOP_PORT) as door:
        stream = door.makefile("rb")

        def one() -> str:
            door.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += stream.readline()
            assert head.startswith(b"HTTP/1.1 200"), head
            body = stream.readline()
            return body.decode().strip()

        assert one() == "near"
        with held(pair.shop["near"]):
            local = sending(pair.near.address, SHOP_PORT, NEAR_SLOTS)
            until(lambda: pair.in_hand()["near"] == NEAR_SLOTS, "the local slots are full")
            assert one() == "far"
        local.result()
        pair.net.at_rest("shop")
        assert one() == "near"


def test_a_capacity_changed_live_counts_for_the_next_request(pair: Pair) -> None:
    near = pair.near
    item = near.service("shop")
    assert next(s["capacity"] for s in item["sites"] if s["local"]) == NEAR_SLOTS
    path = near.directory / "config" / "own-connector-shop-0.yaml"
    before = path.read_text()
    try:
        path.write_text(before.replace(f'"capacity": {NEAR_SLOTS}', '"capacity": 1'))
        until(
            lambda: next(s["capacity"] for s in near.service("shop")["sites"] if s["local"]) == 1,
            "the new capacity counts",
            2.5,
        )
        with held(*pair.shop.values()):
            served = sending(near.address, SHOP_PORT, 2)
            until(lambda: pair.in_hand() == {"near": 1, "far": 1}, "the second one spills")
        served.result()
    finally:
        path.write_text(before)
    began = own_time()
    until(
        lambda: next(s["capacity"] for s in near.service("shop")["sites"] if s["local"]) == 3,
        "the old capacity is back",
    )
    assert own_time() - began < 2.5
