"""`top` of real routers: what leaves a full site, its problems, and why of one service."""

import re

from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.test_contract import hold
from tests.scenario.waiting import until
from tests.unit.sitectl.terminals import Terminal


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

    def shop() -> str:
        lines = here.ctl("top", "--once").out.splitlines()
        return next(line for line in lines if line.startswith(f"shop:{SHOP_PORT}"))

    until(lambda: " 1 of 1" in shop(), "its slot was taken for all of the last seconds")
    near.release()
    held.close()
    net.at_rest("shop")


def test_top_names_problems_and_leads_to_why_of_the_selected_service(net: Network) -> None:
    here, there = net.site("here"), net.site("there")
    here.declare("calm", SHOP_PORT + 1)
    here.declare("shop")
    dead, near, far = net.http("here"), net.http("here"), net.http("there")
    dead.stop()
    here.connect("calm", near)
    here.connect("shop", dead)
    there.connect("shop", far)
    net.link(here, there, 3)
    net.start()
    net.see_each_other()
    net.ready("shop", {"there": 1})
    net.ready("calm", {"here": 1})
    words = ("--platform", "process", "--site", here.name, "top", "--sort", "name")
    with Terminal(net.state, *words, "--every", "0.2") as seen:
        seen.until(lambda text: f">calm:{SHOP_PORT + 1}" in text, "the first service is selected")
        seen.until(lambda text: "SW0335 Service shop" in text, "the problem by its name")
        seen.until(lambda text: re.search(r"there .* ms +[0-9.]+ k?B/s ", text), "bytes a second")
        seen.press("\x1b[B\r")
        seen.until(lambda text: "the next request goes to there" in text, "why")
        seen.until(lambda text: "no-target" in text, "why not here")
        dead.start()
        seen.until(lambda text: "the next request goes to here" in text, "that it is back")
        far.stop()
        here.kill()
        seen.until(lambda text: "is not running" in text, "that the router is gone")
        seen.until(lambda text: "here: stale" in text.partition("not running")[2], "no more ready")
        net.start(here)
        start = len(seen.text)
        seen.until(lambda text: "the next request goes to here" in text[start:], "the router again")
        seen.press("\x1b")
        seen.until(lambda text: f">shop:{SHOP_PORT}" in text[start:], "the whole picture")
        seen.press("q")
        assert seen.end() == 0
