"""`service bind` and `expose` of targets that refuse connections, or start while they wait."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from router.model.errors import LEAVING
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

SHOP = ("service", "create", "shop", str(SHOP_PORT), "--protocol", "http")


@pytest.fixture
def site(net: Network) -> Site:
    """A running site that declares shop."""
    made = net.site("here")
    made.start()
    made.ctl(*SHOP)
    return made


def connectors(site: Site) -> dict[str, str]:
    """The documents of the site's configuration that name targets."""
    found = (site.directory / "config").glob("connector-*.yaml")
    return {path.name: path.read_text() for path in sorted(found)}


def test_a_target_that_refuses_is_said_at_once_and_used_when_it_starts(
    net: Network, site: Site
) -> None:
    target = net.http("here")
    target.stop()
    place = f"{target.address}:{target.port}"
    bound = site.ctl("service", "bind", "shop", place)
    assert f"not ready: {place} refused the connection" in bound.err
    assert f"service unbind shop {place}\n" in bound.err
    target.start()
    net.ready("shop", {"here": 1})
    assert fetch(site.address, SHOP_PORT).site == "here"
    assert site.ctl("service", "bind", "shop", place).err == ""


def test_a_bind_that_waits_in_vain_is_undone_and_one_in_time_stays(
    net: Network, site: Site
) -> None:
    target = net.http("here")
    place = f"{target.address}:{target.port}"
    target.stop()
    words = ("service", "bind", "shop", place, "--wait")
    late = site.ctl(*words, "1", code=6)
    assert f"{place} refused the connection; nothing is bound" in late.err
    assert connectors(site) == {} and site.service("shop")["targets"] == []
    target.start()
    assert "ready" in site.ctl(*words, "30", "--capacity", "3").out
    before = connectors(site)
    target.stop()
    net.ready("shop", {})
    changed = site.ctl(*words, "1", "--capacity", "5", code=6)
    assert "; the settings are as before" in changed.err
    assert connectors(site) == before
    (known,) = site.service("shop")["targets"]
    assert known["capacity"] == 3


def test_expose_waits_and_leaves_nothing_behind(net: Network, site: Site) -> None:
    target = net.http("here")
    target.stop()
    words = ("expose", "host", target.address, "--address", "cart", "--protocol", "http")
    ports = ("--port", str(SHOP_PORT + 1), "--target-port", str(target.port))
    site.ctl(*words, *ports, "--wait", "1", code=6)
    assert site.service("cart") is None and connectors(site) == {}
    target.start()
    assert "exposed as service cart, ready" in site.ctl(*words, *ports, "--wait", "30").out
    assert fetch(site.address, SHOP_PORT + 1).site == "here"


def test_a_target_that_is_unbound_ends_what_it_has_and_is_not_called_down(
    net: Network, site: Site
) -> None:
    target = net.http("here")
    words = ("shop", "host", target.address, "--target-port", str(target.port))
    site.ctl("service", "bind", *words)
    net.ready("shop", {"here": 1})
    target.hold()
    with ThreadPoolExecutor(1) as one:
        answer = one.submit(fetch, site.address, SHOP_PORT)
        until(lambda: site.in_flight("shop") == {"here": 1}, "the request is at the target")
        site.ctl("service", "unbind", *words)
        until(lambda: site.ready_targets("shop") == {"here": 0}, "the target leaves")
        (leaving,) = site.service("shop")["targets"]
        assert (leaving["error"], leaving["since"], leaving["in_flight"]) == (LEAVING, None, 1)
        assert site.in_flight("shop") == {"here": 1}
        assert LEAVING in site.ctl("service", "status", "shop").out
        assert LEAVING not in str(site.get("status")["problems"])
        target.release()
        assert answer.result(30).site == "here"
    until(lambda: site.service("shop")["targets"] == [], "it is gone")
    assert "target-down" not in {event["code"] for event in site.get("events")}
