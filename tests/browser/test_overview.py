"""Overview: which site overflows, to where, why; against the figures that the API reports."""

import re
from typing import Final

import msgspec
import pytest
from playwright.sync_api import Browser, expect

from router.admin.views.live import Live
from router.admin.views.services import AbsentSite, ServiceSite, ServiceView, TargetCount
from router.admin.views.status import ListenerView, WorkerView
from router.model.events import Problem
from tests.browser import pictures
from tests.browser.stage import Stage, looking


def full_with_a_site_away() -> Live:
    """As `pictures.all_full`, and a site that has served lately cannot be reached."""
    picture = pictures.all_full()
    north = AbsentSite(site="north", verdict="unreachable", reason="link1 is down")
    shop = msgspec.structs.replace(picture.services[0], absent=(north,))
    return msgspec.structs.replace(picture, services=(shop, *picture.services[1:]))


def full_or_drained() -> Live:
    """As `pictures.all_full`, but this site takes nothing new, so that it is not full."""
    picture = pictures.all_full()
    shop = msgspec.structs.replace(picture.services[0], takes=0.0)
    return msgspec.structs.replace(picture, services=(shop, *picture.services[1:]))


def full_or_ejected() -> Live:
    """As `pictures.all_full`, but the targets of this site are ejected, so that it is not full."""
    picture = pictures.all_full()
    shop = picture.services[0]
    targets = tuple(
        msgspec.structs.replace(one, ready=False, error="a request was reset", error_kind="ejected")
        for one in shop.targets
    )
    assert targets
    here = msgspec.structs.replace(shop.sites[0], targets_ready=0)
    shop = msgspec.structs.replace(shop, targets=targets, sites=(here, *shop.sites[1:]))
    return msgspec.structs.replace(picture, services=(shop, *picture.services[1:]))


def full_or_not_ready() -> Live:
    """As `pictures.all_full`, but no target of west is ready, so that it is not full."""
    picture = pictures.all_full()
    shop = picture.services[0]
    sites = tuple(
        msgspec.structs.replace(one, targets_ready=0, capacity=None) if one.site == "west" else one
        for one in shop.sites
    )
    assert sites != shop.sites
    shop = msgspec.structs.replace(shop, sites=sites)
    return msgspec.structs.replace(picture, services=(shop, *picture.services[1:]))


def one_is_closed() -> Live:
    """As `pictures.all_full`, and its certificate has ended."""
    picture = pictures.all_full()
    shut = msgspec.structs.replace(
        picture.services[0].listener, state="error", error="it must speak TLS"
    )
    shop = msgspec.structs.replace(picture.services[0], listener=shut)
    return msgspec.structs.replace(picture, services=(shop, *picture.services[1:]))


def short_of_memory_there() -> Live:
    """As `pictures.burst`, and the router of west takes nothing new."""
    picture = pictures.burst()
    note = "its router is short of memory and takes nothing new"
    sites = tuple(
        msgspec.structs.replace(one, note=note) if one.site == "west" else one
        for one in picture.services[0].sites
    )
    shop = msgspec.structs.replace(picture.services[0], sites=sites)
    return msgspec.structs.replace(picture, services=(shop, *picture.services[1:]))


def with_ready_targets(service: ServiceView) -> tuple[ServiceSite, ...]:
    """The sites of ``service``, with two ready targets at this one."""
    return tuple(
        msgspec.structs.replace(one, targets_ready=2) if one.local else one for one in service.sites
    )


def back_here() -> Live:
    """Its targets are ready again; the rates are of the last seconds, when they were not."""
    live = pictures.dead_here()
    shop = live.services[0]
    shop = msgspec.structs.replace(shop, sites=with_ready_targets(shop))
    return msgspec.structs.replace(live, services=(shop, *live.services[1:]))


def clients_alone() -> Live:
    """A site without any target of its own."""
    live = pictures.dead_here()
    shop = msgspec.structs.replace(live.services[0], targets=(), local_targets=TargetCount())
    return msgspec.structs.replace(live, services=(shop, *live.services[1:]))


