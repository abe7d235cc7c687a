"""Two claim one thing: a port, an identity, a name. The text of each surface."""

import shutil
import socket
from pathlib import Path

from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Site, own_address
from tests.scenario.waiting import until
from tests.truth.conftest import Watch, on_a_host
from tests.truth.faults import names as faults
from tests.truth.namespaces import NamespaceSite
from tests.truth.scene import Shop, Stage, door

OTHER_PORT = SHOP_PORT + 5


@on_a_host
def test_the_port_of_a_listener_is_taken(shop: Shop, watch: Watch) -> None:
    near, surfaces = shop.near, watch(shop.near)
    refused = door(near)
    with socket.socket() as taken:
        taken.bind((near.address, OTHER_PORT))
        taken.listen()
        near.ctl("service", "set", "shop", "--listen", str(OTHER_PORT))
        until(lambda: "SW0202" in shop.codes(), "status has the problem")
        assert "ConnectionRefused" in fetch(*refused).error
        surfaces.show(faults.PORT_TAKEN)
    near.until_well()
    assert fetch(near.address, OTHER_PORT).site == "near"


def copy_of(site: Site, net: Stage) -> Site:
    """A router with the same identity, started, at another address."""
    if isinstance(site, NamespaceSite):
        copy: Site = site.copy()
        net.sites.append(copy)
    else:
        copy = copy_of_directory(site, net)
    until(lambda: copy.problems("SW0401"), "the copy knows what it is")
    return copy


def copy_of_directory(site: Site, net: Stage) -> Site:
    copies = net.state / "copies"
    left_out = shutil.ignore_patterns("admin.sock")
    shutil.copytree(site.directory, copies / site.name, ignore=left_out)
    copy = Site(site.name, copies, own_address())
    net.sites.append(copy)
    document = copy.directory / "config" / f"site-{site.name}.yaml"
    document.write_text(document.read_text().replace(site.address, copy.address))
    copy.start()
    assert "router-died" not in [event["code"] for event in copy.get("events")]
    return copy


def test_this_site_is_a_copy_of_one_that_runs(shop: Shop, watch: Watch) -> None:
    here = watch(shop.near)
    copy = copy_of(shop.near, shop.net)
    here.of(copy).show(faults.COPY)
    assert shop.near.is_up("far")
    assert fetch(*door(copy)).site == "near"


@on_a_host
def test_a_copy_that_several_neighbors_keep_out_is_not_told_to_link_again(net: Stage) -> None:
    shop, hub = Shop(net), net.site("hub")
    net.link(shop.near, hub, 2)
    shop.start()
    copy = copy_of(shop.near, net)
    until(
        lambda: {one["state"] for one in copy.get("links")} == {"refused"},
        "both neighbors keep it out",
    )
    assert [one["code"] for one in copy.problems()] == ["SW0401"]


def test_a_neighbor_runs_twice(net: Stage, watch: Watch) -> None:
    shop, hub = Shop(net), net.watched("hub")
    net.link(shop.near, hub, 2)
    shop.start()
    surfaces = watch(hub)
    copy_of(shop.near, net)
    until(lambda: hub.problems("SW0665"), "the neighbor of both has the problem")
    surfaces.show(faults.COPY_KEPT_OUT)
    assert fetch(*door(hub)).site == "near"


def test_two_sites_bear_one_name(net: Stage, watch: Watch, tmp_path: Path) -> None:
    shop = Shop(net)
    (tmp_path / "others").mkdir()
    other = Site("far", tmp_path / "others", own_address())
    net.sites.append(other)
    other.quick("init", "far", *other.places())
    shop.start(shop.near, shop.far)
    surfaces = watch(shop.near)
    other.start()
    token = net.token(other)
    shop.near.quick("link", "create", str(token), "--name", "other", "--cost", "7")
    until(lambda: shop.near.is_up("other"), "both are linked")
    until(lambda: "SW0403" in shop.codes(), "status has the problem")
    surfaces.show(faults.SITE_NAME)
    assert fetch(*door(shop.near)).site == "near"


def test_two_sites_declare_one_service_differently(shop: Shop, watch: Watch) -> None:
    surfaces = watch(shop.near)
    shop.far.declare("shop", SHOP_PORT, policy={"name": "balanced"})
    until(lambda: "SW0304" in shop.codes(), "status has the problem")
    surfaces.show(faults.DECLARED_TWICE)
    assert fetch(*door(shop.near)).site == "near"


def test_an_import_rule_names_no_site_that_declares_the_service(net: Stage, watch: Watch) -> None:
    near, hub, far = net.watched("near"), net.site("hub"), net.site("far")
    hub.declare("shop")
    far.connect("shop", net.http("far"), capacity=50)
    net.link(near, hub)
    net.link(far, hub)
    net.start()
    net.ready("shop", {"far": 1})
    surfaces = watch(near)
    refused = door(near)
    assert fetch(*refused).site == "far"
    near.ctl("service", "set", "shop", "--import-from", "far")
    until(
        lambda: "ConnectionRefused" in fetch(*refused).error,
        "the kernel refuses clients",
    )
    surfaces.show(faults.CLOSED_BY_RULE)
    near.ctl("service", "set", "shop", "--import-from", "far,hub")
    near.until_well()
    until(lambda: fetch(*door(near)).site == "far", "far serves again")


@on_a_host
def test_the_site_that_declares_a_service_is_gone(net: Stage, watch: Watch) -> None:
    """In a namespace its services go at the earliest after 60 s."""
    near, far = net.watched("near"), net.site("far")
    far.declare("shop")
    near.connect("shop", net.http("near"), capacity=50)
    document = near.directory / "config" / "site-near.yaml"
    document.write_text(document.read_text().replace("spec:", "spec:\n  serviceSyncSiteTtl: 2s"))
    net.link(near, far)
    net.start()
    net.ready("shop", {"near": 1})
    surfaces = watch(near)
    refused = door(near)
    assert fetch(*refused).site == "near"
    far.kill()
    until(
        lambda: "ConnectionRefused" in fetch(*refused).error,
        "the kernel refuses clients",
    )
    surfaces.show(faults.DECLARER_GONE)
    far.start()
    near.until_well()
    until(lambda: fetch(*door(near)).site == "near", "its service is back")
