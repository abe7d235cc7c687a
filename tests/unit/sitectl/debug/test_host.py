"""What a debug dump finds out of the host."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from sitectl.debug.host import site_parts, why_nothing
from sitectl.site.directory import DirectorySite


def test_a_full_disk_is_no_process_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "hangs" in why_nothing(tmp_path)
    full = {"f_frsize": 4_096, "f_bavail": 0, "f_bfree": 0, "f_files": 9, "f_favail": 9}
    monkeypatch.setattr(os, "statvfs", lambda place: SimpleNamespace(**full))
    assert why_nothing(tmp_path) == f"{tmp_path} is on a disk without free space"


def test_the_logs_of_all_workers_are_there(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for place in (run, *(run / "workers" / name for name in ("1", "2", "10", "64", "x"))):
        place.mkdir(parents=True)
        (place / "router.log").write_text(f"of {place.name}\n")
        (place / "access.log").write_text("a client\n")
    (run / "workers" / "1" / "events.log.1").write_text("before\n")
    (run / "workers" / "count").write_text("3\n")
    parts = {one.name: one.collect for one in site_parts(DirectorySite(tmp_path))}
    assert [name for name in parts if name.startswith("logs/")] == [
        "logs/router.log",
        "logs/events.log",
        "logs/workers/1/events.log.1",
        "logs/workers/1/router.log",
        "logs/workers/2/router.log",
        "logs/workers/10/router.log",
    ]
    assert parts["logs/workers/2/router.log"]() == "of 2\n"