def drained(takes: float) -> Live:
    """Requests of the last seconds left since this site was drained; now it ``takes`` so much."""
    live = back_here() if takes else pictures.dead_here()
    shop = msgspec.structs.replace(live.services[0], takes=takes)
    now = msgspec.structs.replace(live.now[0], spilled_for={"drained": 139.0})
    return msgspec.structs.replace(
        live, services=(shop, *live.services[1:]), now=(now, *live.now[1:])
    )


def over(reason: str, more_slots: int = 0) -> Live:
    """Requests of the last seconds left for a ``reason`` of which the service shows nothing now."""
    live = back_here()
    now = msgspec.structs.replace(live.now[0], spilled_for={reason: 139.0}, more_slots=more_slots)
    return msgspec.structs.replace(live, now=(now, *live.now[1:]))


def just_dead(reason: str) -> Live:
    """Most requests of the last seconds left for ``reason``, the last ones without a target."""
    live = pictures.dead_here()
    shop = live.services[0]
    if reason == "policy":
        shop = msgspec.structs.replace(shop, policy="balanced")
    now = msgspec.structs.replace(live.now[0], spilled_for={reason: 100.0, "no-target": 39.0})
    return msgspec.structs.replace(
        live, services=(shop, *live.services[1:]), now=(now, *live.now[1:])
    )


SENTENCES: Final[dict[str, tuple[Live, str, str]]] = {
    "nothing": (
        pictures.nothing(),
        "No services.",
        "sitectl --site east service create shop 8080",
    ),
    "burst": (
        pictures.burst(),
        "shop spills to west and south.",
        "65/s of 213/s leave east because it has no room. 0.2/s fail at shop.",
    ),
    "all-full": (
        pictures.all_full(),
        "shop is full at every site that may serve it.",
        "Requests wait for room here. 120/s fail at shop.",
    ),
    "one-away": (
        full_with_a_site_away(),
        "shop is full at every site that is reached and may serve it.",
        "Requests wait for room here. 120/s fail at shop. north is not reached.",
    ),
    "drained": (
        full_or_drained(),
        "shop is full or drained at every site that may serve it.",
        "Requests wait for room here. 120/s fail at shop.",
    ),
    "not-ready": (
        full_or_not_ready(),
        "shop is full or not ready at every site that may serve it.",
        "Requests wait for room here. 120/s fail at shop.",
    ),
    "ejected": (
        full_or_ejected(),
        "shop is full or ejected at every site that may serve it.",
        "Requests wait for room here. 120/s fail at shop.",
    ),
    "closed": (
        one_is_closed(),
        "Clients cannot connect to shop.",
        "shop has no listener here: it must speak TLS.",
    ),
    "dead-here": (
        pictures.dead_here(),
        "shop spills to west.",
        "139/s of 142/s leave east because it has no ready target.",
    ),
    "just-dead": (
        just_dead("policy"),
        "shop spills to west.",
        "139/s of 142/s leave east because it has no ready target and the policy chose other sites",
    ),
    "full-and-dead": (
        just_dead("full"),
        "shop spills to west.",
        "139/s of 142/s leave east because it has no ready target and it had no room.",
    ),
    "back-here": (
        back_here(),
        "shop spills to west.",
        "139/s of 142/s left east because it had no ready target.",
    ),
    "drained-here": (
        drained(0),
        "shop spills to west.",
        "139/s of 142/s leave east because it is drained.",
    ),
    "drained-in-part": (
        drained(0.3),
        "shop spills to west.",
        "139/s of 142/s leave east because it is drained.",
    ),
    "undrained": (
        drained(1),
        "shop spills to west.",
        "139/s of 142/s left east because it was drained.",
    ),
    "without-rate": (
        over("rate"),
        "shop spills to west.",
        "139/s of 142/s left east because its rate was used up.",
    ),
    "more-slots": (
        over("full", more_slots=2),
        "shop spills to west.",
        "139/s of 142/s left east because it had no room.",
    ),
    "short-of-memory": (
        short_of_memory_there(),
        "shop spills to west and south.",
        " west: its router is short of memory and takes nothing new.",
    ),
    "no-split": (
        over("policy"),
        "shop spills to west.",
        "139/s of 142/s left east because the policy chose other sites too.",
    ),
    "ejected-before": (
        over("ejected"),
        "shop spills to west.",
        "139/s of 142/s left east because it had ejected targets and no ready one.",
    ),
    "calm": (
        pictures.many_sites(),
        "Every request is served here.",
        "42/s in 1 service.",
    ),
}
"""By picture: the sentence, and a part of the text beside it."""


