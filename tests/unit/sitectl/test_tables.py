"""Tables that fit a terminal."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sitectl import tables

STATUS = ("SERVICE", "PORT", "PROTOCOL", "POLICY", "LISTENER", "TARGETS", "REQUESTS")
SHOP = ("shop", "8080", "http", "fill", "127.0.0.61:8080 bound", "2 at 2 sites", "1234567")


def test_what_fits_is_one_table() -> None:
    said = tables.text(("A", "B"), [("x", "1"), ("yy", "22")], 80, bold=False)
    assert said.splitlines() == ["A   B", "x   1", "yy  22"]


def test_a_long_text_is_folded_at_words_and_the_rest_stays_whole() -> None:
    reason = "path cost 5, and onprem at 0 takes the request"
    said = tables.text(("SITE", "REASON"), [("cloud", reason)], 40, bold=False).splitlines()
    assert said == [
        "SITE   REASON",
        "cloud  path cost 5, and onprem at 0",
        "       takes the request",
    ]


def test_what_does_not_fit_stands_in_blocks_that_begin_with_the_first_column() -> None:
    said = tables.text(STATUS, [SHOP], 50, bold=False).splitlines()
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


def test_only_a_terminal_with_colours_gets_bold_headings() -> None:
    assert "\x1b[1m" in tables.text(("A",), [("x",)], 80, bold=True)
    assert "\x1b" not in tables.text(("A",), [("x",)], 80, bold=False)


@given(
    widths=st.lists(st.integers(1, 150), min_size=1, max_size=14),
    room=st.integers(2 * tables.FOLD_TO + tables.GAP, 200),
)
def test_each_column_is_there_once_and_every_block_fits(widths: list[int], room: int) -> None:
    found = tables.blocks(widths, room)
    shown = [column for block in found for column in block if column]
    assert shown == list(range(1, len(widths)))
    assert all(0 in block for block in found)
    for block in found:
        assert sum(block.values()) + tables.GAP * (len(block) - 1) <= room
        for column, width in block.items():
            assert min(widths[column], tables.FOLD_TO) <= width <= widths[column]
    assert all(min(later) == 0 for _, later in pairwise(found))
