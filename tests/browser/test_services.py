"""Services: the list, and one of them with its river, its targets and who gets the next request."""

import re
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from router.admin.views.live import Live
from router.admin.views.services import AbsentSite, TargetCount
from router.admin.views.why import WhyCandidate, WhyDecision, WhyQueue
from router.balance.deciding.explain import ROOM_FARTHER
from tests.browser import pictures, scenes
from tests.browser.console_examples import PAGE, page
from tests.browser.stage import Stage, looking

AT = "#/services/shop:8080"
SOON_MS = 40_000  # The history is asked for every five seconds.
HOSTILE_ROUTE = "#/services/%3Cscript%3E"


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """The past of `shop` too."""
    router = stage.router
    router.histories = (scenes.history(),)
    router.knees = scenes.knees(router.live.services[0].targets)
    router.whys = {"shop": scenes.why()}
    return stage


def table_of(page: Page, chart: str) -> list[list[str]]:
    """The cells of a chart's table, without its head, and the heads first."""
    figure = page.locator(f"#chart-{chart}")
    figure.get_by_role("button", name=re.compile("Show as table")).click()
    expect(figure.get_by_role("table")).to_be_visible()
    return cells(figure)


def cells(within: Locator) -> list[list[str]]:
    rows: list[list[str]] = within.locator("tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return rows


def shown(value: float) -> str:
    """A figure as the console writes it."""
    return f"{round(value, 1):g}" if value < 100 else f"{round(value):,}"


def test_no_page_shows_more_requests_that_spill_than_come(chromium: Browser, stage: Stage) -> None:
    """Long requests end in bursts: 3.0/s of 65/s that spilled."""
    live = stage.router.live
    now = tuple(
        msgspec.structs.replace(one, requests_per_s=3.0, begun_per_s=77.0)
        if one.service == "shop"
        else one
        for one in live.now
    )
    stage.router.live = msgspec.structs.replace(live, now=now)
    for at in ("#/services", "#/overview"):
        with looking(chromium, stage, at) as page:
            row = page.get_by_role("row", name=re.compile("shop:8080"))
            expect(row).to_contain_text("65/s")
            expect(row).to_contain_text("77/s")
    with looking(chromium, stage, AT) as page:
        expect(page.locator(".tiles")).to_contain_text("77/s")


def test_the_list_tells_what_each_service_does_now(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/services") as page:
        row = page.get_by_role("row", name=re.compile("shop:8080"))
        expect(row).to_contain_text("20 of 20")
        expect(row).to_contain_text("210/s")
        expect(row).to_contain_text("65/s")
        expect(page.get_by_role("row", name=re.compile("billing:8080"))).to_contain_text("none")
        row.get_by_role("link").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("shop:8080")


def test_a_short_past_has_no_moment_twice_below_the_river(chromium: Browser, stage: Stage) -> None:
    (known,) = stage.router.histories
    stage.router.histories = (msgspec.structs.replace(known, samples=known.samples[-33:]),)
    with looking(chromium, stage, AT) as page:
        below = page.locator('#chart-river .tick[text-anchor="middle"]')
        expect(below.first).to_be_visible()
        moments = below.all_text_contents()
        assert len(moments) > 1
        assert len(set(moments)) == len(moments)


def test_without_services_it_says_how_to_have_one(chromium: Browser, stage: Stage) -> None:
    stage.router.live = pictures.nothing()
    with looking(chromium, stage, "#/services") as page:
        expect(page.get_by_text("No services.")).to_be_visible()
        expect(page.get_by_text("sitectl --site east expose")).to_be_visible()


def test_the_rivers_table_has_every_figure_of_the_history(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, AT) as page:
        heads, *rows = table_of(page, "river")
        assert heads[:5] == ["Time", "east (here)", "west", "south", "capacity here"]
        samples = list(reversed(scenes.history().samples))
        assert len(rows) == len(samples)
        for row, sample in zip(rows, samples, strict=True):
            assert row[1:4] == [shown(value) for value in sample.in_flight]
            assert row[4] == str(sample.capacity)
            assert row[heads.index("served by no site in 5 s")] == str(sample.nowhere)
            assert row[heads.index("Overflows begun")] == shown(sample.overflow)


def test_a_past_that_no_router_has_is_drawn_and_holds_up_nothing(
    chromium: Browser, stage: Stage
) -> None:
    """Another site may tell any: steps as short as it likes, samples years apart."""
    (known,) = stage.router.histories
    apart = tuple(
        msgspec.structs.replace(sample, at=f"{1970 + number}-01-01T00:00:00Z")
        for number, sample in enumerate(known.samples)
    )
    stage.router.histories = (msgspec.structs.replace(known, step_s=1e-9, samples=apart),)
    with looking(chromium, stage, AT) as page:
        expect(page.locator("#chart-river")).to_be_visible(timeout=SOON_MS)
        page.get_by_role("link", name="Flows").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Flows")


def test_the_parts_of_a_page_stay_in_their_order_when_figures_come_later(
    chromium: Browser, stage: Stage
) -> None:
    histories, stage.router.histories = stage.router.histories, (scenes.history(samples=()),)
    with looking(chromium, stage, AT) as page:
        expect(page.get_by_text("No history yet")).to_be_visible()
        stage.router.histories = histories
        expect(page.locator("#chart-river")).to_be_visible(timeout=SOON_MS)
        heads = page.locator("main h2").all_inner_texts()
        assert heads == [
            "Where requests were served",
            "Sites",
            "Callers",
            "Targets of east",
            "Where the next request goes",
            "Targets here",
            "Targets of other sites",
        ]


def test_a_cursor_tells_the_figures_of_its_moment_to_keyboard_and_screen_reader(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, AT) as page:
        plot = page.get_by_role("slider", name=re.compile("Where requests were served"))
        plot.focus()
        page.keyboard.press("Home")
        expect(plot).to_have_attribute("aria-valuenow", "0")
        for _ in range(10):
            page.keyboard.press("PageUp")
        sample = scenes.history().samples[100]
        here, west, south = (shown(value) for value in sample.in_flight)
        expect(plot).to_have_attribute(
            "aria-valuetext",
            re.compile(f"in flight: east \\(here\\) {here}, west {west}, south {south}, capacity"),
        )
        expect(page.locator(".stream-at")).to_have_text(sample.at[11:19])
        expect(page.locator(".cursor")).to_have_count(1)
        page.keyboard.press("Escape")
        expect(page.locator(".cursor")).to_have_count(0)


def test_layers_are_told_apart_by_pattern_and_word_too(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, AT) as page:
        expect(page.locator("#chart-river path.layer")).to_have_count(3)
        fills = page.locator("#chart-river .stream .layer").evaluate_all(
            "layers => layers.map(layer => layer.getAttribute('fill'))"
        )
        assert len(set(fills)) == 3
        strokes = page.locator("#chart-river .stream pattern path").evaluate_all(
            "lines => lines.map(line => line.getAttribute('d'))"
        )
        assert len(set(strokes)) == 3
        legend = page.locator("#chart-river .stream-legend")
        for words in ("east (here)", "west cost 5", "south cost 15", "capacity here"):
            expect(legend).to_contain_text(re.compile(re.escape(words).replace("\\ ", "\\s*")))


def test_a_capacity_that_is_a_rate_is_drawn_a_second(chromium: Browser, stage: Stage) -> None:
    known = scenes.history()
    samples = tuple(
        msgspec.structs.replace(one, capacity=None, capacity_per_s=80.0) for one in known.samples
    )
    stage.router.histories = (msgspec.structs.replace(known, samples=samples),)
    with looking(chromium, stage, AT) as page:
        heads, *rows = table_of(page, "river")
        assert rows[0][1] == shown(known.samples[-1].served[0] / 5.0)
        assert rows[0][heads.index("capacity here")] == "80"
        nowhere = [row[heads.index("served by no site")] for row in rows]
        assert nowhere == [shown(one.nowhere / 5.0) for one in reversed(samples)]
        assert "0.6" in nowhere


def test_figures_without_those_of_a_worker_that_ended_are_said_to_be(
    chromium: Browser, stage: Stage
) -> None:
    known = scenes.history()
    until = known.samples[-2].at
    stage.router.histories = (msgspec.structs.replace(known, partial_until=until),)
    with looking(chromium, stage, AT) as page:
        expect(page.locator("#chart-river")).to_contain_text(
            re.compile(r"Up to \d\d:\d\d:\d\d without those of a worker that ended")
        )


def test_another_sites_clients_are_asked_for_and_the_address_says_so(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, AT) as page:
        with page.expect_request(re.compile(f"history.*site={pictures.id_of('west')}")):
            page.get_by_label("Clients of").select_option(label="west")
        assert f"site={pictures.id_of('west')}" in page.url
        legend = page.locator("#chart-river .stream-legend")
        expect(legend).to_contain_text("capacity of east")  # The script has but one history.
        expect(legend).not_to_contain_text("here")


def test_targets_say_what_was_stated_and_where_latency_bends(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, AT) as page:
        first = page.get_by_role("row", name=re.compile("shop-1"))
        expect(first).to_contain_text("configured 10, latency doubles at 8")
        expect(first).to_contain_text("configured too high")
        second = page.get_by_role("row", name=re.compile("shop-2"))
        expect(second).to_contain_text("configured 10, no climb seen, 200 ms at low load")
        label = "10 in flight, configured 10, latency doubles at 8"
        expect(first.get_by_role("img", name=label)).to_be_visible()


def test_learned_slots_are_not_called_configured(chromium: Browser, stage: Stage) -> None:
    learned = pictures.a_target("shop-1", capacity_kind="auto")
    stage.router.live = with_shop(stage.router.live, targets=(learned,))
    with looking(chromium, stage, AT) as page:
        row = page.get_by_role("row", name=re.compile("shop-1"))
        expect(row).to_contain_text("learned 10 (auto), latency doubles at 8")
        expect(row).not_to_contain_text("configured")


def test_a_target_with_an_ipv6_address_has_its_latency_too(chromium: Browser, stage: Stage) -> None:
    targets = tuple(pictures.a_target(name, host="fd00::1") for name in ("shop-1", "shop-2"))
    stage.router.live = with_shop(stage.router.live, targets=targets)
    stage.router.knees = scenes.knees(targets)
    with looking(chromium, stage, AT) as page:
        row = page.get_by_role("row", name=re.compile("shop-1"))
        expect(row).to_contain_text("[fd00::1]:9001")
        expect(row).to_contain_text("configured 10, latency doubles at 8")


def test_a_full_site_and_a_full_target_have_one_colour(chromium: Browser, stage: Stage) -> None:
    picture = pictures.all_full()
    full = msgspec.structs.replace(
        picture.services[0], targets=(pictures.a_target("shop-1", in_flight=10),)
    )
    stage.router.live = msgspec.structs.replace(picture, services=(full,))
    with looking(chromium, stage, AT) as page:
        site = page.locator(".meter.full .fill")
        target = page.locator(".capacity .fill.full")
        expect(site).to_have_count(3)
        expect(target).to_have_count(1)
        fills = {one.evaluate("bar => getComputedStyle(bar).fill") for one in [*site.all(), target]}
        assert len(fills) == 1


def test_the_next_request_is_explained_in_the_words_of_why(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, AT) as page:
        panel = page.get_by_role("region", name="Where the next request goes")
        expect(panel).to_contain_text(f"To west: {ROOM_FARTHER}.")
        expect(panel).to_contain_text("Runner-up: south, its path costs 10 more, 18 free.")
        for one in scenes.candidates():
            row = panel.get_by_role("row", name=re.compile(rf"^{one.site}\b"))
            expect(row).to_contain_text(one.verdict)
            expect(row).to_contain_text(one.reason)


def test_a_runner_up_that_is_nearer_is_said_to_cost_less(chromium: Browser, stage: Stage) -> None:
    def turned(site: str) -> WhyCandidate:
        (found,) = [one for one in scenes.candidates() if one.site == site]
        return found

    chosen, near = turned("west"), turned("south")
    assert chosen.path_cost is not None
    near = msgspec.structs.replace(near, path_cost=chosen.path_cost - 3, verdict="dearer")
    stage.router.whys = {"shop": msgspec.structs.replace(scenes.why(), candidates=(near, chosen))}
    with looking(chromium, stage, AT) as page:
        panel = page.get_by_role("region", name="Where the next request goes")
        expect(panel).to_contain_text("Runner-up: south, its path costs 3 less")


def test_it_says_who_is_held_for_what_and_that_a_service_is_drained(
    chromium: Browser, stage: Stage
) -> None:
    queue = WhyQueue(outlook="waits", waiting=7, limit=4096, wait_s=61.0, held_by="wake-far")
    stage.router.whys = {
        "shop": msgspec.structs.replace(
            scenes.why(),
            decision=WhyDecision(None, (), "all-full", "every site that may serve it is full"),
            queue=queue,
        )
    }
    stage.router.live = with_shop(stage.router.live, takes=0.3)
    with looking(chromium, stage, AT) as page:
        panel = page.get_by_role("region", name="Where the next request goes")
        expect(panel).to_contain_text("so that burst wake-far wakes a site (the queue holds 4,096)")
        expect(panel).to_contain_text(": every site that may serve it is full.")
        expect(panel).not_to_contain_text("all-full")
        expect(page.get_by_text("drained to 30%")).to_be_visible()


@pytest.mark.parametrize(
    ("takes", "said"),
    [
        (0.0, "Drained: nothing new of this service is served here."),
        (1.0, "0 of 2 targets here are ready."),
    ],
)
def test_an_idle_site_without_a_ready_target_says_whether_a_drain_is_why(
    takes: float, said: str, chromium: Browser, stage: Stage
) -> None:
    live = with_shop(stage.router.live, takes=takes, local_targets=TargetCount(2, 0))
    shop = next(one for one in live.services if one.name == "shop")
    here, *others = shop.sites
    sites = (msgspec.structs.replace(here, targets_ready=0), *others)
    stage.router.live = msgspec.structs.replace(with_shop(live, sites=sites), now=())
    with looking(chromium, stage, AT) as page:
        expect(page.get_by_text(said)).to_be_visible()


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("failed_per_s", "0.4/s of 0.4/s fail."),
        ("gave_up_per_s", "Clients give up 0.4/s of 0.4/s."),
        (
            "rejected_per_s",
            "0.4/s of 0.4/s are refused here with 4xx because they are malformed, too large or "
            "too slow.",
        ),
    ],
)
def test_a_site_without_a_target_says_first_that_requests_are_not_served(
    outcome: str, said: str, chromium: Browser, stage: Stage
) -> None:
    """No target here is needed for them: they failed for lack of room at other sites, where a slot
    is free at this moment, or through their clients."""
    refused = pictures.now_of("shop", requests_per_s=0.4, why="", **{outcome: 0.4})
    live = with_shop(stage.router.live, local_targets=TargetCount(0, 0))
    shop = next(one for one in live.services if one.name == "shop")
    here, *others = shop.sites
    sites = (msgspec.structs.replace(here, targets_ready=0), *others)
    stage.router.live = msgspec.structs.replace(with_shop(live, sites=sites), now=(refused,))
    with looking(chromium, stage, AT) as page:
        expect(page.locator(".statement").first).to_have_text(said)