def test_one_sentence_says_whether_anyone_overflows(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage) as page:
        for name, (picture, sentence, more) in SENTENCES.items():
            stage.router.live = picture
            expect(page.locator(".sentence"), name).to_have_text(sentence)
            expect(page.locator(".answer"), name).to_contain_text(more)


def test_where_only_clients_are_it_is_no_fault_that_requests_leave(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage) as page:
        stage.router.live = pictures.dead_here()
        expect(page.locator(".answer.warn .sentence")).to_have_text("shop spills to west.")
        stage.router.live = clients_alone()
        answer = page.locator(".answer.info")
        expect(answer).to_contain_text(
            "139/s of 142/s leave east because it has no target of its own."
        )


def test_requests_that_are_shed_are_no_failures_and_not_served_either(
    chromium: Browser, stage: Stage
) -> None:
    live = pictures.many_sites()
    (now,) = live.now
    stage.router.live = msgspec.structs.replace(
        live, now=(msgspec.structs.replace(now, shed_per_s=2.0),)
    )
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_have_text(
            "All requests except shed ones are served here."
        )
        expect(page.locator(".answer")).to_contain_text(f"2/s are shed at {now.service}.")


def test_requests_that_the_router_refuses_itself_are_no_failures_and_not_served_either(
    chromium: Browser, stage: Stage
) -> None:
    """Half of all requests got 400, and the page said that every request was served here."""
    live = pictures.many_sites()
    (now,) = live.now
    told = {0.0: "All valid requests", 2.0: "All valid requests except shed ones"}
    with looking(chromium, stage) as page:
        for shed_per_s in told:
            some = msgspec.structs.replace(now, shed_per_s=shed_per_s, rejected_per_s=12.0)
            stage.router.live = msgspec.structs.replace(live, now=(some,))
            who = "Every valid request is" if not shed_per_s else f"{told[shed_per_s]} are"
            expect(page.locator(".sentence")).to_have_text(f"{who} served here.")
            expect(page.locator(".answer")).to_contain_text(
                f"12/s are refused here with 4xx at {now.service}."
            )


def test_a_routing_key_stands_for_the_service_that_carries_it(
    chromium: Browser, stage: Stage
) -> None:
    live, name = stage.router.live, "k-e39f88e649d574d94643"
    old = live.services[0].name
    stage.router.live = msgspec.structs.replace(
        live,
        services=tuple(
            msgspec.structs.replace(one, name=name, port=1, routing_key="shop.db")
            if one.name == old
            else one
            for one in live.services
        ),
        now=tuple(
            msgspec.structs.replace(one, service=name, port=1, routing_key="shop.db")
            if one.service == old
            else one
            for one in live.now
        ),
        network=tuple(
            msgspec.structs.replace(
                one, services=tuple(name if each == old else each for each in one.services)
            )
            for one in live.network
        ),
    )
    for at in ("#/overview", "#/services", "#/topology"):
        with looking(chromium, stage, at) as page:
            expect(page.locator("main")).to_contain_text("shop.db")
            expect(page.locator("main")).not_to_contain_text(name)
    with looking(chromium, stage, f"#/services/{name}:1") as page:
        expect(page.locator("h1")).to_have_text("shop.db")


