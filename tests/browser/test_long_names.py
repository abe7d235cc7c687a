"""Names as long as they may be, and figures up to a million, are shown whole on every page."""

import re

import msgspec
import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from tests.browser import scenes
from tests.browser.pictures import LONG_SERVICE, LONG_SITE, UNBROKEN, burst, long_names
from tests.browser.stage import WIDE, Stage, keep_picture, looking, turn_to
from tests.browser.test_phone import PHONE, fits
from tests.scenario.waiting import until

VIEWS = {
    "overview": "#/overview",
    "topology": "#/topology",
    "site": f"#/topology?site={UNBROKEN}",
    "services": "#/services",
    "service": f"#/services/{LONG_SERVICE}:8080",
    "links": "#/links",
    "link": f"#/links?link={UNBROKEN}",
    "what-if": "#/simulate?tab=what-if",
}
HIDDEN_FIGURES = """() => [...document.querySelectorAll("input[type=number]")]
  .filter((one) => {
    const style = getComputedStyle(one);
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = style.font;
    const arrows = 18;  // As wide as a browser draws them.
    const room = one.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    return pen.measureText(one.value).width > room - arrows;
  })
  .map((one) => `${one.getAttribute("aria-label")}: ${one.value}`)"""
IN_ONE_LINE = """(cell) =>
  cell.getBoundingClientRect().height < 2 * parseFloat(getComputedStyle(cell).lineHeight)"""


@pytest.fixture
def stage(stage: Stage) -> Stage:
    router = stage.router
    router.live = long_names()
    here, near, far = scenes.candidates()
    far = msgspec.structs.replace(far, site=UNBROKEN, path=(LONG_SITE, UNBROKEN))
    near = msgspec.structs.replace(near, site=LONG_SITE, path=(LONG_SITE,))
    router.whys[LONG_SERVICE] = msgspec.structs.replace(
        scenes.why(), service=LONG_SERVICE, candidates=(here, near, far)
    )
    return stage


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_names_of_63_characters_push_nothing_out_of_sight(
    chromium: Browser, stage: Stage, viewport: ViewportSize
) -> None:
    with looking(chromium, stage, viewport=viewport) as page:
        for name, at in VIEWS.items():
            turn_to(page, stage, at)
            expect(page.locator(".page-body > *").first, name).to_be_visible()
            until(lambda: fits(page), f"nothing of {name} is cut off")
            keep_picture(page, f"long-names-{name}-{viewport['width']}")


def test_a_flow_shows_its_reason_beside_long_names(chromium: Browser, stage: Stage) -> None:
    flow = {"service": LONG_SERVICE, "site": UNBROKEN, "path": f"/{UNBROKEN * 3}"}
    stage.router.flows = (scenes.flow(7, **flow), scenes.flow(6))
    with looking(chromium, stage, "#/flows") as page:
        row = page.locator('tr[data-flow="7"]')
        expect(row.locator(".why")).to_be_in_viewport()
        expect(row.locator(".client")).to_be_in_viewport(ratio=1)
        keep_picture(page, "long-names-flows")


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_field_shows_a_figure_of_seven_digits_whole(
    chromium: Browser, stage: Stage, viewport: ViewportSize
) -> None:
    with looking(chromium, stage, VIEWS["what-if"], viewport=viewport) as page:
        capacity = page.get_by_label(f"Capacity of {UNBROKEN}, at once, as a number")
        expect(capacity).to_have_value("1000000")
        assert page.evaluate(HIDDEN_FIGURES) == []


def test_on_a_phone_the_services_of_a_site_are_beside_their_name(
    chromium: Browser, stage: Stage
) -> None:
    stage.router.live = burst()
    with looking(chromium, stage, "#/topology?site=west", viewport=PHONE) as page:
        row = page.get_by_role("table", name="All sites").get_by_role(
            "row", name=re.compile("^west")
        )
        cell = row.locator('[data-name="Services"]')
        expect(cell).to_contain_text("shop")
        assert cell.evaluate(IN_ONE_LINE)
