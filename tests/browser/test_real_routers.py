"""Two routers as processes, and the console that one of them serves: a burst as people see it."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.browser.stage import copied_by, keep_picture, looking, turn_to
from tests.browser.test_services import shown, table_of
from tests.scenario import forking
from tests.scenario.clients import sending
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import SLOWEST, until

CONSOLE_PORT = 8010
RUN_MS = 60_000

STEP_WAIT_S = 60.0
"""A whole step of the history is over 5 to 10 s after a burst began, and only then read."""


class Pair:
    """``near`` is where clients come in, with 2 slots; ``far`` has 8 at cost 5."""

    def __init__(self, net: Network) -> None:
        self.near, self.far = near, far = net.site("near"), net.site("far")
        self.targets = {site.name: net.http(site.name) for site in (near, far)}
        near.quick(
            "service", "create", "shop", str(SHOP_PORT), "--protocol", "http", "--queue", "0"
        )
        for site, capacity in ((near, 2), (far, 8)):
            target = self.targets[site.name]
            place = f"{target.address}:{target.port}"
            site.quick("service", "bind", "shop", place, "--capacity", str(capacity))
        place = f"{near.address}:{CONSOLE_PORT}"
        near.ctl(
            "update", "--enable-console", "--console-auth", "unsecured", "--console-bind", place
        )
        net.link(near, far, 5)
        net.start()
        net.see_each_other()
        net.ready("shop", {"near": 1, "far": 1})
        until(lambda: near.get("status")["console"]["url"], "the console is there")

    @property
    def url(self) -> str:
        """Of the console."""
        url: str = self.near.get("status")["console"]["url"]
        return url


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """After a burst of six: two were in flight here and four there for a whole step."""
    with Network(tmp_path_factory.mktemp("console")) as net:
        pair = Pair(net)
        for target in pair.targets.values():
            target.hold()
        answers = sending(pair.near.address, SHOP_PORT, 6, "/cart", timeout_s=STEP_WAIT_S)

        def held() -> bool:
            return [2.0, 4.0] in [one["in_flight"] for one in history(pair.near)["samples"]]

        until(held, "the burst fills a step")
        for target in pair.targets.values():
            target.release()
        assert {one.status for one in answers.result()} == {200}

        def ended() -> bool:
            return sum(sum(one["served"]) for one in history(pair.near)["samples"]) == 6

        until(ended, "the step in which they ended is over")
        yield pair


def history(site: Site) -> Any:
    (item,) = site.get("history?service=shop")
    return item


def test_a_burst_is_seen_in_the_river_with_the_figures_of_the_api(
    chromium: Browser, pair: Pair
) -> None:
    with looking(chromium, pair, "#/services/shop") as page:
        expect(page.locator("#chart-river path.layer")).to_have_count(2)
        keep_picture(page, "real-burst")
        heads, *rows = table_of(page, "river")
        assert heads[1:4] == ["near (here)", "far", "capacity here"]
        drawn = {row[0]: row for row in rows}
        samples = {one["at"][11:19]: one for one in history(pair.near)["samples"]}
        burst = [at for at, one in samples.items() if one["in_flight"] == [2.0, 4.0]]
        assert burst
        for at in drawn.keys() & samples.keys():
            sample = samples[at]
            figures = [shown(value) for value in sample["in_flight"]]
            slots = (
                "–" if sample["capacity"] is None else str(sample["capacity"])
            )  # None in it yet.
            assert drawn[at][1:4] == [*figures, slots]
        assert set(burst) <= drawn.keys()


def test_a_slider_moved_changes_the_proposal_and_nothing_of_the_site(
    chromium: Browser, pair: Pair
) -> None:
    before = pair.near.get("services")
    with looking(chromium, pair, "#/simulate?tab=what-if&window=busiest") as page:
        told = page.get_by_role("region", name="Current beside proposed", exact=True)
        expect(told).to_be_visible(timeout=RUN_MS)
        expect(page.locator(".statement")).to_have_text("Nothing would change.")
        slider = page.get_by_role("slider", name="Capacity of near, at once")
        expect(slider).to_have_value("2")
        slider.focus()
        # Who is slow at the keys asks on the way as well.
        with page.expect_response(lambda found: _capacity(found) == [12], timeout=RUN_MS) as answer:
            for _ in range(10):
                page.keyboard.press("ArrowRight")
        item = answer.value.json()["item"]
        assert (item["current"]["sites"][0]["capacity"], item["recorded"]["requests"]) == (2, 6)
        assert item["proposed"]["overflow"] == 0 < item["current"]["overflow"]
        expect(
            page.get_by_text("sitectl --site near service set shop --capacity 12")
        ).to_be_visible()
        keep_picture(page, "real-what-if")
    (now,), (then,) = before, pair.near.get("services")
    assert [one["capacity"] for one in now["targets"]] == [
        one["capacity"] for one in then["targets"]
    ]


def test_a_flow_tells_why_it_went_away(chromium: Browser, pair: Pair) -> None:
    with looking(chromium, pair, "#/flows?service=shop:8080") as page:
        _filter(page)
        for target in pair.targets.values():
            target.hold()
        answers = sending(pair.near.address, SHOP_PORT, 4, "/basket")

        def away() -> list[Any]:
            found = pair.near.get("flows?outcome=under-way")
            return [one for one in found if one["site"] == "far"]

        until(lambda: len(away()) == 2, "two of them went away")
        for target in pair.targets.values():
            target.release()
        assert {one.status for one in answers.result()} == {200}
        row = page.locator("tr", has_text="overflow, full").first
        expect(row).to_contain_text("far")
        row.focus()
        page.keyboard.press("Enter")
        why = page.get_by_role("dialog")
        expect(why.get_by_role("row", name=re.compile("^near"))).to_contain_text("full")
        expect(why.get_by_role("row", name=re.compile("^far"))).to_contain_text("chosen")
        keep_picture(page, "real-why")


def test_the_service_graph_shows_who_called_and_which_site_served_it(
    chromium: Browser, pair: Pair
) -> None:
    def edges() -> Any:
        """By the site that served them: the caller is this process."""
        return {one["site"]["name"]: one for one in pair.near.get("graph?history=true")["edges"]}

    until(lambda: set(edges()) == {"near", "far"}, "the caller has a name")
    with looking(chromium, pair, "#/topology?tab=services") as page:
        table = page.get_by_role("table", name="All calls")
        expect(table.locator("tbody tr")).to_have_count(2)
        far = table.get_by_role("row", name=re.compile("far another site"))
        known = edges()["far"]
        assert known["requests_total"] >= 4
        expect(far).to_contain_text(known["caller"]["name"])
        expect(far).to_contain_text(f"shop:{SHOP_PORT}")
        far.get_by_role("link").first.click()
        day = page.locator("#chart-day")
        total = sum(count for count, _ in known["history"])
        assert total == known["requests_total"]
        expect(day).to_contain_text(f"{total} requests in the last day")
        expect(day).to_contain_text("Gray: not known, the router started at")
        keep_picture(page, "real-service-graph")


COPYING = {
    "overview": 1,
    "topology": 1,
    "topology?site=near": 1,
    "topology?site=far": 1,
    "topology?tab=services": 1,
    "services": 1,
    f"services/shop:{SHOP_PORT}": 2,
    f"flows?service=shop:{SHOP_PORT}": 1,
    "links": 3,
    "links?link=far": 3,
    "events": 1,
    "events?severity=warning&code=link-down&kind=event": 1,
    "simulate": 1,
    "simulate?tab=what-if&window=busiest": 1,
}
"""Pages, and how many buttons of each copy a command."""


def pasted(command: str, site: Site, home: Path, **further: str) -> tuple[int, str]:
    """Run ``command`` in a shell on the host of ``site``; return its exit code and its output."""
    environment = {
        **site.paths(),
        "PATH": f"{forking.PYTHON.commands(home)}{os.pathsep}{os.environ['PATH']}",
        "SITECTL_STATE": str(site.state),
        "HOME": str(home),
        **further,
    }
    ended = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=RUN_MS / 1_000,
        env=environment,
    )
    return ended.returncode, f"{command[:200]}\n{ended.stdout}{ended.stderr}"


@pytest.mark.timeout(SLOWEST * 120)
def test_each_command_that_is_copied_runs_as_it_is(
    chromium: Browser, pair: Pair, tmp_path: Path
) -> None:
    """On a host with two sites, in a shell, against the site whose console it is."""
    copied: dict[str, str] = {}
    with looking(chromium, pair) as page:
        for name, count in COPYING.items():
            turn_to(page, pair, f"#/{name}")
            buttons = page.get_by_role("button", name="Copy as sitectl")
            for number in range(count):
                # One that was pressed says "Copied" for a while.
                expect(buttons).to_have_count(count, timeout=RUN_MS)
                copied.setdefault(copied_by(page, buttons.nth(number)), name)
        page.goto(f"{pair.url}#/flows")
        page.locator("tbody tr").first.click()
        button = page.get_by_role("dialog").get_by_role("button", name="Copy as sitectl")
        copied[copied_by(page, button)] = "a flow"
    assert len(copied) == 16, copied  # Some pages show the same.
    commands = "\n".join(copied)
    for words in ("status", "why shop", "ping far", "link status far", "ca status", "simulate"):
        assert words in commands
    for command, name in copied.items():
        code, said = pasted(command, pair.near, tmp_path)
        assert code == 0, f"{name}: {said}"


def test_the_commands_of_a_proposal_run_line_by_line_as_they_are_copied(
    chromium: Browser, pair: Pair, tmp_path: Path
) -> None:
    near, far = (site.get("status")["id"] for site in (pair.near, pair.far))
    asked = f"capacity={near}:6,{far}:16&cost={far}:9&policy=balanced"
    with looking(chromium, pair, f"#/simulate?tab=what-if&window=busiest&{asked}") as page:
        told = page.get_by_role("region", name="Current beside proposed", exact=True)
        expect(told.get_by_role("heading", name="At far")).to_be_visible(timeout=RUN_MS)
        keep_picture(page, "real-what-if-commands")
        here = copied_by(page, told.get_by_role("button", name="Copy as sitectl", exact=True))
        there = copied_by(page, told.get_by_role("button", name="Copy as sitectl for far"))
    assert len(here.splitlines()) == 3
    assert len(there.splitlines()) == 1
    try:
        for line in here.splitlines():
            code, said = pasted(line, pair.near, tmp_path)
            assert code == 0, said
        for line in there.splitlines():
            # The host of that site has no other one.
            code, said = pasted(line, pair.far, tmp_path, SITECTL_SITE="far")
            assert code == 0, said

        def applied() -> bool:
            service = pair.near.service("shop")
            parts = {one["site"]: one["capacity"] for one in service["sites"]}
            costs = {one["site"]: one["path_cost"] for one in service["sites"]}
            return (service["policy"], parts, costs) == (
                "balanced",
                {"near": 6, "far": 16},
                {"near": 0, "far": 9},
            )

        until(applied, "the proposal is true")
    finally:
        pair.near.quick("service", "set", "shop", "--policy", "fill", "--capacity", "2")
        pair.near.quick("link", "set", "far", "--cost", "5")
        pair.far.quick("service", "set", "shop", "--capacity", "8")


def _capacity(answer: Response) -> list[int]:
    """For which a what-if was asked; none: it is an answer to something else."""
    if "/api/v1/what-if" not in answer.url:
        return []
    return list(json.loads(answer.request.post_data or "")["capacity"].values())


def _filter(page: Page) -> None:
    """Of any service: the port is the harness's."""
    page.get_by_label("Service").select_option("")