def test_a_service_that_a_rule_closes_is_no_service_that_is_missing(
    chromium: Browser, stage: Stage
) -> None:
    closed = Problem(code="SW0343", message="importFrom refuses it.", hint="Let hub in")
    live = pictures.nothing()
    status = msgspec.structs.replace(live.status, problems=(closed,))
    stage.router.live = msgspec.structs.replace(live, status=status)
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_have_text("No service is open here.")
        expect(page.locator(".answer")).to_contain_text("importFrom refuses it.")
        for at in ("#/services", "#/services/shop"):
            page.goto(f"{stage.url}{at}")
            expect(page.get_by_text("importFrom refuses it.")).to_be_visible()
            expect(page.get_by_text("Let hub in")).to_be_visible()
            expect(page.get_by_text("No services.")).to_have_count(0)


def test_services_that_went_with_the_site_that_declares_them_are_not_to_be_created(
    chromium: Browser, stage: Stage
) -> None:
    """It said: No services yet, make one."""
    message = "Connector here: no site declares the service shop. far is not reached."
    away = Problem(code="SW0301", message=message, hint="The service is back once far is.")
    live = pictures.nothing()
    status = msgspec.structs.replace(live.status, problems=(away,))
    stage.router.live = msgspec.structs.replace(live, status=status)
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_have_text("No service is open here.")
        expect(page.locator(".answer")).to_contain_text(message)
        expect(page.get_by_text("service create")).to_have_count(0)
        for at in ("#/services", "#/services/shop:80"):
            page.goto(f"{stage.url}{at}")
            expect(page.get_by_text(message)).to_be_visible()
            expect(page.get_by_text("The service is back once far is.")).to_be_visible()
            expect(page.get_by_text("No services.")).to_have_count(0)


def test_a_service_that_went_is_named_beside_those_that_are_open(
    chromium: Browser, stage: Stage
) -> None:
    """It said that every request is served here."""
    message = "Connector bank: no site declares the service bank. far is not reached."
    away = Problem(code="SW0301", message=message, hint="The service is back once far is.")
    live = pictures.burst()
    status = msgspec.structs.replace(live.status, problems=(away,))
    stage.router.live = msgspec.structs.replace(live, status=status)
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_have_text("Clients cannot connect to a service.")
        expect(page.locator(".answer")).to_contain_text(f"{message} Other services: ")


def test_clients_that_stay_connected_do_not_hide_that_a_port_is_taken(
    chromium: Browser, stage: Stage
) -> None:
    """It said that every request is served here, and on the service's page where it comes in."""
    message = (
        "Site west declares 1 service port without a listener here (shop:8080): another service "
        "has that port here."
    )
    taken = Problem(code="SW0321", message=message, hint="Give shop:8080 another port here.")
    live = pictures.dead_here()
    calm = tuple(
        msgspec.structs.replace(one, spilled_per_s=0.0, spilled_to={}, why="") for one in live.now
    )
    none = ListenerView(
        host="", port=8080, state="none", error="another service has that port here"
    )
    services = tuple(
        msgspec.structs.replace(one, listener=none, sites=with_ready_targets(one))
        for one in live.services
    )
    status = msgspec.structs.replace(live.status, problems=(taken,))
    stage.router.live = msgspec.structs.replace(live, status=status, services=services, now=calm)
    with looking(chromium, stage) as page:
        expect(page.locator(".sentence")).to_have_text("Clients cannot connect to a service.")
        expect(page.locator(".answer")).to_contain_text(message)
        expect(page.locator(".answer")).not_to_contain_text("Other services")
        page.goto(f"{stage.url}#/services/shop:8080")
        expect(
            page.get_by_text("New clients cannot connect here: another service has that port here.")
        ).to_be_visible()
        expect(page.get_by_text("is served where it comes in")).to_have_count(0)
        expect(page.get_by_text("Those connected before are served here.")).to_be_visible()
        away = tuple(msgspec.structs.replace(one, under_way_elsewhere=2) for one in services)
        stage.router.live = msgspec.structs.replace(stage.router.live, services=away)
        expect(
            page.get_by_text("that ended was served where it came in; 2 more are under way")
        ).to_be_visible()
        expect(page.get_by_text("Those connected before are served here.")).to_have_count(0)


