"""Topology: ways and costs as the API has them, and a picture that stays where it is."""

import re
from typing import Any, Literal

import msgspec
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from router.admin.views.links import BarView, LinkAtWorker, SiteName
from router.admin.views.live import Live
from router.admin.views.ping import HopView, PingView
from router.admin.views.site import SiteDetail, SiteLink, SiteProblem, SiteServed, SiteService
from router.operate.figures.link_views import NO_ROOM_THERE
from tests.browser import pictures
from tests.browser.stage import Stage, ends_at, looking

PLACED = """async (live) => {
  const { graphOf, placed, ways, stepsTo } = await import("/static/lib/network/graph.js");
  const graph = graphOf(live);
  const found = ways(graph, live.status.id);
  return {
    places: Object.fromEntries(placed(graph, live.status.id)),
    costs: Object.fromEntries(graph.nodes.map(({ id }) => [id, found.get(id)?.cost ?? null])),
    ways: Object.fromEntries(graph.nodes.map(({ id }) => [id, stepsTo(found, id).length])),
  };
}"""


def placed(page: Page, live: Live) -> Any:
    return page.evaluate(PLACED, msgspec.to_builtins(live))


@pytest.mark.parametrize("number", [2, 3, 14, 100])
def test_a_picture_lies_the_same_way_however_the_router_orders_its_answer(
    chromium: Browser, stage: Stage, number: int
) -> None:
    live = pictures.many_sites(number)
    turned = msgspec.structs.replace(
        live, network=tuple(reversed(live.network)), links=tuple(reversed(live.links))
    )
    with looking(chromium, stage) as page:
        first, second = placed(page, live), placed(page, turned)
        assert first == second
        spots = [(spot["x"], spot["y"]) for spot in first["places"].values()]
        nearest = min(
            ((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5
            for index, (ax, ay) in enumerate(spots)
            for bx, by in spots[:index]
        )
        assert nearest > 0.1, "two sites lie on each other"


@pytest.mark.parametrize("picture", [pictures.burst(), pictures.many_sites()], ids=["6", "100"])
def test_the_way_to_a_site_costs_what_the_router_says(
    chromium: Browser, stage: Stage, picture: Live
) -> None:
    with looking(chromium, stage) as page:
        costs = placed(page, picture)["costs"]
        assert costs == {site.id: site.path_cost for site in picture.network}


def test_a_link_that_one_end_alone_tells_of_is_no_way(chromium: Browser, stage: Stage) -> None:
    live = pictures.burst()
    silent = tuple(
        msgspec.structs.replace(site, neighbours=()) if site.name == "south" else site
        for site in live.network
    )
    with looking(chromium, stage) as page:
        found = placed(page, msgspec.structs.replace(live, network=silent))
        assert found["costs"][pictures.id_of("south")] is None
        assert found["ways"][pictures.id_of("south")] == 0


def test_the_map_names_the_services_of_each_site_and_fills_the_window(
    chromium: Browser, stage: Stage
) -> None:
    live = pictures.burst()
    many = tuple(f"service-{number}" for number in range(9))
    network = tuple(
        msgspec.structs.replace(site, services=many) if site.name == "lab" else site
        for site in live.network
    )
    stage.router.live = msgspec.structs.replace(live, network=network)
    high = ViewportSize(width=1280, height=1000)
    with looking(chromium, stage, "#/topology", viewport=high) as page:
        named = page.locator(".site-map .of-site")
        expect(named).to_have_count(5)  # The attic has none.
        words = named.all_text_contents()
        assert sorted(words) == ["service-0, service-1 +7", *["shop"] * 4]
        box = page.locator("svg.site-map[role=img]").bounding_box()
        assert box is not None
        assert box["height"] == 700
        marks = [one.bounding_box() for one in page.locator(".site-mark").all()]
        tops = [one["y"] for one in marks if one is not None]
        lefts = [one["x"] for one in marks if one is not None]
        assert max(tops) - min(tops) > 0.5 * box["height"]
        assert max(lefts) - min(lefts) > 0.5 * box["width"]
        row = page.get_by_role("table", name="All sites").get_by_role(
            "row", name=re.compile("^lab")
        )
        expect(row).to_contain_text("service-3")
        expect(row).to_contain_text("and 5 more")


CROSSED = """() => {
  const within = (line, { x, y, width, height }) => {
    for (let share = 0; share <= 1; share += 0.002) {
      const end = (name) => Number(line.getAttribute(name));
      const at = (axis) => end(`${axis}1`) * (1 - share) + end(`${axis}2`) * share;
      if (at("x") > x && at("x") < x + width && at("y") > y && at("y") < y + height) return true;
    }
    return false;
  };
  const lines = [...document.querySelectorAll(".map-box .edge.link, .map-box .edge.down")];
  return [...document.querySelectorAll(".map-box .name, .map-box .of-site")]
    .filter((name) => lines.some((line) => within(line, name.getBBox())))
    .map((name) => name.textContent.trim());
}"""


@pytest.mark.parametrize("width", [1280, 390])
def test_no_link_is_drawn_through_a_name_that_has_another_place(
    chromium: Browser, stage: Stage, width: int
) -> None:
    with looking(
        chromium, stage, "#/topology", viewport=ViewportSize(width=width, height=900)
    ) as page:
        expect(page.locator(".map-box .name")).to_have_count(6)
        assert page.evaluate(CROSSED) == []


def test_links_that_are_not_up_are_counted_and_named_as_on_their_own_page(
    chromium: Browser, stage: Stage
) -> None:
    status = stage.router.live.status
    assert (status.links, status.links_up) == (4, 3)  # What `sitectl status` prints.
    with looking(chromium, stage, "#/topology") as page:
        card = page.get_by_role("region", name="Network")
        expect(card).to_contain_text("5 of 6 sites reachable Not reachable: attic")
        expect(card).to_contain_text("6 links between them: 1 not up")
        expect(card).to_contain_text("Links of east: 3 of 4 links up Not up: to-attic.")
        card.get_by_role("link", name="Links of east").click()
        expect(page.get_by_role("heading", name="3 of 4 links up")).to_be_visible()
        page.goto(f"{stage.url}#/topology?site=attic")
        site = page.get_by_role("region", name="attic", exact=True)
        expect(site).to_contain_text(f"Link to-attic: down {pictures.REFUSED}")
        live = stage.router.live
        silent = [
            msgspec.structs.replace(one, silent_since=live.at) if one.name == "to-west" else one
            for one in live.links
        ]
        stage.router.live = msgspec.structs.replace(live, links=tuple(silent))
        page.goto(f"{stage.url}#/topology")
        expect(card).to_contain_text("Links of east: 3 of 4 links up (1 silent) Not up: to-attic.")
        page.goto(f"{stage.url}#/topology?site=west")
        expect(page.get_by_role("region", name="west", exact=True)).to_contain_text(
            "Link to-west: silent"
        )
        down = LinkAtWorker(worker=1, state="down", since=live.at, error="refused")
        partly = [
            msgspec.structs.replace(one, workers=2, workers_down=(down,))
            if one.name == "to-west"
            else one
            for one in live.links
        ]
        stage.router.live = msgspec.structs.replace(live, links=tuple(partly))
        page.goto(f"{stage.url}#/topology")
        expect(card).to_contain_text("3 of 4 links up (1 not at every worker) Not up: to-attic.")
        page.goto(f"{stage.url}#/topology?site=west")
        expect(page.get_by_role("region", name="west", exact=True)).to_contain_text(
            "Link to-west: up (1 of 2 workers)"
        )
        alone = [msgspec.structs.replace(one, reachable=one.name == "east") for one in live.network]
        stage.router.live = msgspec.structs.replace(live, network=tuple(alone))
        page.goto(f"{stage.url}#/topology")
        untold = "6 links between them: 1 not up 2 not known because neither end is reachable"
        expect(card).to_contain_text(untold)
        expect(page.locator(".site-map .edge.untold")).to_have_count(2 + 1)  # One of the legend.
        page.goto(f"{stage.url}#/topology?table=map")
        states = page.get_by_role("region", name="Sites and links", exact=True)
        expect(states.locator("tbody .badge", has_text="not known")).to_have_count(2)
        gone = [
            msgspec.structs.replace(one, reachable=False, neighbours=())
            if one.name == "south"
            else msgspec.structs.replace(
                one, neighbours=tuple(near for near in one.neighbours if near.site != "south")
            )
            for one in live.network
        ]
        stage.router.live = msgspec.structs.replace(live, network=tuple(gone))
        page.goto(f"{stage.url}#/topology")
        expect(card).to_contain_text(re.compile(r"links between the others: 1 not up"))
        expect(card).to_contain_text("No link of south is known now")
        stage.router.live = pictures.nothing()
        page.goto(f"{stage.url}#/topology")
        expect(card).to_contain_text("1 site: all reachable")
        expect(card).not_to_contain_text("between them")
        expect(card).to_contain_text("Links of east: none")


def test_choosing_a_site_shows_each_hop_with_its_cost_and_the_total(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/topology?site=south") as page:
        card = page.get_by_role("region", name="south", exact=True)
        hops = card.locator(".way li")
        expect(hops).to_have_count(3)
        expect(hops.nth(0)).to_have_text("east")
        expect(hops.nth(1)).to_contain_text("cost 5, 12 ms")
        expect(hops.nth(2)).to_contain_text("cost 10")
        expect(card).to_contain_text("Total cost 15 over 2 links")
        expect(card).to_contain_text("4/s spill there now.")


def test_a_link_is_drawn_whether_it_carries_overflow_or_not(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/topology") as page:
        expect(page.locator(".site-map .edge.link").first).to_be_attached()
        strokes = page.locator(".site-map .edge").evaluate_all(
            "lines => lines.map(line => getComputedStyle(line).stroke)"
        )
        assert strokes
        assert "none" not in strokes


@pytest.mark.parametrize("direction", ["outgoing", "incoming"])
def test_a_link_that_goes_down_is_red_and_nothing_else_moves(
    chromium: Browser, stage: Stage, direction: Literal["outgoing", "incoming"]
) -> None:
    with looking(chromium, stage, "#/topology") as page:
        expect(page.locator(".site-mark")).to_have_count(6)
        spots = """() => Object.fromEntries([...document.querySelectorAll(".site-mark")].map(
            (one) => [one.textContent, one.querySelector("circle")?.outerHTML]))"""
        before = page.evaluate(spots)
        down = page.locator(".site-map g .edge.down")
        expect(down).to_have_count(1)  # That to the attic.
        live = stage.router.live
        links = tuple(
            msgspec.structs.replace(
                one, direction=direction, state="down", streams=0, error="connection refused"
            )
            if one.neighbour.name == "lab"
            else one
            for one in live.links
        )
        network = tuple(
            msgspec.structs.replace(
                one, neighbours=tuple(near for near in one.neighbours if near.site != "lab")
            )
            for one in live.network
            if one.name != "lab"
        )
        stage.router.live = msgspec.structs.replace(live, links=links, network=network)
        expect(down).to_have_count(2)
        after = page.evaluate(spots)
        assert {name: after[name] for name in before if name in after} == before


def test_pointing_at_a_site_shows_the_way_and_leaving_it_takes_that_away(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/topology") as page:
        page.locator(".site-mark", has_text="south").hover()
        expect(page.get_by_role("heading", name="south", exact=True)).to_be_visible()
        expect(page.locator(".edge.way")).to_have_count(3)  # Two, and the legend's.
        page.get_by_role("heading", level=1).hover()
        expect(page.get_by_role("heading", name="Network")).to_be_visible()
        page.locator(".site-mark", has_text="west").click()
        ends_at(page, "#/topology?site=west")


def test_the_list_does_by_keyboard_what_the_picture_does(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/topology") as page:
        table = page.get_by_role("region", name="All sites").last
        table.get_by_role("link", name="north").focus()
        expect(page.get_by_role("heading", name="north", exact=True)).to_be_visible()
        page.keyboard.press("Enter")
        ends_at(page, "#/topology?site=north")
        row = table.get_by_role("row", name="south")
        expect(row).to_contain_text("west → south")
        expect(row).to_contain_text("15")
        page.keyboard.press("/")
        page.keyboard.type("sou")
        expect(table.get_by_role("row")).to_have_count(2)


def test_the_twin_has_each_link_with_cost_round_trip_load_and_state(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/topology?table=map") as page:
        table = page.locator("#chart-map").get_by_role("table")
        expect(table.get_by_role("row")).to_have_count(1 + 6)
        west = table.get_by_role("row", name="east – west")
        for text in ("5", "12 ms", "3", "65/s", "up"):
            expect(west).to_contain_text(text)
        expect(table.get_by_role("row", name="attic")).to_contain_text("down")


@pytest.mark.parametrize("crosses_west", [True, False])
def test_paths_of_equal_cost_share_the_load(
    chromium: Browser, stage: Stage, crosses_west: bool
) -> None:
    """Seen with cost 5 to cloud and 2 + 3 through laptop: all of it was drawn on the first link.

    A router does not cross a site that drains, nor one that is let in on terms.
    """
    live = pictures.burst()
    hops_to_north = ("north", "west") if crosses_west else ("north",)
    near = {
        "east": (("west", 2), ("north", 5)),
        "west": (("east", 2), ("north", 3)),
        "north": (("east", 5), ("west", 3)),
    }
    network = tuple(
        pictures.a_site(
            name,
            {"east": 0, "west": 2, "north": 5}[name],
            next_hops={"east": (), "west": ("west",), "north": hops_to_north}[name],
            neighbours=near[name],
        )
        for name in near
    )
    (now, *_) = live.now
    now = msgspec.structs.replace(
        now, spilled_per_s=30.0, spilled_to={"north": 20.0, "west": 10.0}, open_to={"north": 1}
    )
    links = tuple(one for one in live.links if one.neighbour.name in near)
    stage.router.live = msgspec.structs.replace(live, network=network, now=(now,), links=links)
    with looking(chromium, stage, "#/topology?table=map") as page:
        table = page.locator("#chart-map").get_by_role("table")
        for ends, load in {
            re.compile("east – north|north – east"): f"{10 if crosses_west else 20}/s, 1 open",
            re.compile("east – west|west – east"): f"{20 if crosses_west else 10}/s",
            re.compile("north – west|west – north"): "10/s" if crosses_west else "–",
        }.items():
            expect(table.get_by_role("row", name=ends)).to_contain_text(load)


def test_a_site_that_cannot_be_reached_says_so(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/topology?site=attic") as page:
        expect(page.get_by_text("There is no path to it now.")).to_be_visible()


def test_a_site_whose_link_is_not_used_says_why(chromium: Browser, stage: Stage) -> None:
    stage.router.live = with_site(stage.router.live, "attic", reason=NO_ROOM_THERE)
    with looking(chromium, stage, "#/topology?site=attic") as page:
        text = f"There is no path to it now: {NO_ROOM_THERE}."
        expect(page.get_by_text(text)).to_be_visible()


def test_a_barred_site_is_not_simply_reachable(chromium: Browser, stage: Stage) -> None:
    """`network status` said who bars it, until when."""
    bar = BarView(site="west", id=pictures.id_of("west"), until="2026-12-01T09:00:00Z")
    stage.router.live = with_site(stage.router.live, "lab", barred_by=(bar,), put_out=True)
    with looking(chromium, stage, "#/topology?site=lab") as page:
        row = page.get_by_role("table", name="All sites").get_by_role("row", name="lab")
        expect(row).to_contain_text("barred")
        site = page.get_by_role("region", name="lab", exact=True)
        expect(site).to_contain_text(
            "Barred by west until 2026-12-01 09:00:00: its declarations and targets count for "
            "nothing here."
        )


def with_site(live: Live, name: str, **changes: Any) -> Live:
    """``live`` with these ``changes`` of one site."""
    network = tuple(
        msgspec.structs.replace(one, **changes) if one.name == name else one for one in live.network
    )
    return msgspec.structs.replace(live, network=network)


def test_a_hundred_sites_have_most_of_their_names_and_none_on_another(
    chromium: Browser, stage: Stage
) -> None:
    stage.router.live = pictures.many_sites()
    with looking(chromium, stage, "#/topology") as page:
        expect(page.locator(".site-mark")).to_have_count(100)
        boxes = page.evaluate(
            """[...document.querySelectorAll(".site-map text.name")].map((one) => {
              const { x, y, width, height } = one.getBBox();
              return [x, y, width, height];
            })"""
        )
        assert len(boxes) >= 60
        for index, (x, y, width, height) in enumerate(boxes):
            for ox, oy, owidth, oheight in boxes[:index]:
                apart_x = max(x, ox) - min(x + width, ox + owidth)
                apart_y = max(y, oy) - min(y + height, oy + oheight)
                assert apart_x > -3 or apart_y > -3, "two names lie on each other"


def test_of_more_sites_than_a_picture_holds_the_nearest_and_the_chosen_are_drawn(
    chromium: Browser, stage: Stage
) -> None:
    """A member can tell of thousands of sites that do not exist."""
    stage.router.live = pictures.many_sites(1_200)
    with looking(chromium, stage, "#/topology?site=site-300") as page:
        expect(page.locator(".site-mark")).to_have_count(200)
        expect(page.locator("#chart-map")).to_contain_text("The nearest 200 of 1,200 sites")
        expect(page.locator(".site-mark.shown title")).to_have_text("site-300")
        rows = page.get_by_role("table", name="All sites").locator("tbody tr")
        expect(rows).to_have_count(200)
        expect(page.get_by_role("button", name="Show 200 more of 1,000")).to_be_visible()
        page.get_by_label("Filter sites").fill("site-1199")
        expect(rows).to_have_count(1)


def test_the_way_is_measured_when_asked_for(chromium: Browser, stage: Stage) -> None:
    def hop(name: str, cost: int, rtt_ms: tuple[float, float, float] | None) -> HopView:
        return HopView(
            site=name,
            id=pictures.id_of(name),
            cost=cost,
            path_cost=cost,
            sent=3,
            answered=3 if rtt_ms else 0,
            rtt_ms=rtt_ms,
            certificate_expires=None,
            version="0.1.0",
            error="" if rtt_ms else "no answer",
        )

    stage.router.pings["south"] = PingView(
        site="south",
        id=pictures.id_of("south"),
        reachable=False,
        path_cost=15,
        hops=(hop("west", 5, (11.0, 12.5, 14.0)), hop("south", 15, None)),
        reason="south gave no answer",
    )
    with looking(chromium, stage, "#/topology?site=south") as page:
        page.get_by_role("button", name="Measure the path").click()
        table = page.get_by_role("table", name="Path to south, measured")
        expect(table.get_by_role("row", name="west")).to_contain_text("13 ms")
        expect(table.get_by_role("row", name="south")).to_contain_text("no answer")
        stage.router.pings.clear()
        page.get_by_role("button", name="Measure the path").click()
        expect(page.locator("main .failed")).to_contain_text("No site 'south' is known here.")
        expect(page.get_by_role("status")).to_have_text("No site 'south' is known here.")


def test_another_site_is_seen_down_to_the_requests_of_its_targets(
    chromium: Browser, stage: Stage
) -> None:
    service = SiteService(
        name="shop",
        port=8080,
        protocol="http",
        policy="fill",
        requests_total=400,
        overflow_total=100,
        queued=0,
        in_flight=7,
        targets_ready=1,
        capacity=10,
        rate_per_s=None,
        served=(SiteServed("south", 300, 0), SiteServed("west", 100, 100)),
        targets=(pictures.a_target("south-1", site="south", in_flight=7, requests_total=812),),
    )
    stage.router.sites["south"] = SiteDetail(
        name="south",
        id=pictures.id_of("south"),
        local=False,
        reachable=True,
        path_cost=15,
        told=True,
        error="",
        age_s=0.1,
        version="0.1.0",
        mode="interior",
        ready=True,
        uptime_s=7_300.0,
        replicas=2,
        problems=(SiteProblem("SW0404", "Link to-x was refused"),),
        links=(
            SiteLink(
                neighbour=SiteName("west", pictures.id_of("west")),
                direction="incoming",
                cost=10,
                state="up",
                rtt_ms=30.4,
                streams=2,
                certificate_expires=None,
            ),
        ),
        services=(service,),
    )
    with looking(chromium, stage, "#/topology?site=south") as page:
        card = page.get_by_role("region", name="What south reports")
        expect(card).to_contain_text("serving, interior, version 0.1.0 and up for 2 h 1 min")
        expect(card).to_contain_text("One of its 2 routers answered: these are its own figures")
        expect(card).to_contain_text("Link to-x was refused")
        shop = card.get_by_role("table", name="Services at south").get_by_role("row").nth(1)
        for text in ("shop:8080", "7 of 10", "400", "100", "south 75 %, west 25 %"):
            expect(shop).to_contain_text(text)
        target = card.get_by_role("table", name="Targets at south").get_by_role("row").nth(1)
        for text in ("south-1", "ready", "7 of 10", "812"):
            expect(target).to_contain_text(text)
        link = card.get_by_role("table", name="Links of south").get_by_role("row").nth(1)
        for text in ("west", "up", "10", "30 ms", "2"):
            expect(link).to_contain_text(text)
        del stage.router.sites["south"]
        expect(
            page.get_by_text("south does not report at the moment: it gave no answer in time.")
        ).to_be_visible(timeout=20_000)
