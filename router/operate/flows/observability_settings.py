"""Applies the Site document's settings of access log and traces while the router runs."""

import random
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import Protocol

from router.model.events import Problem
from router.model.specs import SiteSpec
from router.model.wording.system_errors import text_of
from router.net.threads import NoThread
from router.operate.flows.access_log import AccessLog
from router.operate.record.sinks import RotatedFile, StandardOutput
from router.service.observers import Observing, Tracer

ACCESS_LOG_FILE = "access.log"


class ClosingTracer(Tracer, Protocol):
    """A tracer that can be ended."""

    def close(self, *, wait: bool) -> None:
        """Send waiting spans: within a bounded time, or in the background."""


TracerMaker = Callable[[], ClosingTracer]
"""Raises ImportError if OpenTelemetry is not installed, and NoThread."""


def otel_tracer(site: str, version: str) -> TracerMaker:
    """Return a maker of an OpenTelemetry tracer; the package is imported only when tracing is
    on."""

    def make() -> ClosingTracer:
        from router.operate.flows.opentelemetry_spans import SpillwayTracer

        return SpillwayTracer(site, version)

    return make


class ObservabilitySettings:
    """Owner of the access log and the tracer.

    ``run``: the directory of the access log; None: it goes to stdout. ``tell_lost`` is called in
    another thread. Once opened, both stay open until `close`, even if no longer configured.
    """

    def __init__(
        self,
        observing: Observing,
        run: Path | None,
        now: Callable[[], float],
        make_tracer: TracerMaker,
        tell_lost: Callable[[str], None],
        rng: random.Random,
    ) -> None:
        self._observing = observing
        self._run = run
        self._now = now
        self._make_tracer = make_tracer
        self._tell_lost = tell_lost
        self._rng = rng
        self._access_log: AccessLog | None = None
        self._tracer: ClosingTracer | None = None
        self._problems: tuple[Problem, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Problems of settings that cannot be applied."""
        return self._problems

    @property
    def figures(self) -> Mapping[str, float]:
        """Metrics without labels; of an access log only once it was configured."""
        log = self._access_log
        if log is None:
            return {}
        return {
            "spillway_access_log_lines_total": log.lines_written,
            "spillway_access_log_dropped_total": log.lines_dropped,
        }

    def apply(self, site: SiteSpec) -> None:
        """Apply the document; an unchanged one has no effect."""
        share = site.access_log_share
        self._problems = ()
        if share and self._access_log is None:
            self._open_access_log()
        if self._access_log is not None:
            self._access_log.share = share
        self._follow_tracing(site.tracing)
        self._observing.set(self._access_log if share else None, self._tracer)

    def reopen(self) -> None:
        """SIGHUP."""
        if self._access_log is not None:
            self._access_log.reopen()

    def close(self) -> None:
        """Write waiting lines and send waiting spans, for a bounded time."""
        self._observing.set(None, None)
        if self._access_log is not None:
            self._access_log.close()
        if self._tracer is not None:
            self._tracer.close(wait=True)
            self._tracer = None

    def _open_access_log(self) -> None:
        sink = StandardOutput() if self._run is None else RotatedFile(self._run)
        try:
            self._access_log = AccessLog(sink, self._rng, self._now, self._tell_lost)
        except NoThread as error:
            self._problems = (_without_thread("No access log is written", error),)

    def _follow_tracing(self, wanted: bool) -> None:
        if not wanted:
            if self._tracer is not None:
                self._tracer.close(wait=False)
                self._tracer = None
        elif self._tracer is None:
            try:
                self._tracer = self._make_tracer()
            except ImportError:
                self._problems += (_not_installed(),)
            except NoThread as error:
                self._problems += (_without_thread("Requests are served without spans", error),)
            except (ValueError, OSError) as error:
                self._problems += (_unusable(text_of(error)),)


def _not_installed() -> Problem:
    """The image and some tools' environments have no pip."""
    with_pip = (
        f"{quote(sys.executable)} -m pip install 'spillway-router[otel]', then restart the router"
    )
    without = (
        "This Python has no pip: add spillway-router[otel] by the tool that made its environment, "
        "or to your image, then restart the router"
    )
    return Problem(
        code="SW0701",
        message="Tracing is wanted, but OpenTelemetry is not installed here; requests are served "
        "without spans.",
        hint=with_pip if find_spec("pip") is not None else without,
    )


def _unusable(reason: str) -> Problem:
    return Problem(
        code="SW0702",
        message="Tracing is wanted, but OpenTelemetry refuses its settings: "
        f"{reason.removesuffix('.')}.",
        hint="Fix the variables OTEL_* in the router's environment and restart it",
    )


def _without_thread(cost: str, error: NoThread) -> Problem:
    return Problem(
        code="SW0714",
        message=f"{cost}: {error.reason}.",
        hint=f"{error.hint}, and restart the router",
    )