def test_a_tcp_service_has_connections_not_requests(chromium: Browser, stage: Stage) -> None:
    def tcp(live: Live) -> Live:
        services = tuple(msgspec.structs.replace(one, protocol="tcp") for one in live.services)
        return msgspec.structs.replace(live, services=services)

    live = tcp(pictures.many_sites())
    (now,) = live.now
    failing = (msgspec.structs.replace(now, failed_per_s=now.requests_per_s / 2),)
    stage.router.live = tcp(pictures.all_full())
    with looking(chromium, stage) as page:
        expect(page.locator(".answer")).to_contain_text("Connections wait for room here.")
        stage.router.live = live
        expect(page.locator(".sentence")).to_have_text("Every connection is served here.")
        stage.router.live = msgspec.structs.replace(live, now=failing)
        expect(page.locator(".sentence")).to_have_text("Connections fail at shop.")
        page.goto(f"{stage.url}#/services/shop:8080")
        expect(page.get_by_text("Where the next connection goes")).to_be_visible()


def test_errors_of_clients_come_before_where_requests_are_served(
    chromium: Browser, stage: Stage
) -> None:
    live = pictures.many_sites()
    (now,) = live.now
    failing = (msgspec.structs.replace(now, failed_per_s=now.requests_per_s / 2),)
    stage.router.live = msgspec.structs.replace(live, now=failing)
    with looking(chromium, stage) as page:
        expect(page.locator(".answer")).to_have_class("answer bad")
        expect(page.locator(".sentence")).to_have_text("Requests fail at shop.")
        expect(page.locator(".answer")).to_contain_text("21/s of 42/s fail.")
        dead = tuple(
            msgspec.structs.replace(
                one,
                sites=tuple(msgspec.structs.replace(site, targets_ready=0) for site in one.sites),
            )
            for one in live.services
        )
        stage.router.live = msgspec.structs.replace(live, now=failing, services=dead)
        expect(page.locator(".answer")).to_contain_text("shop: no ready target at any site.")
        north = AbsentSite(site="north", verdict="unreachable", reason="link1 is down")
        away = tuple(msgspec.structs.replace(one, absent=(north,)) for one in dead)
        stage.router.live = msgspec.structs.replace(live, now=failing, services=away)
        expect(page.locator(".answer")).to_contain_text(
            "shop: no ready target at any site that is reached; north is not."
        )
        shut = tuple(msgspec.structs.replace(one, takes=0.0) for one in dead)
        stage.router.live = msgspec.structs.replace(live, now=failing, services=shut)
        expect(page.locator(".answer")).to_contain_text(
            "shop: no ready target at any site. east is drained of shop."
        )


def test_a_full_service_that_no_client_here_asks_for_does_not_hide_one_that_fails(
    chromium: Browser, stage: Stage
) -> None:
    """Seen at an edge site whose neighbor stopped: `db is full`, while all of shop failed."""
    live = pictures.all_full()
    (full, *_), (asked, *_) = live.services, live.now
    full = msgspec.structs.replace(full, name="db", queued=0, demand=0)
    dead = tuple(msgspec.structs.replace(site, targets_ready=0) for site in full.sites)
    shop = msgspec.structs.replace(full, name="shop", sites=dead)
    failing = msgspec.structs.replace(asked, failed_per_s=asked.requests_per_s)
    with looking(chromium, stage) as page:
        stage.router.live = msgspec.structs.replace(live, services=(full, shop), now=(failing,))
        expect(page.locator(".sentence")).to_have_text("Requests fail at shop.")
        expect(page.locator(".answer")).to_contain_text("shop: no ready target at any site.")
        refused = msgspec.structs.replace(asked, service="db")
        nows = (failing, refused)
        stage.router.live = msgspec.structs.replace(live, services=(full, shop), now=nows)
        expect(page.locator(".sentence")).to_have_text(
            "db is full at every site that may serve it."
        )


