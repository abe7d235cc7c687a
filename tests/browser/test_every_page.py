"""What holds for each page: looks in both themes, room, names of controls, twins, hostile names."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from router.admin.views.live import Live
from router.model.events import Change, Event, Problem
from tests.browser import pictures, scenes
from tests.browser.stage import NARROW, PAGES, WIDE, Stage, keep_picture, looking

NAMELESS = """() => {
  const controls = document.querySelectorAll("a, button, input, select, textarea, [role=region]");
  return [...controls].filter((one) => {
    if (!one.checkVisibility() || one.closest("[aria-hidden=true], [role=img]")) return false;
    const labels = [...(one.labels ?? [])].map((label) => label.textContent);
    const name = one.getAttribute("aria-label") || labels.join(" ") || one.textContent;
    return !name.trim();
  }).map((one) => one.outerHTML.slice(0, 200));
}"""
CALLS = "topology?tab=services&from=workload+deployment%2Fweb&to=shop%3A8080"
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SMALLEST = """() => [...document.querySelectorAll("button, select, input:not([type=checkbox])")]
  .filter((one) => one.checkVisibility())
  .map((one) => [one.getBoundingClientRect().height, one.textContent])
  .filter(([height]) => height < 24)"""


FAINT = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map((one) => one / 255)
    .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return parts(getComputedStyle(document.documentElement).backgroundColor);
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || element.matches(".unseen, option")) {
      continue;
    }
    if (element.closest(":disabled, title, .skip")) continue;
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const [bright, dim] = [light(parts(ink)), light(ground(element))].sort((a, b) => b - a);
    const least = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
    const ratio = (bright + 0.05) / (dim + 0.05);
    if (ratio < least) found.push(`${node.data.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""


def opened(page: Page, stage: Stage, name: str) -> None:
    """Go to a page and wait until it is there."""
    page.goto(f"{stage.url}#/{name}")
    expect(page.locator(".page-body > *").first).to_be_visible()
    expect(page.locator("main .loading")).to_have_count(0)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_are_drawn_in_both_themes_wide_and_narrow(
    chromium: Browser, stage: Stage, dark: bool
) -> None:
    with looking(chromium, stage, dark=dark) as page:
        for name in PAGES:
            for size, viewport in (("wide", WIDE), ("narrow", NARROW)):
                page.set_viewport_size(viewport)
                opened(page, stage, name)
                expect(page.locator("main .failed")).to_have_count(0)
                assert page.evaluate(FAINT) == [], f"{name}: text that is hard to read"
                run_on = re.findall(r".*[a-z]\.[A-Z].*", page.inner_text("main"))
                assert run_on == [], f"{name}: sentences without a space between them"
                keep_picture(page, f"{name}-{size}-{'dark' if dark else 'light'}")


@pytest.mark.parametrize(
    "picture",
    [pictures.nothing(), pictures.burst(), pictures.all_full(), pictures.many_sites()],
    ids=["nothing", "burst", "all-full", "100-sites"],
)
def test_nothing_is_wider_than_a_phone_and_every_control_has_a_name(
    chromium: Browser, stage: Stage, picture: Live
) -> None:
    stage.router.live = picture
    with looking(chromium, stage, viewport=NARROW) as page:
        for name in PAGES:
            opened(page, stage, name)
            assert page.evaluate(TOO_WIDE) <= 0, name
            assert page.evaluate(NAMELESS) == [], name
            assert page.evaluate(SMALLEST) == [], name
            assert page.locator("h1").count() == 1, name
            for landmark in ("banner", "main"):
                expect(page.get_by_role(landmark)).to_have_count(1)
            expect(page.get_by_role("navigation", name="Pages")).to_have_count(1)


def test_each_chart_has_a_twin_in_figures_which_is_part_of_the_address(
    chromium: Browser, stage: Stage
) -> None:
    charts_of = {"overview": 1, "topology": 1, "services/shop:8080": 1, CALLS: 1}
    with looking(chromium, stage) as page:
        for name, count in charts_of.items():
            opened(page, stage, name)
            charts = page.locator("figure.chart")
            expect(charts, name).to_have_count(count)
            for index in range(count):
                chart = charts.nth(index)
                button = chart.get_by_role("button", name="Show as table")
                button.click()
                expect(chart.get_by_role("table").first).to_be_visible()
                expect(page).to_have_url(re.compile("table="))
                page.reload()
                expect(chart.get_by_role("table").first).to_be_visible()
                button.click()
                expect(chart.locator("svg").first).to_be_visible()
                expect(chart.get_by_role("table")).to_have_count(0)


def test_names_that_hold_markup_are_text_on_every_page(chromium: Browser, stage: Stage) -> None:
    stage.router.live = pictures.hostile()
    shown = pictures.HOSTILE.replace("\u202e", "\ufffd")
    with looking(chromium, stage) as page:
        for name in PAGES:
            opened(page, stage, name)
            expect(page.get_by_role("banner")).to_contain_text(shown)
            assert page.title() != "owned"
            assert page.locator("main img, main script, main iframe").count() == 0, name
            assert page.evaluate(TOO_WIDE) <= 0, name
            assert "\u202e" not in page.inner_text("body"), name


def test_hostile_events_flows_and_sites_are_text_too(chromium: Browser, stage: Stage) -> None:
    bad = pictures.HOSTILE
    stage.router.live = pictures.hostile()
    one = scenes.flow(
        1,
        **dict.fromkeys(
            ("service", "client", "method", "code", "outcome", "site", "target", "reason"), bad
        ),
        path=f"/{bad}" + "a" * 8_000,
        protocol=bad,
        overflow=bad,
        request_id=bad,
        trace_id=bad,
    )
    stage.router.flows = (one,)
    stage.router.details = {1: scenes.detail(one)}
    for severity in ("info", "warning", "error"):
        stage.tell(
            Event(
                at=bad,
                severity=severity,
                code=bad,
                subject=bad,
                message=f"{bad}\x1b[2J\n{bad}",
                hint=bad,
                kind="audit",
                by=bad,
                service=bad,
                changes=(Change(field=bad, old=bad, new=bad),),
            )
        )
    with looking(chromium, stage) as page:
        for name in ("events", "flows", "flows?flow=1", "topology?site=west", "services"):
            opened(page, stage, name)
            if name in ("events", "flows"):
                expect(page.get_by_role("main")).to_contain_text("<img src=x")
            assert page.title() != "owned"
            assert page.locator("main img, main script, main iframe").count() == 0, name
            assert page.locator("a[href^='javascript:']").count() == 0, name
            assert page.evaluate(TOO_WIDE) <= 0, name
            assert "\u202e" not in page.inner_text("body"), name


@pytest.mark.parametrize("at", ["<img src=x onerror=alert(1)>", "javascript:alert(1)", "%3Csvg%3E"])
def test_an_address_that_holds_markup_is_text(chromium: Browser, stage: Stage, at: str) -> None:
    with looking(chromium, stage) as page:
        for name in PAGES:
            for query in (f"{name}?{at}", f"{name}?site={at}&table={at}&flow={at}&q={at}", at):
                page.goto(f"{stage.url}#/{query}")
                expect(page.get_by_role("main")).to_be_visible()
                found = "main img, main script, main iframe, a[href^='javascript:']"
                assert page.locator(found).count() == 0, query


def test_a_command_that_a_shell_would_take_for_more_is_not_copied_out_of_a_hint(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage) as page:
        opened(page, stage, "overview")
        copied = page.locator(".hint button")
        for name in ("$(id)", "`id`", "a|id", "a>b", "a&id", "'a\"", "a\\b"):
            problems = tuple(
                Problem(code=f"SW090{number}", message="No way there.", hint=f"sitectl ping {site}")
                for number, site in enumerate(("far", name))
            )
            stage.router.live = pictures.a_picture(problems=problems)
            expect(page.get_by_text(f"sitectl --site east ping {name}")).to_be_visible()
            expect(copied, name).to_have_count(1)
            expect(copied, name).to_have_attribute("title", "sitectl --site east ping far")
