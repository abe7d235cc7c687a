"""Where the keyboard is after a control with the focus is gone or works, and what is chosen."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from router.admin.views.ping import PingView
from tests.browser.stage import Stage, ends_at, looking

CANVAS = """() => {
  const probe = document.body.appendChild(document.createElement("p"));
  probe.style.color = "Canvas";
  return getComputedStyle(probe).color;
}"""
CONTRAST = """(button) => {
  const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number)
    .map((one) => one / 255)
    .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const style = getComputedStyle(button);
  const [bright, dim] = [light(style.color), light(style.backgroundColor)].sort((a, b) => b - a);
  return (bright + 0.05) / (dim + 0.05);
}"""


def press(page: Page, control: Locator, key: str = "Enter") -> None:
    """As somebody at the keyboard does."""
    control.focus()
    page.keyboard.press(key)


def paused(page: Page, path: str) -> list[object]:
    """Hold answers back until `answer`."""
    held: list[object] = []
    page.route(re.compile(path), lambda route: held.append(route))
    return held


def answer(page: Page, held: list[object], path: str) -> None:
    """Let them come."""
    for route in held:
        route.continue_()  # type: ignore[attr-defined]
    page.unroute(re.compile(path))


@pytest.mark.parametrize(
    ("at", "names", "path", "said"),
    [
        (
            "#/topology?site=south",
            ("Measure the path", "Measuring…", "Measure the path"),
            "/ping/",
            "The path to south was measured",
        ),
        (
            "#/services/shop:8080",
            ("Load targets", "Loading…", "Load again"),
            "/services/shop",
            "The targets of other sites are loaded",
        ),
        ("#/simulate", ("Run", "Running…", "Run"), "/simulate$", "The scenario has run"),
    ],
)
def test_a_button_that_works_keeps_the_focus_and_can_be_read(
    chromium: Browser, stage: Stage, at: str, names: tuple[str, str, str], path: str, said: str
) -> None:
    name, working, done = names
    stage.router.pings["south"] = PingView(
        site="south", id="", reachable=False, path_cost=15, hops=(), reason="no answer"
    )
    with looking(chromium, stage, at) as page:
        button = page.get_by_role("button", name=name, exact=True)
        expect(button).to_be_visible()
        held = paused(page, path)
        press(page, button)
        busy = page.get_by_role("button", name=working)
        expect(busy).to_be_focused()
        expect(busy).to_be_disabled()
        assert busy.evaluate(CONTRAST) >= 4.5
        page.keyboard.press("Enter")  # It does nothing twice.
        assert len(held) == 1
        answer(page, held, path)
        expect(page.get_by_role("button", name=done, exact=True)).to_be_focused()
        expect(page.locator("#announcer")).to_have_text(said)


@pytest.mark.parametrize("by", ["Enter on Close", "Escape"])
@pytest.mark.parametrize(
    ("page_of", "region", "name", "choice"),
    [
        ("topology", "All sites", "south", "site=south"),
        ("links", "Links", "to-west", "link=to-west"),
        ("topology?tab=services", "All calls", "deployment/web", "from="),
    ],
)
def test_who_closes_details_is_where_they_were_chosen(
    chromium: Browser,
    stage: Stage,
    page_of: str,
    region: str,
    name: str,
    choice: str,
    by: str,
) -> None:
    with looking(chromium, stage, f"#/{page_of}") as page:
        link = page.get_by_role("table", name=region).get_by_role("link", name=name).first
        press(page, link)
        expect(page).to_have_url(re.compile(re.escape(choice)))
        close = page.get_by_role("button", name="Close")
        expect(close).to_be_visible()
        if by == "Escape":
            page.keyboard.press("Escape")
        else:
            press(page, close)
        ends_at(page, page_of)
        expect(close).to_have_count(0)
        expect(link).to_be_focused()


def test_who_resets_a_proposal_stays_beside_the_button(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/simulate?tab=what-if") as page:
        slider = page.get_by_role("slider").first
        press(page, slider, "ArrowRight")
        reset = page.get_by_role("button", name="Reset to current")
        expect(reset).to_be_enabled()
        press(page, reset)
        expect(reset).to_be_disabled()
        expect(slider).to_be_focused()


def test_a_run_that_ends_with_its_page_is_not_said_to_go_on(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/simulate") as page:
        paused(page, "/simulate$")
        press(page, page.get_by_role("button", name="Run", exact=True))
        told = page.locator("#announcer")
        expect(told).to_have_text("The scenario runs")
        page.evaluate("location.hash = '#/flows'")
        expect(page.get_by_role("heading", level=1, name="Flows")).to_be_focused()
        expect(told).not_to_have_text("The scenario runs")


def test_a_page_within_a_page_begins_at_its_heading(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/services") as page:
        press(page, page.get_by_role("link", name="shop:8080").first)
        expect(page.get_by_role("heading", level=1, name="shop:8080")).to_be_focused()
        page.go_back()
        expect(page.get_by_role("heading", level=1, name="Services")).to_be_focused()


def test_all_callers_again_leave_the_focus_at_the_filters(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/topology?tab=services") as page:
        page.get_by_label("Filter callers").focus()
        page.keyboard.type("web")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Show all")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Show all")).to_have_count(0)
        expect(page.get_by_role("combobox", name="Service")).to_be_focused()


def test_a_focus_that_was_given_up_is_not_returned(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/topology?site=south") as page:
        page.get_by_role("link", name="Topology").focus()
        page.get_by_role("button", name="Close").focus()
        page.locator(".site-name").click()
        expect(page.locator("body")).to_be_focused()
        page.evaluate("location.hash = '#/topology'")
        expect(page.get_by_role("button", name="Close")).to_have_count(0)
        expect(page.locator("body")).to_be_focused()


def test_forced_colors_still_show_which_page_tab_and_row_are_chosen(
    chromium: Browser, stage: Stage
) -> None:
    """Their backgrounds go, and the border of every tab was drawn."""
    with looking(chromium, stage, "#/topology?site=south") as page:
        page.emulate_media(forced_colors="active")
        pages = page.get_by_role("navigation", name="Pages")
        expect(pages.get_by_role("link", name="Topology")).to_have_css(
            "text-decoration-line", "underline"
        )
        expect(pages.get_by_role("link", name="Flows")).to_have_css("text-decoration-line", "none")
        ground = page.evaluate(CANVAS)
        other, chosen = (
            page.get_by_role("link", name=name, exact=True)
            for name in ("Service graph", "Sites and links")
        )
        expect(other).to_have_css("border-bottom-color", ground)
        expect(chosen).not_to_have_css("border-bottom-color", ground)
        table = page.get_by_role("table", name="All sites")
        expect(table.get_by_role("row", name="south")).to_have_css("outline-style", "solid")
        expect(table.get_by_role("row", name="north")).to_have_css("outline-style", "none")
