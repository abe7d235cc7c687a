"""The commands on the pages of `examples/` do as the pages say.

The shell blocks of a page are run as one script, unchanged but for addresses, ports and places of
files. The tables that come out are held against those under "What you see": the same names in the
same order, and shares within `TOLERANCE`.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.scenario import forking
from tests.scenario.harness import ROOT, own_address
from tests.scenario.ports import free_ports
from tests.scenario.waiting import SLOWEST, until

PAGES = ("hello", "two-clusters", "six-pods")
TOLERANCE = 8.0
"""Percent of the requests: 2 % of the 300 of a page, and what begins and ends with seconds of
waiting (a target that is away for three of ten) moves with the machine."""
TOLERANCE_BY_SPEED = 20.0
"""Where one site has room for all, its targets are chosen by how soon they answer: on a busy
machine equal ones differ for seconds.
"""
TIMEOUT_S = 90.0
pytestmark = pytest.mark.timeout(SLOWEST * TIMEOUT_S)
_SHELL = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
_SEEN = re.compile(r"^## What you see\n(.*)\Z", re.M | re.S)
_LINE = re.compile(r"^(\S+) +(\d+) +([\d.]+)%$", re.M)
_ADDRESS = re.compile(r"127\.0\.0\.\d+")
_PORT = re.compile(r"\b256\d\d\b")

Table = dict[str, float]


class Ran(msgspec.Struct, frozen=True):
    """A page's script, ended."""

    code: int
    said: str


def page(name: str) -> str:
    """The page as it stands."""
    return (ROOT / "examples" / name / "README.md").read_text()


def tables(text: str) -> list[Table]:
    """Percent by name, of each table in a text: names ascend within one."""
    found: list[Table] = []
    last = ""
    for name, _, percent in _LINE.findall(text):
        if not found or name <= last:
            found.append({})
        found[-1][name] = float(percent)
        last = name
    return found


def of_sites(table: Table) -> Table:
    """A table of targets such as west-1, summed by site."""
    found: Table = {}
    for name, percent in table.items():
        site = name.partition("-")[0]
        found[site] = found.get(site, 0.0) + percent
    return found


def script(name: str, directory: Path, free: Iterator[str]) -> str:
    """All that a page has typed, at places of our own; it ends at the first command that fails."""
    typed = "\n".join(_SHELL.findall(page(name)))
    here = {found: own_address() for found in sorted(set(_ADDRESS.findall(typed)))}
    ports = {found: next(free) for found in sorted(set(_PORT.findall(typed)))}
    typed = _ADDRESS.sub(lambda found: here[found[0]], typed)
    typed = _PORT.sub(lambda found: ports[found[0]], typed)
    typed = typed.replace("/tmp/", f"{directory}/")
    return f"set -eu\n{typed}\necho the end\n"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ran]]:
    """All pages, at the same time."""
    running: dict[str, subprocess.Popen[bytes]] = {}
    states: dict[str, Path] = {}
    free = free_ports()
    try:
        for name in PAGES:
            directory = states[name] = tmp_path_factory.mktemp(name)
            lines = script(name, directory, free).replace(
                "$PWD/.venv/bin", str(forking.PYTHON.commands(directory))
            )
            with (directory / "said").open("wb") as said:
                running[name] = subprocess.Popen(
                    ["bash", "-c", lines],
                    cwd=ROOT,
                    env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    start_new_session=True,
                )
        for name, process in running.items():
            until(lambda: process.poll() is not None, f"{name} is typed", TIMEOUT_S)  # noqa: B023
        yield {
            name: Ran(process.returncode, (states[name] / "said").read_text())
            for name, process in running.items()
        }
    finally:
        for name, process in running.items():
            end(process, states[name] / name)


def end(process: subprocess.Popen[bytes], state: Path) -> None:
    """What the page's own end has not reached."""
    for site in state.glob("*/run/admin.sock"):
        words = ["--state", str(state), "--site", site.parent.parent.name, "stop"]
        subprocess.run([sys.executable, "-m", "sitectl", *words], cwd=ROOT, capture_output=True)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_has_people_type_works_to_its_end(ran: dict[str, Ran], name: str) -> None:
    assert ran[name].code == 0, ran[name].said
    assert ran[name].said.endswith("the end\n")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_what_comes_out(ran: dict[str, Ran], name: str) -> None:
    shown = _SEEN.search(page(name))
    assert shown is not None
    told, found = tables(shown[1]), tables(ran[name].said)
    assert [list(table) for table in found] == [list(table) for table in told], ran[name].said
    for expected, table in zip(told, found, strict=True):
        sites = of_sites(expected)
        assert of_sites(table) == pytest.approx(sites, abs=TOLERANCE), (expected, table)
        within = TOLERANCE if len(sites) > 1 else TOLERANCE_BY_SPEED
        assert table == pytest.approx(expected, abs=within), (expected, table)
