import pytest

from router.model.codes import CODES
from sitectl.base.failure import doc_of
from sitectl.base.findings import Finding
from sitectl.show.check_report import ALIKE_MAX, GROUPS, group_of, item, text

FOUND = [
    Finding("ok", "SW0510", "site west"),
    Finding("ok", "SW0515", "link east is up"),
    Finding("warning", "SW0517", "no target is ready", "sitectl why shop"),
    Finding("error", "SW0514", "the port is taken"),
    Finding("info", "SW0501", "Python"),
]


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_group(code: str) -> None:
    assert group_of(code) in GROUPS


def test_a_code_of_a_later_version_has_a_group_too() -> None:
    assert {group_of(code) for code in ("SW0199", "SW0999", "x")} <= set(GROUPS)


def test_findings_stand_below_their_groups_and_none_is_lost() -> None:
    lines = text(FOUND).splitlines()

    headings = [line for line in lines if line in GROUPS]
    assert headings == ["machine", "site", "links", "services"]
    for one in FOUND:
        assert sum(f"{one.code}  {one.message}" in line for line in lines) == 1
    assert "Next: sitectl why shop" in "\n".join(lines)
    assert lines[-1].startswith("1 error, 1 warning, 2 good.")
    assert lines[-1].endswith("sitectl explain SW0514"), "the worst first"


def test_of_a_crowd_the_first_are_shown_and_the_others_counted() -> None:
    """Another site can declare a thousand services without a target."""
    crowd = [Finding("info", "SW0517", f"service r{number}", "why") for number in range(1_000)]
    lines = text([*crowd[:500], FOUND[2], *crowd[500:], FOUND[3]]).splitlines()

    assert sum("SW0517  service r" in line for line in lines) == ALIKE_MAX
    assert any(f"SW0517  {1_000 - ALIKE_MAX} more like these" in line for line in lines)
    assert any("WARNING  SW0517  no target is ready" in line for line in lines)
    assert lines[-1].startswith("1 error, 1 warning, 0 good.")


def test_colour_is_there_only_when_it_is_wanted() -> None:
    assert "\x1b[" in text(FOUND, colour=True)
    assert "\x1b[" not in text(FOUND)


def test_json_has_group_and_place() -> None:
    assert item(FOUND[2]) == {
        "level": "warning",
        "code": "SW0517",
        "message": "no target is ready",
        "hint": "sitectl why shop",
        "group": "services",
        "doc": "docs/codes.md#sw0517",
    }


@pytest.mark.parametrize("code", ["SW9", "not-found", "", "SW12345", "SWabcd"])
def test_words_have_no_place(code: str) -> None:
    assert doc_of(code) == ""