def test_those_turned_away_are_said_to_be_of_those_that_came(
    chromium: Browser, stage: Stage
) -> None:
    """The page's figure of requests is of those that came, too."""
    refused = pictures.now_of("shop", requests_per_s=50.0, begun_per_s=46.0, failed_of_per_s=46.0)
    full = msgspec.structs.replace(refused, failed_per_s=40.0, why="every site is full")
    stage.router.live = msgspec.structs.replace(stage.router.live, now=(full,))
    with looking(chromium, stage, AT) as page:
        expect(page.locator(".statement").first).to_have_text(
            "40/s of 46/s fail; every site is full"
        )


def test_a_policy_is_named_with_its_mark_and_its_isolation(chromium: Browser, stage: Stage) -> None:
    stage.router.live = with_shop(stage.router.live, spill_at=0.5, isolation="nearest")
    with looking(chromium, stage, AT) as page:
        expect(page.get_by_text("http, policy fill to 50%, nearest")).to_be_visible()


def test_targets_of_other_sites_are_asked_for_only_when_somebody_wants_them(
    chromium: Browser, stage: Stage
) -> None:
    asked: list[str] = []
    with looking(chromium, stage) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{stage.url}{AT}")
        expect(page.get_by_role("heading", name="Targets of other sites")).to_be_visible()
        assert not [url for url in asked if url.endswith("/services/shop")]
        page.get_by_role("button", name="Load targets").click()
        expect(page.get_by_text("No site reported a target.")).to_be_visible()
        for site in ("west", "south"):
            said = f"{site} did not list its 2 ready targets."
            expect(page.get_by_text(said)).to_be_visible()
        expect(page.get_by_text(re.compile(r"Loaded \d+ s ago\."))).to_be_visible()