def test_what_overflows_is_told_with_its_share_its_ways_and_its_reason(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage) as page:
        card = page.get_by_role("region", name="Spilling now")
        for text in (
            "shop:8080",
            "31 %",
            "65/s of 210/s",
            "west 61/s",
            "south 4/s",
            "20 of 20 slots of east are busy: 61/s go to west (cost 5), 4/s to south (cost 15)",
        ):
            expect(card).to_contain_text(text)
        expect(card.get_by_role("link", name="shop:8080")).to_have_attribute(
            "href", "#/services/shop%3A8080"
        )


PARTIAL = re.compile(r"Up to \d\d:\d\d:\d\d without those of a worker that ended")
HIDDEN = """() => [...document.querySelectorAll(".table")]
  .filter((one) => one.scrollWidth > one.clientWidth)
  .map((one) => one.innerText)"""


@pytest.mark.parametrize("place", ["#/overview", "#/services"])
def test_a_long_figure_of_what_spills_hides_no_other_column(
    chromium: Browser, stage: Stage, place: str
) -> None:
    live = stage.router.live
    busy = tuple(
        msgspec.structs.replace(
            one,
            requests_per_s=88_888.0,
            begun_per_s=88_888.0,
            spilled_per_s=12_345.0,
            open_to={"west": 12_345},
        )
        for one in live.now
    )
    stage.router.live = msgspec.structs.replace(live, now=busy)
    with looking(chromium, stage, place) as page:
        expect(page.get_by_text(re.compile(r"12,345 open")).first).to_be_visible()
        assert page.evaluate(HIDDEN) == []


def test_the_overflow_goes_when_the_burst_does(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage) as page:
        expect(page.get_by_role("region", name="Spilling now")).to_be_visible()
        calm = tuple(
            msgspec.structs.replace(one, spilled_per_s=0.0, spilled_to={}, failed_per_s=0.0)
            for one in stage.router.live.now
        )
        stage.router.live = msgspec.structs.replace(stage.router.live, now=calm)
        expect(page.locator(".sentence")).to_have_text("Every request is served here.")
        expect(page.get_by_role("region", name="Spilling now")).to_have_count(0)


def test_of_very_many_problems_the_first_are_shown_and_the_others_at_a_click(
    chromium: Browser, stage: Stage
) -> None:
    live = stage.router.live
    problems = tuple(
        Problem(code="SW0309", message=f"Service team-{n} has no ready target.", hint="")
        for n in range(30)
    )
    stage.router.live = msgspec.structs.replace(
        live, status=msgspec.structs.replace(live.status, problems=problems)
    )
    with looking(chromium, stage) as page:
        card = page.get_by_role("region", name="Problems")
        expect(card.get_by_text("Service team-9 has")).to_be_visible()
        expect(card.get_by_text("Service team-10 has")).not_to_be_visible()
        card.get_by_text("20 more problems").click()
        expect(card.get_by_text("Service team-29 has")).to_be_visible()


def test_a_problem_has_its_next_step_and_leads_to_the_events_that_name_it(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage) as page:
        card = page.get_by_role("region", name="Problems")
        (problem,) = stage.router.live.status.problems
        expect(card).to_contain_text(problem.message)
        expect(card).to_contain_text(
            "sitectl --site east link status to-attic, and at the other end"
        )
        expect(card).to_contain_text("14 min ago")
        card.get_by_role("link", name="SW0675").click()
        expect(page.get_by_role("searchbox", name="Filter by text")).to_have_value("SW0675")


def test_services_sites_and_links_are_there_with_their_figures(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage) as page:
        services = page.get_by_role("region", name="Services").first
        expect(services.get_by_role("row", name="shop:8080")).to_contain_text("20 of 20")
        expect(services.get_by_role("row", name="shop:8080")).to_contain_text("410 ms")
        sites = page.get_by_role("region", name="Sites").first
        expect(sites.get_by_role("row")).to_have_count(1 + len(stage.router.live.network))
        expect(sites.get_by_role("row", name="attic")).to_contain_text("not reachable")
        links = page.get_by_role("region", name="Links").first
        expect(links.get_by_role("row", name="to-west")).to_contain_text("12 ms")
        expect(links.get_by_role("row", name="to-attic")).to_contain_text("down")


