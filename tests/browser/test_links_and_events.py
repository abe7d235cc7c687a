"""Links with certificates and tokens; events as they happen."""

import re
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, expect

from router.admin.views.links import SiteName
from router.admin.views.live import ClaimedView
from router.admin.views.status import CaCertificateView, CaView, CaWaitView
from router.model.errors import Severity
from router.model.events import Change, Event, Problem
from router.operate.figures.link_views import notes_of_links
from tests.browser import pictures
from tests.browser.pictures import moment
from tests.browser.stage import Stage, looking


def happened(code: str, severity: Severity = "info", **changes: Any) -> Event:
    event = Event(
        at=moment(-30),
        severity=severity,
        code=code,
        subject="to-west",
        message=f"Something about {code}.",
    )
    return msgspec.structs.replace(event, **changes)


def test_one_of_several_routers_does_not_say_that_the_site_has_no_links(
    chromium: Browser, stage: Stage
) -> None:
    picture = stage.router.live
    several = msgspec.structs.replace(picture.status, replicas=2)
    stage.router.live = msgspec.structs.replace(picture, status=several)
    with looking(chromium, stage, "#/links") as page:
        expect(page.get_by_role("heading", name="3 of 4 links up at this router")).to_be_visible()
    stage.router.live = msgspec.structs.replace(picture, status=several, links=())
    for at in ("#/links", "#/overview"):
        with looking(chromium, stage, at) as page:
            none = page.get_by_text("No links at this router, one of 2 of this site.")
            expect(none).to_be_visible()
            expect(page.get_by_text("token create")).to_have_count(0)
    with looking(chromium, stage, "#/topology") as page:
        expect(page.locator("main")).to_contain_text("none at this router")


