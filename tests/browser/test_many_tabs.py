"""A browser opens six connections to a host, and every one of many more tabs shows live data."""

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from router.model.events import Event
from tests.browser import pictures, scenes
from tests.browser.stage import Stage, looking

SOON_MS = 40_000
STREAMS = 4
TEN = ("overview",) * 4 + ("events",) * 3 + ("flows",) * 3


def open_beside(first: Page, at: str) -> Page:
    """Another tab of the same browser."""
    page = first.context.new_page()
    page.goto(at)
    return page


@pytest.mark.parametrize("pages", [TEN, ("overview",) * 10, ("events",) * 10, ("flows",) * 10])
def test_each_of_ten_tabs_shows_what_happens_now(
    chromium: Browser, stage: Stage, pages: tuple[str, ...]
) -> None:
    stage.router.flows = scenes.flows()
    with looking(chromium, stage, f"#/{pages[0]}") as first:
        others = [open_beside(first, f"{stage.url}#/{page}") for page in pages[1:]]
        opened = list(zip(pages, [first, *others], strict=True))
        for _, page in opened:
            expect(page.locator("main h1")).to_be_visible(timeout=SOON_MS)
        healthy = pictures.nothing()
        stage.router.live = msgspec.structs.replace(stage.router.live, status=healthy.status)
        stage.router.flows = (scenes.flow(61), *stage.router.flows)
        stage.tell(
            Event(
                at="2026-11-20T09:41:00.000Z",
                severity="info",
                code="link-up",
                subject="west",
                message="Only now.",
            )
        )
        for name, page in opened:
            banner = page.get_by_role("banner")
            expect(banner.get_by_text("Healthy")).to_be_visible(timeout=SOON_MS)
            fresh = {"events": "Only now.", "flows": "GET /cart/61"}.get(name)
            if fresh is not None:
                expect(page.get_by_text(fresh)).to_be_visible(timeout=SOON_MS)
            expect(page.get_by_text("Data", exact=False).filter(has_text="old")).to_have_count(0)


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
