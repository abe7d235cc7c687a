"""A site, or each of them, takes no more: what leaves, waits or is turned away."""

import contextlib
import signal
import time

from tests.scenario.backends import HttpTarget
from tests.scenario.clients import Load, by_site, connected
from tests.scenario.waiting import until
from tests.truth.conftest import Watch
from tests.truth.faults import load as faults
from tests.truth.scene import COST, PER_S, Shop, Stage, door

SERVICE_S = 0.5
RATE = "5/s"
FARTHER = 9
STOOD_S = 4.0


def slow(targets: list[HttpTarget], seconds: float = SERVICE_S) -> None:
    for target in targets:
        target.service_s = seconds


def test_a_full_site_spills_and_is_well(net: Stage, watch: Watch) -> None:
    shop = Shop(net, capacity=1, far_capacity=50).start()
    surfaces = watch(shop.near)
    slow(shop.targets, 1.0)
    with shop.load() as load:
        until(lambda: by_site(load.answers)["far"] >= PER_S, "the other site serves")
        surfaces.show(faults.FULL)
        assert not shop.codes()
    assert set(by_site(load.answers)) == {"near", "far"}


def test_another_site_that_is_full_is_named_by_one_that_has_no_target(
    net: Stage, watch: Watch
) -> None:
    near, far, hub = net.watched("near"), net.site("far"), net.site("hub")
    target = net.http("far", SERVICE_S)
    far.declare("shop")
    far.connect("shop", target, capacity=1)
    hub.connect("shop", net.http("hub"), capacity=50)
    net.link(near, far, COST)
    net.link(near, hub, FARTHER)
    net.start()
    net.see_each_other()
    net.ready("shop", {"far": 1, "hub": 1}, near)
    surfaces = watch(near)
    with Load([door(near)], PER_S) as load:
        until(lambda: by_site(load.answers)["hub"] >= PER_S, "the other site serves")
        surfaces.show(faults.FULL_ELSEWHERE)
    assert set(by_site(load.answers)) == {"far", "hub"}


def test_a_site_that_is_full_of_connections_shows_those_that_are_open_elsewhere(
    net: Stage, watch: Watch
) -> None:
    shop = Shop(net, capacity=1, far_capacity=50, protocol="tcp").start()
    surfaces = watch(shop.near)
    with contextlib.ExitStack() as clients:
        for _ in range(8):
            clients.enter_context(connected(*door(shop.near)))
        surfaces.show(faults.FULL_OF_CONNECTIONS)
    until(
        lambda: shop.metric("spillway_clients_in_flight") == 0,
        "no connection is open",
    )
    assert shop.metric("spillway_spilled_total", to="far") == 6
    until(
        lambda: any(one["code"] == "overflow-ended" for one in shop.near.get("events")),
        "the overflow ends when the last connection does",
    )


def test_failures_that_figures_show_are_named_also_right_after_a_router_stood_still(
    net: Stage,
) -> None:
    shop = Shop(net, capacity=1, queue=0).start()

    def refusing() -> bool:
        now = shop.now()
        return bool(now["failed_per_s"] > 0.1 * now["requests_per_s"] > 0)

    with shop.load(at_once=200) as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        shop.near.signal(signal.SIGSTOP)
        begun = time.monotonic()
        until(lambda: time.monotonic() - begun >= STOOD_S, "clients come while it stands still")
        shop.near.signal(signal.SIGCONT)
        until(refusing, "many of these clients are refused at once")
        codes = shop.codes()
        assert "SW0337" in codes or not refusing(), codes


