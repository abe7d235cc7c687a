"""All that one router says at a moment: as the API has it, and in sentences."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from aiohttp import web

from router.admin import answers
from router.admin.events import EventLog
from router.admin.views.links import LinkView, SiteView
from router.admin.views.live import ServiceNow
from router.admin.views.services import ServiceView
from router.admin.views.status import Status
from router.admin.views.why import PastDecision, WhyView
from router.model.events import Event
from router.model.ids import ServiceKey
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


class Seen(NamedTuple):
    """All that it says of a moment, but `why` and `/metrics`."""

    status: Status
    links: Sequence[LinkView]
    network: Sequence[SiteView]
    rows: Sequence[tuple[ServiceView, ServiceNow]]

    def said(self, service: ServiceKey) -> Said:
        """Of one service."""
        rows = [(view, row) for view, row in self.rows if row.service == service.name]
        sites = [site for view, _ in rows for site in view.sites]
        return Said(self.status, [row for _, row in rows], sites)

    def sentences(self) -> Iterator[str]:
        """Those of the site, as they stand now."""
        for problem in self.status.problems:
            yield problem.message
        for note in self.status.notes:
            yield note.message
        for link in self.links:
            yield link.error
        for site in self.network:
            yield site.reason


class Eye:
    """Looks at one site for as long as its router lives."""

    def __init__(self, site: SimSite, told: Callable[[Event], None]) -> None:
        """``told`` is called with each event, at once."""
        self.life = site.lives
        recorder = HistoryRecorder(site.network, site.router)
        recorder.start()
        self._router, self._memory = site.router, SimMemory(site, 10**9).guard
        self._view = view_of(site, recorder, memory=self._memory, is_serving=lambda: True)
        whole = RouterFigures(no_workers())
        self._living = LiveRows(self._view, site.router, recent_of(site, recorder), whole)
        journal = Journal(
            EventLog(),
            lambda number, event: None,
            lambda: datetime.fromtimestamp(site.unix(), UTC).isoformat(),
            site.network.now,
        )
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

    def seen(self) -> Seen:
        """As the API has it."""
        view = self._view
        return Seen(view.status(), view.links(), view.network(), list(self._living.services()))

    def answer(self, path: str) -> bytes | None:
        """To ``GET path`` of the admin API; None: there is no such service."""
        view = self._view
        match path.removeprefix("/api/v1/").split("/"):
            case ["status"]:
                return _body(answers.item("Status", view.status()))
            case ["links"]:
                return _body(answers.items("Link", view.links()))
            case ["services", *named]:
                found = [one for one in view.services() if not named or one.name in named]
                return _body(answers.items("Service", found))
            case ["network"]:
                return _body(answers.items("Site", view.network()))
            case ["why", service]:
                why = self.why(service)
                return None if why is None else _body(answers.item("Why", why))
            case ["live"]:
                return self.live(self.seen())
            case other:
                raise AssertionError(f"nothing asks for {other}")

    def figures(self) -> Mapping[str, Figures]:
        """On `/metrics`, and in rows of `service status`, by service."""
        found: defaultdict[str, defaultdict[tuple[str, ...], float]]
        found = defaultdict(lambda: defaultdict(float))
        rows = self._view.rows
        measured = measure(
            self._router, self._memory, {}, 0.0, rate_of=rows.rate, reports_of=rows.reports
        )
        for part in with_site_names(measured, self._router.site_name):
            for metric, name in _COUNTED.items():
                for (service, _, *labels), value in part.numbers.get(metric, {}).items():
                    shown = {"requests": labels[1:], "spilled": labels[:1]}.get(name, labels)
                    found[service][name, *shown] += value
        for view in self._view.services():
            found[view.name]["REQUESTS",] = view.requests_total + view.under_way
            found[view.name]["SPILLED",] = view.spilled_total
        return found

    def why(self, service: str) -> WhyView | None:
        """Of the next request; None: there is no such service."""
        return self._view.own_why(service, None)

    def past(self, service: ServiceKey) -> Sequence[PastDecision]:
        """The last requests."""
        return self._view.own_past(service.name, None, REMEMBERED, "all") or ()

    def live(self, seen: Seen) -> bytes:
        """As the console and `top` get it."""
        now = {
            "at": self._view.utc(self._now()),
            "status": seen.status,
            "links": seen.links,
            "network": seen.network,
            "services": [service for service, _ in seen.rows],
            "now": [now for _, now in seen.rows],
        }
        return _body(answers.item("Live", now))

    def sentences_of(self, said: Said, service: ServiceKey) -> Iterator[str]:
        """Those in rows and answers of one service."""
        for row in said.rows:
            yield row.why
            yield row.left_out
        why = self.why(service.name)
        if why is not None:
            yield why.decision.reason
            yield why.left_out
            for candidate in why.candidates:
                yield f"{candidate.site}: {candidate.reason}"
                yield candidate.note


def _body(answer: web.Response) -> bytes:
    assert isinstance(answer.body, bytes), "it is JSON"
    return answer.body