def test_a_site_that_may_not_serve_is_not_said_to_list_no_target(
    chromium: Browser, stage: Stage
) -> None:
    rule = "west declares it as tcp, and http counts here"
    (shop,) = (one for one in stage.router.live.services if one.name == "shop")
    sites = tuple(
        msgspec.structs.replace(one, left_out=rule) if one.site == "west" else one
        for one in shop.sites
    )
    stage.router.live = with_shop(stage.router.live, sites=sites)
    with looking(chromium, stage, AT) as page:
        page.get_by_role("button", name="Load targets").click()
        said = f"west was not asked for its 2 ready targets: {rule}"
        expect(page.get_by_text(said)).to_be_visible()
        expect(page.get_by_text("south did not list its 2 ready targets.")).to_be_visible()


def test_a_service_without_a_past_says_so(chromium: Browser, stage: Stage) -> None:
    stage.router.histories = (scenes.history(samples=()),)
    with looking(chromium, stage, AT) as page:
        expect(page.get_by_text("No history yet")).to_be_visible()
        expect(page.get_by_role("heading", name="Targets here")).to_be_visible()


def test_a_site_that_tells_of_another_port_has_no_past_of_this_one(
    chromium: Browser, stage: Stage
) -> None:
    stage.router.histories = (scenes.history(port=8081),)
    with looking(chromium, stage, f"{AT}?site={pictures.id_of('west')}") as page:
        expect(page.get_by_text("No history for shop:8080 there yet.")).to_be_visible()


