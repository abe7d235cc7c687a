"""A browser opens six connections to a host, and every one of many more tabs shows live data."""

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from router.model.events import Event
from tests.browser import pictures, scenes
from tests.browser.stage import Stage, looking, turn_to

SOON_MS = 40_000
STREAMS = 4
TEN = ("overview",) * 4 + ("events",) * 3 + ("flows",) * 3
TENS = (TEN, ("overview",) * 10, ("events",) * 10, ("flows",) * 10)


def open_beside(first: Page, at: str) -> Page:
    """Another tab of the same browser."""
    page = first.context.new_page()
    page.goto(at)
    return page


def test_each_of_ten_tabs_shows_what_happens_now(chromium: Browser, stage: Stage) -> None:
    """Ten that are opened, then the same ten when all show one page after the other."""
    words = {True: "Healthy", False: "Degraded"}
    healthy, degraded = pictures.nothing().status, stage.router.live.status
    stage.router.flows = scenes.flows()
    with looking(chromium, stage, f"#/{TEN[0]}") as first:
        tabs = [first, *(open_beside(first, f"{stage.url}#/{page}") for page in TEN[1:])]
        for number, pages in enumerate(
            (TEN, ("overview",) * 10, ("events",) * 10, ("flows",) * 10)
        ):
            if number:
                for name, page in zip(pages, tabs, strict=True):
                    turn_to(page, stage, f"#/{name}")
            for page in tabs:
                expect(page.locator("main h1")).to_be_visible(timeout=SOON_MS)
            is_healthy = number % 2 == 0
            status = healthy if is_healthy else degraded
            stage.router.live = msgspec.structs.replace(stage.router.live, status=status)
            stage.router.flows = (scenes.flow(61 + number), *stage.router.flows)
            stage.tell(happened(number))
            fresh = {"events": f"Only now, {number}.", "flows": f"GET /cart/{61 + number}"}
            for name, page in zip(pages, tabs, strict=True):
                of = f"{name} among {pages}"
                banner = page.get_by_role("banner")
                expect(banner.get_by_text(words[is_healthy]), of).to_be_visible(timeout=SOON_MS)
                if name in fresh:
                    expect(page.get_by_text(fresh[name]), of).to_be_visible(timeout=SOON_MS)
                old = page.get_by_text("Data", exact=False).filter(has_text="old")
                expect(old, of).to_have_count(0)


def happened(number: int) -> Event:
    return Event(
        at=f"2026-11-20T09:41:0{number}.000Z",
        severity="info",
        code="link-up",
        subject="west",
        message=f"Only now, {number}.",
    )


@pytest.mark.parametrize(
    ("view", "asked"),
    [("events", "events"), ("flows", "flows"), ("services/shop:8080", "history")],
)
def test_what_a_page_asks_again_is_marked_as_no_use_of_the_session(
    chromium: Browser, stage: Stage, view: str, asked: str
) -> None:
    with looking(chromium, stage) as page:
        marked = []
        with page.expect_request(f"**/api/v1/{asked}?*") as first:
            page.goto(f"{stage.url}#/{view}")
        marked.append("spillway-poll" in first.value.headers)
        with page.expect_request(f"**/api/v1/{asked}?*") as again:
            pass
        marked.append("spillway-poll" in again.value.headers)
    assert marked == [False, True]


def test_a_tab_takes_the_stream_of_one_that_is_closed(chromium: Browser, stage: Stage) -> None:
    with looking(chromium, stage) as first:
        followed = [first, *(open_beside(first, stage.url) for _ in range(STREAMS - 1))]
        for page in followed:
            expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON_MS)
        last = open_beside(first, stage.url)
        expect(last.get_by_text("Polling", exact=True)).to_be_visible(timeout=SOON_MS)
        followed[1].close()
        expect(last.get_by_text("Live", exact=True)).to_be_visible(timeout=SOON_MS)


def test_a_browser_that_refuses_locks_polls(chromium: Browser, stage: Stage) -> None:
    refuse = "navigator.locks.request = () => Promise.reject(new DOMException('', 'SecurityError'))"
    with looking(chromium, stage, script=refuse) as page:
        expect(page.get_by_text("Polling", exact=True)).to_be_visible(timeout=SOON_MS)
