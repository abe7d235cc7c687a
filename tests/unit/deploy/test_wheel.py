"""The wheel holds the four packages, their data, the license, and nothing else."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from router import __version__

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("certs", "router", "simulator", "sitectl")
BYTES_MAX = 4_000_000
"""1 MB of it is the console at most; the rest is text."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (path,) = directory.iterdir()
    assert path.name == f"spillway_router-{__version__}-py3-none-any.whl"
    assert path.stat().st_size < BYTES_MAX
    return zipfile.ZipFile(path)


def test_it_has_every_file_of_the_packages_and_no_other(wheel: zipfile.ZipFile) -> None:
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    assert "router/admin/console/static/index.html" in wanted
    found = {name for name in wheel.namelist() if not name.startswith("spillway_router-")}
    assert found == wanted


def test_it_has_the_licence_the_lists_and_three_commands(wheel: zipfile.ZipFile) -> None:
    about = f"spillway_router-{__version__}.dist-info"
    told = {name: wheel.read(f"{about}/{name}").decode() for name in ("METADATA", "RECORD")}
    assert wheel.read(f"{about}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert f"{about}/licenses/THIRD_PARTY.md" in wheel.namelist()
    assert "License-Expression: Apache-2.0" in told["METADATA"]
    assert not re.search(r"^tests/|^deploy/|/__pycache__/", told["RECORD"], re.MULTILINE)
    commands = wheel.read(f"{about}/entry_points.txt").decode()
    for command in ("sitectl", "spillway-router", "spillway-controller"):
        assert f"{command} = " in commands
