import pytest

from router.model import limits
from router.service.sites.remotes import SMOOTHING, Remotes
from tests.unit.exchange.fakes import candidate, site_of

B = site_of("b")


def remotes() -> Remotes:
    known = Remotes()
    known.learn([candidate("b")])
    return known


def test_the_first_round_trip_counts_whole_and_later_ones_move_the_mean() -> None:
    known = remotes()
    known.note_round_trip(B, 0.02)
    assert known.round_trip_s(B) == 0.02
    known.note_round_trip(B, 0.03)
    assert 0.02 < known.round_trip_s(B) < 0.03
    assert not known.far


def test_the_mean_service_time_begins_with_the_first_and_follows_each_of_a_turn() -> None:
    known = remotes()
    known.note_service([])
    assert known.service_time_s == 0.0
    known.note_service([1.0, 2.0])
    assert known.service_time_s == 1.0 + SMOOTHING
    known.note_service([])
    assert known.service_time_s == 1.0 + SMOOTHING


def test_the_least_time_is_the_usual_one_after_a_pause_and_the_mean_where_that_is_less() -> None:
    known = remotes()
    for _ in range(50):
        known.note_service([0.1])
    known.note_service([4.0] * 4)
    assert known.service_time_s > 1.0
    assert known.least_time_s < 0.2
    for _ in range(500):
        known.note_service([4.0])
    assert known.least_time_s == pytest.approx(4.0, rel=0.05), "it is no pause"
    known.note_service([0.1] * 10)
    assert known.least_time_s == known.service_time_s


def test_what_is_usual_does_not_hang_on_the_first_request() -> None:
    known = remotes()
    for seconds in (0.001, *[0.2] * 30):
        known.note_service([seconds])
    assert known.least_time_s > 0.19


def test_a_site_beyond_the_limit_is_far_until_it_is_near_again() -> None:
    known = remotes()
    known.note_round_trip(B, 0.2)
    assert known.far == {B}
    for _ in range(20):
        known.note_round_trip(B, 0.001)
    assert not known.far


def test_a_stand_tells_a_shorter_way_at_once_and_a_longer_one_by_the_shortest_of_many() -> None:
    known = remotes()
    known.note_round_trip(B, 0.2)
    known.note_stand(B, 0.15)
    assert known.round_trip_s(B) == 0.15
    for number in range(2 * limits.ROUND_TRIP_SAMPLES):
        known.note_stand(B, 0.5 + number % 5)
    assert known.round_trip_s(B) == 0.5
    known.note_stand(B, 0.01)
    assert not known.far


def test_a_site_that_is_not_known_has_no_round_trip() -> None:
    known = remotes()
    known.note_round_trip(site_of("c"), 0.2)
    assert known.round_trip_s(site_of("c")) == 0.0
    assert not known.far


@pytest.mark.parametrize("share", [0.5, 1.0, 1.001])
@pytest.mark.parametrize("was_far", [False, True])
def test_a_site_is_far_only_beyond_the_limit_whatever_it_was(share: float, was_far: bool) -> None:
    known = remotes()
    if was_far:
        known.note_stand(B, 9.0)
        for _ in range(limits.ROUND_TRIP_SAMPLES):
            known.note_stand(B, 9.0)
        assert known.far == {B}
        known.note_stand(B, share * limits.FAR_RTT_S)
    else:
        known.note_round_trip(B, share * limits.FAR_RTT_S)
    assert known.far == ({B} if share > 1 else set())


def test_round_trips_move_the_mean_by_a_fifth() -> None:
    known = remotes()
    seen = []
    for seconds in (0.010, 0.020, 0.0, 0.030):
        known.note_round_trip(B, seconds)
        seen.append(known.round_trip_s(B))
    assert seen == pytest.approx([0.010, 0.012, 0.0096, 0.01368])


def test_a_longer_way_is_believed_after_so_many_stands_and_not_before() -> None:
    known = remotes()
    known.note_round_trip(B, 0.2)
    for _ in range(2):
        before = known.round_trip_s(B)
        for number in range(limits.ROUND_TRIP_SAMPLES):
            assert known.round_trip_s(B) == before
            known.note_stand(B, before + 1.0 + number)
        assert known.round_trip_s(B) == before + 1.0, "the shortest of them"


def test_of_sites_without_a_route_only_the_newest_are_remembered() -> None:
    known = Remotes()
    names = [f"s{number}" for number in range(limits.ROUND_TRIPS_KEPT_MAX + 10)]
    for name in names:
        known.learn([candidate(names[0]), candidate(name)])
        known.note_round_trip(site_of(name), 0.2)
    kept = [name for name in names if known.round_trip_s(site_of(name))]
    assert kept == [names[0], *names[11:]]
    assert known.far == {site_of(name) for name in kept}
