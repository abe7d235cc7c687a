"""The host of a site fails it: its clock, its disk, its certificates. The text of each surface."""

import datetime
from pathlib import Path

from tests.scenario.clients import fetch
from tests.scenario.clocks import Host
from tests.scenario.disks import small_disk
from tests.scenario.harness import SHOP_PORT
from tests.scenario.tls import credential
from tests.scenario.waiting import WAIT_S, until
from tests.scenario.worker_sites import are_ready, hung, pid_of
from tests.truth.conftest import Build, Watch, on_a_host
from tests.truth.fault import ALERTS, COMMANDS, METRICS, PAGES, SURFACES
from tests.truth.faults import host as faults
from tests.truth.scene import Shop, Stage, door

ENDS_IN = datetime.timedelta(days=3)
ENDED_IN = datetime.timedelta(seconds=30)
"""Longer than a busy machine takes to notice a new pair: one that has ended is never used."""
LATE_PORT = 20_083


def test_a_clock_is_wrong(net: Stage, watch: Watch) -> None:
    far, near = Host(net, "far", "+1d"), net.watched("near")
    near.declare("shop", SHOP_PORT)
    near.connect("shop", net.http("near"), capacity=50)
    far.start()
    near.start()
    net.ready("shop", {"near": 1}, near)
    surfaces = watch(near)
    token = far.token(net, "--token-type", "cert")
    near.ctl("link", "create", str(token), "--name", "far")
    until(lambda: near.problems("SW0660"), "status has the problem")
    surfaces.show(faults.CLOCK)
    assert fetch(*door(near)).site == "near"


def test_a_disk_is_full(tmp_path: Path, build: Build, watch: Watch) -> None:
    with small_disk(tmp_path / "disk") as disk, build(disk.path) as net:
        shop = Shop(net).start()
        surfaces = watch(shop.near)
        disk.fill()
        until(lambda: "SW0662" in shop.codes(), "status has the problem before anything changes")
        net.add_service(shop.near, "late", LATE_PORT)
        surfaces.show(faults.DISK_FULL)
        assert fetch(*door(shop.near)).site == "near"
        disk.free()
        shop.near.until_well()


def test_a_certificate_ends_soon(net: Stage, watch: Watch, tmp_path: Path) -> None:
    shop = Shop(net, tlsCert="shop")
    ends = datetime.datetime.now(datetime.UTC) + ENDS_IN
    credential(tmp_path / "credential", until=ends)
    for site in (shop.near, shop.far):
        net.keep(site, "shop", tmp_path / "credential")
    shop.start()
    surfaces = watch(shop.near)
    until(lambda: "SW0402" in shop.codes(), "status has the problem")
    surfaces.show(faults.CERTIFICATE_ENDS)
    problems = shop.near.get("status")["problems"]
    (hint,) = [one["hint"] for one in problems if one["code"] == "SW0402"]
    place = hint.removeprefix("Put a new one into ")
    assert place == "Secret shop" or (Path(place).is_absolute() and Path(place).is_dir())


def test_a_certificate_has_ended(net: Stage, watch: Watch, tmp_path: Path) -> None:
    shop = Shop(net, tlsCert="shop")
    credential(tmp_path / "credential")
    for site in (shop.near, shop.far):
        net.keep(site, "shop", tmp_path / "credential")
    shop.start()
    surfaces = watch(shop.near)
    ends = datetime.datetime.now(datetime.UTC) + ENDED_IN
    credential(tmp_path / "ending", until=ends)
    net.keep(shop.near, "shop", tmp_path / "ending")
    until(lambda: "SW0402" in shop.codes(), "the new one is used")
    ended_s = ENDED_IN.total_seconds() + WAIT_S
    until(lambda: shop.codes() == {"SW0202"}, "it has ended", ended_s)
    surfaces.show(faults.CERTIFICATE_ENDED)
    net.keep(shop.near, "shop", tmp_path / "credential")
    shop.near.until_well()


@on_a_host
def test_a_worker_hangs(net: Stage, watch: Watch) -> None:
    shop = Shop(net)
    shop.near.quick("update", "--workers", "2")
    shop.start()
    until(lambda: are_ready(shop.near, 2), "both workers serve")
    surfaces = watch(shop.near)
    for together in (COMMANDS, (METRICS, ALERTS), PAGES):  # It is ended when it hangs for long.
        with hung(pid_of(shop.near, 1)):
            until(lambda: "SW0691" in shop.codes(), "status has the problem")
            surfaces.show(faults.WORKER_HANGS, without=set(SURFACES).difference(together))
        shop.near.until_well()
