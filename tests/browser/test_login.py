"""Who logs in at a real router sees its network, and a burst that spills."""

import re
from collections.abc import Iterator

import msgspec
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.stage import ends_at, keep_picture, looking, turn_to
from tests.scenario.clients import Load
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

CONSOLE_PORT = 8010
PASSWORD = "a word that only this test knows"
SLOTS = 3
WORK_S = 0.2
SOON_MS = 40_000
"""Rates are means over seconds, and the machine may be busy."""


class Console(msgspec.Struct, frozen=True):
    """The console of a site."""

    url: str


def with_console(site: Site) -> Console:
    """Switch it on."""
    place = f"{site.address}:{CONSOLE_PORT}"
    words = ("update", "--enable-console", "--console-bind", place)
    site.ctl(*words, "--console-password-file", "-", given=f"{PASSWORD}\n")
    return Console(f"http://{place}/")


@pytest.fixture
def near(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Console]]:
    """A site of three slots, linked to one of many at cost 5, with a console."""
    with Network(tmp_path_factory.mktemp("console")) as net:
        near, far = net.site("near"), net.site("far")
        near.declare("shop", SHOP_PORT, queue=200, queueWait="9s")
        near.connect("shop", net.http("near", WORK_S), capacity=SLOTS)
        far.connect("shop", net.http("far", WORK_S), capacity=50)
        net.link(near, far, 5)
        console = with_console(near)
        net.start()
        net.see_each_other()
        net.ready("shop", {"near": 1, "far": 1})
        until(lambda: near.get("status")["console"]["url"] != "", "the console is there")
        yield near, console


def test_who_logs_in_sees_a_burst_spill_and_where_to(
    chromium: Browser, near: tuple[Site, Console]
) -> None:
    site, console = near
    with looking(chromium, console, "#/links") as page:
        assert page.evaluate("document.querySelector('h1 img').naturalWidth") > 0
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        keep_picture(page, "login")
        page.get_by_label("User").fill("admin")
        page.get_by_label("Password").fill("another word")
        page.get_by_role("button").click()
        expect(page.get_by_role("alert")).to_have_text("Wrong user name or password.")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button").click()
        ends_at(page, "/#/links")  # What was asked for, as somebody may have sent its address.
        turn_to(page, console, "#/overview")
        expect(page.locator(".sentence")).to_have_text(
            "No requests at the moment.", timeout=SOON_MS
        )
        root = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert root == ground
        with Load([(site.address, SHOP_PORT)], 40.0):
            expect(page.locator(".sentence")).to_have_text("shop spills to far.", timeout=SOON_MS)
            card = page.get_by_role("region", name="Spilling now")
            busy = re.compile(rf"(2\.[5-9]|{SLOTS}) of {SLOTS} slots of near are busy")
            expect(card).to_contain_text(busy, timeout=SOON_MS)
            keep_picture(page, "real-overview")
            page.goto(f"{console.url}#/topology?site=far&table=map")
            row = page.locator("#chart-map").get_by_role("row", name="far")
            expect(row).to_contain_text("up")
            expect(page.locator(".way li").nth(1)).to_contain_text("cost 5")
            detail = page.get_by_role("region", name="What far reports")
            expect(detail.get_by_role("table", name="Targets at far")).to_contain_text("ready")
            page.get_by_role("button", name="Measure the path").click()
            hops = page.get_by_role("table", name="Path to far, measured")
            expect(hops.get_by_role("row", name="far")).to_contain_text("3 of 3", timeout=SOON_MS)
            keep_picture(page, "real-topology")
        page.goto(f"{console.url}#/links")
        link = page.get_by_role("table", name="Links").get_by_role("row").nth(1)
        expect(link).to_contain_text("up")
        expect(link).to_contain_text("left")
        expect(page.locator(".token")).to_have_count(0)  # The other site made it.
        keep_picture(page, "real-links")
        page.goto(f"{console.url}#/events?code=overflow-begun")
        events = page.get_by_role("list", name="Events, newest first").get_by_role("listitem")
        expect(events.first).to_contain_text("shop")
        keep_picture(page, "real-events")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Password")).to_be_visible()
