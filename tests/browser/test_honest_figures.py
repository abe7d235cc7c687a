"""Means instead of moments, sites in one order, and no line where nothing is known."""

import re
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, expect

from router.admin.views.live import Live
from router.admin.views.services import RateView
from router.model.latency import FINE_BOUNDS_S
from sitectl.base import output
from tests.browser import pictures, scenes
from tests.browser.stage import Stage, looking
from tests.browser.test_services import table_of

RIVER = "#/services/shop:8080"
ADD_MEANS = """async (lives) => {
  const { addMeans } = await import("/static/lib/charts/means.js");
  lives.forEach((live, second) => addMeans(live, 1e9 + 1000 * second));
  return lives.at(-1).services[0];
}"""
QUANTILES = """async (told) => {
  const { quantile } = await import("/static/lib/format.js");
  return told.map(quantile);
}"""
ADMITTED = "Requests that a rate admits are a mean over the window of the rate."
DRAWN = (
    """(selector) => [...document.querySelectorAll(selector)].map((one) => one.getAttribute("d"))"""
)


def short_requests() -> Live:
    """139 requests of some milliseconds a second: at this moment there is none."""
    picture = pictures.burst()
    shop = msgspec.structs.replace(
        picture.services[0],
        sites=(
            pictures.a_part("east", 0, in_flight=0, capacity=5),
            pictures.a_part("west", 5, in_flight=3),
        ),
        queued=0,
    )
    now = pictures.now_of("shop", requests_per_s=139.0, in_flight_mean=0.62)
    return msgspec.structs.replace(
        picture, services=(shop, *picture.services[1:]), now=(now, *picture.now[1:])
    )


def paced() -> Live:
    """At most 10/s here and 20/s at another site; only the first reports how many it let in."""
    here = RateView(per_s=10.0, resume_per_s=6.667, window_s=5.0, admitted_per_s=9.8, state="over")
    picture = pictures.burst()
    shop = msgspec.structs.replace(
        picture.services[0],
        sites=(
            pictures.a_part("east", 0, in_flight=2, capacity=None, rate=here),
            pictures.a_part("west", 5, in_flight=3, capacity=None, rate=RateView(per_s=20.0)),
        ),
    )
    now = pictures.now_of("shop", requests_per_s=25.0, in_flight_mean=1.9)
    return msgspec.structs.replace(
        picture, services=(shop, *picture.services[1:]), now=(now, *picture.now[1:])
    )


def test_a_rate_limits_what_is_let_in_and_not_what_is_in_flight(
    chromium: Browser, stage: Stage
) -> None:
    stage.router.live = paced()
    with looking(chromium, stage) as page:
        row = page.get_by_role("region", name="Services").first.get_by_role("row", name="shop:8080")
        expect(row).to_contain_text("1.9, 9.8 of 10/s")
        expect(row).not_to_contain_text("no limit")
        expect(page.get_by_text(ADMITTED)).to_be_visible()
        page.goto(f"{stage.url}#/services")
        row = page.get_by_role("row", name=re.compile("^shop:8080"))
        expect(row).to_contain_text("1.9, 9.8 of 10/s")
        expect(page.get_by_text(ADMITTED)).to_be_visible()
        page.goto(f"{stage.url}{RIVER}")
        sites = page.get_by_role("table", name="Sites of this service")
        expect(sites.get_by_role("row", name=re.compile("^east"))).to_contain_text("9.8 of 10/s")
        west = sites.get_by_role("row", name=re.compile("^west"))
        expect(west).to_contain_text("at most 20/s")
        expect(west).not_to_contain_text("of 20/s")


