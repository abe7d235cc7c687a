"""docs/design/hostile-peers.md names tests and limits: they are there."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import certs.limits
import router.model.limits

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "design" / "hostile-peers.md"
BETWEEN_SITES = ("# link: frames and lanes.", "# exchange: HTTP.")
"""Headings of `router.model.limits`, between which stands what concerns links and routing."""


@cache
def all_tests() -> frozenset[str]:
    """The names of all tests."""
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        found |= set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE))
    return frozenset(found)


def rows() -> Iterator[list[str]]:
    """The cells of every row of the page's tables but their heads."""
    for line in PAGE.read_text().splitlines():
        if line.startswith("| ") and not line.startswith(("| case", "| constant")):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    assert len(named) > 100
    assert sorted(named - all_tests()) == []


def test_every_case_and_limit_of_the_page_names_a_test() -> None:
    told = list(rows())
    assert len(told) > 80
    assert [cells[0] for cells in told if "`test_" not in cells[-1]] == []


def test_every_limit_that_the_page_names_is_one() -> None:
    named = {n for n in re.findall(r"`([A-Z][A-Z0-9_]+)`", PAGE.read_text()) if "_" in n}
    known = {*vars(router.model.limits), *vars(certs.limits)}
    assert len(named) > 50
    assert sorted(named - known) == []


def test_what_bounds_links_and_routing_is_on_the_page_or_in_a_test_of_its_own() -> None:
    source = Path(router.model.limits.__file__).read_text()
    begin, end = map(source.index, BETWEEN_SITES)
    bounds = set(re.findall(r"^([A-Z][A-Z0-9_]+_MAX)\b", source[begin:end], re.MULTILINE))
    told = PAGE.read_text() + "".join(p.read_text() for p in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"\b([A-Z][A-Z0-9_]+_MAX)\b", told))
    assert len(bounds) > 20
    assert sorted(bounds - named - OF_OURSELVES) == []


OF_OURSELVES = frozenset({"STREAM_WINDOW_BYTES_MAX", "LANE_BYTES_MAX"})
"""How we grow, wait and replace by ourselves, whatever the peer does."""