def test_links_of_both_ways_have_their_figures_and_a_next_step(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/links") as page:
        table = page.get_by_role("table", name="Links")
        expect(page.get_by_role("heading", name="3 of 4 links up")).to_be_visible()
        west = table.get_by_role("row", name="to-west")
        for text in ("west", "out", "up", "5", "12 ms", "2", "3", "5 d 23 h left"):
            expect(west).to_contain_text(text)
        expect(table.get_by_role("row", name="in-lab")).to_contain_text("in")
        attic = table.get_by_role("row").nth(1)  # The problems come first.
        expect(attic).to_contain_text(pictures.REFUSED)
        expect(attic).to_contain_text(
            "sitectl --site east link status to-attic, and at the other end"
        )
        command = "sitectl --site east link status to-attic"
        copy = attic.get_by_role("button", name=f"Copy {command}", exact=True)
        expect(copy).to_have_attribute("title", command)
        page.get_by_role("link", name="to-attic").click()
        details = page.get_by_role("region", name="Link to-attic")
        expect(details.get_by_role("button", name=f"Copy {command}")).to_be_visible()
        page.get_by_role("link", name="to-west").click()
        expect(page.get_by_role("heading", name="Link to-west")).to_be_visible()
        expect(page.get_by_text("west.example:55671")).to_be_visible()


def test_a_problem_that_names_a_link_as_its_cause_is_not_about_the_link(
    chromium: Browser, stage: Stage
) -> None:
    """What to do about the service was shown as what to do about the link."""
    live = stage.router.live
    service = Problem(
        code="SW0309",
        message="Service shop:8080 has no ready target; attic: link to-attic to attic is down.",
        hint="sitectl service status shop",
    )
    problems = (service, *live.status.problems)
    status = msgspec.structs.replace(live.status, problems=problems)
    stage.router.live = msgspec.structs.replace(live, status=status)
    with looking(chromium, stage, "#/links") as page:
        attic = page.get_by_role("table", name="Links").get_by_role("row", name="to-attic")
        expect(attic).to_contain_text("link status to-attic, and at the other end")
        expect(attic).not_to_contain_text("service status")


def test_the_next_step_of_a_link_that_is_an_object_of_a_user_is_the_command_that_works(
    chromium: Browser, stage: Stage
) -> None:
    """`link delete`, which the page named for each link to a deleted site, refuses there."""
    live = stage.router.live
    gone = {"state": "refused", "error": "west was deleted", "error_code": "deleted"}
    views = [
        msgspec.structs.replace(one, **gone) if one.name == "to-west" else one for one in live.links
    ]
    notes = tuple(
        notes_of_links(views, views[0].since, {"to-west": "kubectl -n shop delete link to-west"})
    )
    status = msgspec.structs.replace(live.status, notes=notes)
    stage.router.live = msgspec.structs.replace(live, status=status, links=tuple(views))
    with looking(chromium, stage, "#/links") as page:
        row = page.get_by_role("table", name="Links").get_by_role("row", name="to-west")
        expect(row).to_contain_text("kubectl -n shop delete link to-west")
        expect(row).not_to_contain_text("sitectl")


@pytest.mark.parametrize("state", ["draining", "down"])
def test_a_router_that_stops_does_not_say_that_it_dials_again(
    chromium: Browser, stage: Stage, state: str
) -> None:
    live = stage.router.live
    west = {"state": state, "lanes": 0, "streams": 0}
    links = tuple(
        msgspec.structs.replace(one, **west) if one.name == "to-west" else one for one in live.links
    )
    for is_stopping in (False, True):
        status = msgspec.structs.replace(live.status, draining=is_stopping)
        stage.router.live = msgspec.structs.replace(live, status=status, links=links)
        with looking(chromium, stage, "#/links") as page:
            row = page.get_by_role("table", name="Links").get_by_role("row", name="to-west")
            expect(row).to_contain_text(state)
            expect(row.get_by_text("tries again")).to_have_count(0 if is_stopping else 1)


def test_what_a_certificate_has_left_is_a_word_and_a_colour_when_it_is_short(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/links") as page:
        table = page.get_by_role("table", name="Links")
        north = table.get_by_role("row", name="to-north").locator(".badge.warn")
        expect(north).to_have_text("1 d 11 h left")
        attic = table.get_by_role("row", name="to-attic").locator(".badge.bad")
        expect(attic).to_have_text(["down", re.compile("19 h 59 min left")])


def test_a_rotation_tells_its_phase_its_certificates_and_whom_it_waits_for(
    chromium: Browser, stage: Stage
) -> None:
    ca = CaView(
        phase="announced",
        since=moment(-3600),
        until=moment(6 * 86_400),
        next="the next CA issues",
        hurried=False,
        certificates=(
            CaCertificateView("issuing", "aa" * 32, moment(30 * 86_400)),
            CaCertificateView("next", "bb" * 32, moment(900 * 86_400)),
        ),
        waiting=(
            CaWaitView(site=SiteName("west", pictures.id_of("west")), connected=True, renews=True),
            CaWaitView(site=SiteName("lab", pictures.id_of("lab")), connected=False, renews=False),
            CaWaitView(site=SiteName("old", pictures.id_of("old")), connected=True, renews=False),
        ),
    )
    stage.router.live = msgspec.structs.replace(stage.router.live, ca=ca)
    with looking(chromium, stage, "#/links") as page:
        card = page.locator(
            "section", has=page.get_by_role("heading", name="Certificate authority")
        )
        expect(card).to_contain_text("rotating")
        expect(card).to_contain_text("Next: the next CA issues")
        expect(card.get_by_role("row", name="issuing").locator(".badge.warn")).to_be_visible()
        expect(card.get_by_role("row", name="lab")).to_contain_text("not linked")
        expect(card.get_by_role("row", name="west")).to_contain_text("renews by itself")
        expect(card.get_by_role("row", name="lab")).to_contain_text("waits until it links")
        expect(card.get_by_role("row", name="old")).to_contain_text("needs a new token")


def test_a_token_counts_down_by_the_routers_clock_until_it_is_claimed_live(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/links") as page:
        token = page.locator(".token", has_text="for-lab")
        # The picture is of another day than the browser's clock.
        expect(token.get_by_role("timer")).to_have_text(re.compile(r"1[23]:\d\d"))
        expect(token).to_contain_text("Waiting for a site to claim it.")
        live = stage.router.live
        first, *others = live.tokens
        used = msgspec.structs.replace(
            first,
            state="used",
            uses_left=0,
            claimed=(ClaimedView(site="lab", id=pictures.id_of("lab"), at=moment(-1)),),
        )
        stage.router.live = msgspec.structs.replace(live, tokens=(used, *others))
        expect(token).to_contain_text("claimed by lab, 09:40:59")
        expect(token.get_by_role("timer")).to_have_count(0)
        expect(page.get_by_role("status")).to_have_text("for-lab was claimed by lab")
        namesake = ClaimedView(site="lab", id="7" * 32, at=moment(-1))
        used = msgspec.structs.replace(used, claimed=(*used.claimed, namesake))
        stage.router.live = msgspec.structs.replace(live, tokens=(used, *others))
        expect(token).to_contain_text("claimed by lab@77777777, 09:40:59")


def test_events_come_live_the_newest_first_with_their_next_step(
    chromium: Browser, stage: Stage
) -> None:
    stage.tell(happened("link-up"))
    with looking(chromium, stage, "#/events") as page:
        events = page.get_by_role("list", name="Events, newest first").get_by_role("listitem")
        expect(events).to_have_count(1)
        stage.tell(happened("link-down", "warning", hint="sitectl link status to-west"))
        expect(events.first).to_contain_text("link-down")
        expect(events.first).to_contain_text("sitectl --site east link status to-west")
        expect(events.first).to_contain_text("09:40:30")
        expect(page.get_by_role("heading", name="2 events")).to_be_visible()


def test_events_are_found_by_severity_code_and_text_in_the_address(
    chromium: Browser, stage: Stage
) -> None:
    for code, severity in (("link-up", "info"), ("link-down", "warning"), ("ca-damaged", "error")):
        stage.tell(happened(code, severity))  # type: ignore[arg-type]  # Of three words.
    with looking(chromium, stage, "#/events?severity=warning") as page:
        events = page.get_by_role("list", name="Events, newest first").get_by_role("listitem")
        expect(events).to_have_count(2)
        page.get_by_label("Code").select_option("ca-damaged")
        expect(events).to_have_count(1)
        page.reload()
        expect(events).to_have_count(1)
        expect(page.get_by_role("heading", name="1 event of 3")).to_be_visible()
        page.get_by_role("button", name="Show all").click()
        expect(events).to_have_count(3)
        page.get_by_role("searchbox").fill("about LINK-")
        expect(events).to_have_count(2)
        page.get_by_role("searchbox").fill("nothing like it")
        expect(page.get_by_text("No event matches.")).to_be_visible()


def test_an_event_of_a_clock_that_was_ahead_was_not_a_moment_ago(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/events") as page:
        stage.tell(happened("before"))
        stage.tell(happened("ahead", at=moment(2 * 86_400)))
        ahead = page.get_by_role("listitem").filter(has_text="Something about ahead.")
        expect(ahead).to_contain_text(", by a clock that was ahead")
        expect(ahead).not_to_contain_text("ago")
        before = page.get_by_role("listitem").filter(has_text="Something about before.")
        expect(before).to_contain_text("s ago")


def test_changes_say_what_is_new_what_was_and_what_is_gone(chromium: Browser, stage: Stage) -> None:
    changes = (
        Change(field="capacity", old="", new="20"),
        Change(field="policy", old="fill", new="balanced"),
        Change(field="queue", old="10", new=""),
        Change(field="port", old="", new="8080"),
    )
    at = "2026-11-20T09:40:55.125Z"
    stage.tell(happened("service-changed", kind="audit", by="root", at=at, changes=changes))
    with looking(chromium, stage, "#/events") as page:
        event = page.get_by_role("list", name="Events, newest first").locator(".event")
        expect(event.locator(".changes li")).to_have_text(
            ["set capacity 20, port 8080", "policy fill → balanced", "removed queue 10"]
        )
        expect(event.locator("del")).to_have_text(["fill", "10"])
        expect(event.locator("time").first).to_have_text("09:40:55.125")


def test_a_pause_holds_events_back_and_loses_none(chromium: Browser, stage: Stage) -> None:
    stage.tell(happened("link-up"))
    with looking(chromium, stage, "#/events") as page:
        events = page.get_by_role("list", name="Events, newest first").get_by_role("listitem")
        expect(events).to_have_count(1)
        page.get_by_role("button", name="Pause").click()
        stage.tell(happened("link-down", "warning"))
        stage.tell(happened("link-up"))
        expect(page.get_by_text("2 new events")).to_be_visible()
        expect(events).to_have_count(1)
        page.get_by_role("button", name="Pause").click()
        expect(events).to_have_count(3)


def test_who_comes_to_a_paused_view_sees_what_is_known(chromium: Browser, stage: Stage) -> None:
    stage.tell(happened("link-up"))
    with looking(chromium, stage, "#/events?pause=1") as page:
        expect(page.get_by_text("Something about link-up.")).to_be_visible()


def test_a_pause_that_begins_without_events_holds_the_first_one_back(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/events?pause=1") as page:
        expect(page.get_by_text("No events yet.")).to_be_visible()
        stage.tell(happened("link-up"))
        expect(page.get_by_text("1 new event")).to_be_visible()
        expect(page.get_by_text("Something about link-up.")).to_have_count(0)


def test_events_go_on_after_the_router_was_gone_and_none_comes_twice(
    chromium: Browser, stage: Stage
) -> None:
    stage.tell(happened("link-up"))
    with looking(chromium, stage, "#/events") as page:
        events = page.get_by_role("list", name="Events, newest first").get_by_role("listitem")
        expect(events).to_have_count(1)
        stage.down()
        stage.up()
        stage.tell(happened("link-down"))
        expect(events).to_have_count(2, timeout=20_000)
