"""Flows: live, filtered, paused, and why one of them went where it went."""

import re

import msgspec
import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from router.balance.deciding.explain import ROOM_FARTHER
from tests.browser import scenes
from tests.browser.stage import Stage, keep_picture, looking

PHONE = ViewportSize(width=390, height=844)
PAGE_HEIGHT = "document.documentElement.scrollHeight"
SCROLLS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """Sixty flows, each explained."""
    stage.router.flows = scenes.flows()
    stage.router.details = {one.id: scenes.detail(one) for one in stage.router.flows}
    return stage


def test_each_flow_is_a_row_with_the_figures_of_the_api(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/flows") as page:
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(60)
        expect(rows.first).to_contain_text("GET /cart/60")
        expect(rows.first).to_contain_text("west")
        expect(rows.first).to_contain_text("228 ms")
        assert [cell.strip() for cell in rows.first.locator("th, td").all_inner_texts()] == [
            "09:40:50",
            "shop:8080",
            "GET /cart/60",
            "ok 200",
            "west",
            f"overflow, full: {ROOM_FARTHER}",
            "228 ms",
            "10.1.2.60:40060",
        ]
        expect(rows.nth(1)).to_contain_text("09:40:49.750")
        failed = page.locator('tr[data-flow="51"]')
        expect(failed).to_contain_text("all-full")
        expect(failed).to_contain_text("no site")
        expect(page.locator('tr[data-flow="58"]')).to_contain_text("connection")


def test_filters_are_part_of_the_address_and_the_router_applies_them(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/flows?site=west") as page:
        expect(page.locator("tbody tr")).to_have_count(19)
        page.get_by_label("Served by").select_option("")
        expect(page.locator("tbody tr")).to_have_count(60)
        page.get_by_role("searchbox").fill("/cart/5")
        expect(page.locator("tbody tr")).to_have_count(10)
        assert "q=%2Fcart%2F5" in page.url
        page.get_by_role("searchbox").fill("nothing has this")
        expect(page.get_by_text("No flows.")).to_be_visible()


def test_an_answer_of_5xx_is_a_failure_in_its_word_and_in_the_filter(
    chromium: Browser, stage: Stage
) -> None:
    stage.router.flows = (
        scenes.flow(6, status=500, answer="5xx"),
        scenes.flow(5, status=404, answer="4xx"),
        scenes.flow(4, outcome="all-full", status=503, answer=None, site=None),
        scenes.flow(3),
        # These began before the page was open.
        scenes.flow(2, status=0, method="", path="", client="", answer="5xx"),
        scenes.flow(1, status=0, method="", path="", client=""),
    )
    with looking(chromium, stage, "#/flows") as page:
        outcomes = page.locator("tbody .outcome")
        expect(outcomes).to_have_text(
            ["answered 500", "ok 404", "all-full", "ok 200", "answered 5xx", "ok 2xx"]
        )
        page.get_by_label("Outcome").select_option("failed")
        expect(outcomes).to_have_text(["answered 500", "all-full", "answered 5xx"])
        page.get_by_label("Outcome").select_option("ok")
        expect(outcomes).to_have_text(["ok 404", "ok 200", "ok 2xx"])


def test_new_flows_come_by_themselves_unless_it_is_paused(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/flows") as page:
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(60)
        stage.router.flows = (scenes.flow(61), *stage.router.flows)
        expect(rows.first).to_contain_text("/cart/61")
        page.get_by_role("button", name="Pause").click()
        stage.router.flows = (scenes.flow(63), scenes.flow(62), *stage.router.flows)
        resume = page.get_by_role("button", name=re.compile(r"Resume \(2 newer\)"))
        expect(resume).to_be_visible()
        expect(rows.first).to_contain_text("/cart/61")
        resume.click()
        expect(rows.first).to_contain_text("/cart/63")
        expect(rows).to_have_count(63)


def test_a_list_that_is_a_sample_says_so(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/flows") as page:
        expect(page.locator("tbody tr")).to_have_count(60)
        expect(page.get_by_text("The router records a sample")).to_have_count(0)
        stage.router.flows_skipped = 7
        expect(page.get_by_text("it skipped 7 requests since the last update")).to_be_visible()
        stage.router.flows_skipped = 0
        expect(page.get_by_text("The router records a sample")).to_have_count(0)


def test_a_tcp_client_that_leaves_a_site_that_has_it_is_not_said_to_give_up(
    chromium: Browser, stage: Stage
) -> None:
    left = scenes.flow(62, protocol="tcp", outcome="client-gone", answer=None)
    stage.router.flows = (left, msgspec.structs.replace(left, id=61, site=None))
    with looking(chromium, stage, "#/flows") as page:
        outcomes = page.locator("td.outcome")
        expect(outcomes).to_have_text(["client left", "client gave up"])
        expect(outcomes.first.locator(".badge")).to_have_class(re.compile(r"\binfo\b"))


def test_a_flow_that_no_site_served_went_nowhere(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/flows?flow=51") as page:
        expect(page.get_by_role("dialog")).to_contain_text("Why no site served flow 51")


def test_enter_on_a_row_tells_why_with_candidates_runner_up_and_margin(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/flows") as page:
        page.locator('tr[data-flow="60"]').focus()
        page.keyboard.press("ArrowDown")
        expect(page.locator('tr[data-flow="59"]')).to_be_focused()
        page.keyboard.press("ArrowUp")
        expect(page.locator('tr[data-flow="60"]')).to_be_focused()
        page.keyboard.press("Enter")
        told = page.get_by_role("dialog")
        expect(told).to_contain_text("Why flow 60 went there")
        expect(told).to_contain_text("A cheaper site was passed over: full.")
        expect(told).to_contain_text("Runner-up: south, its path costs 10 more, 18 free.")
        for one in scenes.candidates():
            row = told.get_by_role("row", name=re.compile(rf"^{one.site}\b"))
            expect(row).to_contain_text(one.verdict)
            expect(row).to_contain_text(one.reason)
        expect(told).to_contain_text("And 2 costlier sites.")
        expect(told).to_contain_text("network 24 ms")
        page.keyboard.press("Escape")
        expect(told).to_have_count(0)
        expect(page.locator('tr[data-flow="60"]')).to_be_focused()
        expect(page).not_to_have_url(re.compile("flow="))


def test_a_flow_of_a_routing_key_is_named_by_it_in_its_detail_too(
    chromium: Browser, stage: Stage
) -> None:
    live = stage.router.live
    stage.router.live = msgspec.structs.replace(
        live,
        services=tuple(
            msgspec.structs.replace(one, routing_key="shop.db") if one.name == "shop" else one
            for one in live.services
        ),
    )
    with looking(chromium, stage, "#/flows?flow=60") as page:
        told = page.get_by_role("dialog")
        expect(told.get_by_text("shop.db (http)", exact=True)).to_be_visible()
        page.keyboard.press("Escape")
        choice = page.locator("option", has_text=re.compile("^shop.db$"))
        expect(choice).to_have_count(1)
        page.goto(f"{stage.url}#/simulate?tab=what-if")
        expect(page.get_by_role("heading", name="Proposal")).to_be_visible()
        expect(choice).to_have_count(1)


def test_a_flow_that_was_simply_for_this_site_says_so(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/flows?flow=59") as page:
        told = page.get_by_role("dialog")
        expect(told).to_contain_text("Served here: 7 of 20 slots in use")


def test_a_flow_that_is_not_kept_any_more_says_so(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/flows?flow=999") as page:
        expect(page.get_by_role("dialog")).to_contain_text(
            "Flow '999' is not known, or not any more."
        )


def test_a_router_that_is_gone_is_told_and_rows_stay(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/flows") as page:
        expect(page.locator("tbody tr")).to_have_count(60)
        stage.down()
        expect(page.locator("main .failed")).to_contain_text("cannot be reached")
        expect(page.locator("tbody tr")).to_have_count(60)


def test_after_a_restart_of_the_router_the_list_is_of_the_new_one(
    chromium: Browser, stage: Stage
) -> None:
    """Its flows have small numbers again: the list stayed as it was, for 40 minutes."""
    with looking(chromium, stage, "#/flows") as page:
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(60)
        stage.router.flows = (scenes.flow(2), scenes.flow(1))
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("/cart/2")


def test_what_is_under_way_goes_from_its_list_when_it_has_ended(
    chromium: Browser, stage: Stage
) -> None:
    """The answer has it no more: it stayed there as under way."""
    others = tuple(one for one in stage.router.flows if one.outcome != "under-way")
    stage.router.flows = (scenes.flow(62, outcome="under-way"), *others)
    with looking(chromium, stage, "#/flows?outcome=under-way") as page:
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(1)
        expect(rows.first).to_contain_text("/cart/62")
        chosen = page.get_by_label("Outcome").locator("option:checked")
        expect(chosen).to_have_text("under way")
        expect(page.locator("main")).not_to_contain_text("under-way")
        ended = (scenes.flow(62), *others)
        stage.router.flows = (scenes.flow(63, outcome="under-way"), *ended)
        expect(rows.first).to_contain_text("/cart/63")
        expect(rows).to_have_count(1)
        page.get_by_role("button", name="Pause").click()
        stage.router.flows = (scenes.flow(64, outcome="under-way"), scenes.flow(63), *ended)
        resume = page.get_by_role("button", name=re.compile(r"Resume \(1 newer\)"))
        expect(resume).to_be_visible()
        resume.click()
        expect(rows.first).to_contain_text("/cart/64")
        expect(rows).to_have_count(1)


def test_on_a_phone_a_flow_has_two_lines_and_the_page_a_bound(
    chromium: Browser, stage: Stage
) -> None:
    stage.router.flows = tuple(scenes.flow(id) for id in range(300, 0, -1))
    with looking(chromium, stage, "#/flows", viewport=PHONE) as page:
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(200)
        box = rows.first.bounding_box()
        assert box is not None
        assert box["height"] <= 60
        assert page.evaluate(PAGE_HEIGHT) <= 1_300
        assert page.evaluate(SCROLLS) <= 0
        for words in ("shop:8080", "GET /cart/300", "ok 200", "east", "201 ms"):
            expect(rows.first.get_by_text(words, exact=True)).to_be_visible()
        keep_picture(page, "flows-phone")
        rows.first.click()
        expect(page.get_by_role("dialog")).to_contain_text("Why flow 300 went there")


def test_whoever_is_in_the_list_keeps_the_place_while_others_come(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/flows") as page:
        rows = page.locator("tbody tr")
        expect(rows).to_have_count(60)
        page.locator('tr[data-flow="60"]').focus()
        page.keyboard.press("ArrowDown")
        stage.router.flows = tuple(scenes.flow(id) for id in range(70, 0, -1))
        expect(page.locator(".held")).to_contain_text("10 newer flows")
        expect(page.locator('tr[data-flow="59"]')).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_contain_text("Why flow 59 went there")
        page.keyboard.press("Escape")
        expect(page.locator('tr[data-flow="59"]')).to_be_focused()
        expect(rows.first).to_contain_text("/cart/60")
        page.keyboard.press("Escape")
        expect(rows.first).to_contain_text("/cart/70")
        expect(page.locator(".held")).to_have_text("")
        page.locator('tr[data-flow="69"]').click()
        page.keyboard.press("Escape")
        stage.router.flows = (scenes.flow(71), *stage.router.flows)
        page.get_by_role("button", name="Show", exact=True).click()
        expect(rows.first).to_contain_text("/cart/71")


def test_one_tab_leads_into_the_list_and_one_out(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/flows") as page:
        expect(page.locator("tbody tr")).to_have_count(60)
        expect(page.locator("tbody tr[tabindex='0']")).to_have_count(1)
        page.locator('tr[data-flow="60"]').focus()
        page.keyboard.press("End")
        expect(page.locator('tr[data-flow="1"]')).to_be_focused()
        expect(page.locator("tbody tr[tabindex='0']")).to_have_attribute("data-flow", "1")


def test_a_flow_that_spilled_without_overflow_says_why(chromium: Browser, stage: Stage) -> None:
    (first, *others) = stage.router.flows
    spilled = msgspec.structs.replace(first, overflow="", spill_reason="no-target")
    stage.router.flows = (spilled, *others)
    stage.router.details[spilled.id] = scenes.detail(spilled)
    with looking(chromium, stage, f"#/flows?flow={spilled.id}") as page:
        row = page.locator(f'tr[data-flow="{spilled.id}"]')
        expect(row).to_contain_text(f"spilled, no-target: {ROOM_FARTHER}")
        expect(page.get_by_text("because it had no ready target.")).to_be_visible()
