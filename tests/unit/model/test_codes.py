import re
from pathlib import Path

import pytest

from router.model.codes import CODES, FAMILIES, Code
from tests import codes_table

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("router", "sitectl", "certs", "simulator")
LITERAL = re.compile(r"SW\d{4}")


def used() -> dict[str, list[str]]:
    """Each code in the source outside of the registry, with the files that have it."""
    found: dict[str, list[str]] = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if path.is_relative_to(ROOT / "router/model/codes"):
                continue
            for code in set(LITERAL.findall(path.read_text())):
                found.setdefault(code, []).append(str(path.relative_to(ROOT)))
    return found


def test_every_code_in_the_source_has_an_entry() -> None:
    unknown = {code: files for code, files in used().items() if code not in CODES}

    assert not unknown, "add them to router/model/codes, then python -m tests.codes_table"


def test_every_entry_is_used() -> None:
    unused = sorted(CODES.keys() - used().keys())

    assert not unused


def test_no_code_is_there_twice() -> None:
    assert sum(len(codes) for _, codes in FAMILIES) == len(CODES)


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_an_entry_says_what_it_means_and_what_to_do(code: Code) -> None:
    assert LITERAL.fullmatch(code.code)
    assert code.title and not code.title.endswith(".")
    assert code.meaning.endswith(".")
    assert code.step and not code.step.endswith(".")


def test_the_page_is_made_from_the_entries() -> None:
    assert codes_table.PAGE.read_text() == codes_table.page(), "python -m tests.codes_table"


def test_every_place_that_an_entry_names_is_on_the_page() -> None:
    anchors = set(re.findall(r'<a id="(sw\d{4})">', codes_table.PAGE.read_text()))

    assert {code.doc for code in CODES.values()} == {f"docs/codes.md#{one}" for one in anchors}


def test_every_page_that_an_entry_names_is_there() -> None:
    named = {
        page
        for code in CODES.values()
        for page in re.findall(r"docs/[a-z0-9-]+\.md", f"{code.meaning} {code.step}")
    }

    assert not {page for page in named if not (ROOT / page).exists()}
