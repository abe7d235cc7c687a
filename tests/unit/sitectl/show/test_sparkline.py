"""Lines of blocks and bars."""

from hypothesis import given
from hypothesis import strategies as st

from sitectl.show import history, sparkline

FIGURES = st.lists(st.one_of(st.none(), st.floats(0, 1e9)), max_size=400)


def test_a_line_rises_with_its_figures_and_nothing_is_the_lowest() -> None:
    assert sparkline.line([0, 1, 4, 8], 10) == "▁▂▅█"
    assert sparkline.line([0, 0], 10) == "▁▁"
    assert sparkline.line([0, 8], 10, ascii_only=True) == "_#"
    assert sparkline.line([], 10) == ""


def test_what_is_not_known_is_a_gap() -> None:
    assert sparkline.line([1, None, 1], 10) == "█ █"


def test_a_peak_is_seen_however_short_the_line() -> None:
    assert sparkline.line([0] * 99 + [5] + [0] * 100, 8).count("█") == 1


@given(values=FIGURES, width=st.integers(1, 60), ascii_only=st.booleans())
def test_a_line_is_as_long_as_its_figures_up_to_its_width(
    values: list[float | None], width: int, ascii_only: bool
) -> None:
    drawn = sparkline.line(values, width, ascii_only=ascii_only)
    steps = sparkline.ASCII_BLOCKS if ascii_only else sparkline.BLOCKS
    assert len(drawn) == min(width, len(values))
    assert set(drawn) <= {*steps, " "}
    assert (steps[-1] in drawn) == any(value for value in values)


@given(share=st.floats(-1, 3), width=st.integers(1, 40))
def test_a_bar_is_full_at_one_and_shows_the_least_that_there_is(share: float, width: int) -> None:
    drawn = sparkline.bar(share, width)
    assert len(drawn) == width
    assert (drawn.count("█") > 0) == (share > 0)
    assert share < 1 or drawn == "█" * width


def sample(served: list[int], nowhere: int = 0) -> history.History:
    return {"served": served, "nowhere": nowhere}


def test_figures_of_a_history_are_by_second_and_from_everywhere() -> None:
    one = {"step_s": 5.0, "samples": [sample([10, 5], 5), sample([0, 0])]}
    assert history.per_second(one) == [4.0, 0.0]
    assert history.minutes([one]) == 10 / 60


def test_histories_that_began_at_other_times_end_together() -> None:
    long = {"step_s": 1.0, "samples": [sample([1]), sample([2])]}
    short = {"step_s": 1.0, "samples": [sample([10])]}
    assert history.together([long, short]) == [1.0, 12.0]
    assert history.together([]) == []