def test_slots_beside_a_rate_are_those_of_the_same_seconds(chromium: Browser, stage: Stage) -> None:
    stage.router.live = short_requests()
    with looking(chromium, stage) as page:
        row = page.get_by_role("region", name="Services").first.get_by_role("row", name="shop:8080")
        expect(row).to_contain_text("0.6 of 5")
        expect(row).to_contain_text("139/s")
        page.goto(f"{stage.url}#/services")
        expect(page.get_by_role("row", name=re.compile("^shop:8080"))).to_contain_text("0.6 of 5")
        page.goto(f"{stage.url}{RIVER}")
        sites = page.get_by_role("table", name="Sites of this service")
        expect(sites.get_by_role("row", name=re.compile("^east"))).to_contain_text("0.6 of 5")
        expect(sites.get_by_role("row", name=re.compile("^west"))).to_contain_text("3 of 20")
        said = "In flight: here the mean of 5 s, elsewhere the mean of five moments."
        expect(page.get_by_role("region", name="Sites", exact=True)).to_contain_text(said)
        meant = {"east": "the mean of 5 s", "west": "the mean of five moments"}
        for name, mean in meant.items():
            row = sites.get_by_role("row", name=re.compile(f"^{name}"))
            expect(row.get_by_label(re.compile(f"in flight, {mean}$"))).to_be_visible()
        targets = page.get_by_role("region", name="Targets here", exact=True).first
        expect(targets).to_contain_text("Bar: in flight, the mean of five moments.")


def test_requests_that_no_look_found_are_not_told_as_none(chromium: Browser, stage: Stage) -> None:
    live = short_requests()
    unseen = msgspec.structs.replace(live.now[0], in_flight_mean=0.0)
    stage.router.live = msgspec.structs.replace(live, now=(unseen, *live.now[1:]))
    with looking(chromium, stage) as page:
        row = page.get_by_role("region", name="Services").first.get_by_role("row", name="shop:8080")
        here = row.get_by_role("cell").first
        expect(here).to_have_text("<1 of 5")
        calm = msgspec.structs.replace(unseen, requests_per_s=0.0, begun_per_s=0.0)
        stage.router.live = msgspec.structs.replace(live, now=(calm, *live.now[1:]))
        expect(here).to_have_text("0 of 5")


def test_what_the_router_tells_of_one_moment_is_a_mean_of_the_last_pictures(
    chromium: Browser, stage: Stage
) -> None:
    def at(in_flight: int) -> Any:
        shop = pictures.a_service(
            "shop",
            [pictures.a_part("west", 5, in_flight=in_flight)],
            targets=(pictures.a_target("shop-1", in_flight=2 * in_flight),),
            queued=in_flight,
        )
        return msgspec.to_builtins(pictures.a_picture(services=(shop,)))

    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_be_visible()
        told = page.evaluate(ADD_MEANS, [at(count) for count in (99, 99, 0, 4, 0, 4, 2)])
        assert told["sites"][0]["in_flight_mean"] == 2
        assert told["targets"][0]["in_flight_mean"] == 4
        assert told["queued_mean"] == 2


def test_sites_are_in_the_order_of_cost_wherever_they_are_listed(
    chromium: Browser, stage: Stage
) -> None:
    live = stage.router.live
    now = msgspec.structs.replace(live.now[0], spilled_to={"south": 60.5, "west": 4.0})
    stage.router.live = msgspec.structs.replace(live, now=(now, *live.now[1:]))
    by_cost = ["east", "west", "lab", "south", "north", "attic"]
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_have_text("shop spills to west and south.")
        towards = page.locator(".towards > span")
        expect(towards).to_have_text([re.compile("west 4/s"), re.compile("south 61/s")])
        sites = page.get_by_role("region", name="Sites").first.locator("tbody th")
        expect(sites).to_have_text([re.compile(name) for name in by_cost])
        page.goto(f"{stage.url}#/topology")
        listed = page.get_by_role("table", name="All sites").locator("tbody th")
        expect(listed).to_have_text([re.compile(name) for name in by_cost])
        page.goto(f"{stage.url}#/flows")
        options = page.get_by_label("Served by").locator("option")
        expect(options).to_have_text(["any site", *by_cost])


def test_of_many_sites_one_that_cannot_be_reached_is_among_those_shown(
    chromium: Browser, stage: Stage
) -> None:
    live = pictures.many_sites()
    network = tuple(
        msgspec.structs.replace(one, path_cost=None, reachable=False)
        if one.name == "site-050"
        else one
        for one in live.network
    )
    stage.router.live = msgspec.structs.replace(live, network=network)
    with looking(chromium, stage) as page:
        sites = page.get_by_role("region", name="Sites").first.locator("tbody th")
        expect(sites.first).to_contain_text("east")
        expect(sites.last).to_contain_text("site-050")


