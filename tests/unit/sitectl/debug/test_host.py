"""What a debug dump finds out of the host."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from sitectl.debug.host import why_nothing


def test_a_full_disk_is_no_process_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "hangs" in why_nothing(tmp_path)
    full = {"f_frsize": 4_096, "f_bavail": 0, "f_bfree": 0, "f_files": 9, "f_favail": 9}
    monkeypatch.setattr(os, "statvfs", lambda place: SimpleNamespace(**full))
    assert why_nothing(tmp_path) == f"{tmp_path} is on a disk without free space"
