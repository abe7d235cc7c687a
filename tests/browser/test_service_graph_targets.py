"""This site's targets of a service in the service graph, and how each did all day."""

import re
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from router.admin.endpoints.graph import GraphView
from tests.browser import pictures
from tests.browser.stage import WIDE, Stage, ends_at, keep_picture, looking, looks
from tests.browser.test_every_page import FAINT, NAMELESS, TOO_WIDE
from tests.browser.test_service_graph import AT, PHONE, all_calls, details, of_now

COLUMNS = """async ({ graph, live, before }) => {
  const { itemsOf } = await import("/static/lib/calls/calls.js");
  const { withTargets } = await import("/static/lib/calls/calls_targets.js");
  const { edges, targets, site } = graph;
  const { columns, shownTargets } = withTargets(
    itemsOf(edges, live).columns, edges, targets, site, new Set(before)
  );
  const told = ({ id, label, place, drawn, edges }) => (
    { id, label, place, drawn, targets: edges.map((one) => one.address) }
  );
  return {
    sites: columns[4].map(({ label }) => label),
    lines: columns[5].map(told), places: columns[6].map(told), shown: [...shownTargets],
  };
}"""
PLACED = """async ({ graph, live, width }) => {
  const { itemsOf } = await import("/static/lib/calls/calls.js");
  const { withTargets } = await import("/static/lib/calls/calls_targets.js");
  const { placedCalls } = await import("/static/lib/calls/calls_places.js");
  const { edges, targets, site } = graph;
  const { columns } = withTargets(itemsOf(edges, live).columns, edges, targets, site, new Set());
  const { height, places, heads } = placedCalls(columns, width);
  return {
    height, heads: heads.map(({ text }) => text),
    places: places.map(({ item: { column }, x, y, width, height }) => (
      { column, x, y, width, height }
    )),
  };
}"""


def columns_of(page: Page, stage: Stage, graph: GraphView, before: Any = ()) -> Any:
    arguments = {"graph": now_of(graph), "live": stage.router.live, "before": before}
    return page.evaluate(COLUMNS, msgspec.to_builtins(arguments))


def now_of(graph: GraphView) -> GraphView:
    targets = (msgspec.structs.replace(one, history=None) for one in graph.targets)
    return msgspec.structs.replace(of_now(graph), targets=tuple(targets))


def targets_in(page: Page) -> Locator:
    return page.locator(".call-place", has_text=re.compile(r"^10\.8\.|other targets?$|others$"))


def test_each_target_has_a_place_and_lines_for_clients_here_and_at_other_sites(
    chromium: Browser, stage: Stage
) -> None:
    graph = pictures.many_targets(3)
    with looking(chromium, stage) as page:
        found = columns_of(page, stage, graph)
    assert [one["label"] for one in found["places"]] == [one.address for one in graph.targets]
    assert [one["place"] for one in found["lines"]] == ["here", "incoming"] * 3
    own, incoming = found["lines"][:2]
    rate = graph.targets[0].rate_per_s
    assert own["drawn"]["perS"] == pytest.approx(0.6 * rate)
    assert incoming["drawn"]["perS"] == pytest.approx(0.4 * rate)
    assert incoming["label"] == "clients of west, south → east → 10.8.0.4:8080"
    assert len({one["id"] for one in (*found["lines"], *found["places"])}) == 9


def test_of_30_targets_the_busiest_have_a_place_and_the_others_share_one(
    chromium: Browser, stage: Stage
) -> None:
    graph = pictures.many_targets(30)
    with looking(chromium, stage) as page:
        found = columns_of(page, stage, graph)
        assert [one["label"] for one in found["places"]] == [
            *(one.address for one in graph.targets[:14]),
            "16 other targets",
        ]
        every = sorted(address for one in found["places"] for address in one["targets"])
        assert every == sorted(one.address or "" for one in graph.targets)
        turned = msgspec.structs.replace(graph, targets=tuple(reversed(graph.targets)))
        assert columns_of(page, stage, turned) == found