def test_quantiles_have_the_words_of_the_command_line(chromium: Browser, stage: Stage) -> None:
    told = [0.0, *FINE_BOUNDS_S]
    with looking(chromium, stage) as page:
        shown = page.evaluate(QUANTILES, [*told, None])
    assert shown == [*map(output.quantile, told), "–"]
    assert (shown[0], shown[-2]) == ("<0.1 ms", ">85 s")


@pytest.mark.parametrize(("p99_s", "most"), [(0.2, "<200 ms"), (FINE_BOUNDS_S[-1], ">85 s")])
def test_the_scale_of_a_line_of_quantiles_is_a_bound_as_each_figure_is(
    chromium: Browser, stage: Stage, p99_s: float, most: str
) -> None:
    (known,) = stage.router.histories
    alike = tuple(msgspec.structs.replace(one, p99_s=p99_s) for one in known.samples)
    stage.router.histories = (msgspec.structs.replace(known, samples=alike),)
    now = tuple(msgspec.structs.replace(one, p99_s=p99_s) for one in stage.router.live.now)
    stage.router.live = msgspec.structs.replace(stage.router.live, now=now)
    with looking(chromium, stage) as page:
        p99 = page.locator(".trends > div", has_text="p99")
        expect(p99.locator(".figure")).to_have_text(most)
        expect(p99.locator(".scale")).to_have_text(f"0 to {most}")


def test_no_line_leads_over_minutes_without_a_figure(chromium: Browser, stage: Stage) -> None:
    (known,) = stage.router.histories
    quiet = tuple(
        msgspec.structs.replace(one, p50_s=None, p99_s=None) if 60 <= index < 90 else one
        for index, one in enumerate(known.samples)
    )
    stage.router.histories = (msgspec.structs.replace(known, samples=quiet),)
    with looking(chromium, stage) as page:
        p99 = page.locator(".trends > div", has_text="p99")
        expect(p99.locator(".line")).to_have_count(2)
        requests = page.locator(".trends > div", has_text="Requests")
        expect(requests.locator(".line")).to_have_count(1)
        first = page.evaluate(DRAWN, ".trends > div:last-child .line")[0]
        ends_at = float(first.split("L")[-1].split()[0])
        assert 75 < ends_at < 85, "the sixtieth of 180 steps is at a third of 240"


def test_what_a_router_did_not_record_is_a_gap_in_the_river(
    chromium: Browser, stage: Stage
) -> None:
    known = scenes.history()
    samples = (*known.samples[:60], *known.samples[84:])
    stage.router.histories = (msgspec.structs.replace(known, samples=samples),)
    with looking(chromium, stage, RIVER) as page:
        expect(page.locator("#chart-river path.layer")).to_have_count(3)
        for area in page.evaluate(DRAWN, "#chart-river path.layer"):
            assert area.count("M") == 2
        ticks = page.locator("#chart-river .tick[text-anchor=end]")
        expect(ticks.first).to_have_text("0")
        _, *rows = table_of(page, "river")
        assert len(rows) == len(known.samples)
        unknown = [row for row in rows if row[1] == "–"]
        assert len(unknown) == 24
        assert {cell for row in unknown for cell in row[1:]} == {"–"}
        assert rows[0][0] == known.samples[-1].at[11:19]


def test_the_axis_of_the_river_has_exact_figures(chromium: Browser, stage: Stage) -> None:
    known = scenes.history()
    samples = tuple(
        msgspec.structs.replace(one, in_flight=(0.9, 0.0, 0.0), capacity=None)
        for one in known.samples
    )
    stage.router.histories = (msgspec.structs.replace(known, samples=samples),)
    with looking(chromium, stage, RIVER) as page:
        expect(page.locator("#chart-river path.layer")).to_have_count(3)
        ticks = page.locator("#chart-river .tick[text-anchor=end]").all_text_contents()[:5]
        assert ticks == ["0", "0.25", "0.5", "0.75", "1"]


def test_what_happened_while_nobody_looked_is_asked_for(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage) as page:
        expect(page.locator(".trends")).to_be_visible()
        with page.expect_request(re.compile("/api/v1/history")):
            stage.router.live = msgspec.structs.replace(stage.router.live, at=pictures.moment(120))


