"""The access log and tracing as the site's document wants them, from one moment to the next."""

import random
import sys
import threading
from pathlib import Path

import pytest

from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.specs import SiteSpec
from router.net.threads import NoThread
from router.operate.flows.observability_settings import ObservabilitySettings
from router.service.observers import Finished, Observing, RequestTiming, Span

BAD = Finished(
    key=ServiceKey("shop", 1), protocol="tcp", client="", passage=RequestTiming(outcome="link-lost")
)


class Tracer:
    def __init__(self) -> None:
        self.closed: list[bool] = []

    def begun(self, request: Request, client: str) -> tuple[Request, Span] | None:
        return None

    def close(self, *, wait: bool) -> None:
        self.closed.append(wait)


class Bench:
    def __init__(self, run: Path | None, error: Exception | None = None) -> None:
        self.observing = Observing()
        self.tracers: list[Tracer] = []
        self.error = error
        self.seeing = ObservabilitySettings(
            self.observing, run, lambda: 0.0, self._make, lambda reason: None, random.Random(1)
        )

    def traces_to(self, tracer: Tracer | None) -> bool:
        return self.observing.tracer is tracer

    def _make(self) -> Tracer:
        if self.error is not None:
            raise self.error
        self.tracers.append(Tracer())
        return self.tracers[-1]


def test_nothing_wanted_leaves_nothing_behind(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "access.log")
    bench.seeing.apply(SiteSpec())
    assert not bench.observing.is_on
    assert (bench.seeing.problems, dict(bench.seeing.figures)) == ((), {})
    bench.seeing.close()
    assert list(tmp_path.iterdir()) == []


def test_the_log_can_be_switched_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    bench = Bench(path)
    bench.seeing.apply(SiteSpec(access_log_share=0.5))
    assert bench.observing.access_log is not None
    bench.observing.access_log.finished(BAD)
    bench.seeing.apply(SiteSpec())
    assert not bench.observing.is_on
    bench.seeing.close()
    assert path.read_text().count("\n") == 1
    assert dict(bench.seeing.figures) == {
        "spillway_access_log_lines_total": 1,
        "spillway_access_log_dropped_total": 0,
    }


def test_tracing_begins_and_ends_with_the_document(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "access.log")
    wanted = SiteSpec(tracing=True)
    bench.seeing.apply(wanted)
    bench.seeing.apply(wanted)
    (tracer,) = bench.tracers
    assert bench.traces_to(tracer)
    bench.seeing.apply(SiteSpec())
    assert tracer.closed == [False]
    assert bench.traces_to(None)
    bench.seeing.apply(wanted)
    bench.seeing.close()
    assert bench.tracers[-1].closed == [True]


def test_tracing_without_opentelemetry_is_a_problem_with_the_command_that_mends_it(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path / "access.log", ImportError("opentelemetry"))
    bench.seeing.apply(SiteSpec(tracing=True, access_log_share=1.0))
    (problem,) = bench.seeing.problems
    assert problem.code == "SW0701"
    assert "pip install 'spillway-router[otel]'" in problem.hint
    assert bench.observing.access_log is not None and bench.observing.tracer is None
    bench.seeing.apply(SiteSpec())
    assert bench.seeing.problems == ()
    bench.seeing.close()


def test_without_pip_the_problem_does_not_advise_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)
    bench = Bench(tmp_path / "access.log", ImportError("opentelemetry"))
    bench.seeing.apply(SiteSpec(tracing=True))
    (problem,) = bench.seeing.problems
    assert problem.code == "SW0701" and "-m pip" not in problem.hint
    assert problem.hint.startswith("This Python has no pip")
    assert "spillway-router[otel]" in problem.hint


def test_settings_that_the_sdk_refuses_are_a_problem_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "access.log", ValueError("could not convert string to float: 'x'"))
    bench.seeing.apply(SiteSpec(tracing=True))
    (problem,) = bench.seeing.problems
    assert problem.code == "SW0702" and "'x'" in problem.message


def test_a_reason_that_is_a_sentence_ends_the_problem_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "access.log", ValueError("max_queue_size must be a positive integer."))
    bench.seeing.apply(SiteSpec(tracing=True))
    (problem,) = bench.seeing.problems
    assert problem.message.endswith(": max_queue_size must be a positive integer.")


def test_a_thread_that_cannot_be_started_costs_lines_and_spans_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = RuntimeError("can't start new thread")

    def no_thread(thread: threading.Thread) -> None:
        raise none

    bench = Bench(tmp_path / "access.log", NoThread("tracing", none))
    wanted = SiteSpec(access_log_share=1.0, tracing=True)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        bench.seeing.apply(wanted)
    assert not bench.observing.is_on
    assert [(one.code, one.message) for one in bench.seeing.problems] == [
        (
            "SW0714",
            "No access log is written: no thread can be started for access-log (can't start new "
            "thread).",
        ),
        (
            "SW0714",
            "Requests are served without spans: no thread can be started for tracing (can't start "
            "new thread).",
        ),
    ]
    assert all(one.hint.endswith("and restart the router") for one in bench.seeing.problems)
    bench.error = None
    bench.seeing.apply(wanted)
    assert bench.seeing.problems == ()
    assert bench.observing.access_log is not None and bench.observing.tracer is not None
    bench.seeing.close()
