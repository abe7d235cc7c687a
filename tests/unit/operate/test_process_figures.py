"""Figures of the process, beside those of prometheus-client's own collector."""

import os
import subprocess
import sys
import time

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector

from router.admin.metrics import FAMILIES
from router.operate.figures.process_figures import (
    DESCRIPTORS_AT_ONCE,
    counted_descriptors,
    process_values,
    started_at,
)
from tests.unit.operate.test_metrics_source import whole

RESIDENT = "process_resident_memory_bytes"


def of_the_library() -> dict[str, float]:
    """By metric, without memory."""
    registry = CollectorRegistry()
    found = ProcessCollector(registry=registry).collect()
    return {sample.name: sample.value for family in found for sample in family.samples}


def own() -> dict[str, float]:
    numbers = whole(process_values(started_at(), 5_000)).numbers
    assert all(list(series) == [()] for series in numbers.values())
    return {name: series[()] for name, series in numbers.items()}


def test_they_are_those_of_the_library_under_its_names() -> None:
    theirs, ours = of_the_library(), own()
    assert ours.keys() == theirs.keys() - {"process_virtual_memory_bytes"}
    assert ours.keys() == {name for name in FAMILIES if name.startswith("process_")}
    assert ours.pop(RESIDENT) == 5_000
    assert ours["process_max_fds"] == theirs["process_max_fds"]
    assert ours["process_start_time_seconds"] == pytest.approx(
        theirs["process_start_time_seconds"], abs=2.0
    )
    assert ours["process_cpu_seconds_total"] >= theirs["process_cpu_seconds_total"] - 0.02
    assert ours["process_start_time_seconds"] < time.time()


def test_their_help_is_that_of_the_library() -> None:
    told = {
        family.name: family.documentation for family in ProcessCollector(registry=None).collect()
    }
    for name, family in FAMILIES.items():
        if name.startswith("process_"):
            assert family.help.startswith(told[name.removesuffix("_total")].rstrip("."))


_COUNTS = f"""
import os
from router.operate.figures.process_figures import DESCRIPTORS, counted_descriptors
from tests.unit.operate.test_process_figures import _count
before = _count()
opened = [os.open(os.devnull, os.O_RDONLY) for _ in range({3 * DESCRIPTORS_AT_ONCE})]
assert len(list(counted_descriptors())) >= 4
assert _count() == before + len(opened)
assert os.stat(DESCRIPTORS).st_size in (0, _count())
"""


def test_descriptors_are_counted_in_slices_where_the_kernel_does_not_say() -> None:
    # In a separate process: in this one the collector closes descriptors that other tests left.
    subprocess.run([sys.executable, "-c", _COUNTS], check=True, timeout=60)


def test_without_a_descriptor_to_count_by_that_figure_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none_left(path: str) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "scandir", none_left)
    assert list(counted_descriptors()) == []
    assert "Too many open files" in caplog.text


def _count() -> float:
    return whole(counted_descriptors()).numbers["process_open_fds"][()]
