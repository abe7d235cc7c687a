"""Paths of equal cost: which are kept, and whose turn it is."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from router.model.ids import RouterId
from router.model.limits import EQUAL_PATHS_MAX
from router.model.paths import Path, in_turn, kept

HOPS = st.lists(st.sampled_from("abcd").map(RouterId), min_size=1, max_size=4).map(tuple)
PATHS = st.lists(HOPS, unique=True, max_size=30)


def path(text: str) -> Path:
    return tuple(map(RouterId, text))


def test_first_hops_take_turns_and_those_of_one_hop_among_themselves() -> None:
    paths = [path(text) for text in ("ax", "bx", "by", "bz")]
    turns = ["".join(turn) for turn in in_turn(paths)]
    assert turns == ["ax", "bx", "ax", "by", "ax", "bz"]


def test_one_path_and_none_are_their_own_round() -> None:
    assert in_turn([path("ab")]) == (path("ab"),)
    assert in_turn([]) == ()


@given(paths=PATHS)
def test_first_hops_get_equal_shares_and_no_path_is_left_out(paths: list[Path]) -> None:
    few = kept(paths, EQUAL_PATHS_MAX)
    turns = in_turn(few)
    assert set(turns) == set(few)
    assert len(set(Counter(turn[0] for turn in turns).values())) <= 1
    assert len(turns) <= 36


@given(paths=PATHS)
def test_every_first_hop_keeps_a_path_before_any_keeps_two(
    paths: list[Path],
) -> None:
    few = kept(paths, EQUAL_PATHS_MAX)
    assert len(few) == min(len(paths), EQUAL_PATHS_MAX)
    assert list(few) == sorted(few)
    assert kept(reversed(paths), EQUAL_PATHS_MAX) == few
    if len({one[0] for one in paths}) <= EQUAL_PATHS_MAX:
        assert {one[0] for one in few} == {one[0] for one in paths}


def test_as_many_are_kept_as_fit_and_the_next_one_is_not() -> None:
    paths = [path(f"a{letter}") for letter in "bcdefghijk"]
    assert kept(paths[:EQUAL_PATHS_MAX], EQUAL_PATHS_MAX) == tuple(paths[:EQUAL_PATHS_MAX])
    assert kept(paths[: EQUAL_PATHS_MAX + 1], EQUAL_PATHS_MAX) == tuple(paths[:EQUAL_PATHS_MAX])
    assert path("zz") in kept([*paths, path("zz")], EQUAL_PATHS_MAX)
