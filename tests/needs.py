"""What tests need of the machine. The run leaves out a test that lacks something, and says so.

`make test` stays green then. In CI a missing program or a missing feature of the system fails the
test; only `EXCUSED` reasons are left out there, too.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import pytest

from tests.programs import PROGRAMS, in_ci, missing

EXCUSED: Final = ("needs root", "needs CPython 3.11", "needs the cluster of the tests")
"""How the reasons start that depend on who runs the tests, by which Python and on which cluster."""
PLACES_SHOWN: Final = 3


def programs(*names: str) -> None:
    """Leave the test out unless this machine has these of `PROGRAMS`."""
    for name in missing(names):
        lacking(f"{name}, which {PROGRAMS[name].why}")


def root(purpose: str) -> None:
    """Leave the test out unless root runs it."""
    if os.geteuid():
        lacking(f"root, to {purpose}")


def lacking(what: str) -> None:
    """Leave the test out: this machine does not have ``what``."""
    pytest.skip(f"needs {what}")


def is_excused(reason: str) -> bool:
    """Whether a test may be left out for this reason here."""
    return not in_ci() or reason.startswith(EXCUSED)


def banner(left_out: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Lines about tests that were left out: files by reason, one for each test."""
    found = {reason: Counter(files) for reason, files in left_out.items()}
    count = sum(map(Counter.total, found.values()))
    yield f"NOT RUN: {count} test{'s' if count > 1 else ''}"
    for reason, files in sorted(found.items(), key=lambda pair: (-pair[1].total(), pair[0])):
        names = sorted(files)
        more = f" and {len(names) - PLACES_SHOWN} more" if len(names) > PLACES_SHOWN else ""
        yield f"{files.total():6}  {reason}: {', '.join(names[:PLACES_SHOWN])}{more}"
    if missing():
        yield "To install what is missing, as root: tests/setup"