def test_a_name_that_is_no_service_leads_back(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, HOSTILE_ROUTE) as page:
        expect(page.get_by_text("No service <script> is known here.")).to_be_visible()
        page.get_by_role("link", name="All services").click()
        expect(page.get_by_role("row", name=re.compile("shop"))).to_be_visible()


def test_hostile_names_are_text_everywhere(chromium: Browser, stage: Stage) -> None:
    bad = pictures.HOSTILE
    sites = tuple(msgspec.structs.replace(one, name=bad) for one in scenes.history().sites)
    stage.router.histories = (scenes.history(site=bad, sites=sites),)
    with looking(chromium, stage, AT) as page:
        expect(page.locator("#chart-river .stream-legend")).to_contain_text("<script>")
        stage.router.live = pictures.hostile()
        stage.router.flows = (
            scenes.flow(1, path=bad, client=bad, reason=bad, site=bad, service=bad),
        )
        page.goto(f"{stage.url}#/services")
        expect(page.get_by_role("row").get_by_text("<script>").first).to_be_visible()
        page.goto(f"{stage.url}#/flows")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.goto(f"{stage.url}#/simulate?tab=what-if")
        expect(page.get_by_role("heading", name="Proposal")).to_be_visible()
        assert page.locator("#app script, #app img").count() == 0
        assert page.title() != "owned"