def test_where_a_few_requests_fail_not_every_one_is_said_to_be_served(
    chromium: Browser, stage: Stage
) -> None:
    few = pictures.now_of("shop", failed_per_s=0.5)
    stage.router.live = msgspec.structs.replace(pictures.many_sites(), now=(few,))
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_have_text(
            "Every request that succeeds is served here."
        )
        expect(page.locator(".answer")).to_contain_text("0.5/s fail at shop.")
        page.goto(f"{stage.url}#/services/shop:8080")
        expect(page.locator(".statement").first).to_have_text("0.5/s of 42/s fail.")


@pytest.mark.parametrize(
    ("queued", "told"),
    [
        (0, "3 open connections are served here."),
        (2, "No connection ended in the last seconds: 3 are under way."),  # Held for a target.
    ],
)
def test_connections_that_stay_open_are_not_told_as_no_requests(
    chromium: Browser, stage: Stage, queued: int, told: str
) -> None:
    picture = pictures.many_sites()
    db = msgspec.structs.replace(
        picture.services[0],
        protocol="tcp",
        under_way=3,
        queued=queued,
        sites=(pictures.a_part("east", 0, in_flight=3 - queued, capacity=4),),
    )
    idle = pictures.now_of("shop", requests_per_s=0.0, in_flight_mean=3.0)
    stage.router.live = msgspec.structs.replace(picture, services=(db,), now=(idle,))
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_have_text(told)
        page.goto(f"{stage.url}#/services/shop:8080")
        expect(page.locator(".statement").first).to_have_text(told)


@pytest.mark.parametrize(("protocol", "noun"), [("tcp", "connection"), ("http", "request")])
def test_what_leaves_is_said_beside_what_is_open_elsewhere(
    protocol: str, noun: str, chromium: Browser, stage: Stage
) -> None:
    """Spills count when the other site answers: a few of them may have begun earlier. Downloads of
    an http service, open at another site, were called connections."""
    picture = pictures.dead_here()
    (now, *_), (service, *others) = picture.now, picture.services
    service = msgspec.structs.replace(service, protocol=protocol)
    leaving = msgspec.structs.replace(
        now, spilled_per_s=52.0, begun_per_s=51.0, open_to={"west": 3}
    )
    stage.router.live = msgspec.structs.replace(
        picture, services=(service, *others), now=(leaving,)
    )
    with looking(chromium, stage) as page:
        said = f"52/s and 3 open {noun}s leave east because"
        expect(page.locator(".answer")).to_contain_text(said)


def test_the_share_that_leaves_is_of_those_that_began(chromium: Browser, stage: Stage) -> None:
    """Connections last: more of them may end in some seconds than begin, and all leave."""
    picture = pictures.dead_here()
    (now, *_) = picture.now
    leaving = msgspec.structs.replace(now, spilled_per_s=6.0, begun_per_s=6.0, requests_per_s=9.0)
    stage.router.live = msgspec.structs.replace(picture, now=(leaving,))
    with looking(chromium, stage) as page:
        expect(page.locator(".answer")).to_contain_text("6/s of 6/s leave east because")
        expect(page.locator(".spill").first).to_contain_text("100 %")


def test_a_site_whose_targets_are_dead_has_targets(chromium: Browser, stage: Stage) -> None:
    stage.router.live = pictures.dead_here()
    with looking(chromium, stage, "#/services/shop:8080") as page:
        here = page.get_by_role("table", name="Sites of this service").get_by_role("row").nth(1)
        expect(here).to_contain_text("no ready target")


def test_what_is_not_known_of_the_last_seconds_is_not_said_to_be_none(
    chromium: Browser, stage: Stage
) -> None:
    stage.router.live = msgspec.structs.replace(pictures.many_sites(), now=())
    with looking(chromium, stage, "#/services") as page:
        row = page.get_by_role("table", name="Services").get_by_role("row", name="shop")
        expect(row).to_be_visible()
        expect(row).not_to_contain_text("none")


def test_requests_that_do_not_end_are_not_told_as_no_requests(
    chromium: Browser, stage: Stage
) -> None:
    picture = stage.router.live
    part = pictures.a_part("east", 0, in_flight=16)
    shop = msgspec.structs.replace(picture.services[0], under_way=16, queued=0, sites=(part,))
    idle = pictures.now_of("shop", requests_per_s=0.0)
    stage.router.live = msgspec.structs.replace(picture, services=(shop,), now=(idle,))
    told = "No request ended in the last seconds: 16 are under way."
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_have_text(told)
        page.goto(f"{stage.url}#/services/shop:8080")
        expect(page.locator(".statement").first).to_have_text(told)