def test_targets_that_are_not_kept_apart_are_not_counted_as_one(
    chromium: Browser, stage: Stage
) -> None:
    rest = pictures.a_called_target(None, name="others", rate=0.1, ready=None)
    each = (pictures.a_called_target(f"10.8.0.{at}:80", rate=30.0 - at) for at in range(20))
    stage.router.graph = pictures.a_graph(targets=(*each, rest))
    with looking(chromium, stage, "#/topology?tab=services&on=others") as page:
        expect(page.get_by_role("main")).to_contain_text(
            re.compile(r"\d+ targets and others without a place of their own\.")
        )


def test_a_target_keeps_its_place_until_another_has_half_as_much_again(
    chromium: Browser, stage: Stage
) -> None:
    def graph(newcomer: float) -> GraphView:
        rates = [*(20.0 + at for at in range(15)), newcomer]
        targets = (
            pictures.a_called_target(f"10.9.0.{at}:80", rate=rate, open=0)
            for at, rate in enumerate(rates)
        )
        return pictures.a_graph(targets=tuple(targets))

    newcomer = "shop:8080 10.9.0.15:80"
    with looking(chromium, stage) as page:
        shown = columns_of(page, stage, graph(1.0))["shown"]
        assert newcomer not in shown
        assert newcomer not in columns_of(page, stage, graph(28.0), shown)["shown"]
        assert newcomer in columns_of(page, stage, graph(28.0))["shown"]
        assert newcomer in columns_of(page, stage, graph(40.0), shown)["shown"]


@pytest.mark.parametrize("width", [326, 660, 1000])
def test_no_place_of_four_columns_lies_on_another(
    chromium: Browser, stage: Stage, width: int
) -> None:
    graph = now_of(pictures.many_targets(30))
    arguments = {"graph": graph, "live": stage.router.live, "width": width}
    with looking(chromium, stage) as page:
        drawn = page.evaluate(PLACED, msgspec.to_builtins(arguments))
    assert drawn["heads"] == ["Callers", "Services", "Sites", "Targets"]
    columns = [[one for one in drawn["places"] if one["column"] == at] for at in (0, 2, 4, 6)]
    for left, right in pairwise(columns):
        assert max(one["x"] + one["width"] for one in left) < min(one["x"] for one in right)
    for places in columns:
        for above, below in pairwise(sorted(places, key=lambda one: one["y"])):
            assert above["y"] + above["height"] < below["y"]
        assert max(one["y"] + one["height"] for one in places) <= drawn["height"]
        assert all(one["x"] >= 0 and one["x"] + one["width"] <= width for one in places)


def test_a_router_that_counts_no_sites_of_clients_has_one_line_to_each_target(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage) as page:
        found = columns_of(page, stage, pictures.a_graph())
        assert {one["place"] for one in found["lines"]} <= {"here"}
        assert [one["place"] for one in found["places"]] == ["down", "here", "here", "gone", "here"]


def test_requests_of_other_sites_are_dashed_and_lead_to_the_last_day_of_the_target(
    chromium: Browser, stage: Stage
) -> None:
    stage.router.graph = pictures.many_targets(3)
    with looking(chromium, stage, AT) as page:
        dashes = "one => getComputedStyle(one.querySelector('.flow')).strokeDasharray"
        incoming = page.get_by_role("option", name=re.compile("^clients of west, south → east"))
        expect(incoming).to_have_count(3)
        assert incoming.first.evaluate(dashes) != "none"
        own = page.get_by_role("option", name=re.compile(r"^east → 10\.8\.0\.4:8080"))
        assert own.evaluate(dashes) == "none"
        expect(page.locator(".legend")).to_contain_text("clients of other sites")

        targets_in(page).first.click()
        side = details(page, "10.8.0.4:8080")
        expect(side).to_contain_text("Clients at east 27/s, west 14/s, south 4.5/s.")
        ends_at(page, f"{AT}&on=shop%3A8080+10.8.0.4%3A8080")
        day = page.locator("#chart-day")
        total = sum(requests for requests, _ in stage.router.graph.targets[0].history or ())
        expect(day).to_contain_text(f"{total:,} requests in the last day")
        expect(page.locator(".call-place.dim", has_text="10.8.0.5")).to_have_count(1)
        expect(page.locator(".call-place.dim", has_text="deployment/web")).to_have_count(0)
        side.get_by_role("button", name="Close").click()
        expect(day).to_have_count(0)


