"""Operator views of a simulated site's router, which is a single process."""

from typing import Any

from router.operate.figures.history_recorder import HistoryRecorder
from router.operate.figures.recent_figures import RecentFigures
from router.operate.live_snapshot import LiveRows
from router.operate.process_facts import ProcessFacts
from router.operate.views import OperatorView
from router.workers.combined_figures import RouterFigures
from router.workers.workers import Lead, Workers
from tests.simulation.world import SimMemory, SimSite


def no_workers() -> Workers:
    """The workers of a router with one process: none."""
    return Workers(
        1,
        (),
        lambda: Lead("", frozenset()),
        lambda *words: None,
        logs_to_file=False,
    )


def recent_of(
    site: SimSite, recorder: HistoryRecorder, whole: RouterFigures | None = None
) -> RecentFigures:
    """The figures of the last seconds in ``recorder``. ``whole``: with its other workers."""
    return RecentFigures(site.router, recorder, whole or RouterFigures(no_workers()))


def view_of(
    site: SimSite,
    recorder: HistoryRecorder | None = None,
    whole: RouterFigures | None = None,
    **facts: Any,
) -> OperatorView:
    """The operator view of a site's router. ``whole``: with its other workers. ``facts``: fields of
    `ProcessFacts`."""
    found: dict[str, Any] = {"expiries": dict} | facts
    if "memory" not in found:
        found["memory"] = SimMemory(site, 100).guard
    return OperatorView(
        site.router,
        site.network,  # type: ignore[arg-type]  # Only its clock is asked here.
        recent_of(site, recorder or HistoryRecorder(site.network, site.router), whole),
        whole or RouterFigures(no_workers()),
        ProcessFacts(**found),
        lambda name, arguments: None,
        dict,
    )


def living_of(site: SimSite, recorder: HistoryRecorder) -> LiveRows:
    """Rows of its services, with the figures of the last seconds in ``recorder``."""
    whole = RouterFigures(no_workers())
    return LiveRows(view_of(site), site.router, recent_of(site, recorder), whole)
