"""What the history keeps and drops."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.history.readings import OTHERS, SHED, change, parts, sample
from router.history.recent import History
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.model.latency import FINE_BOUNDS_S, NO_COUNTS
from router.model.port_reading import Reading

WEST = SiteId("west")
SHOP = ServiceKey("shop", 8080)
STEP = limits.HISTORY_STEP_S


def served(**count: int) -> Reading:
    """So many requests ended, all within a millisecond."""
    by_site = {SiteId(name): ended for name, ended in count.items()}
    return Reading(served=by_site, counts=(sum(count.values()), *NO_COUNTS[1:]))


def test_in_flight_is_the_mean_over_the_looks_of_a_step() -> None:
    history = History()
    history.step(SHOP, Reading(), 0.0)
    for held in (4, 8, 0, 0):
        history.look()
        if held:
            history.hold(SHOP, {WEST: held})
    history.close(STEP)
    history.step(SHOP, Reading(), STEP)
    at, found = history.of(SHOP)[-1]
    assert (at, found.sites) == (STEP, {"west": (3.0, 0)})


def test_the_first_step_of_a_service_port_has_what_was_in_flight_in_it() -> None:
    """Once that step had served requests but none in flight: what-if said targets take 0 ms."""
    history = History()
    history.close(0.0)
    for held in (4, 8, 0, 0):
        history.look()
        if held:
            history.hold(SHOP, {WEST: held})
    history.close(STEP)
    for held in (2, 2):  # Service ports are read in several turns, between which it looks.
        history.look()
        history.hold(SHOP, {WEST: held})
    history.step(SHOP, served(west=7), STEP)
    history.close(2 * STEP)
    history.step(SHOP, served(west=9), 2 * STEP)
    assert [found.sites[WEST] for _, found in history.of(SHOP)] == [(3.0, 7), (2.0, 2)]


def test_what_is_held_of_new_service_ports_takes_no_more_room_than_there_is() -> None:
    history = History()
    keys = [ServiceKey("shop", port + 1) for port in range(limits.HISTORY_PORTS_MAX + 1)]
    history.close(0.0)
    history.look()
    for key in keys:
        history.hold(key, {WEST: 1})
    history.close(STEP)
    for key in reversed(keys):  # The last one came too late to be held, and finds room.
        history.step(key, served(west=1), STEP)
    told = {key: [found.sites for _, found in history.of(key)] for key in keys}
    assert told[keys[0]] == []
    assert told[keys[1]] == [{WEST: (1.0, 1)}]
    assert told[keys[-1]] == [{WEST: (0.0, 1)}]


def test_as_many_steps_are_kept_as_a_quarter_of_an_hour_has_and_no_more() -> None:
    history = History()
    for number in range(limits.HISTORY_STEPS + 2):
        history.step(SHOP, served(west=number), number * STEP)
    kept = history.of(SHOP)
    assert len(kept) == limits.HISTORY_STEPS
    assert kept[0][0] == 2 * STEP
    assert kept[-1][0] == (limits.HISTORY_STEPS + 1) * STEP
    history.step(SHOP, served(west=limits.HISTORY_STEPS + 2), 10_000.0)
    assert len(history.of(SHOP)) == limits.HISTORY_STEPS


def test_there_is_room_for_so_many_service_ports_and_the_next_one_tells_nothing() -> None:
    history = History()
    keys = [ServiceKey("shop", port + 1) for port in range(limits.HISTORY_PORTS_MAX + 1)]
    for moment in (0.0, STEP):
        history.close(moment)
        for key in keys:
            history.step(key, Reading(), moment)
    assert [len(history.of(key)) for key in keys] == [2] * limits.HISTORY_PORTS_MAX + [0]


def test_who_finds_room_late_begins_there_and_not_with_all_that_it_ever_served() -> None:
    history = History()
    others = [ServiceKey("other", port + 1) for port in range(limits.HISTORY_PORTS_MAX)]
    for key in others:
        history.step(key, Reading(), 0.0)
    moment = 0.0
    while moment <= limits.HISTORY_S + STEP:
        moment += STEP
        history.close(moment)
        for key in others[1:]:  # One is gone.
            history.step(key, Reading(), moment)
        history.step(SHOP, served(west=1_000), moment)
    history.close(moment + STEP)
    history.step(SHOP, served(west=1_002), moment + STEP)
    told = [found.sites for _, found in history.of(SHOP)]
    assert told[-1] == {"west": (0.0, 2)}
    assert not any(told[:-1])


def test_a_service_port_that_is_gone_is_kept_as_long_as_a_sample_and_makes_room_then() -> None:
    history = History()
    history.step(SHOP, Reading(), 0.0)
    history.step(SHOP, Reading(), STEP)
    history.close(STEP + limits.HISTORY_S)
    assert len(history.of(SHOP)) == 2
    history.close(STEP + limits.HISTORY_S + 1)
    assert history.of(SHOP) == []


def test_a_sample_has_room_for_so_many_sites_and_those_that_served_least_are_one() -> None:
    most = limits.HISTORY_SITES_MAX
    for count in (most, most + 1):
        after = Reading(served={SiteId(f"site-{number:02}"): number + 1 for number in range(count)})
        made = sample(change(Reading(), after, STEP), after, {})
        assert len(made.sites) == most
        assert sum(one for _, one in made.sites.values()) == count * (count + 1) // 2
        assert (OTHERS in made.sites) is (count > most)
    assert made.sites[OTHERS] == (0.0, 1 + 2)


def test_totals_that_fell_started_over() -> None:
    found = change(served(west=10), served(west=3), STEP)
    assert found.served == {"west": 3}
    assert found.per_s(3) == 3 / STEP


def test_what_happened_lately_is_of_half_a_step_to_one_and_a_half() -> None:
    history = History()
    history.step(SHOP, served(west=1), 0.0)
    first = history.lately(SHOP, served(west=2), 1.0)
    assert first is not None and (first.served, first.lasted_s) == ({"west": 2}, STEP + 1)
    assert history.lately(ServiceKey("other", 1), Reading(), 1.0) is None
    history.step(SHOP, served(west=3), STEP)
    early = history.lately(SHOP, served(west=5), STEP + 1)
    late = history.lately(SHOP, served(west=5), STEP + 4)
    assert early is not None and (early.served, early.lasted_s) == ({"west": 4}, STEP + 1)
    assert late is not None and (late.served, late.lasted_s) == ({"west": 2}, 4.0)


def test_a_service_port_that_was_away_comes_back_with_nothing_of_that_time() -> None:
    """It was removed for a minute, or not imported: 50 requests a second were shown as 0.6."""
    history = History()
    history.close(0.0)
    history.step(SHOP, served(west=4000), 0.0)
    for number in range(1, 13):
        history.close(number * STEP)
    came = 12 * STEP
    assert history.lately(SHOP, served(west=5), came + 0.1) is None
    told = history.lately(SHOP, served(west=50), came + 1.0)
    assert told is not None
    assert (told.requests, told.lasted_s) == (50, 1.0)
    history.close(came + STEP)
    history.step(SHOP, served(west=250), came + STEP)
    counts = [found.sites.get(WEST, (0.0, 0))[1] for _, found in history.of(SHOP)]
    assert counts == [4000, *([0] * 12), 250]
    assert [at for at, _ in history.of(SHOP)] == [number * STEP for number in range(14)]
    later = history.lately(SHOP, served(west=260), came + STEP + 1)
    assert later is not None
    assert (later.requests, later.lasted_s) == (260, STEP + 1)


def test_a_step_that_lasted_as_long_as_several_is_as_many_samples() -> None:
    history = History()
    history.step(SHOP, Reading(), 0.0)
    history.look()
    history.close(3 * STEP)
    history.step(SHOP, served(west=100), 3 * STEP)
    found = history.of(SHOP)[1:]
    assert [at for at, _ in found] == [STEP, 2 * STEP, 3 * STEP]
    assert [one.sites[WEST][1] for _, one in found] == [33, 33, 34]


@given(st.integers(0, 99), st.integers(0, 99), st.integers(1, 12))
def test_parts_of_a_step_add_up_to_it(failures: int, shed: int, count: int) -> None:
    spills = {"overflow": {WEST: 5}, "spilled": {"full": 5}, "spilled_to": {WEST: 5}}
    after = msgspec.structs.replace(
        served(west=7), failed=failures + shed, failed_for={SHED: shed}, **spills
    )
    whole = change(Reading(), after, count * STEP)
    each = parts(whole, count)
    for name in ("overflow", "overflow_begun", "spilled", "spilled_to"):
        assert sum(sum(getattr(one, name).values()) for one in each) == 5
    assert sum(one.failed for one in each) == whole.failed
    assert sum(one.served.get(WEST, 0) for one in each) == 7
    assert min(one.failures for one in each) >= 0
    assert {one.lasted_s for one in each} == {STEP}


def test_what_a_service_port_did_is_known_before_its_first_step_ends() -> None:
    history = History()
    history.close(10.0)
    assert history.lately(SHOP, served(west=4), 10.4) is None
    early = history.lately(SHOP, served(west=4), 12.0)
    assert early is not None and (early.served, early.lasted_s) == ({"west": 4}, 2.0)


def test_a_service_port_fails_while_its_last_step_has_failures() -> None:
    history = History()
    history.step(SHOP, Reading(), 0.0)
    assert history.unanswered([]) == set()
    history.step(SHOP, Reading(failed=1), STEP)
    assert history.unanswered([(SHOP, 1)]) == {SHOP}
    history.step(SHOP, Reading(failed=1, served={WEST: 3}), 2 * STEP)
    assert history.unanswered([(SHOP, 1)]) == set()


def test_a_service_port_fails_from_the_first_failure_on_and_not_from_the_end_of_a_step() -> None:
    history = History()
    assert history.unanswered([(SHOP, 1)]) == {SHOP}, "it is too new for a step"
    history.step(SHOP, Reading(failed=3, gave_up=4), 0.0)
    history.step(SHOP, Reading(failed=3, gave_up=4), STEP)
    assert history.unanswered([(SHOP, 7)]) == set()
    assert history.unanswered([(SHOP, 8)]) == {SHOP}


def test_a_step_has_what_failed_in_it_answers_of_targets_too() -> None:
    history = History()
    history.step(SHOP, Reading(failed=2, gave_up=1), 0.0)
    history.step(SHOP, Reading(served={WEST: 9}, failed=5, gave_up=8), STEP)
    (_, found) = history.of(SHOP)[-1]
    assert (found.failed, found.gave_up, found.nowhere) == (3, 7, 0)


def test_requests_that_clients_give_up_are_no_failures_and_unanswered_all_the_same() -> None:
    history = History()
    history.step(SHOP, Reading(), 0.0)
    history.step(SHOP, Reading(served={WEST: 9}, gave_up=9), STEP)
    assert history.unanswered([(SHOP, 9)]) == {SHOP}
    started_over = history.lately(SHOP, Reading(served={WEST: 10}, gave_up=2), 2 * STEP)
    assert started_over is not None
    assert started_over.gave_up == 2


def test_idle_steps_keep_one_sample() -> None:
    history = History()
    for number in range(5):
        history.step(SHOP, served(west=7), number * STEP)
    kept = [found for _, found in history.of(SHOP)]
    assert kept[0].sites == {"west": (0.0, 7)}
    assert len(kept) == 5 and kept.count(kept[1]) == 4


def test_a_site_alone_shows_that_totals_started_over() -> None:
    """All sums are as great as they were: another site served as many."""
    before = Reading(served={WEST: 4})
    after = Reading(served={SiteId("east"): 4}, counts=NO_COUNTS)
    assert change(before, after, STEP).served == {SiteId("east"): 4}
    spilled = Reading(spilled_to={WEST: 1}), Reading(served={WEST: 1})
    assert change(*spilled, STEP).served == {WEST: 1}


def test_quantiles_are_of_what_ended_in_between() -> None:
    counts = list(NO_COUNTS)
    counts[1], counts[-2] = 98, 2
    before = Reading(counts=(1_000, *NO_COUNTS[1:]))
    after = Reading(counts=(1_000, *counts[1:]), served={WEST: 100})
    found = change(before, after, STEP)
    assert found.p50_s == FINE_BOUNDS_S[1]
    assert found.p99_s == FINE_BOUNDS_S[-1]