def test_every_site_is_full_and_requests_wait(net: Stage, watch: Watch) -> None:
    shop = Shop(net, capacity=1, queue=100, queueWait="30s").start()
    surfaces = watch(shop.near)
    slow([*shop.targets, shop.far_target])
    with shop.load() as load:
        until(lambda: len(load.answers) >= PER_S // 2, "some are served")
        surfaces.show(faults.ALL_FULL)
    assert set(by_site(load.answers)) == {"near", "far"}


def test_every_site_is_full_and_so_is_the_queue(net: Stage, watch: Watch) -> None:
    shop = Shop(net, capacity=1, queue=1).start()
    surfaces = watch(shop.near)
    slow([*shop.targets, shop.far_target])
    with shop.load() as load:
        until(lambda: len(load.failed) >= PER_S, "some are turned away")
        surfaces.show(faults.TURNED_AWAY)
    assert {one.status for one in load.failed} == {503}
    assert all("retry-after" in one.headers for one in load.failed)
    until(
        lambda: shop.metric("spillway_requests_total", site="") == len(load.failed),
        "as many are counted as clients were turned away",
    )


def test_sheddable_requests_make_way(net: Stage, watch: Watch) -> None:
    shop = Shop(net, capacity=2, queue=1, sheddable="Host: shop", sheddableShare="50%").start()
    surfaces = watch(shop.near)
    slow([*shop.targets, shop.far_target])
    with shop.load() as load:
        until(lambda: len(load.failed) >= PER_S, "some are shed")
        surfaces.show(faults.SHED)
    assert {one.code for one in load.failed} == {"shed"}
    assert set(by_site(one for one in load.answers if not one.code)) == {"near", "far"}


def test_this_site_is_full_and_a_rule_leaves_out_the_other(net: Stage, watch: Watch) -> None:
    shop = Shop(net, capacity=1, far_capacity=50, queue=1).start()
    surfaces = watch(shop.near)
    shop.near.ctl("service", "set", "shop", "--import-from", "none")
    slow(shop.targets)
    with shop.load() as load:
        until(lambda: len(load.failed) >= PER_S, "some are turned away")
        surfaces.show(faults.RULED_OUT)
    assert {one.status for one in load.failed} == {503}


def test_no_capacity_is_configured(net: Stage, watch: Watch) -> None:
    shop = Shop(net, capacity=None).start()
    surfaces = watch(shop.near)
    slow([*shop.targets, shop.far_target], 0.8)
    with shop.load() as load:
        until(lambda: by_site(load.answers)["far"], "the other site serves, too")
        surfaces.show(faults.NO_CAPACITY)
    assert set(by_site(load.answers)) == {"near", "far"}


def test_a_rate_is_exceeded(shop: Shop, watch: Watch) -> None:
    surfaces = watch(shop.near)
    shop.near.ctl("service", "set", "shop", "--site-capacity", RATE, "--window", "1s")
    with shop.load() as load:
        until(lambda: by_site(load.answers)["far"] > PER_S, "the excess leaves")
        surfaces.show(faults.OVER_RATE)
    assert set(by_site(load.answers)) == {"near", "far"}


def test_this_site_is_drained(shop: Shop, watch: Watch) -> None:
    near, surfaces = shop.near, watch(shop.near)
    with shop.load() as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        near.quick("site", "drain")
        until(lambda: shop.now()["spilled_for"].get("drained"), "the last seconds show it")
        until(lambda: set(shop.now()["spilled_for"]) == {"drained"}, "and nothing else")
        surfaces.show(faults.DRAINED)
        near.quick("site", "drain", "--to", "100%")
        until(lambda: not shop.codes() & {"SW0353"}, "it takes all again")


def test_a_split_names_a_site_without_targets(net: Stage, watch: Watch) -> None:
    hub = net.site("hub")
    shop = Shop(net, policy={"name": "split", "weights": {"hub": 3, "near": 1}})
    net.link(shop.near, hub, 2)
    shop.start()
    surfaces = watch(shop.near)
    with shop.load() as load:
        until(lambda: len(load.answers) > PER_S, "clients are served")
        surfaces.show(faults.EMPTY_SPLIT)
    assert set(by_site(load.answers)) == {"near"}
