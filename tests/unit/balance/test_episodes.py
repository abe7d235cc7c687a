from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from router.balance.episodes import Begun, Ended, Episodes, Now
from router.model.ids import ServiceKey
from router.model.limits import EPISODE_QUIET_S, EPISODE_SITES_SHOWN, EPISODE_TOTALS_MAX
from tests.examples import histories

SHOP = ServiceKey("shop", 8080)


def shop(in_flight: int = 0, capacity: int | None = 2, **left: int) -> dict[ServiceKey, Now]:
    return {SHOP: Now(left=left, in_flight=in_flight, capacity=capacity)}


def test_the_first_requests_that_leave_begin_it() -> None:
    episodes = Episodes(0.0)

    assert episodes.look(shop(), 1.0) == []
    found = episodes.look(shop(2, east=3), 2.0)

    assert found == [
        Begun(key=SHOP, began=1.0, requests=3, to={"east": 3}, in_flight=2, capacity=2)
    ]


def test_it_ends_after_a_quiet_time_with_the_sum_of_all() -> None:
    episodes = Episodes(0.0)
    episodes.look(shop(2, east=3), 1.0)
    episodes.look(shop(5, 2, east=4, north=2), 2.0)
    assert episodes.look(shop(0, east=4, north=2), 2.0 + EPISODE_QUIET_S - 0.01) == []
    found = episodes.look(shop(0, east=4, north=2), 2.0 + EPISODE_QUIET_S)

    assert found == [
        Ended(
            key=SHOP,
            began=0.0,
            lasted_s=2.0,
            active_s=2.0,
            requests=6,
            to={"east": 4, "north": 2},
            in_flight_max=5,
            capacity=2,
        )
    ]
    assert episodes.look(shop(0, east=4, north=2), 99.0) == []


def test_a_pause_belongs_to_it_and_is_no_time_in_which_some_left() -> None:
    episodes = Episodes(0.0)
    for second, east in enumerate((3, 3, 3, 3, 4, 4, 4), start=1):
        episodes.look(shop(east=east), float(second))
    (ended,) = episodes.look(shop(east=4), 5.0 + EPISODE_QUIET_S)
    assert isinstance(ended, Ended)
    assert (ended.lasted_s, ended.active_s) == (5.0, 2.0)


def test_figures_are_of_looks_at_which_requests_left_and_not_of_the_quiet_after() -> None:
    episodes = Episodes(0.0)
    episodes.look(shop(2, 2, east=3), 1.0)
    episodes.look(shop(2, 4, east=4), 2.0)
    episodes.look(shop(3, 4, east=4), 3.0)
    (ended,) = episodes.look(shop(0, 4, east=4), 2.0 + EPISODE_QUIET_S)
    assert isinstance(ended, Ended)
    assert (ended.in_flight_max, ended.capacity) == (2, 2)


def test_what_left_before_it_was_news_is_none_afterwards() -> None:
    def look(second: float, expected: bool, east: int) -> list[Begun | Ended]:
        seen = Now(left={"east": east}, in_flight=0, capacity=2, expected=expected)
        return episodes.look({SHOP: seen}, second)

    episodes = Episodes(0.0)
    assert look(1.0, True, 7) == []
    assert look(2.0, False, 12) == [], "they left before a target was there"
    (begun,) = look(3.0, False, 15)
    assert begun.requests == 3