def test_the_examples_in_the_console_are_those_of_the_repository() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.browser.console_examples"


def with_shop(live: Live, **changes: Any) -> Live:
    """``live`` with these ``changes`` of its service shop."""
    services = tuple(
        msgspec.structs.replace(one, **changes) if one.name == "shop" else one
        for one in live.services
    )
    return msgspec.structs.replace(live, services=services)


def test_a_site_that_is_gone_keeps_its_row_with_the_reason(chromium: Browser, stage: Stage) -> None:
    live = stage.router.live
    gone = AbsentSite(
        site="far", path_cost=70, in_flight=3, verdict="unreachable", reason="link1 is down"
    )
    stage.router.live = with_shop(live, absent=(gone,))
    with looking(chromium, stage, AT) as page:
        row = page.get_by_role("row", name=re.compile("^far"))
        expect(row).to_contain_text("unreachable")
        expect(row).to_contain_text("link1 is down")
        (_, cost, _, in_flight, ready, age) = row.locator("th, td").all_inner_texts()
        assert (cost, in_flight, ready, age) == ("70", "3", "–", "–")


@pytest.mark.parametrize(
    ("verdict", "in_flight"), [("unreachable", "–"), ("deleted", "–"), ("not-allowed", "0")]
)
def test_in_flight_at_a_site_that_is_not_reached_is_unknown(
    chromium: Browser, stage: Stage, verdict: str, in_flight: str
) -> None:
    gone = AbsentSite(site="far", path_cost=70, verdict=verdict, reason="for a reason")
    stage.router.live = with_shop(stage.router.live, absent=(gone,))
    with looking(chromium, stage, AT) as page:
        row = page.get_by_role("row", name=re.compile("^far"))
        expect(row.locator("th, td").nth(3)).to_have_text(in_flight)


