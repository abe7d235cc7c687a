"""Tables that fit a terminal."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitectl.base import colours, tables

STATUS = ("SERVICE", "PORT", "PROTOCOL", "POLICY", "LISTENER", "TARGETS", "REQUESTS")
SHOP = ("shop", "8080", "http", "fill", "127.0.0.61:8080 bound", "2 at 2 sites", "1234567")


def test_what_fits_is_one_table() -> None:
    said = tables.text(("A", "B"), [("x", "1"), ("yy", "22")], 80, coloured=False)
    assert said.splitlines() == ["A   B", "x   1", "yy  22"]


def test_a_long_text_is_folded_at_words_and_the_rest_stays_whole() -> None:
    reason = "path cost 5, and onprem at 0 takes the request"
    said = tables.text(("SITE", "REASON"), [("cloud", reason)], 40, coloured=False).splitlines()
    assert said == [
        "SITE   REASON",
        "cloud  path cost 5, and onprem at 0",
        "       takes the request",
    ]


def test_what_does_not_fit_stands_in_blocks_that_begin_with_the_first_column() -> None:
    said = tables.text(STATUS, [SHOP], 50, coloured=False).splitlines()
    assert said == [
        "SERVICE  PORT  PROTOCOL  POLICY",
        "shop     8080  http      fill",
        "",
        "SERVICE  LISTENER               TARGETS",
        "shop     127.0.0.61:8080 bound  2 at 2 sites",
        "",
        "SERVICE  REQUESTS",
        "shop     1234567",
    ]


def test_a_name_is_never_broken_however_narrow_the_terminal() -> None:
    name = "a-service-with-a-name-that-is-longer-than-a-narrow-terminal-is-wide"
    for room in range(10, 200, 7):
        said = tables.text(
            ("SERVICE", "PORT", "WHY"), [(name, "1", "a b c " * 9)], room, coloured=False
        )
        assert all(name in block for block in said.split("\n\n"))
        widest = max(map(len, said.splitlines()))
        assert widest <= max(room, len(name) + tables.GAP + tables.FOLD_TO)


def test_colours_stand_for_words_that_are_there_all_the_same() -> None:
    headings, cells = (
        ("LINK", "STATE", "ERROR"),
        [("up", "up, stands by", "-"), ("b", "down", "no")],
    )
    plain = tables.text(headings, cells, 80, coloured=False)
    said = tables.text(headings, cells, 80, coloured=True)
    assert "\x1b" not in plain
    assert said.splitlines()[1] == "up    \x1b[32mup,\x1b[0m stands by  -"
    assert said.splitlines()[2].endswith("\x1b[31mdown\x1b[0m           \x1b[31mno\x1b[0m")
    assert re.sub(r"\x1b\[\d+m", "", said) == plain


@pytest.mark.parametrize(
    ("heading", "word", "meaning"),
    [
        ("STATE", "up", colours.GOOD),
        ("STATE", "connecting", colours.WARN),
        ("STATE", "refused", colours.BAD),
        ("VERDICT", "higher-level", colours.WARN),
        ("VERDICT", "dearer", colours.QUIET),
        ("READY", "yes", colours.GOOD),
        ("READY", "no", colours.BAD),
        ("DRAINING", "yes", colours.WARN),
        ("DRAINING", "no", ""),
        ("SITE", "up", ""),
        ("READY", "2", ""),
    ],
)
def test_a_word_has_its_colour_in_columns_of_states_only(
    heading: str, word: str, meaning: str
) -> None:
    assert colours.meaning(heading, word) == meaning


@given(
    widths=st.lists(st.integers(1, 150), min_size=1, max_size=14),
    room=st.integers(2 * tables.FOLD_TO + tables.GAP, 200),
)
def test_each_column_is_there_once_and_every_block_fits(widths: list[int], room: int) -> None:
    leasts = [min(width, tables.FOLD_TO) for width in widths]
    found = tables.blocks(widths, leasts, room)
    shown = [column for block in found for column in block if column]
    assert shown == list(range(1, len(widths)))
    assert all(0 in block for block in found)
    for block in found:
        assert sum(block.values()) + tables.GAP * (len(block) - 1) <= room
        for column, width in block.items():
            assert min(widths[column], tables.FOLD_TO) <= width <= widths[column]
    assert all(min(later) == 0 for _, later in pairwise(found))


def test_columns_that_say_nothing_are_not_shown_to_people() -> None:
    headings, cells = ("A", "ERROR", "B"), [("-", "-", "1"), ("-", "-", "-")]
    assert tables.shortened(headings, cells, 80, ()) == (["A", "B"], [["-", "1"], ["-", "-"]])


def test_optional_columns_go_one_by_one_until_the_others_have_room() -> None:
    headings, cells = ("NAME", "X", "Y", "Z"), [("n" * 10, "x" * 10, "y" * 10, "z" * 10)]
    found = [tables.shortened(headings, cells, room, ("Y", "X"))[0] for room in (46, 45, 34, 33)]
    assert found == [[*headings], ["NAME", "X", "Z"], ["NAME", "X", "Z"], ["NAME", "Z"]]
