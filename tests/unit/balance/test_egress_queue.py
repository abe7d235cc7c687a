import pytest

from router.balance.sites.egress_queue import stand_s, standing_target
from router.model import limits

NEAR_S, FAR_S = limits.FAR_RTT_S, 0.2


@pytest.mark.parametrize(
    ("freed_per_s", "rtt_s", "standing"),
    [
        *((100.0, 0.01, 1), (100.0, 0.04, 4), (0.0, 0.01, 1), (100.0, 0.0, 1)),
        *((40.0, FAR_S, 9), (40.0, 1.0, 41), (0.0, FAR_S, 1)),
    ],
)
def test_as_many_stand_as_are_let_in_in_a_round_trip(
    freed_per_s: float, rtt_s: float, standing: int
) -> None:
    assert standing_target(freed_per_s, rtt_s) == standing


def test_never_more_stand_than_the_bound() -> None:
    assert standing_target(1e7, NEAR_S) == limits.STANDING_MAX
    assert standing_target(1e7, FAR_S) == limits.STANDING_FAR_MAX


def test_a_whole_queue_stands_at_a_far_site_and_not_at_a_near_one() -> None:
    for beyond in (0, 1, 3, 16):
        assert standing_target(40.0, FAR_S, beyond=beyond) == 9 + beyond
        assert standing_target(100.0, 0.01, beyond=beyond) == 1


def test_a_stand_at_a_near_site_is_short_and_ends_a_round_trip_before_the_deadline() -> None:
    assert stand_s(1.0, NEAR_S, is_only=True) == limits.STAND_S
    assert stand_s(0.1, 0.02, is_only=True) == pytest.approx(0.08)


def test_a_stand_at_a_far_site_lasts_as_long_as_the_way_or_the_deadline() -> None:
    assert stand_s(1.0, 0.1, is_only=False) == limits.STAND_S
    assert stand_s(1.0, 0.6, is_only=False) == 0.6
    assert stand_s(0.4, 0.6, is_only=False) == 0.4
    assert stand_s(1.0, 0.6, is_only=True) == 1.0
    assert stand_s(0.2, 3.0, is_only=True) == 0.2