def test_another_site_that_drains_is_not_said_to_have_no_ready_target(
    chromium: Browser, stage: Stage
) -> None:
    live = stage.router.live
    (shop, *_) = live.services
    sites = tuple(
        msgspec.structs.replace(one, draining=True, targets_ready=0) if one.site == "west" else one
        for one in shop.sites
    )
    stage.router.live = with_shop(live, sites=sites)
    with looking(chromium, stage, AT) as page:
        row = page.get_by_role("table", name="Sites of this service").get_by_role(
            "row", name=re.compile("^west")
        )
        expect(row).to_contain_text("draining")
        expect(row.locator("th, td").nth(3)).to_have_text("takes nothing new")


def test_a_site_that_is_gone_keeps_its_share_of_the_last_minute(
    chromium: Browser, stage: Stage
) -> None:
    live = stage.router.live
    (shop, *_) = live.services
    sites = tuple(one for one in shop.sites if one.site != "west")
    gone = AbsentSite(site="west", path_cost=5, verdict="unreachable", reason="link1 is down")
    with looking(chromium, stage, AT) as page:
        row = page.get_by_role("table", name="Sites of this service").get_by_role(
            "row", name=re.compile("^west")
        )
        expect(row.locator("th, td").nth(2)).to_have_text(re.compile(" %$"))
        before = row.locator("th, td").nth(2).inner_text()
    stage.router.live = with_shop(live, sites=sites, absent=(gone,))
    with looking(chromium, stage, AT) as page:
        row = page.get_by_role("table", name="Sites of this service").get_by_role(
            "row", name=re.compile("^west")
        )
        expect(row).to_contain_text("unreachable")
        expect(row.locator("th, td").nth(2)).to_have_text(before)


def test_a_service_that_was_removed_and_goes_on_says_so(chromium: Browser, stage: Stage) -> None:
    live, text = stage.router.live, "Service shop was removed, but worker 1 has not answered yet."
    stage.router.live = with_shop(live, removed=text)
    with looking(chromium, stage, AT) as page:
        expect(page.get_by_text(text)).to_be_visible()
        page.goto(f"{stage.url}#/services")
        expect(page.get_by_text(text)).to_be_visible()


