"""Simulate: a scenario, and what if; both run by the simulator itself in its own process."""

import re

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from router.admin.views.history import HistorySample, ServiceHistory
from router.model import limits
from tests.browser import pictures, scenes
from tests.browser.pictures import id_of
from tests.browser.stage import Stage, looking, turn_to
from tests.scenario.waiting import until

RUN_S = 200.0
"""The simulator comes after everything else on this machine, so that nothing can be said of it."""
RUN_MS = 1_000 * RUN_S
pytestmark = pytest.mark.timeout(1.5 * RUN_S)
WHAT_IF = "#/simulate?tab=what-if&service=shop:8080"


def small(history: ServiceHistory) -> ServiceHistory:
    """A thirtieth of its requests, each thirty times as long: soon run, and as full."""

    def thirtieth(sample: HistorySample) -> HistorySample:
        served = tuple(count // 30 for count in sample.served)
        return msgspec.structs.replace(sample, served=served, nowhere=0, p50_s=6.0, p99_s=12.0)

    samples = tuple(thirtieth(one) for one in history.samples[:140])  # It ends in the burst.
    return msgspec.structs.replace(history, samples=samples)


@pytest.fixture
def stage(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The last minute of `shop` is a burst."""
    monkeypatch.setattr(limits, "SIMULATION_S", RUN_S)
    stage.router.histories = (small(scenes.history()),)
    live = stage.router.live
    parts = (
        pictures.a_part("east", 0, in_flight=20),
        pictures.a_part("west", 5, in_flight=30, capacity=40),
        pictures.a_part("south", 15, in_flight=8, capacity=100),
    )
    shop = msgspec.structs.replace(live.services[0], sites=parts)
    stage.router.live = msgspec.structs.replace(live, services=(shop, *live.services[1:]))
    return stage


def compared(page: Page) -> dict[str, list[str]]:
    """The table of current beside proposed."""
    rows: list[list[str]] = (
        page.get_by_role("region", name="Current and proposed in figures")
        .locator("tbody tr")
        .evaluate_all("rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))")
    )
    return {name: values for name, *values in rows}


def test_a_scenario_runs_and_shows_what_the_command_line_shows(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/simulate") as page:
        with page.expect_response(re.compile("/api/v1/simulate"), timeout=RUN_MS) as told:
            page.get_by_role("button", name="Run", exact=True).click()
        (outcome,) = told.value.json()["items"]
        onprem = outcome["sites"][0]
        row = page.get_by_role("row", name=re.compile("^onprem 3,363"))
        expect(row).to_contain_text(f"{onprem['here']} (20 %)")
        expect(row).to_contain_text("2,690 (80 %)")
        expect(page.get_by_text("first spill at 10.04 s, 0 slots were free")).to_be_visible()
        rules = page.get_by_role("region", name="Spillway's policy and Skupper's rule")
        for rival in outcome["skupper"]:
            line = rules.get_by_role("row", name=re.compile(rival["rule"]))
            expect(line).to_contain_text(f"{rival['here']:,}")
        river = page.get_by_role("figure").first
        expect(river.locator("path.layer")).to_have_count(2)
        river.get_by_role("button", name=re.compile("Show as table")).click()
        expect(river.locator("tbody tr")).to_have_count(60)


def test_what_is_wrong_is_shown_with_a_way_to_its_line(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, "#/simulate") as page:
        area = page.get_by_role("textbox", name="Scenario, as YAML")
        text = area.input_value()
        area.fill(text.replace("duration: 40s", "duration: never"))
        page.keyboard.press("Control+Enter")
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("SW0720", timeout=RUN_MS)
        alert.get_by_role("button").first.click()
        expect(area).to_be_focused()
        chosen = area.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)")
        assert chosen == "  duration: never"


def test_a_scenario_that_was_written_is_there_when_one_comes_back(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/simulate") as page:
        page.get_by_role("textbox", name="Scenario, as YAML").fill("mine")
        expect(page.get_by_label("Example")).to_have_value("")
        page.get_by_role("link", name="Overview").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
        page.get_by_role("link", name="Simulate").click()
        expect(page.get_by_role("textbox", name="Scenario, as YAML")).to_have_value("mine")


def test_a_slider_that_is_moved_changes_the_proposal_and_applies_nothing(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, WHAT_IF) as page:
        expect(page.locator(".statement")).to_have_text("Nothing would change.", timeout=RUN_MS)
        before = compared(page)
        assert before["Served by east (here)"][2] == "same"
        slider = page.get_by_role("slider", name="Capacity of east, at once")
        expect(slider).to_have_value("20")
        slider.focus()
        for _ in range(40):
            page.keyboard.press("ArrowRight")
        expect(slider).to_have_value("60")
        told = page.get_by_role("region", name="Current beside proposed", exact=True)
        expect(
            told.get_by_text("sitectl --site east service set shop --capacity 30")
        ).to_be_visible(timeout=RUN_MS)
        expect(page.get_by_role("status")).to_have_text(page.locator(".statement").inner_text())
        after = compared(page)
        assert after["Served by east (here)"][0] == before["Served by east (here)"][0]
        assert after["Served by east (here)"][2].startswith("+")
        now, then, _ = after["Spilled, requests"]
        assert int(then.replace(",", "")) < int(now.replace(",", "")) // 4
        assert f"capacity={id_of('east')}%3A60" in page.url
        assert stage.router.commands == []
        page.get_by_role("button", name="Reset to current").click()
        expect(slider).to_have_value("20")


def test_an_answer_of_before_a_fault_says_that_the_sites_have_changed_since(
    chromium: Browser, stage: Stage
) -> None:
    """A page that was left open said "Current: east 41 %" while no target of east was ready, and
    of the capacity there that none was configured."""
    with looking(chromium, stage, WHAT_IF) as page:
        answer = page.get_by_role("region", name="Current beside proposed", exact=True)
        expect(answer).to_contain_text("Requests until ", timeout=RUN_MS)
        changed = answer.get_by_text("The sites have changed since it ran.")
        expect(changed).to_have_count(0)
        assert compared(page)["Served by east (here)"][0] != "0 %"
        live = stage.router.live
        shop = live.services[0]
        gone = msgspec.structs.replace(shop.sites[0], targets_ready=0, capacity=None)
        shop = msgspec.structs.replace(shop, sites=(gone, *shop.sites[1:]))
        stage.router.live = msgspec.structs.replace(live, services=(shop, *live.services[1:]))
        expect(changed).to_be_visible()
        knobs = page.get_by_role("group", name="east (here)")
        expect(knobs).to_contain_text("no ready target")
        expect(knobs).not_to_contain_text("none configured")
        expect(page.get_by_role("slider", name="Capacity of east, at once")).to_be_disabled()
        answer.get_by_role("button", name="Run again").click()
        expect(changed).to_have_count(0, timeout=RUN_MS)
        assert compared(page)["Served by east (here)"][0] == "0 %"


def test_the_figures_are_those_of_the_api_and_the_replay_shows_each_step(
    chromium: Browser, stage: Stage
) -> None:
    at = f"{WHAT_IF}&cost={id_of('west')}:99"
    with looking(chromium, stage, at) as page:
        told = page.get_by_role("region", name="Current beside proposed", exact=True)
        expect(told).to_be_visible(timeout=RUN_MS)
        asked = {"service": "shop", "port": 8080, "cost": {id_of("west"): 99}}
        again = page.request.post(f"{stage.url}api/v1/what-if", data=asked, timeout=RUN_MS)
        item = again.json()["item"]  # The same question has the same answer.
        command = item["commands"][0]["command"].removeprefix("sitectl ")
        expect(page.get_by_text(command).first).to_be_visible()
        rows = compared(page)
        for now, then in zip(item["current"]["sites"], item["proposed"]["sites"], strict=True):
            name = f"Served by {now['name']}{' (here)' if now['local'] else ''}"
            figures = [f"{round(one['share'] * 1000) / 10:g} %" for one in (now, then)]
            assert rows[name][:2] == figures
        scrub = page.get_by_role("slider", name="Replay position")
        scrub.focus()
        page.keyboard.press("Home")
        for index in range(3):
            for side, title in (("current", "Current: time"), ("proposed", "Proposed: time")):
                series = item[side]["series"]
                here = series["served"][0][index] / series["step_s"]
                spoken = re.compile(rf"requests/s: east \(here\) {round(here, 1):g}, ")
                plot = page.get_by_role("slider", name=title)
                expect(plot).to_have_attribute("aria-valuetext", spoken)
            page.keyboard.press("ArrowRight")


def test_the_replay_plays_at_the_chosen_speed_and_stops_at_its_end(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, WHAT_IF) as page:
        expect(page.get_by_role("heading", name="Replay")).to_be_visible(timeout=RUN_MS)
        scrub = page.get_by_role("slider", name="Replay position")
        page.get_by_label("Speed").select_option("10")
        page.get_by_role("button", name="Play").click()
        expect(scrub).not_to_have_value("0")
        page.get_by_role("button", name="Pause").click()
        scrub.focus()
        page.keyboard.press("End")
        page.keyboard.press("ArrowLeft")
        page.get_by_role("button", name="Play").click()
        expect(scrub).to_have_value("59")
        expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_the_proposal_can_be_opened_as_a_scenario(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage, WHAT_IF) as page:
        page.get_by_role("link", name="Open as a scenario").click(timeout=RUN_MS)
        area = page.get_by_role("textbox", name="Scenario, as YAML")
        expect(area).to_have_value(re.compile("name: what-if"))


def test_it_opens_on_the_service_with_most_requests(chromium: Browser, stage: Stage) -> None:
    live = stage.router.live
    shop, billing = live.now
    busy = msgspec.structs.replace(billing, requests_per_s=500.0)
    stage.router.live = msgspec.structs.replace(live, now=(shop, busy))
    with looking(chromium, stage, "#/simulate?tab=what-if") as page:
        service = page.get_by_label("Service")
        expect(service).to_have_value("billing:8080")
        stage.router.live = msgspec.structs.replace(live, now=(shop, billing))
        expect(page.get_by_text("Nothing is recorded of billing:8080 yet.")).to_be_visible()
        expect(service).to_have_value("billing:8080")  # Not another one while it is looked at.


def test_a_time_without_requests_is_empty_and_no_failure(chromium: Browser, stage: Stage) -> None:
    (known,) = stage.router.histories
    calm = tuple(msgspec.structs.replace(one, served=(0, 0, 0)) for one in known.samples)
    stage.router.histories = (msgspec.structs.replace(known, samples=calm),)
    with looking(chromium, stage, WHAT_IF) as page:
        expect(page.locator(".empty", has_text="No request ended in that time.")).to_be_visible()
        expect(page.locator("main .failed")).to_have_count(0)
        stage.router.histories = (known,)
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".statement")).to_have_text("Nothing would change.", timeout=RUN_MS)


def test_a_page_that_is_left_ends_its_run_and_a_new_question_takes_over(
    chromium: Browser, stage: Stage
) -> None:
    stage.router.histories = (scenes.history(samples=scenes.history().samples[:140]),)
    body = {"service": "shop", "port": 8080}
    with looking(chromium, stage) as page:
        for leave in ("#/overview", f"{WHAT_IF}&policy=balanced"):
            with page.expect_request(re.compile("what-if")):
                page.goto(f"{stage.url}{WHAT_IF}&window=900")
            until(lambda: asked(page, stage, body) == 429, "it runs")
            with page.expect_event("requestfailed", lambda one: "what-if" in one.url):
                page.goto(f"{stage.url}{leave}")
        page.goto(f"{stage.url}#/overview")
        stage.router.histories = (small(scenes.history()),)
        until(lambda: asked(page, stage, body) == 200, "nobody else's run is left")


def test_a_question_that_found_no_router_is_asked_again_when_it_is_back(
    chromium: Browser, stage: Stage
) -> None:
    with looking(chromium, stage, "#/simulate") as page:
        expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
        stage.down()
        turn_to(page, stage, WHAT_IF)
        failed = page.locator("main .failed")
        expect(failed).to_contain_text("The router cannot be reached.")
        stage.up()
        expect(page.locator(".statement")).to_have_text("Nothing would change.", timeout=RUN_MS)
        expect(failed).to_have_count(0)


def test_what_was_wrong_with_a_question_is_not_said_of_the_next_one(
    chromium: Browser, stage: Stage
) -> None:
    asked_first = f"{WHAT_IF}&capacity={id_of('east')}:99999999999"
    with looking(chromium, stage, asked_first) as page:
        wrong = page.get_by_text("capacity 99999999999 of east is out of bounds")
        expect(wrong).to_be_visible()
        page.route("**/api/v1/what-if", lambda route: None)  # It runs for as long as one looks.
        with page.expect_request("**/api/v1/what-if"):
            page.goto(f"{stage.url}{WHAT_IF}&capacity={id_of('east')}:5")
        expect(wrong).to_be_hidden()
        expect(page.get_by_text("Running both")).to_be_attached()


def asked(page: Page, stage: Stage, body: object) -> int:
    """The status of another what-if; 429: one runs."""
    answer = page.request.post(f"{stage.url}api/v1/what-if", data=body, timeout=RUN_MS)
    return answer.status


def test_without_a_record_it_says_why_there_is_no_proposal(chromium: Browser, stage: Stage) -> None:
    stage.router.histories = (scenes.history(samples=()),)
    with looking(chromium, stage, WHAT_IF) as page:
        expect(page.get_by_text("Nothing is recorded of shop:8080 yet.")).to_be_visible()
        expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_what_is_recorded_later_is_found_by_itself(chromium: Browser, stage: Stage) -> None:
    """A page that was left open said that nothing was recorded yet."""
    known, stage.router.histories = stage.router.histories, (scenes.history(samples=()),)
    with looking(chromium, stage, WHAT_IF) as page:
        expect(page.get_by_text("Nothing is recorded of shop:8080 yet.")).to_be_visible()
        stage.router.histories = known
        expect(page.locator(".statement")).to_have_text("Nothing would change.", timeout=RUN_MS)
