"""The look of a site follows from its id: it does not change when another site comes or goes."""

from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from router.admin.views.history import HistorySite, ServiceHistory
from tests.browser import pictures, scenes
from tests.browser.stage import Stage, looking

RIVER = "#/services/shop:8080"
SOON_MS = 40_000  # The history is asked for every five seconds.
DRAWN = """() => Object.fromEntries(
  [...document.querySelectorAll("#chart-river .stream path.layer")].map((one) => {
    const pattern = document.getElementById(one.getAttribute("fill").slice(5, -1));
    return [one.textContent.trim(), {
      class: one.getAttribute("class"),
      lines: pattern.querySelector("path").getAttribute("d"),
      area: one.getAttribute("d"),
    }];
  }),
)"""
SWATCHES = """() => Object.fromEntries(
  [...document.querySelectorAll(".site-word")].map((one) => [
    one.textContent.trim(), one.querySelector(".swatch").getAttribute("class"),
  ]),
)"""
LOOKS = """async (ids) => {
  const { Looks } = await import("/static/lib/charts/colours.js");
  const looks = new Looks();
  return ids.map((id) => looks.of(id));
}"""


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """The past of `shop`, which three sites served."""
    stage.router.histories = (scenes.history(),)
    stage.router.whys = {"shop": scenes.why()}
    return stage


def leaves(history: ServiceHistory, name: str) -> ServiceHistory:
    """The same past, after site ``name`` left."""
    sites = tuple(
        msgspec.structs.replace(one, path_cost=None, last_cost=one.path_cost)
        if one.name == name
        else one
        for one in history.sites
    )
    return msgspec.structs.replace(history, sites=sites)


def comes(history: ServiceHistory, name: str, cost: int) -> ServiceHistory:
    """The same past, and a site of ``cost`` that served nothing of it."""
    new = HistorySite(name=name, id=pictures.id_of(name), local=False, path_cost=cost)
    sites = (history.sites[0], new, *history.sites[1:])
    samples = tuple(
        msgspec.structs.replace(
            one,
            in_flight=(one.in_flight[0], 0.0, *one.in_flight[1:]),
            served=(one.served[0], 0, *one.served[1:]),
        )
        for one in history.samples
    )
    return msgspec.structs.replace(history, sites=sites, samples=samples)


def drawn(page: Page) -> dict[str, Any]:
    expect(page.locator("#chart-river path.layer").first).to_be_attached()
    found: dict[str, Any] = page.evaluate(DRAWN)
    return found


def test_a_site_that_leaves_repaints_nobodys_past_nor_its_own(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, RIVER) as page:
        before = drawn(page)
        assert before.keys() == {"east (here)", "west", "south"}
        stage.router.histories = (leaves(scenes.history(), "west"),)
        legend = page.locator("#chart-river .stream-legend")
        expect(legend).to_contain_text("gone, cost 5", timeout=SOON_MS)
        assert drawn(page) == before
        page.reload()
        expect(legend).to_contain_text("gone, cost 5")
        assert drawn(page) == before


def test_a_site_that_comes_changes_no_colour_and_no_area_of_the_past(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, RIVER) as page:
        before = drawn(page)
        stage.router.histories = (comes(scenes.history(), "lab", 2),)
        expect(page.locator("#chart-river path.layer")).to_have_count(4, timeout=SOON_MS)
        after = drawn(page)
        new = after.pop("lab")
        assert after == before
        assert new["class"] not in {one["class"] for one in before.values()}


def test_a_site_looks_the_same_on_every_page(chromium: Browser, stage: Stage) -> None:
    stage.router.flows = scenes.flows()
    with looking(chromium, stage, RIVER) as page:
        river = {name.removesuffix(" (here)"): one for name, one in drawn(page).items()}
        for name in ("overview", "topology", "flows", "links", "services/shop:8080"):
            page.goto(f"{stage.url}#/{name}")
            expect(page.locator(".site-word", has_text="west").first).to_be_visible()
            for site, swatch in page.evaluate(SWATCHES).items():
                colour = swatch.split()[-1]
                if site in river:
                    assert river[site]["class"].split()[-1] == colour, f"{site} on {name}"
        page.goto(f"{stage.url}#/topology")
        mark = page.locator(".site-mark", has_text="west")
        expect(mark).to_have_class(f"site-mark reachable {river['west']['class'].split()[-1]} ")


def test_no_two_sites_look_alike_and_five_others_have_a_colour_each(
    chromium: Browser, stage: Stage
) -> None:
    ids = [pictures.id_of(f"site-{number}") for number in range(60)]
    with looking(chromium, stage) as page:
        looks = page.evaluate(LOOKS, ids[:35])
        assert sorted(looks) == list(range(1, 36))
        assert len({look % 6 for look in looks[:5]}) == 5
        looks = page.evaluate(LOOKS, ids)  # The longest unseen give theirs away.
        assert sorted(looks[-35:]) == list(range(1, 36))


@pytest.mark.parametrize("kept", ["{", "7", '[["a"], 7, ["b", 99], [1, 2], ["c", 3]]'])
def test_what_this_browser_kept_may_be_anything(chromium: Browser, stage: Stage, kept: str) -> None:
    script = f"localStorage.setItem('spillway.sites', {kept!r})"
    with looking(chromium, stage, RIVER, script=script) as page:
        assert len({one["class"] for one in drawn(page).values()}) == 3