def test_a_flicker_is_one_event() -> None:
    episodes = Episodes(0.0)
    found = [
        event
        for second in range(1, 60)
        for event in episodes.look(shop(1, east=second // 3), float(second))
    ]

    assert [type(event) for event in found] == [Begun]


def test_it_lasts_while_connections_are_open_elsewhere() -> None:
    episodes = Episodes(0.0)

    def seen(still_open: int) -> dict[ServiceKey, Now]:
        return {SHOP: Now(left={"east": 5}, in_flight=2, capacity=2, still_open=still_open)}

    assert [type(one) for one in episodes.look(seen(5), 1.0)] == [Begun]
    assert episodes.look(seen(1), 500.0) == []
    assert episodes.look(seen(0), 501.0) == []
    (ended,) = episodes.look(seen(0), 500.0 + EPISODE_QUIET_S)

    assert isinstance(ended, Ended)
    assert (ended.requests, ended.lasted_s) == (5, 500.0)


def test_what_leaves_as_it_should_is_counted_and_not_told() -> None:
    episodes = Episodes(0.0)
    told = [
        episodes.look({SHOP: Now(left={"east": left}, in_flight=0, capacity=2, expected=is_so)}, at)
        for at, left, is_so in ((1.0, 3, True), (2.0, 5, True), (3.0, 5, False), (4.0, 6, False))
    ]

    assert told[:3] == [[], [], []]
    (begun,) = told[3]
    assert (begun.requests, begun.began) == (1, 3.0)


def test_a_service_that_is_gone_ends_what_it_had() -> None:
    episodes = Episodes(0.0)
    episodes.look(shop(1, east=1), 1.0)

    (ended,) = episodes.look({}, 2.0)

    assert isinstance(ended, Ended)
    assert ended.requests == 1


def test_a_service_made_anew_counts_from_nothing() -> None:
    episodes = Episodes(0.0)
    episodes.look(shop(1, east=9), 1.0)
    episodes.look({}, 2.0)

    (begun,) = episodes.look(shop(1, east=2), 3.0)

    assert isinstance(begun, Begun)
    assert begun.requests == 2


def test_a_service_made_anew_that_goes_on_with_its_counters_brings_no_news() -> None:
    episodes = Episodes(0.0)
    episodes.look(shop(1, east=218), 1.0)
    episodes.look({}, 2.0)

    assert episodes.look(shop(0, east=218), 3.0) == []
    (begun,) = episodes.look(shop(0, east=220), 4.0)
    assert isinstance(begun, Begun)
    assert begun.requests == 2


def test_what_goes_on_at_one_process_of_a_service_made_anew_is_no_news() -> None:
    """At the others nothing was under way, so they count from nothing: the sum falls."""

    def both(own: int, other: int) -> dict[ServiceKey, Now]:
        now = Now(left={"east": own}, in_flight=0, capacity=2, beside=[{"east": other}])
        return {SHOP: now}

    episodes = Episodes(0.0)
    episodes.look(both(7, 5), 1.0)
    episodes.look(both(7, 5), 1.0 + EPISODE_QUIET_S)
    episodes.look({}, 20.0)
    assert episodes.look(both(0, 5), 21.0) == []
    (begun,) = episodes.look(both(2, 6), 22.0)
    assert isinstance(begun, Begun)
    assert begun.requests == 3


def test_what_leaves_at_all_processes_is_summed() -> None:
    beside = [{"east": 3}, {"east": 1, "west": 2}]
    episodes = Episodes(0.0)
    assert episodes.look(shop(), 1.0) == []
    now = Now(left={"east": 3}, in_flight=0, capacity=2, beside=beside)
    (begun,) = episodes.look({SHOP: now}, 2.0)
    assert begun.to == {"east": 7, "west": 2}


def test_a_process_that_was_started_again_counts_from_nothing() -> None:
    episodes = Episodes(0.0)
    for at, beside in ((1.0, {"east": 41}), (2.0, {}), (3.0, {"east": 3})):
        episodes.look(
            {SHOP: Now(left={}, in_flight=0, capacity=2, beside=[beside])},
            at,
        )
    (ended,) = episodes.close()
    assert ended.requests == 44


def test_services_that_are_gone_are_forgotten_above_a_number() -> None:
    episodes = Episodes(0.0)
    now = Now(left={"east": 1}, in_flight=0, capacity=None)
    many = {ServiceKey(f"s{number}", 1): now for number in range(EPISODE_TOTALS_MAX + 9)}
    episodes.look(many, 1.0)
    episodes.look({}, 2.0)

    assert sum(episodes.knows(key) for key in many) == EPISODE_TOTALS_MAX


def test_a_counter_that_fell_was_made_anew() -> None:
    episodes = Episodes(0.0)
    episodes.look(shop(1, east=9), 1.0)
    episodes.look(shop(1, east=2), 2.0)

    (ended,) = episodes.close()

    assert ended.requests == 11


def test_as_many_sites_are_named_as_are_shown_and_the_rest_is_summed() -> None:
    at = {f"s{n}": 100 - n for n in range(EPISODE_SITES_SHOWN)}
    episodes = Episodes(0.0)
    (begun,) = episodes.look(shop(1, **at), 1.0)
    assert isinstance(begun, Begun)
    assert begun.to == at

    (begun,) = Episodes(0.0).look(shop(1, **at, more=1, still=2), 1.0)
    assert isinstance(begun, Begun)
    assert begun.to == {**at, "…": 3}


@given(st.lists(st.integers(1, 3), max_size=EPISODE_SITES_SHOWN + 4))
def test_sites_are_named_by_how_many_they_had_and_then_by_name(counts: list[int]) -> None:
    to = {f"s{number:02}": count for number, count in enumerate(counts)}
    told = dict(sorted(to.items(), reverse=True))
    ordered = sorted(to, key=lambda site: (-to[site], site))
    expected = [(site, to[site]) for site in ordered[:EPISODE_SITES_SHOWN]]
    if rest := sum(to[site] for site in ordered[EPISODE_SITES_SHOWN:]):
        expected.append(("…", rest))
    episodes = Episodes(0.0)
    found = [*episodes.look(shop(1, **told), 1.0), *episodes.close()]
    assert [list(one.to.items()) for one in found] == ([expected] * 2 if counts else [])


@given(histories(st.integers(0, 5), 60))
def test_no_request_is_lost_between_begin_and_end(steps: list[int]) -> None:
    episodes, total, found = Episodes(0.0), 0, []
    for second, step in enumerate(steps, 1):
        total += step
        found += episodes.look(shop(1, east=total), float(second))
    found += episodes.close()

    ended = [event for event in found if isinstance(event, Ended)]
    assert sum(event.requests for event in ended) == total
    assert len(ended) == len(found) - len(ended)
    for one, other in pairwise(found):
        assert type(one) is not type(other)
