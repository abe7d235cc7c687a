"""The last release: its wheel, unpacked to run it beside this one."""

import atexit
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

WHEEL = Path(__file__).with_name("spillway_router-0.1.0-py3-none-any.whl")
SHA256 = "4f90dba442e53b619dc2ed94108a3dd9b0ee9c2325549b9a9003615908235c89"
GOLDEN = Path(__file__).with_name("golden.json")
"""Samples that the release wrote: lines of kind, name, bytes (hex), facts."""

_SPEAKING = Path(__file__).with_name("speaking.py")
_TIMEOUT_S = 60.0


@cache
def previous() -> Path:
    """A directory with the packages of the last release; it is gone when this process ends."""
    data = WHEEL.read_bytes()
    assert hashlib.sha256(data).hexdigest() == SHA256, f"{WHEEL} is not the wheel of that release"
    directory = Path(tempfile.mkdtemp(prefix="spillway-release-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    with zipfile.ZipFile(WHEEL) as archive:
        archive.extractall(directory)
    return directory


def written_by(code: Path) -> list[Any]:
    """The samples of the release whose packages lie in ``code``."""
    return [json.loads(line) for line in _speak(code, "write", "").splitlines()]


def read_by(code: Path, samples: Iterable[tuple[str, bytes]]) -> list[Any]:
    """The facts that the release reads from each of (kind, bytes)."""
    lines = [json.dumps([kind, data.hex()]) for kind, data in samples]
    return [json.loads(line) for line in _speak(code, "read", "\n".join(lines)).splitlines()]


def _speak(code: Path, verb: str, given: str) -> str:
    done = subprocess.run(
        [sys.executable, str(_SPEAKING), verb],
        input=given,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        cwd=code,
        env={**os.environ, "PYTHONPATH": str(code)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
