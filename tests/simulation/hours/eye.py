"""All that one router says at a moment: as the API has it, and in sentences."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from router.admin import answers
from router.admin.events import EventLog
from router.admin.views.why import PastDecision, WhyView
from router.model.events import Event
from router.operate.figures.history_recorder import HistoryRecorder
from router.operate.figures.metrics_source import measure
from router.operate.figures.site_labels import with_site_names
from router.operate.live_snapshot import LiveRows
from router.operate.record.episode_news import EpisodeNews
from router.operate.record.journal import Journal
from router.workers.combined_figures import RouterFigures
from tests.simulation.hours.counted import Figures
from tests.simulation.hours.omissions import Said
from tests.simulation.hours.typed import Door, Typist
from tests.simulation.world import SimMemory, SimSite
from tests.unit.operate.views import no_workers, recent_of, view_of

_COUNTED: Final = {
    "spillway_requests_total": "requests",
    "spillway_spilled_total": "spilled",
    "spillway_failed_requests_total": "failed",
    "spillway_in_flight": "in_flight",
    "spillway_targets_ready": "targets_ready",
}


REMEMBERED: Final = 20


class Eye:
    """Looks at one site for as long as its router lives."""

    def __init__(self, site: SimSite, told: Callable[[Event], None]) -> None:
        """``told`` is called with each event, at once."""
        self.life = site.lives
        recorder = HistoryRecorder(site.network, site.router, site.network.now)
        recorder.start()
        self._router, self._memory = site.router, SimMemory(site, 10**9).guard
        self._view = view_of(site, recorder, memory=self._memory, is_serving=lambda: True)
        whole = RouterFigures(no_workers())
        self._living = LiveRows(self._view, site.router, recent_of(site, recorder), whole)
        utc = datetime.now(UTC).isoformat
        journal = Journal(EventLog(), lambda number, event: None, utc, site.network.now)
        EpisodeNews(
            site.network,
            site.router.readings,
            journal,
            self._view.utc,
            self._view.left_out,
            site.router.site_name,
        )
        journal.told.append(told)
        self._now = site.network.now
        self.typist = Typist(site.name, Door(self.answer))

    def said(self) -> Said:
        """As the API has it."""
        rows = list(self._living.services())
        sites = [site for view, _ in rows for site in view.sites]
        return Said(self._view.status(), [row for _, row in rows], sites)

    def answer(self, path: str) -> bytes | None:
        """To ``GET path`` of the admin API; None: there is no such service."""
        view = self._view
        match path.removeprefix("/api/v1/"):
            case "status":
                return _body(answers.item("Status", view.status()))
            case "links":
                return _body(answers.items("Link", view.links()))
            case "services" | "services/shop":
                return _body(answers.items("Service", view.services()))
            case "network":
                return _body(answers.items("Site", view.network()))
            case "why/shop":
                why = self.why()
                return None if why is None else _body(answers.item("Why", why))
            case "live":
                return self.live()
            case other:
                raise AssertionError(f"nothing asks for {other}")

    def figures(self) -> Figures:
        """On `/metrics`, of the service; and in the row of `service status`."""
        found: defaultdict[tuple[str, ...], float] = defaultdict(float)
        rows = self._view.rows
        measured = measure(
            self._router, self._memory, {}, 0.0, rate_of=rows.rate, reports_of=rows.reports
        )
        for part in with_site_names(measured, self._router.site_name):
            for metric, name in _COUNTED.items():
                for (_, _, *labels), value in part.numbers.get(metric, {}).items():
                    shown = {"requests": labels[1:], "spilled": labels[:1]}.get(name, labels)
                    found[name, *shown] += value
        for service in self._view.services():
            found["REQUESTS",] = service.requests_total + service.under_way
            found["SPILLED",] = service.spilled_total
        return found

    def why(self) -> WhyView | None:
        """Of the next request; None: there is no such service."""
        return self._view.own_why("shop", None)

    def past(self) -> tuple[str, Sequence[PastDecision]]:
        """What time it is, and the last requests; none where the clock was set meanwhile: that on
        the wall goes as it wants here."""
        now = self._view.utc(self._now(), "milliseconds")
        past = self._view.own_past("shop", None, REMEMBERED, "all")
        is_set = now != self._view.utc(self._now(), "milliseconds")
        return now, () if is_set else past or ()

    def live(self) -> bytes:
        """As the console and `top` get it."""
        rows = list(self._living.services())
        now = {
            "at": self._view.utc(self._now()),
            "status": self._view.status(),
            "links": self._view.links(),
            "network": self._view.network(),
            "services": [service for service, _ in rows],
            "now": [now for _, now in rows],
        }
        return _body(answers.item("Live", now))

    def sentences(self) -> Iterator[str]:
        """All of them, as they stand now."""
        said = self.said()
        for problem in said.status.problems:
            yield problem.message
        for note in said.status.notes:
            yield note.message
        for row in said.rows:
            yield row.why
            yield row.left_out
        why = self.why()
        if why is not None:
            yield why.decision.reason
            yield why.left_out
            for candidate in why.candidates:
                yield f"{candidate.site}: {candidate.reason}"
                yield candidate.note
        for link in self._view.links():
            yield link.error
        for site in self._view.network():
            yield site.reason


def _body(answer: web.Response) -> bytes:
    assert isinstance(answer.body, bytes), "it is JSON"
    return answer.body
