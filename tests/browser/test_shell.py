"""The shell: navigation, age of data, themes, keyboard."""

import re

import msgspec
import pytest
from playwright.sync_api import Browser, Request, Route, expect

from router.admin.views.status import Console
from router.model.errors import Severity
from router.model.events import Note
from sitectl.base.options import Settings
from tests import advice
from tests.browser import pictures
from tests.browser.stage import NARROW, Stage, copied_by, looking

_CURRENT_IS_SEEN = """() => {
  const at = document.querySelector(".pages [aria-current]").getBoundingClientRect();
  return at.left >= 0 && at.right < innerWidth + 1;
}"""
SOON_MS = 40_000
"""A machine with other work may let a browser wait."""


def test_the_top_bar_names_the_site_and_its_state_in_a_word(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage) as page:
        top = page.get_by_role("banner")
        expect(top.get_by_text("east", exact=True)).to_be_visible()
        expect(top.get_by_text("Degraded")).to_be_visible()
        expect(top.get_by_text("Live", exact=True)).to_be_visible()
        expect(page).to_have_title("Overview · east")
        expect(page.get_by_role("status")).to_have_text("Site east: Degraded. Spilling: shop")
        stage.router.live = pictures.nothing()
        expect(top.get_by_text("Healthy")).to_be_visible()
        expect(page.get_by_role("status")).to_have_text("Site east: Healthy")


def test_a_site_with_something_to_warn_of_is_not_called_healthy(
    chromium: Browser, stage: Stage
) -> None:
    """All targets of a service may hang while no request has failed yet: that is a note."""
    hangs = "Target 10.0.0.1:9001 of shop:8080 has completed no request for at least 40 s"
    severities: tuple[tuple[Severity, str], ...] = (("warning", "Warnings"), ("info", "Healthy"))
    for severity, word in severities:
        live = pictures.many_sites()
        note = Note(severity=severity, code="SW0349", message=hangs, hint="")
        status = msgspec.structs.replace(live.status, problems=(), notes=(note,))
        stage.router.live = msgspec.structs.replace(live, status=status)
        with looking(chromium, stage) as page:
            badge = page.get_by_role("banner").get_by_text(word, exact=True)
            expect(badge).to_be_visible()
            expect(page.get_by_role("status")).to_have_text(f"Site {live.status.name}: {word}")


def test_a_router_that_falls_silent_makes_the_page_grey_and_tells_the_age(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage) as page:
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        page.clock.install()
        stage.router.is_silent = True
        page.clock.fast_forward(14_000)
        expect(
            page.get_by_role("banner").get_by_text(re.compile(r"Data 1\d s old"))
        ).to_be_visible()
        expect(page.get_by_text("No data from the router since.")).to_be_visible()
        expect(page.locator(".page-body")).to_have_css("filter", re.compile("grayscale"))
        expect(page.get_by_role("status")).to_have_text("The data is stale")
        state = page.get_by_role("banner").locator(".site .badge")
        expect(state).to_have_text("Not known")  # In color beside a gray page: it is of before.
        stage.router.is_silent = False
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        expect(page.locator("html[data-stale]")).to_have_count(0)
        expect(state).to_have_text("Degraded")


def test_a_router_that_is_gone_is_asked_again_until_it_is_back(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage) as page:
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        expect(page.locator(".sentence")).to_be_visible()  # All of the page has come.
        page.clock.install()
        stage.down()
        expect(page.get_by_text(re.compile("The router cannot be reached"))).to_have_count(0)
        page.clock.fast_forward(5_000)
        expect(page.get_by_text(re.compile("The router cannot be reached"))).to_be_visible()
        expect(page.locator(".sentence")).to_be_visible()  # The old content stays readable.
        try_now = page.get_by_role("button", name="Try now")
        expect(try_now).to_be_visible()
        stage.up()
        for button in try_now.element_handles():  # Gone if the page asked by itself just now.
            button.evaluate("button => button.click()")
        expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON_MS)


def test_without_a_place_among_the_followers_the_page_asks_every_two_seconds(
    chromium: Browser, stage: Stage
) -> None:
    stage.router.is_crowded = True
    with looking(chromium, stage) as page:
        expect(page.get_by_text("Polling", exact=True)).to_be_visible()
        expect(page.locator(".sentence")).to_be_visible()


