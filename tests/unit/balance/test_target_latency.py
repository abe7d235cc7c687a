"""Levels of requests in flight: each small number, then four for each doubling."""

from itertools import pairwise

from router.balance.targets.target_latency import LEVEL_MAX, LEVEL_OF, LEVELS


def test_each_level_follows_the_one_before() -> None:
    assert LEVEL_OF[0] == 0
    assert {above - below for below, above in pairwise(LEVEL_OF)} == {0, 1}
    assert len(set(LEVEL_OF)) == LEVELS


def test_up_to_seven_have_a_level_each_then_each_quarter_of_a_doubling_has_one() -> None:
    begin = [at for at in range(1, LEVEL_MAX + 1) if LEVEL_OF[at] > LEVEL_OF[at - 1]]
    doublings = [2**power for power in range(2, LEVEL_MAX.bit_length())]
    quarters = [each + part * each // 4 for each in doublings for part in range(4)]
    assert begin == [1, 2, 3, *(at for at in quarters if at <= LEVEL_MAX)]