def test_requests_that_are_under_way_at_other_sites_are_not_told_as_served_here(
    chromium: Browser, stage: Stage
) -> None:
    """The first of a burst that left: none has ended, so that no rate has any of them."""
    live = pictures.many_sites()
    (shop,) = live.services
    shop = msgspec.structs.replace(shop, under_way=16, under_way_elsewhere=8)
    stage.router.live = msgspec.structs.replace(live, services=(shop,))
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_have_text("Every request that ended was served here.")
        more = "42/s in 1 service. 8 more are under way at other sites."
        expect(page.locator(".answer")).to_contain_text(more)
        page.goto(f"{stage.url}#/services/shop:8080")
        expect(page.locator(".statement").first).to_have_text(
            "Every request that ended was served where it came in; "
            "8 more are under way at other sites."
        )


ENDED = "ended in the last seconds"


@pytest.mark.parametrize(
    ("routers", "under_way", "queued", "told"),
    [
        (1, 0, 0, "Only clients of other sites are served here: 6.4 in flight on average."),
        (1, 2, 0, f"No request of clients of this site {ENDED}: 2 are under way."),
        (1, 9, 7, f"No request of clients of this site {ENDED}: 9 are under way."),
        (2, 0, 0, "Only clients of other routers are served here: 6.4 in flight on average."),
        (2, 2, 0, f"No request of clients of this router {ENDED}: 2 are under way."),
    ],
)
def test_requests_of_other_sites_and_routers_are_not_told_as_none(
    chromium: Browser, stage: Stage, routers: int, under_way: int, queued: int, told: str
) -> None:
    """They end here, and count in no rate of this site's clients."""
    picture = stage.router.live
    part = pictures.a_part("east", 0, in_flight=6)
    shop = msgspec.structs.replace(
        picture.services[0], under_way=under_way, queued=queued, demand=6, sites=(part,)
    )
    idle = pictures.now_of("shop", requests_per_s=0.0, in_flight_mean=6.4)
    status = msgspec.structs.replace(picture.status, replicas=routers)
    stage.router.live = msgspec.structs.replace(
        picture, status=status, services=(shop,), now=(idle,)
    )
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_have_text(told)
        whose = "this router's clients" if routers > 1 else "this site's clients"
        expect(page.locator(".answer")).to_contain_text(f"0/s from {whose} in 1 service.")
        page.goto(f"{stage.url}#/services/shop:8080")
        expect(page.locator(".statement").first).to_have_text(told)


def test_one_of_several_routers_does_not_tell_its_requests_as_those_of_the_site(
    chromium: Browser, stage: Stage
) -> None:
    whose = "Requests, latencies and the capacity of targets are those of this router, one of 2."
    services = ("#/services", "#/services/shop:8080")
    pages = ("#/overview", *services, "#/topology", "#/topology?tab=services", "#/flows")
    picture = stage.router.live
    for at in pages:
        with looking(chromium, stage, at) as page:
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            expect(page.locator("main")).not_to_contain_text("this router")
    several = msgspec.structs.replace(picture.status, replicas=2)
    stage.router.live = msgspec.structs.replace(picture, status=several)
    for at in pages:
        with looking(chromium, stage, at) as page:
            expect(page.locator("main")).to_contain_text(whose)
    with looking(chromium, stage) as page:
        expect(page.locator(".answer")).to_contain_text(
            re.compile(r"/s of [\d.]+/s at this router leave east")
        )


@pytest.mark.parametrize("per_s", [0.0, 4.0])
def test_while_a_worker_does_not_answer_not_every_request_is_served(
    chromium: Browser, stage: Stage, per_s: float
) -> None:
    picture = stage.router.live
    note = "5 of 10 slots work: worker 1 does not answer, with 0 of its 5 slots in use"
    part = pictures.a_part("east", 0, note=note)
    shop = msgspec.structs.replace(picture.services[0], sites=(part,), demand=0)
    now = pictures.now_of("shop", requests_per_s=per_s)
    stage.router.live = msgspec.structs.replace(picture, services=(shop,), now=(now,))
    told = (
        "Every request that succeeds is served here."
        if per_s
        else "No request ended in the last seconds."
    )
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_have_text(told)
        expect(page.locator(".answer")).to_contain_text(f"shop: {note}.")


