"""Reads the surfaces of one site and compares them with the table of faults."""

import time
from collections.abc import Collection
from copy import copy as copy_of
from pathlib import Path
from typing import Final, Self

from playwright.sync_api import Browser, Page

from tests.browser.stage import looking
from tests.scenario.harness import Site
from tests.scenario.waiting import until
from tests.truth import alerts
from tests.truth.fault import ALERTS, COMMANDS, METRICS, PAGES, STATUS_JSON, SURFACES, Fault

APART_S: Final = 1.2
"""Between two scrapes, at least: the answer of /metrics is cached for a moment."""


class Surfaces:
    """All surfaces of ``site``. Create it while all is well: alerts compare with that."""

    def __init__(self, site: Site, browser: Browser, directory: Path) -> None:
        self._site, self._browser = site, browser
        self._place = directory / f"{site.name}.alerts.yaml"
        self._well = alerts.series(site.metrics())

    def of(self, copy: Site) -> Self:
        """Those of a copy of the site, which was never well."""
        found = copy_of(self)
        found._site, found._well = copy, {}
        return found

    @property
    def url(self) -> str:
        """Of the console."""
        url: str = self._site.get("status")["console"]["url"]
        return url

    def show(self, fault: Fault, *, without: Collection[str] = ()) -> None:
        """Every surface, ``without`` some, shows what the table has for ``fault``."""
        for surface in (*COMMANDS, METRICS):
            if surface not in without:
                self._until(fault, surface)
        if ALERTS not in without:
            self._until_alerts(fault)
        if not set(PAGES).issubset(without):
            self._until_pages(fault, without)

    def _until_alerts(self, fault: Fault) -> None:
        """A moment may be no rule: a probe of an ejected target fails now and then."""
        said = ""

        def fire() -> bool:
            nonlocal said
            said = self._alerts_contradict(fault)
            return not said

        try:
            until(fire, f"alerts fire: {fault.shown.get(ALERTS, 'none')}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{said}") from None

    def _alerts_contradict(self, fault: Fault) -> str:
        began, first = time.monotonic(), alerts.series(self._site.metrics())
        until(lambda: time.monotonic() - began >= APART_S, "counters grow")
        last, apart_s = alerts.series(self._site.metrics()), time.monotonic() - began
        expected = [name for name in fault.shown.get(ALERTS, "").split(", ") if name]
        return alerts.contradiction(expected, self._well, first, last, apart_s, self._place)

    def _until(self, fault: Fault, surface: str, page: Page | None = None) -> None:
        text = ""

        def says() -> bool:
            nonlocal text
            try:
                text = self._read(fault, surface) if page is None else page.inner_text("main")
            except AssertionError as error:  # It ended with another code.
                text = str(error)
                return False
            return fault.fits(surface, text)

        try:
            what = f"{surface} shows: {fault.shown.get(surface, 'nothing false')}"
            until(says, what, fault.within_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{text}") from None

    def _until_pages(self, fault: Fault, without: Collection[str]) -> None:
        with looking(self._browser, self) as page:
            for surface, at in PAGES.items():
                if surface not in without:
                    self._open(page, f"{self.url}{at}")
                    self._until(fault, surface, page)

    def _open(self, page: Page, url: str) -> None:
        page.goto(url)

    def _read(self, fault: Fault, surface: str) -> str:
        """What a command or `/metrics` shows; AssertionError if a command ends in another way."""
        assert surface in SURFACES
        if surface == METRICS:
            return self._site.metrics()
        code = fault.exits.get(surface, 0)
        if surface != STATUS_JSON:
            done = self._site.ctl(*surface.split(), code=code)
            return done.out + done.err
        item = self._site.json("status", code=code)
        problems, notes = (
            ", ".join(sorted({one["code"] for one in item[kind]})) or "none"
            for kind in ("problems", "notes")
        )
        return f"ready: {str(item['ready']).lower()}, problems: {problems}, notes: {notes}"
