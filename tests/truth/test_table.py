"""The pages with the table of faults are those that the tests hold."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.truth import table
from tests.truth.fault import STATUS, SURFACES, Fault, silent

NAMED: Final = re.compile(r"^(\w+) = Fault\(", re.MULTILINE)


def test_the_pages_have_the_table() -> None:
    for path, text in table.pages().items():
        assert path.read_text() == text, "python -m tests.truth.table"


def test_each_fault_of_the_table_happens_in_a_test() -> None:
    here = Path(__file__).parent
    tests = "".join(path.read_text() for path in here.glob("test_*.py"))
    made = {name for group in here.glob("faults/*.py") for name in NAMED.findall(group.read_text())}
    assert len(made) == len(table.FAULTS)
    assert {name for name in made if f"faults.{name}" not in tests} == set()


def test_each_surface_has_a_text_or_a_reason() -> None:
    with pytest.raises(ValueError, match="missing="):
        Fault(name="", clients="", shown={}, silent=silent("none", *SURFACES[1:]))
    with pytest.raises(ValueError, match=r"twice=\{'status'\}"):
        Fault(name="", clients="", shown={STATUS: "x"}, silent=silent("none", *SURFACES))


def test_a_pattern_is_found_in_order_and_over_lines() -> None:
    rest = silent("none", *SURFACES[1:])
    fault = Fault(name="", clients="", shown={STATUS: "a…(b)…c"}, silent=rest, false=("all well",))
    assert fault.fits(STATUS, "1 a\n(b) 2 c")
    assert not fault.fits(STATUS, "(b) a c")
    assert not fault.fits(STATUS, "a b c")
    assert not fault.fits(STATUS, "a (b) c: all well")
    assert fault.fits(SURFACES[1], "any text")
    assert not fault.fits(SURFACES[1], "all well")
