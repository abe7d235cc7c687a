"""On a phone, 390 px wide, everything can be read without scrolling sideways."""

import msgspec
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from router.model.events import Event
from tests.browser import docs_pictures, pictures, scenes
from tests.browser.stage import Stage, keep_picture, looking, turn_to
from tests.scenario.waiting import until

PHONE = ViewportSize(width=390, height=844)
VIEWS = {
    "overview": "#/overview",
    "topology": "#/topology",
    "site": "#/topology?site=south",
    "service-graph": "#/topology?tab=services",
    "calls": "#/topology?tab=services&from=workload+deployment%2Fweb&to=shop%3A8080",
    "services": "#/services",
    "service": "#/services/shop:8080",
    "flows": "#/flows",
    "flow": "#/flows?flow=60",
    "links": "#/links",
    "link": "#/links?link=to-attic",
    "events": "#/events",
    "simulate": "#/simulate",
}
CUT = """() => [...document.querySelectorAll("main, main *")]
  .filter((one) => one.checkVisibility() && !one.closest("svg, pre, textarea, select, .unseen"))
  .filter((one) => {
    const outside = one.getBoundingClientRect().right > innerWidth + 1;
    const hides = getComputedStyle(one).overflowX !== "visible";
    return outside || (hides && one.scrollWidth > one.clientWidth + 1);
  })
  .map((one) => `${one.tagName}.${one.className}: ${one.textContent.trim().slice(0, 60)}`)"""
HEIGHT = "document.documentElement.scrollHeight"
MESSAGE = (
    "The link lost its neighbor: no answer to five keepalives within 10 s; requests for shop"
    " go to south until it is back."
)


def happened(number: int) -> Event:
    return Event(
        at=pictures.moment(-3.0 * number),
        severity="warning",
        code="link-down",
        subject=f"to-{number}",
        message=MESSAGE,
        hint="sitectl link status to-west",
    )


def fits(page: Page) -> bool:
    """Whether nothing is cut off; prints the elements that are."""
    cut = page.evaluate(CUT)
    print(cut)
    return not cut


@pytest.fixture
def stage(stage: Stage) -> Stage:
    docs_pictures.set_up(stage)
    stage.router.details = {one.id: scenes.detail(one) for one in stage.router.flows}
    stage.tell(happened(0))
    return stage


def test_nothing_is_cut_off(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, viewport=PHONE) as page:
        for name, at in VIEWS.items():
            turn_to(page, stage, at)
            expect(page.locator(".page-body > *").first, name).to_be_visible()
            expect(page.locator("main .loading"), name).to_have_count(0)
            until(lambda: fits(page), f"nothing of {name} is cut off")
            keep_picture(page, f"{name}-phone")


def test_a_page_of_events_is_short_and_each_reason_can_be_read(
    chromium: Browser, stage: Stage
) -> None:
    for number in range(300, 0, -1):
        stage.tell(happened(number))
    with looking(chromium, stage, "#/events", viewport=PHONE) as page:
        events = page.get_by_role("list", name="Events, newest first").get_by_role("listitem")
        expect(page.get_by_role("heading", name="301 events")).to_be_visible()
        expect(events).to_have_count(20)
        assert page.evaluate(HEIGHT) < 4_000
        reason = events.last.get_by_text(MESSAGE)
        reason.scroll_into_view_if_needed()
        box = reason.bounding_box()
        assert box is not None
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"]
        page.get_by_role("button", name="Show 20 more of 281").click()
        expect(events).to_have_count(40)


def test_the_reason_of_a_spilled_flow_is_in_its_row(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/flows", viewport=PHONE) as page:
        spilled = page.locator('tr[data-flow="60"]')
        expect(spilled.get_by_text("overflow, full: cheapest site with room")).to_be_visible()
        expect(page.locator('tr[data-flow="59"] .why')).to_be_hidden()


def test_a_long_list_of_sites_is_shown_in_parts(chromium: Browser, stage: Stage) -> None:
    stage.router.live = pictures.many_sites()
    with looking(chromium, stage, "#/topology", viewport=PHONE) as page:
        rows = page.get_by_role("region", name="All sites").locator("tbody tr")
        expect(rows).to_have_count(20)
        page.get_by_role("button", name="Show 20 more of 80").click()
        expect(rows).to_have_count(40)


def test_a_row_names_its_figures_and_is_a_row_of_a_table_still(
    chromium: Browser, stage: Stage
) -> None:
    live = stage.router.live
    stage.router.live = msgspec.structs.replace(live, services=live.services[:1])
    with looking(chromium, stage, "#/services/shop:8080", viewport=PHONE) as page:
        row = page.get_by_role("region", name="Sites of this service").get_by_role(
            "row", name="west"
        )
        cell = row.get_by_role("cell", name="51 %")
        expect(cell).to_be_visible()
        shown = cell.evaluate("cell => getComputedStyle(cell, '::before').content")
        assert shown == '"Share"'