def test_a_target_that_answers_nothing_is_no_good_news(chromium: Browser, stage: Stage) -> None:
    live, row = pictures.many_sites(), "3 connections in a row got no byte of an answer"
    (service,) = live.services
    mute = pictures.a_target("shop-1", error=row, error_kind="no-answer")
    service = msgspec.structs.replace(service, targets=(mute,))
    stage.router.live = msgspec.structs.replace(live, services=(service,))
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_have_text(
            "Every request that succeeds is served here."
        )
        expect(page.locator(".answer")).to_contain_text("A target of shop answers nothing.")
        page.goto(f"{stage.url}{AT}")
        expect(page.get_by_text(f"A target here answers nothing: {row}.")).to_be_visible()
        expect(page.get_by_role("row", name=re.compile("shop-1"))).to_contain_text(row)


def test_targets_that_failed_lately_do_not_make_requests_fail_that_succeed(
    chromium: Browser, stage: Stage
) -> None:
    live = pictures.many_sites()
    (service,) = live.services
    row = "answered 5xx to 146 of 311 requests in the last 52 s"
    back = pictures.a_target("shop-1", error=row, error_kind="answers-5xx")
    service = msgspec.structs.replace(service, targets=(back,))
    stage.router.live = msgspec.structs.replace(live, services=(service,))
    with looking(chromium, stage) as page:
        told = "A target of shop answered 5xx in the last minute."
        expect(page.locator(".answer")).to_contain_text(told)
        expect(page.locator(".sentence")).to_have_text("Every request is served here.")
        page.goto(f"{stage.url}{AT}")
        expect(page.locator(".statement").first).to_contain_text(f"comes in. 10.0.0.1:9001 {row}.")
        spilling = pictures.now_of("shop", why="2 of 2 slots of east are busy: 9/s go to west")
        stage.router.live = msgspec.structs.replace(stage.router.live, now=(spilling,))
        expect(page.locator(".statement").first).to_contain_text(f"to west. 10.0.0.1:9001 {row}.")


def test_no_rest_is_said_to_be_served_where_there_is_none(chromium: Browser, stage: Stage) -> None:
    live = pictures.many_sites()
    (now,) = live.now
    half = now.requests_per_s / 2
    for field, told in {
        "gave_up_per_s": "Clients give up",
        "shed_per_s": "make way for others",
        "rejected_per_s": "too large or too slow",
    }.items():
        for part in (half, now.requests_per_s):
            some = msgspec.structs.replace(now, **{field: part})
            stage.router.live = msgspec.structs.replace(live, now=(some,))
            with looking(chromium, stage, f"#/services/{now.service}:{now.port}") as page:
                expect(page.locator("main")).to_contain_text(told)
                rest = expect(page.locator("main"))
                says = rest.to_contain_text if part == half else rest.not_to_contain_text
                says("the rest is served where it comes in")


def test_several_targets_that_answer_nothing_are_counted(chromium: Browser, stage: Stage) -> None:
    live, row = pictures.many_sites(), "3 connections in a row got no byte of an answer"
    (service,) = live.services
    targets = tuple(
        pictures.a_target(f"shop-{number}", port=9000 + number, error=error, error_kind=kind)
        for number, (error, kind) in enumerate(
            (
                *((row, "no-answer"),) * 2,
                *(("it failed", "answers-5xx"),) * 2,
                ("it failed", "no-whole-answer"),
                ("", ""),
            )
        )
    )
    service = msgspec.structs.replace(service, targets=targets)
    stage.router.live = msgspec.structs.replace(live, services=(service,))
    with looking(chromium, stage) as page:
        told = page.locator(".answer")
        expect(told).to_contain_text("2 of 6 targets of shop answer nothing.")
        expect(told).to_contain_text("2 of 6 targets of shop answered 5xx in the last minute.")
        late_too = "A target of shop gave some requests no whole answer in the last minute."
        expect(told).to_contain_text(late_too)
        page.goto(f"{stage.url}{AT}")
        text = "2 of 6 targets here answer nothing. See the target table for the reason."
        expect(page.get_by_text(text)).to_be_visible()