def test_the_list_leads_to_the_day_of_a_target_without_a_place_of_its_own(
    chromium: Browser, stage: Stage
) -> None:
    stage.router.graph = pictures.many_targets(30)
    with looking(chromium, stage, AT) as page:
        last = page.get_by_role("link", name="shop-pods 10.8.4.33:8080")
        last.click()
        expect(details(page, "10.8.4.33:8080")).to_contain_text("Clients at east")
        expect(page.locator("#chart-day")).to_contain_text("10.8.4.33:8080")
        expect(page.locator(".call-place.shown")).to_have_text(re.compile("16 other"))


def test_the_keyboard_goes_on_to_the_targets(chromium: Browser, stage: Stage) -> None:
    stage.router.graph = pictures.many_targets(3)
    with looking(chromium, stage, f"{AT}&at={pictures.id_of('east')}") as page:
        graph = page.get_by_role("listbox", name=re.compile("^Callers, services, sites"))
        graph.focus()
        for press in ("ArrowDown", *["ArrowRight"] * 5):
            page.keyboard.press(press)
        expect(details(page, "10.8.0.4:8080")).to_be_visible()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        expect(details(page, "east")).to_be_visible()


def test_a_site_that_serves_other_sites_alone_shows_its_targets(
    chromium: Browser, stage: Stage
) -> None:
    sites = (pictures.client_site("west", 9.0),)
    targets = (pictures.a_called_target("10.8.0.4:8080", rate=9.0, client_sites=sites),)
    stage.router.graph = msgspec.structs.replace(
        pictures.a_graph(), edges=(), targets=targets, named_share=None
    )
    with looking(chromium, stage, AT) as page:
        expect(page.locator(".call-place")).to_have_count(2)
        expect(page.get_by_role("option", name=re.compile("^clients of west"))).to_have_count(1)
        expect(page.get_by_text("No caller is known here.")).to_be_visible()
        expect(all_calls(page)).to_have_count(0)
        page.locator(".call-place", has_text="10.8.0.4").hover()
        expect(details(page, "10.8.0.4:8080")).to_contain_text("9/s")
        expect(page.locator(".call-place.dim")).to_have_count(0)


def test_the_page_of_a_service_lists_its_targets(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/services/shop:8080") as page:
        rows = page.get_by_role("table", name="Targets of this site").locator("tbody tr")
        expect(rows).to_have_count(3)
        rows.first.get_by_role("link").first.click()
        expect(page.locator("#chart-day")).to_contain_text("Last day: 10.9.1.4:8080")


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "390"])
@pytest.mark.parametrize("number", [1, 3, 30])
def test_targets_can_be_read_in_both_themes_wide_and_narrow(
    chromium: Browser, stage: Stage, number: int, viewport: ViewportSize
) -> None:
    stage.router.graph = pictures.many_targets(number)
    with looking(chromium, stage, AT, viewport=viewport) as page:
        expect(targets_in(page)).to_have_count(min(number, 15))
        expect(page.locator("main .loading")).to_have_count(0)
        for look in looks(page):
            for wrong in (FAINT, NAMELESS):
                assert page.evaluate(wrong) == [], look
            assert page.evaluate(TOO_WIDE) <= 0
            keep_picture(page, f"service-graph-{number}-targets-{viewport['width']}-{look}")
        names = page.locator(".call-place text").evaluate_all(
            "all => all.map((one) => one.getBBox()).map(({ x, y, width, height }) => "
            "[x, y, width, height])"
        )
        for index, (x, y, wide, high) in enumerate(names):
            for ox, oy, owide, ohigh in names[:index]:
                apart_x = max(x, ox) - min(x + wide, ox + owide)
                apart_y = max(y, oy) - min(y + high, oy + ohigh)
                assert apart_x > 0 or apart_y > -3, "two names lie on each other"
