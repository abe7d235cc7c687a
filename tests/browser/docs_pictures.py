"""The pictures of the console in docs, of scripted scenes: a burst that spills, and a link down.

Readers take a picture for a router's output: its sentences are those of a router.

``python -m tests.browser.docs_pictures`` takes them again, after a change of the console; with
names (``service-graph``) only those.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from playwright.sync_api import Page, ViewportSize, expect

from router.admin.views.history import ServiceHistory
from router.admin.views.live import Live
from tests.browser import scenes
from tests.browser.pictures import HERE, moment
from tests.browser.stage import WIDE, Stage, launched, looking

FOLDER = Path(__file__).parents[2] / "docs/pictures"
PAGES = {
    "overview": "#/overview",
    "topology": "#/topology",
    "service-graph": "#/topology?tab=services&from=workload+deployment%2Fweb",
    "service": "#/services/shop:8080",
    "flows": "#/flows",
}
"""Where each is taken, by its name."""
HEIGHTS = {"service-graph": 900}
"""Heights of the pictures that are higher than a window."""


def path_of(name: str) -> Path:
    return FOLDER / f"console-{name}.png"


def set_up(stage: Stage) -> None:
    """Script the router of all pictures: a burst that began some minutes ago goes on."""
    router = stage.router
    history = bursting()
    router.histories = (history,)
    router.live = as_told(at_the_end_of(history, router.live))
    router.knees = scenes.knees(router.live.services[0].targets)
    router.whys = {"shop": scenes.why()}
    router.flows = tuple(
        msgspec.structs.replace(one, at=moment(-0.037 * (61 - one.id))) for one in scenes.flows()
    )


def as_told(live: Live) -> Live:
    """``live`` with why requests leave."""
    now, *others = live.now
    costs = {one.site: one.path_cost for one in live.services[0].sites}
    went = ", ".join(
        f"{per_s:,.0f}/s{' go' if not index else ''} to {site} (cost {costs[site]})"
        for index, (site, per_s) in enumerate(now.spilled_to.items())
    )
    slots = scenes.CAPACITY
    why = f"{slots} of {slots} slots of {HERE} are busy: {went}"
    links = tuple(
        msgspec.structs.replace(
            one, streams=one.streams if one.neighbour.name in now.spilled_to else 0
        )
        for one in live.links
    )
    return msgspec.structs.replace(
        live,
        links=links,
        now=(msgspec.structs.replace(now, why=why), *others),
    )


def bursting() -> ServiceHistory:
    """Of `shop`, calm at first; it ends within the burst."""
    known = scenes.history()
    calm = known.samples[: len(known.samples) // 6]
    samples = (*calm, *calm, *known.samples)[: len(known.samples)]
    last = len(samples) - 1
    return msgspec.structs.replace(
        known,
        samples=tuple(
            msgspec.structs.replace(
                one, at=moment((index - last) * known.step_s), nowhere=0, failed=0
            )
            for index, one in enumerate(samples)
        ),
    )


def at_the_end_of(history: ServiceHistory, live: Live) -> Live:
    """``live`` with the figures of the last step of ``history``."""
    last = history.samples[-1]
    here, *others = (count / history.step_s for count in last.served)
    spilled = dict(zip([site.name for site in history.sites[1:]], others, strict=True))
    now = msgspec.structs.replace(
        live.now[0],
        requests_per_s=here + sum(others),
        begun_per_s=here + sum(others),
        overflow_per_s=sum(others),
        overflow_to=spilled,
        spilled_per_s=sum(others),
        spilled_to=spilled,
        spilled_for={"full": sum(others)},
        failed_per_s=0.0,
        p50_s=last.p50_s,
        p99_s=last.p99_s,
        in_flight_mean=last.in_flight[0],
    )
    parts = tuple(
        msgspec.structs.replace(part, in_flight=round(in_flight), capacity=capacity)
        for part, in_flight, capacity in zip(
            live.services[0].sites, last.in_flight, (scenes.CAPACITY, 40, 100), strict=True
        )
    )
    shop = msgspec.structs.replace(live.services[0], sites=parts, queued=0)
    return msgspec.structs.replace(
        live, services=(shop, *live.services[1:]), now=(now, *live.now[1:])
    )


def take(page: Page, stage: Stage, name: str, path: Path) -> None:
    """One picture, once all that it shows is there."""
    height = HEIGHTS.get(name, WIDE["height"])
    page.set_viewport_size(ViewportSize(width=WIDE["width"], height=height))
    page.goto(f"{stage.url}{PAGES[name]}")
    expect(page.locator(".page-body > *").first).to_be_visible()
    expect(page.locator("main .loading")).to_have_count(0)
    page.screenshot(path=path)


def main(names: Sequence[str]) -> None:
    """Take all pictures, or those of ``names``."""
    with launched() as chromium, Stage() as stage:
        set_up(stage)
        with looking(chromium, stage, viewport=WIDE) as page:
            for name in names or PAGES:
                take(page, stage, name, path_of(name))


if __name__ == "__main__":
    main(sys.argv[1:])
