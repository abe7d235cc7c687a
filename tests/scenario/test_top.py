"""`top` of real routers: what leaves a full site, and the lines of the last minutes."""

from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.test_contract import hold
from tests.scenario.waiting import until


def test_top_tells_how_full_a_site_is_and_who_takes_the_rest(net: Network) -> None:
    here, there = net.site("here"), net.site("there")
    here.declare("shop")
    near, far = net.http("here"), net.http("there")
    here.connect("shop", near, capacity=1)
    there.connect("shop", far, capacity=5)
    net.link(here, there, 3)
    net.start()
    net.see_each_other()
    net.ready("shop", {"here": 1, "there": 1})
    held = hold(here, SHOP_PORT, near)

    def overflow() -> dict[str, float]:
        assert fetch(here.address, SHOP_PORT).site == "there"
        (now,) = here.get("live")["now"]
        to: dict[str, float] = now["overflow_to"]
        return to

    assert until(overflow, "the live picture tells of the overflow").keys() == {"there"}
    item = here.json("top", "--once")
    assert item["status"]["name"] == "here"
    assert {site["name"] for site in item["network"]} == {"here", "there"}
    text = here.ctl("top", "--once").out
    (shop,) = (line for line in text.splitlines() if line.startswith(f"shop:{SHOP_PORT}"))
    assert "1 of 1" in shop
    near.release()
    held.close()
    net.at_rest("shop")
