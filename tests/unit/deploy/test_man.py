"""The man pages: one for each verb, and roff that says nothing wrong."""

import re
import subprocess
from pathlib import Path

import pytest

from deploy import man
from deploy.verbs import verbs

PAGES = man.pages()
REQUESTS = {".TH", ".SH", ".PP", ".TP", ".B", ".BR", ".nf", ".fi"}


def test_there_is_a_page_for_each_verb_and_for_the_router() -> None:
    names = {f"{'-'.join(verb.words)}.1" for verb in verbs()}

    assert {"sitectl.1", "sitectl-init.1", "sitectl-service-set.1"} < names
    assert PAGES.keys() == {*names, "spillway-router.8"}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_its_parts_and_only_requests_that_are_meant(name: str) -> None:
    lines = PAGES[name].splitlines()

    assert lines[0].startswith(f'.TH "{name[:-2].upper()}" {name[-1]} ')
    assert [line for line in lines if line.startswith(".SH")][:3] == [
        ".SH NAME",
        ".SH SYNOPSIS",
        ".SH DESCRIPTION",
    ]
    assert {line.split()[0] for line in lines if line[:1] in (".", "'")} <= REQUESTS


def test_text_that_looks_like_a_request_is_text() -> None:
    assert man.plain(".venv a-b\n'x' \\ `sitectl`") == "\\&.venv a\\-b\n\\&'x' \\e \\fBsitectl\\fR"


@pytest.mark.programs("groff")
@pytest.mark.parametrize("name", ["sitectl.1", "sitectl-service-set.1", "spillway-router.8"])
def test_groff_formats_a_page_without_a_warning(name: str) -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-P-cbou"],
        input=PAGES[name].encode(),
        capture_output=True,
        check=True,
    )

    assert done.stderr == b""
    assert re.search(r"^NAME$", done.stdout.decode(), re.M)


def test_they_are_written_by_section(tmp_path: Path) -> None:
    assert man.main([str(tmp_path)]) == 0

    assert (tmp_path / "man1" / "sitectl-why.1").read_text("utf-8") == PAGES["sitectl-why.1"]
    assert (tmp_path / "man8" / "spillway-router.8").is_file()
