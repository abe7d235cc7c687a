"""The service graph: who calls which service, which site serves it, and how that was all day."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Locator, Page, Request, ViewportSize, expect

from router.admin.endpoints.graph import GraphEdgeView, GraphView
from router.admin.views.live import Live
from tests.browser import pictures
from tests.browser.stage import NARROW, WIDE, Stage, ends_at, keep_picture, looking, looks
from tests.browser.test_every_page import FAINT, NAMELESS, TOO_WIDE

AT = "#/topology?tab=services"
PHONE = ViewportSize(width=390, height=844)
SOON_MS = 40_000  # The graph is asked for every five seconds.
WEB = "deployment/web"

ITEMS = """async ({ graph, live, before }) => {
  const { itemsOf } = await import("/static/lib/calls/calls.js");
  const { columns, shown } = itemsOf(graph.edges, live, before.map((keys) => new Set(keys)));
  return {
    columns: columns.map((items) => items.map((item) => ({
      id: item.id, label: item.label, place: item.place,
      edges: item.edges.map((edge) => graph.edges.indexOf(edge)),
    }))),
    shown: shown.map((keys) => [...keys]),
  };
}"""
PLACED = """async ({ graph, live, width }) => {
  const { itemsOf } = await import("/static/lib/calls/calls.js");
  const { placedCalls } = await import("/static/lib/calls/calls_places.js");
  const { height, places, lines } = placedCalls(itemsOf(graph.edges, live).columns, width);
  return {
    height,
    places: places.map(({ item: { column }, x, y, width, height }) => (
      { column, x, y, width, height }
    )),
    lines: lines.map(({ item, width }) => ({
      width, rate: item.edges.reduce((sum, edge) => sum + edge.rate_per_s, 0),
    })),
  };
}"""
ON_LINE = """(line) => {
  const point = line.getPointAtLength(line.getTotalLength() / 8);
  const { x, y } = point.matrixTransform(line.getScreenCTM());
  return [x, y];
}"""
STEPS = """async ([histories, stepS, newest, started]) => {
  const { stepsOf } = await import("/static/lib/charts/day.js");
  return stepsOf(histories, stepS, newest, started);
}"""


def items_of(page: Page, graph: GraphView, live: Live, before: Any = ()) -> Any:
    arguments = {"graph": of_now(graph), "live": live, "before": before}
    return page.evaluate(ITEMS, msgspec.to_builtins(arguments))


def of_now(graph: GraphView) -> GraphView:
    """Without history, as it is answered unless that is asked for."""
    edges = (msgspec.structs.replace(edge, history=None) for edge in graph.edges)
    return msgspec.structs.replace(graph, edges=tuple(edges))


def key(caller: str, site: str | None, service: str = "shop:8080") -> str:
    """The part of an address that chooses an edge. ``caller``: kind and name."""
    kind, _, name = caller.partition(" ")
    at = "none" if site is None else pictures.id_of(site)
    return f"from={kind}+{name.replace('/', '%2F')}&to={service.replace(':', '%3A')}&at={at}"


def details(page: Page, label: str) -> Locator:
    return page.get_by_role("region", name=label, exact=True)


def all_calls(page: Page) -> Locator:
    return page.get_by_role("table", name="All calls")


@pytest.mark.parametrize(
    "made", [pictures.a_graph, pictures.many_callers], ids=["7-callers", "300-callers"]
)
def test_each_edge_is_in_one_place_and_one_line_of_each_column(
    chromium: Browser, stage: Stage, made: Callable[[], GraphView]
) -> None:
    graph = made()
    with looking(chromium, stage) as page:
        found = items_of(page, graph, stage.router.live)
        for column in found["columns"]:
            edges = sorted(edge for item in column for edge in item["edges"])
            assert edges == list(range(len(graph.edges)))


def test_of_300_callers_the_busiest_have_a_place_and_the_others_share_one(
    chromium: Browser, stage: Stage
) -> None:
    graph = pictures.many_callers()
    with looking(chromium, stage) as page:
        callers, *_ = items_of(page, graph, stage.router.live)["columns"]
        assert [one["label"] for one in callers] == [
            *(f"deployment/team-{number:03d}" for number in range(14)),
            "286 other callers",
        ]


def test_a_caller_keeps_its_place_until_another_has_half_as_much_again(
    chromium: Browser, stage: Stage
) -> None:
    def graph(newcomer: float) -> GraphView:
        rates = [*(10.0 + number for number in range(15)), newcomer]
        return pictures.a_graph(
            *(pictures.a_call(f"unit u{at:02d}", rate=rate) for at, rate in enumerate(rates))
        )

    with looking(chromium, stage) as page:
        live = stage.router.live
        shown = items_of(page, graph(1.0), live)["shown"]
        assert "unit u15" not in shown[0]
        assert "unit u15" not in items_of(page, graph(12.0), live, shown)["shown"][0]
        assert "unit u15" in items_of(page, graph(12.0), live)["shown"][0]
        assert "unit u15" in items_of(page, graph(17.0), live, shown)["shown"][0]


def test_the_picture_is_the_same_however_the_router_orders_its_answer(
    chromium: Browser, stage: Stage
) -> None:
    graph = pictures.many_callers()
    turned = msgspec.structs.replace(graph, edges=tuple(reversed(graph.edges)))
    with looking(chromium, stage) as page:
        first, second = (
            [[item["id"] for item in column] for column in items_of(page, one, live)["columns"]]
            for one, live in ((graph, stage.router.live), (turned, stage.router.live))
        )
        assert first == second


@pytest.mark.parametrize("width", [326, 660, 1000])
def test_no_place_lies_on_another_and_lines_are_as_wide_as_their_requests(
    chromium: Browser, stage: Stage, width: int
) -> None:
    graph = pictures.many_callers()
    arguments = {"graph": of_now(graph), "live": stage.router.live, "width": width}
    with looking(chromium, stage) as page:
        drawn = page.evaluate(PLACED, msgspec.to_builtins(arguments))
    for column in (0, 2, 4):
        places = sorted(
            (one for one in drawn["places"] if one["column"] == column), key=lambda one: one["y"]
        )
        for above, below in pairwise(places):
            assert above["y"] + above["height"] < below["y"]
        assert places[-1]["y"] + places[-1]["height"] <= drawn["height"]
        assert all(one["x"] >= 0 and one["x"] + one["width"] <= width for one in places)
    wide = [one for one in drawn["lines"] if one["width"] > 1.5]
    per_request = [one["width"] / one["rate"] for one in wide]
    assert len(wide) > 20
    assert max(per_request) == pytest.approx(min(per_request))


def test_lines_say_who_served_and_what_failed_by_color_and_by_dashes(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, AT) as page:
        lines = page.get_by_role("option", name=re.compile("^deployment.web → shop:8080 → "))
        expect(lines).to_have_count(2)
        west = page.get_by_role(
            "option", name=re.compile("^deployment.checkout → shop:8080 → west")
        )
        assert west.get_attribute("aria-label") == (
            "deployment/checkout → shop:8080 → west: another site served it: "
            "13/s, 0/s failed, p50 <31 ms, p99 <200 ms, 2 open"
        )
        dashes = "one => getComputedStyle(one.querySelector('.flow')).strokeDasharray"
        assert west.evaluate(dashes) != "none"
        east = page.get_by_role("option", name=re.compile("^deployment.web → shop:8080 → east"))
        assert east.evaluate(dashes) == "none"
        expect(east.locator(".failed")).to_have_count(0)
        failing = page.get_by_role("option", name=re.compile("^deployment.web → shop:8080 → west"))
        assert (
            failing.evaluate(
                "one => Number(one.querySelector('.failed').getAttribute('stroke-width'))"
            )
            >= 1.5
        )
        nowhere = page.get_by_role("option", name=re.compile("→ no site: no site served it"))
        red = "one => getComputedStyle(one.querySelector('path')).stroke"
        bad = failing.evaluate("one => getComputedStyle(one.querySelector('.failed')).stroke")
        assert nowhere.first.evaluate(red) == bad != east.evaluate(red)


def test_forced_colors_take_the_color_of_lines_and_the_sentence_about_it(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, AT) as page:
        sentence = page.get_by_text("Color: the site that served them.")
        expect(sentence).to_be_visible()
        page.emulate_media(forced_colors="active")
        expect(page.get_by_text("the mean of the last one to two minutes")).to_be_visible()
        expect(sentence).to_be_hidden()


def test_what_is_pointed_at_shows_its_figures_and_what_it_is_part_of(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, AT) as page:
        expect(page.get_by_role("region", name="Calls", exact=True)).to_contain_text(
            "7 callers of 2 services: 215/s."
        )
        page.locator(".call-place", has_text="shop:8080").first.hover()
        shop = details(page, "shop:8080")
        for text in ("212/s", "7.4/s", "<12 ms to <31 ms", "<81 ms to <410 ms", "Of 5 callers."):
            expect(shop).to_contain_text(text)
        expect(page.locator(".call-place.dim", has_text="billing:8080")).to_have_count(1)
        page.get_by_role("heading", level=1).hover()
        expect(page.get_by_role("region", name="Calls", exact=True)).to_be_visible()
        page.locator(".call-place", has_text="statefulset/search").hover()
        expect(details(page, "statefulset/search")).to_contain_text("Open6")


def test_the_keyboard_reaches_every_line_and_place_of_the_picture(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, AT) as page:
        graph = page.get_by_role("listbox", name=re.compile("Callers, services, sites and targets"))
        graph.focus()
        page.keyboard.press("ArrowDown")
        expect(details(page, "10.9.0.17 → shop:8080 → east")).to_be_visible()
        page.keyboard.press("ArrowRight")
        expect(details(page, "shop:8080")).to_be_visible()
        page.keyboard.press("End")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        expect(details(page, "east")).to_be_visible()
        page.keyboard.press("End")
        expect(details(page, "no site")).to_be_visible()
        current = graph.get_attribute("aria-activedescendant")
        expect(page.locator(f"#{current}")).to_have_attribute(
            "aria-label", re.compile("^no site: no site served it: 1.4/s")
        )
        page.keyboard.press("Enter")
        ends_at(page, "&at=none")
        expect(page.locator(f"#{current}")).to_have_attribute("aria-selected", "true")
        page.keyboard.press("Escape")
        expect(page).not_to_have_url(re.compile("at="))


def test_a_place_with_one_caller_names_it_before_its_kind(chromium: Browser, stage: Stage) -> None:
    """The card of a site said "A user of this host."."""
    with looking(chromium, stage, AT) as page:
        page.locator(".call-place", has_text="no site").hover()
        kind = "A workload of this namespace."
        expect(details(page, "no site")).to_contain_text(
            f"Calls of deployment/mobile-gateway. {kind}"
        )
        page.locator(".call-place", has_text="deployment…e-gateway").hover()
        caller = details(page, "deployment/mobile-gateway")
        expect(caller).to_contain_text(kind)
        expect(caller).not_to_contain_text("Calls of")


def test_the_list_does_by_keyboard_what_the_picture_does(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, AT) as page:
        row = all_calls(page).get_by_role("row", name=re.compile("checkout.*west"))
        row.get_by_role("link", name="deployment/checkout").focus()
        shown = page.locator(".call-option", has=page.locator(".call.shown"))
        expect(shown).to_have_attribute(
            "aria-label", re.compile("^deployment/checkout → shop:8080 → west")
        )
        page.keyboard.press("Enter")
        wanted = key("workload deployment/checkout", "west")
        ends_at(page, f"{AT}&{wanted}")
        expect(page.locator("#chart-day")).to_be_visible()


def test_the_list_has_every_figure_of_the_answer(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, AT) as page:
        rows = all_calls(page).locator("tbody tr")
        expect(rows).to_have_count(len(pictures.CALLS))
        first = rows.nth(1).locator("th, td")
        assert [text.strip() for text in first.all_inner_texts()] == [
            *(WEB, "shop:8080", "west another site", "48/s", "6/s", "6", "<12 ms", "<410 ms"),
            f"{pictures.CALLS[10].requests_total:,}",
        ]
        expect(rows.first).to_contain_text("76/s")


def test_targets_of_this_site_are_listed_with_their_figures(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, AT) as page:
        rows = page.get_by_role("table", name="Targets of this site").locator("tbody tr")
        expect(rows).to_have_count(len(pictures.CALLED_TARGETS))
        first = rows.first.locator("th, td")
        assert [text.strip() for text in first.all_inner_texts()] == [
            *("shop-pods 10.9.1.4:8080", "shop:8080", "ready", "74/s", "0/s", "9"),
            *("<11 ms", "<80 ms", "266,400", "–"),
        ]
        for at, words in ((1, "2.5/s"), (2, "not ready"), (3, "others"), (4, "gone")):
            expect(rows.nth(at)).to_contain_text(words)
        expect(page.get_by_text("including those at other sites")).to_be_visible()
        page.get_by_role("combobox", name="Service").select_option("billing:8080")
        expect(rows).to_have_count(2)


def test_a_site_without_callers_shows_what_its_targets_did_for_others(
    chromium: Browser, stage: Stage
) -> None:
    stage.router.graph = msgspec.structs.replace(pictures.a_graph(), edges=())
    with looking(chromium, stage, AT) as page:
        expect(page.get_by_text("No caller is known here.")).to_be_visible()
        rows = page.get_by_role("table", name="Targets of this site").locator("tbody tr")
        expect(rows).to_have_count(len(pictures.CALLED_TARGETS))


def test_a_chosen_edge_shows_its_last_day_which_is_asked_for_only_then(
    chromium: Browser, stage: Stage
) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/api/v1/graph" in request.url:
            asked.append(request.url.partition("/api/v1/")[2])

    with looking(chromium, stage, AT) as page:
        page.on("request", note)
        expect(all_calls(page)).to_be_visible()
        assert not any("history" in one for one in asked)
        web = page.get_by_role("option", name=re.compile("^deployment.web → shop:8080 → west"))
        page.mouse.click(*web.locator(".hit").evaluate(ON_LINE))
        chart = page.locator("#chart-day")
        expect(chart).to_contain_text("Last day: deployment/web → shop:8080 → west")
        assert [one for one in asked if "history" in one] == [
            "graph?history=true&service=shop%3A8080"
        ]
        (edge,) = (one for one in pictures.CALLS if one.rate_per_s == 48.0)
        assert edge.history is not None
        total, failed = (sum(part) for part in zip(*edge.history, strict=True))
        most = max(count for count, _ in edge.history)
        words = f"{total:,} requests in the last day, most {most:,} in the 5 min from"
        expect(chart.get_by_role("img", name=re.compile(words))).to_be_visible()
        expect(chart).to_contain_text(f"{failed:,} failed.")
        ticks = chart.locator(".day .tick").all_text_contents()
        assert ticks == [
            "0",
            "8,000",
            "16,000",
            "12:00",
            "18:00",
            "00:00",
            "06:00",
            "now",
            "requests",
        ]
        chart.get_by_role("button", name="Show as table").click()
        rows = chart.locator("tbody tr")
        expect(rows).to_have_count(len(edge.history))
        for at, (row, start) in enumerate(((0, "09:39"), (1, "09:34"), (287, "09:44"))):
            count, bad = edge.history[287 - row]
            assert rows.nth(row).locator("th, td").all_inner_texts() == [
                start,
                f"{count:,}",
                f"{bad:,}",
            ], at


def test_the_day_of_a_place_is_the_sum_of_its_edges(chromium: Browser, stage: Stage) -> None:
    edges = [one for one in pictures.CALLS if one.caller.name == WEB]
    total = sum(count for one in edges for count, _ in one.history or ())
    with looking(chromium, stage, f"{AT}&from=workload+deployment%2Fweb") as page:
        expect(page.locator("#chart-day")).to_contain_text(f"{total:,} requests in the last day")
        expect(details(page, WEB)).to_contain_text("124/s")


def test_of_a_router_that_started_an_hour_ago_no_day_is_claimed(
    chromium: Browser, stage: Stage
) -> None:
    live = stage.router.live
    status = msgspec.structs.replace(live.status, uptime_s=3_600.0)
    stage.router.live = msgspec.structs.replace(live, status=status)
    with looking(chromium, stage, f"{AT}&{key(f'workload {WEB}', 'east')}") as page:
        chart = page.locator("#chart-day")
        expect(chart).to_contain_text("Gray: not known, the router started at 08:41.")
        expect(chart.locator(".unknown")).to_be_visible()
        chart.get_by_role("button", name="Show as table").click()
        expect(chart.locator("tbody tr")).to_have_count(13)  # From the step in which it started.


def test_steps_end_at_the_one_under_way_and_begin_with_the_router(
    chromium: Browser, stage: Stage
) -> None:
    start = 1_000_000_000_000 + 77_000  # Of the router's clock: no five minutes of any other.
    histories = [[[1, 0], [2, 1], [3, 0]], [[0, 0], [5, 0], [7, 7]]]
    with looking(chromium, stage) as page:
        steps = page.evaluate(STEPS, [histories, 300, start, start - 200_000])
        assert steps == [
            {"at": start - 600_000, "requests": None, "failed": None},
            {"at": start - 300_000, "requests": 7, "failed": 1},
            {"at": start, "requests": 10, "failed": 7},
        ]


def test_filters_narrow_picture_and_list_and_are_part_of_the_address(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, AT) as page:
        rows = all_calls(page).locator("tbody tr")
        page.locator(".filters select").select_option("billing:8080")
        expect(rows).to_have_count(3)
        expect(page.locator(".call-place", has_text="shop:8080")).to_have_count(0)
        page.keyboard.press("/")
        page.keyboard.type("CHECK")
        expect(rows).to_have_count(1)
        ends_at(page, f"{AT}&service=billing%3A8080&caller=CHECK")
        page.reload()
        expect(rows).to_have_count(1)
        page.get_by_role("searchbox").fill("no such")
        expect(page.get_by_text("No caller matches the filter.").first).to_be_visible()
        page.get_by_role("button", name="Show all").click()
        expect(rows).to_have_count(len(pictures.CALLS))


def test_one_of_300_callers_is_found_and_shown_within_the_others(
    chromium: Browser, stage: Stage
) -> None:
    stage.router.graph = pictures.many_callers()
    with looking(chromium, stage, AT) as page:
        rows = all_calls(page).locator("tbody tr")
        expect(rows).to_have_count(50)
        expect(page.locator(".call-place")).to_have_count(15 + 8 + 3)
        expect(
            page.get_by_text("The picture shows the 14 busiest callers separately.")
        ).to_be_visible()
        expect(page.get_by_text("300 callers and others of 8 services:")).to_be_visible()
        keep_picture(page, "service-graph-300-callers")
        at = key("workload deployment/team-299", "west", "service-4:8080")
        page.goto(f"{stage.url}{AT}&{at}")
        expect(details(page, "deployment/team-299 → service-4:8080 → west")).to_be_visible()
        expect(page.locator(".call.shown")).to_have_count(1)
        expect(page.locator("#chart-day")).to_contain_text("team-299")
        page.goto(f"{stage.url}{AT}&caller=team-299")
        expect(rows).to_have_count(3)
        expect(page.locator(".call-place").first).to_contain_text("deployment/team-299")


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_what_is_chosen_far_down_the_list_comes_into_view(
    chromium: Browser, stage: Stage, viewport: ViewportSize
) -> None:
    stage.router.graph = pictures.many_callers()
    with looking(chromium, stage, AT, viewport=viewport) as page:
        link = all_calls(page).locator("tbody tr").nth(19).get_by_role("link").first
        link.click()
        expect(page.locator("#chart-day")).to_be_visible()
        expect(page.locator("#call-title")).to_be_in_viewport()
        expect(page.get_by_role("button", name="Close")).to_be_in_viewport()


def test_before_the_first_request_it_says_so(chromium: Browser, stage: Stage) -> None:
    stage.router.graph = msgspec.structs.replace(pictures.a_graph(), edges=(), named_share=None)
    with looking(chromium, stage, AT) as page:
        expect(page.get_by_text("No caller is known here.")).to_be_visible()
        keep_picture(page, "service-graph-empty")


def test_while_the_first_callers_are_not_settled_it_does_not_deny_their_calls(
    chromium: Browser, stage: Stage
) -> None:
    unsettled = msgspec.structs.replace(pictures.a_graph(), edges=(), waiting=3)
    stage.router.graph = unsettled
    with looking(chromium, stage, AT) as page:
        expect(page.get_by_text("No caller is known yet.")).to_be_visible()
        page.goto(f"{stage.url}#/services/shop:8080")
        card = page.get_by_role("region", name="Callers", exact=True)
        expect(card).to_contain_text("No caller of shop:8080 is known yet.")


def test_where_callers_are_not_named_it_says_how_they_would_be(
    chromium: Browser, stage: Stage
) -> None:
    stage.router.graph = msgspec.structs.replace(pictures.a_graph(), edges=(), enabled=False)
    with looking(chromium, stage, AT) as page:
        expect(page.get_by_text("Callers are not named here.")).to_be_visible()
        expect(page.get_by_text("sitectl --site east update --name-callers")).to_be_visible()
        stage.router.graph = pictures.a_graph(enabled=False, waiting=2)
        summary = page.get_by_role("region", name="Calls", exact=True)
        expect(summary).to_contain_text("Callers are no longer named here", timeout=SOON_MS)
        expect(summary).to_contain_text("2 addresses are not assigned to a caller yet.")


def test_figures_stay_and_say_that_they_are_old_when_no_newer_ones_come(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, AT) as page:
        expect(page.locator(".call-place")).to_have_count(7 + 2 + 4 + 5)
        stage.down()
        note = page.get_by_role("main").get_by_role("status")
        expect(note).to_contain_text(re.compile(r"Data \d+ s old"), timeout=SOON_MS)
        expect(note).to_contain_text("The router cannot be reached.")
        expect(page.locator(".call-place")).to_have_count(7 + 2 + 4 + 5)
        keep_picture(page, "service-graph-stale")
        stage.up()
        expect(note).to_have_count(0, timeout=SOON_MS)


@pytest.mark.parametrize("viewport", [WIDE, PHONE, NARROW], ids=["wide", "390", "375"])
def test_it_can_be_read_in_both_themes_wide_and_narrow(
    chromium: Browser, stage: Stage, viewport: ViewportSize
) -> None:
    chosen = f"{AT}&{key(f'workload {WEB}', 'west')}"
    with looking(chromium, stage, viewport=viewport) as page:
        for name, at in (("all", AT), ("chosen", chosen)):
            page.goto(f"{stage.url}{at}")
            expect(page.locator(".call-place")).to_have_count(7 + 2 + 4 + 5)
            expect(page.locator("#chart-day")).to_have_count(int(name == "chosen"))
            expect(page.locator("main .loading")).to_have_count(0)
            for look in looks(page):
                for wrong in (FAINT, NAMELESS):
                    assert page.evaluate(wrong) == [], f"{name}, {look}"
                assert page.evaluate(TOO_WIDE) <= 0
                keep_picture(page, f"service-graph-{name}-{viewport['width']}-{look}")


@pytest.mark.parametrize("width", [1280, 390])
def test_names_of_places_do_not_lie_on_each_other(
    chromium: Browser, stage: Stage, width: int
) -> None:
    stage.router.graph = pictures.many_callers()
    with looking(chromium, stage, AT, viewport=ViewportSize(width=width, height=900)) as page:
        names = page.locator(".call-place text")
        expect(names).to_have_count(15 + 8 + 3)
        boxes = names.evaluate_all(
            "all => all.map((one) => one.getBBox()).map(({ x, y, width, height }) => "
            "[x, y, width, height])"
        )
        for index, (x, y, wide, high) in enumerate(boxes):
            for ox, oy, owide, ohigh in boxes[:index]:
                apart_x = max(x, ox) - min(x + wide, ox + owide)
                apart_y = max(y, oy) - min(y + high, oy + ohigh)
                assert apart_x > 0 or apart_y > -3, "two names lie on each other"


def test_names_that_hold_markup_are_text(chromium: Browser, stage: Stage) -> None:
    bad = pictures.HOSTILE
    stage.router.live = pictures.hostile()
    edges = (
        pictures.a_call(f"{kind} {bad}", bad, site)
        for kind in ("workload", "unit", bad)
        for site in ("west", bad)
    )
    stage.router.graph = pictures.a_graph(*edges)
    with looking(chromium, stage, AT) as page:
        expect(all_calls(page).locator("tbody tr")).to_have_count(6)
        all_calls(page).get_by_role("link").first.click()
        expect(page.locator("#chart-day")).to_be_visible()
        assert page.title() != "owned"
        assert page.locator("main img, main script, main iframe").count() == 0
        assert page.evaluate(TOO_WIDE) <= 0
        assert "\u202e" not in page.inner_text("body")


def of_shop(edge: GraphEdgeView) -> bool:
    return edge.service == "shop"


def test_the_page_of_a_service_has_its_callers(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/services/shop:8080") as page:
        card = page.get_by_role("region", name="Callers", exact=True)
        rows = card.get_by_role("table").locator("tbody tr")
        expect(rows).to_have_count(len([*filter(of_shop, pictures.CALLS)]))
        expect(rows.first).to_contain_text("deployment/web")
        card.get_by_role("link", name="Service graph").click()
        ends_at(page, f"{AT}&service=shop%3A8080")
        expect(all_calls(page).locator("tbody tr")).to_have_count(9)
        page.goto(f"{stage.url}#/services/shop:8080")
        stage.router.graph = pictures.a_graph(*pictures.CALLS[1:4])
        expect(card).to_contain_text("No caller of shop:8080 is known here.", timeout=SOON_MS)


def test_a_service_that_carries_a_routing_key_is_named_by_it(
    chromium: Browser, stage: Stage
) -> None:
    hashed, text = "k-e39f88e649d574d94643", "shop.db"
    named: dict[str, Any] = {"port": 1, "routing_key": text}
    edges = [pictures.a_call("workload deployment/web", hashed, **named)]
    target = pictures.a_called_target("10.0.0.5:8080", hashed, name="shop-pods", **named)
    stage.router.graph = pictures.a_graph(*edges, targets=(target,))
    with looking(chromium, stage, AT) as page:
        picture = page.get_by_role("region", name="Callers, services, sites and targets")
        expect(picture).to_contain_text(text)
        expect(page.get_by_role("combobox", name="Service")).to_contain_text(text)
        expect(page.get_by_role("main")).not_to_contain_text(hashed)
        link = page.get_by_role("link", name=text).first
        expect(link).to_have_attribute("href", re.compile(rf"{hashed}"))