def test_a_page_that_could_not_be_loaded_is_loaded_again_by_itself(
    chromium: Browser, stage: Stage
) -> None:
    is_away = [True]

    def in_vain(route: Route) -> None:
        if is_away:
            route.abort()
        else:
            route.continue_()

    with looking(chromium, stage) as page:
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        page.route("**/pages/flows.js*", in_vain)
        page.get_by_role("link", name="Flows").click()
        expect(page.get_by_text("This page could not be loaded.")).to_be_visible()
        is_away.clear()
        expect(page.get_by_role("combobox", name="Service")).to_be_visible()
        expect(page.get_by_text("This page could not be loaded.")).to_have_count(0)


@pytest.mark.parametrize("file", ["app.js", "lib/store.js", "style.css"])
def test_a_console_that_did_not_come_whole_is_loaded_again_by_itself(
    chromium: Browser, stage: Stage, file: str
) -> None:
    refused: list[str] = []

    def the_first(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.abort()

    with looking(chromium, stage) as page:
        page.route(f"**/{file}", the_first)
        page.goto(f"{stage.url}?")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        expect(page.locator("#app")).to_have_css("display", "grid")  # By style.css.
    assert refused


def test_a_console_that_never_comes_whole_is_loaded_again_once(
    chromium: Browser, stage: Stage
) -> None:
    """A proxy or a filter refuses one file forever; the rest of the console can be used."""
    loads: list[str] = []

    def count(request: Request) -> None:
        if request.is_navigation_request():
            loads.append(request.url)

    with looking(chromium, stage) as page:
        page.route("**/style.css", lambda route: route.abort())
        page.on("request", count)
        with page.expect_request(lambda request: len(loads) == 2):
            page.goto(f"{stage.url}?")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        page.evaluate("new Promise((later) => setTimeout(later, 2500))")  # As if another began.
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert len(loads) == 2


def test_who_has_no_script_of_the_console_is_told_how_to_go_on(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage) as page:
        page.route("**/*.js", lambda route: route.abort())
        page.goto(f"{stage.url}?")
        expect(page.get_by_role("link", name="reload the page")).to_be_visible()


def test_who_is_signed_out_is_told_so(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage) as page:
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        stage.router.is_signed_out = True
        stage.down()
        stage.up()
        expect(page.get_by_text("Signed out", exact=True)).to_be_visible(timeout=SOON_MS)
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_the_theme_is_chosen_and_kept(chromium: Browser, stage: Stage) -> None:
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    with looking(chromium, stage) as page:
        light = page.evaluate(ground)
        button = page.get_by_role("button", name=re.compile("Theme"))
        button.click()
        expect(button).to_have_accessible_name("Theme: light. Change")
        assert page.evaluate(ground) == light
        button.click()
        expect(button).to_have_accessible_name("Theme: dark. Change")
        dark = page.evaluate(ground)
        assert dark != light
        page.reload()
        assert page.evaluate(ground) == dark


def test_the_keyboard_reaches_everything_in_the_order_it_is_read(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_be_visible()
        names = []
        for _ in range(7):
            page.keyboard.press("Tab")
            names.append(
                page.evaluate(
                    "document.activeElement.getAttribute('aria-label')"
                    " || document.activeElement.textContent.trim()"
                )
            )
        assert names[0] == "Skip to the content"
        assert names[1] == "Spillway"
        assert names[2].startswith("Theme")
        assert names[3] == "Keyboard shortcuts"
        assert names[4:] == ["Overview", "Topology", "Services"]
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"


def test_the_skip_link_leads_into_the_content(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_be_visible()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        assert page.evaluate("location.hash") == ""


def test_on_a_phone_the_row_of_pages_shows_the_current_one(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, viewport=NARROW) as page:
        last = page.locator(".pages a").last
        before = last.bounding_box()
        assert before is not None and before["x"] > NARROW["width"]
        page.evaluate("at => { location.hash = at }", last.get_attribute("href"))
        expect(last).to_have_attribute("aria-current", "page")
        page.wait_for_function(_CURRENT_IS_SEEN)


def test_two_keys_lead_to_a_page_and_its_heading(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_be_visible()
        page.keyboard.press("g")
        page.keyboard.press("t")
        heading = page.get_by_role("heading", level=1, name="Topology")
        expect(heading).to_be_focused()
        expect(page.get_by_role("navigation").get_by_text("Topology")).to_have_attribute(
            "aria-current", "page"
        )
        page.go_back()
        expect(page.get_by_role("heading", level=1, name="Overview")).to_be_visible()


def test_a_question_mark_lists_the_shortcuts_and_they_can_be_turned_off(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_be_visible()
        page.keyboard.press("?")
        dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
        expect(dialog).to_contain_text("Go to Topology")
        dialog.get_by_label("Shortcuts are on").uncheck()
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        page.keyboard.press("g")
        page.keyboard.press("t")
        expect(page.get_by_role("heading", level=1, name="Overview")).to_be_visible()


@pytest.mark.parametrize(
    ("at", "command"),
    [
        ("#/overview", "sitectl --site east status"),
        ("#/topology?site=south", "sitectl --site east ping south"),
        ("#/flows?service=shop", "sitectl --site east why shop --last 20"),
        ("#/flows?service=shop&outcome=failed", "sitectl --site east why shop --failed"),
        ("#/links?link=it%27s", "sitectl --site east link status 'it'\\''s'"),
        (
            "#/events?severity=warning&code=link-down",
            "sitectl --site east events --severity warning --code link-down",
        ),
    ],
)
def test_each_view_can_be_copied_as_the_command_that_shows_the_same(
    chromium: Browser, stage: Stage, at: str, command: str
) -> None:
    with looking(chromium, stage, at) as page:
        button = page.get_by_role("button", name="Copy as sitectl").first
        assert copied_by(page, button) == command
        expect(page.locator("#announcer")).to_have_text("Copied")


ADVICE = """async (texts) => {
  const { commandIn, simulating } = await import("/static/lib/commands.js");
  return [texts.map(commandIn), simulating("a\\nSCENARIO\\n")];
}"""


def test_an_advice_is_copied_if_it_is_for_this_site_and_has_no_blank(
    chromium: Browser, stage: Stage
) -> None:
    live = stage.router.live
    console = Console("http://x/", "internal", "", "shop")
    status = msgspec.structs.replace(live.status, console=console)
    stage.router.live = msgspec.structs.replace(live, status=status)
    texts = [
        "sitectl link delete to-attic, then link with a new token",
        "at west: sitectl service set shop --capacity 4",
        "The other site dials; look there: sitectl link status",
        "On the other site: sitectl token create here.yaml",
        "The proxy refuses: sitectl link set to-west --proxy URL",
        "Free the port, or choose another: sitectl update --console-bind 127.0.0.1:8011",
        "sitectl init west",
        "Nothing to type.",
    ]
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_be_visible()
        found, simulating = page.evaluate(ADVICE, texts)
        assert found == [
            "sitectl -n shop link delete to-attic",
            *[None] * 4,
            "sitectl -n shop update --console-bind 127.0.0.1:8011",
            "sitectl init west",
            None,
        ]
        assert simulating.startswith("sitectl simulate /dev/stdin <<'SCENARIO_'\na\n")


ADVISED = """async (texts) => {
  const { advised, elsewhere } = await import("/static/lib/commands.js");
  return [texts.map(advised), elsewhere("link status")];
}"""


def test_the_console_and_sitectl_name_the_site_in_the_same_places_of_an_advice(
    chromium: Browser, stage: Stage
) -> None:
    settings = Settings()
    settings.site = "before"  # A site that was renamed keeps its directory.
    live = stage.router.live
    console = msgspec.structs.replace(live.status.console, directory=settings.site)
    status = msgspec.structs.replace(live.status, console=console)
    stage.router.live = msgspec.structs.replace(live, status=status)
    texts = [text for text, _ in advice.ADVICE]
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_be_visible()
        found, elsewhere = page.evaluate(ADVISED, texts)
    assert found == [settings.here(text) for text in texts]
    assert elsewhere == "sitectl link status"


def test_an_address_of_no_page_leads_back(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/%E0%A4%A/nowhere?a=%") as page:
        expect(page.get_by_role("heading", level=1, name="No such page")).to_be_visible()
        page.get_by_role("main").get_by_role("link", name="Overview").click()
        expect(page.locator(".sentence")).to_be_visible()


CHANGED_BY_THE_FIRST_RENDERING = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("nav.pages")) return;
  observer.disconnect();
  location.hash = "#/links";
}).observe(document, { childList: true, subtree: true });
"""


def test_an_address_that_changes_while_the_console_starts_is_followed(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, script=CHANGED_BY_THE_FIRST_RENDERING) as page:
        expect(page.get_by_role("heading", name="Links and certificates")).to_be_visible()