def steady(ends_s: list[float], service: str = "shop") -> dict[str, Any]:
    """A history whose steps ended so many seconds after the hour; 100 requests in each."""
    history = pictures.a_history(service, steps=len(ends_s))
    samples = tuple(
        msgspec.structs.replace(
            sample,
            at=f"2026-11-27T03:{int(end_s // 60):02}:{int(end_s % 60):02}Z",
            served=(60, 40, 0),
            nowhere=0,
        )
        for sample, end_s in zip(history.samples, ends_s, strict=True)
    )
    built: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(history, samples=samples))
    return built


SUMMED = """async (histories) => {
  const { summed } = await import("/static/lib/recent.js");
  return summed(histories).map((one) => [Math.round(one.requests), Math.round(one.spilled)]);
}"""


@pytest.mark.parametrize("phase_s", [0.0, 1.3, 2.5, 2.9, 4.9])
def test_a_steady_rate_is_drawn_as_steady_at_whatever_second_steps_end(
    chromium: Browser, stage: Stage, phase_s: float
) -> None:
    """Moments are rounded down to the second, and a step is a little longer or shorter."""
    ends = [10 + phase_s + 5 * step + (0.3 if step % 3 else -0.3) for step in range(40)]
    one, later = steady(ends, "shop"), steady(ends[20:], "api")
    with looking(chromium, stage) as page:
        assert page.evaluate(SUMMED, [later, one]) == [[20, 8]] * 20 + [[40, 16]] * 20


def test_services_whose_steps_end_at_other_seconds_are_added(
    chromium: Browser, stage: Stage
) -> None:
    """Another worker of the router has the history of a service that the first one never served."""
    one, other = (steady([first + 5 * step for step in range(20)]) for first in (20, 22))
    with looking(chromium, stage) as page:
        assert page.evaluate(SUMMED, [one, other]) == [[40, 16]] * 20
        assert page.evaluate(SUMMED, []) == []


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("none", "earlier ones are loading"),
        ("error", "earlier ones could not be loaded"),
        ("empty", "earlier ones are not known"),
    ],
)
def test_figures_that_are_on_their_way_are_not_called_unknown(
    chromium: Browser, stage: Stage, answer: str, text: str
) -> None:
    stage.router.histories = (scenes.history(samples=()),)
    with looking(chromium, stage, "#/services") as page:
        if answer == "none":
            page.route("**/api/v1/history*", lambda _: None)
        elif answer == "error":
            page.route("**/api/v1/history*", lambda route: route.abort())
        page.goto(f"{stage.url}#/")
        chart = page.locator("#chart-trends")
        live = stage.router.live
        at = datetime.fromisoformat(live.at) + timedelta(seconds=3)
        expect(chart).to_contain_text("Requests")
        stage.router.live = msgspec.structs.replace(live, at=at.isoformat())
        expect(chart).to_contain_text(f"Figures of the last 3 s; {text}.")


def test_every_request_that_fails_is_in_the_sentence_about_failures(
    chromium: Browser, stage: Stage
) -> None:
    """A small share of one service and a great share of another are one figure on this page."""
    live = pictures.burst()
    first, second = live.now[0], live.now[1]
    few = msgspec.structs.replace(first, failed_of_per_s=160.0, failed_per_s=6.5)
    most = msgspec.structs.replace(
        second, requests_per_s=13.0, failed_of_per_s=13.0, failed_per_s=6.1
    )
    stage.router.live = msgspec.structs.replace(live, now=(few, most))
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_have_text(
            f"Requests fail at {second.service} and {first.service}."
        )
        expect(page.locator(".answer")).to_contain_text("13/s of 173/s fail.")


def test_requests_that_fail_are_a_share_of_those_that_came_also_while_a_queue_empties(
    chromium: Browser, stage: Stage
) -> None:
    """More requests end than come then; the rows below and `status` count those that came."""
    live = pictures.burst()
    full = pictures.now_of("shop", failed_per_s=12.0)
    full = msgspec.structs.replace(
        full, requests_per_s=48.0, begun_per_s=40.0, failed_of_per_s=40.0
    )
    stage.router.live = msgspec.structs.replace(live, now=(full,))
    with looking(chromium, stage) as page:
        expect(page.locator(".answer")).to_contain_text("12/s of 40/s fail.")