def test_of_many_sites_some_are_shown_and_the_others_are_a_step_away(
    chromium: Browser, stage: Stage
) -> None:
    stage.router.live = pictures.many_sites()
    with looking(chromium, stage) as page:
        sites = page.get_by_role("region", name="Sites").first
        expect(sites.get_by_role("row")).to_have_count(1 + 6)
        expect(page.get_by_role("link", name="All 100 sites")).to_have_attribute(
            "href", "#/topology"
        )


def test_the_last_quarter_of_an_hour_is_what_the_router_kept(
    chromium: Browser, stage: Stage
) -> None:
    (history,) = stage.router.histories
    failing = [msgspec.structs.replace(one, failed=85) for one in history.samples]
    stage.router.histories = (msgspec.structs.replace(history, samples=tuple(failing)),)
    with looking(chromium, stage, "#/overview?table=trends") as page:
        chart = page.locator("#chart-trends")
        # The newest row is first, then one for each minute before, down to the oldest that was
        # kept.
        expect(chart.get_by_role("row")).to_have_count(1 + 16)
        expect(chart.get_by_role("row").nth(1)).to_contain_text("213/s")
        row = chart.get_by_role("row").nth(2)
        at = row.get_by_role("rowheader").inner_text()
        sample = next(one for one in history.samples if f"T{at}" in one.at)
        requests = round((sum(sample.served) + sample.nowhere) / history.step_s)
        spilled = round(sum(sample.served[1:]) / history.step_s)
        expect(row).to_contain_text(f"{requests}/s")
        expect(row).to_contain_text(f"{spilled}/s")
        expect(row).to_contain_text("17/s")  # Answers of 5xx, which a site served.


def test_a_quarter_of_an_hour_without_a_worker_that_ended_is_said_to_be(
    chromium: Browser, stage: Stage
) -> None:
    (history,) = stage.router.histories
    with looking(chromium, stage, "#/overview") as page:
        expect(page.locator("#chart-trends")).to_contain_text("Requests")
        assert "without those of a worker" not in page.locator("#chart-trends").inner_text()
    until = history.samples[-2].at
    stage.router.histories = (msgspec.structs.replace(history, partial_until=until),)
    with looking(chromium, stage, "#/overview") as page:
        expect(page.locator("#chart-trends")).to_contain_text(PARTIAL)


def test_a_worker_that_goes_silent_is_said_of_the_quarter_of_an_hour_that_is_looked_at(
    chromium: Browser, stage: Stage
) -> None:
    live, (history,) = stage.router.live, stage.router.histories
    workers = (
        WorkerView(index=0, process=100, ready=True, restarts=0),
        WorkerView(index=1, process=101, ready=True, restarts=0),
    )
    status = msgspec.structs.replace(live.status, workers=workers)
    stage.router.live = msgspec.structs.replace(live, status=status)
    with looking(chromium, stage, "#/overview") as page:
        expect(page.locator("#chart-trends")).to_contain_text("Requests")
        until = history.samples[-1].at
        stage.router.histories = (msgspec.structs.replace(history, partial_until=until),)
        silent = msgspec.structs.replace(workers[1], silent_since=until)
        status = msgspec.structs.replace(status, workers=(workers[0], silent))
        stage.router.live = msgspec.structs.replace(live, status=status)
        expect(page.locator("#chart-trends")).to_contain_text(PARTIAL)


def test_dead_targets_here_are_shown_as_such(chromium: Browser, stage: Stage) -> None:
    stage.router.live = pictures.dead_here()
    with looking(chromium, stage) as page:
        expect(page.locator(".answer")).to_have_class("answer warn")
        services = page.get_by_role("region", name="Services").first
        expect(services.get_by_role("row", name="shop:8080")).to_contain_text("0 of 2 targets")
        card = page.get_by_role("region", name="Spilling now")
        expect(card).to_contain_text("139/s of 139/s")
        page.goto(f"{page.url.partition('#')[0]}#/services")
        expect(page.get_by_role("row", name="shop:8080")).to_contain_text("0 of 2 targets")
