"""Targets that are ready and answer nothing: connections without a byte, requests that wait."""

from router.balance.targets.answer_streaks import (
    AnswerCounts,
    AnswerStreaks,
    Changes,
    NoAnswer,
    UsualTimes,
)
from router.model.errors import STUCK, STUCK_WITH_ROOM
from router.model.ids import ServiceKey
from router.model.limits import (
    SILENT_AFTER,
    TARGET_STUCK_AWAITED,
    TARGET_STUCK_GAP_S,
    TARGET_STUCK_LONGEST,
    TARGET_STUCK_S,
    TARGET_STUCK_TIMES,
)

KEY = ServiceKey("db", 5432)
ONE, OTHER = "10.0.0.1:5432", "10.0.0.2:5432"
LATE_S = TARGET_STUCK_S + 1
NOTHING = Changes([], [], [])


def silent(in_a_row: int = SILENT_AFTER) -> NoAnswer:
    return NoAnswer(key=KEY, address=ONE, in_a_row=in_a_row)


def stuck(since: float = 0.0) -> NoAnswer:
    """With all of its slots taken."""
    return NoAnswer(key=KEY, address=ONE, since=since, awaited=1, is_full=True)


def stuck_with_room(awaited: int = TARGET_STUCK_AWAITED) -> NoAnswer:
    return NoAnswer(key=KEY, address=ONE, awaited=awaited)


class Targets:
    """Of one service port."""

    def __init__(self, usual_s: float | None = 0.1, longest_s: float = 0.0) -> None:
        self.streaks = AnswerStreaks()
        self.counts = {ONE: AnswerCounts(0)}
        self.down: set[str] = set()
        self.usual = None if usual_s is None else UsualTimes(usual_s, longest_s)
        self.now = 0.0

    def look(self) -> Changes:
        seen = {KEY: self.counts}
        is_ready = lambda key, address: address not in self.down  # noqa: E731
        return self.streaks.look(seen, is_ready, lambda key: self.usual, self.now)

    def after(self, address: str = ONE, *, answered: int = 0, silent: int = 0) -> Changes:
        """One look after so many connections."""
        before = self.counts.get(address, AnswerCounts(0))
        self.counts[address] = AnswerCounts(before.answered + answered, before.silent + silent)
        return self.look()

    def full(self, now: float, completed: int | None) -> Changes:
        """One look at ``now``: how many requests it has completed; None: it has a free slot."""
        counts = None if completed is None else AnswerCounts(completed, awaited=1, is_full=True)
        return self.at(now, counts)

    def at(self, now: float, counts: AnswerCounts | None) -> Changes:
        """One look at ``now``; None: no request waits for it."""
        self.now = now
        self.counts = {} if counts is None else {ONE: counts}
        return self.look()


def test_a_target_that_answered_before_is_reported_once_and_its_return_once() -> None:
    targets = Targets()
    assert targets.after(answered=1) == NOTHING
    assert targets.after(silent=SILENT_AFTER - 1) == NOTHING
    assert targets.after(silent=1) == Changes([silent()], [], [])
    assert targets.after(silent=2) == NOTHING
    assert targets.streaks.found == {KEY: {ONE: silent(SILENT_AFTER + 2)}}
    assert targets.after(answered=1) == Changes([], [silent(SILENT_AFTER + 2)], [])
    assert targets.look() == NOTHING
    assert not targets.streaks.found


def test_an_answer_in_between_begins_the_row_again() -> None:
    targets = Targets()
    targets.after(answered=1)
    for _ in range(3):
        assert targets.after(silent=SILENT_AFTER - 1) == NOTHING
        assert targets.after(answered=1) == NOTHING
    assert targets.after(silent=SILENT_AFTER) == Changes([silent()], [], [])


def test_a_server_that_never_speaks_is_not_silent() -> None:
    targets = Targets()
    assert targets.after(silent=100) == NOTHING
    assert not targets.streaks.found


def test_a_target_that_never_answered_is_silent_once_another_one_of_its_service_did() -> None:
    targets = Targets()
    assert targets.after(silent=SILENT_AFTER) == NOTHING
    assert targets.after(OTHER, answered=1) == Changes([silent()], [], [])


def test_a_target_that_goes_down_begins_again_and_ends_nothing() -> None:
    targets = Targets()
    targets.after(answered=1)
    assert targets.after(silent=SILENT_AFTER).begun
    targets.down.add(ONE)
    assert targets.look() == NOTHING
    assert not targets.streaks.found
    targets.down.clear()
    assert targets.after(silent=SILENT_AFTER - 1) == NOTHING
    assert targets.after(silent=1) == Changes([silent()], [], [])


def test_a_target_that_is_removed_is_forgotten() -> None:
    targets = Targets()
    targets.after(answered=1)
    targets.after(silent=SILENT_AFTER)
    targets.counts.clear()
    targets.down.add(ONE)
    assert targets.look() == NOTHING
    assert not targets.streaks.found
    targets.down.clear()
    assert targets.after(silent=SILENT_AFTER) == NOTHING, "another one there, which never spoke"


def test_a_full_target_that_completes_nothing_is_stuck_until_it_completes_one() -> None:
    targets = Targets()
    assert targets.full(0.0, 7) == NOTHING
    assert targets.full(TARGET_STUCK_S - 1, 7) == NOTHING
    assert targets.full(LATE_S, 7) == Changes([stuck()], [], [])
    assert targets.full(LATE_S + 1, 7) == NOTHING
    assert targets.streaks.found == {KEY: {ONE: stuck()}}
    assert targets.full(LATE_S + 2, 8) == Changes([], [stuck()], [])
    assert not targets.streaks.found
    assert targets.full(2 * LATE_S + 2, 8) == Changes([stuck(LATE_S + 2)], [], [])


def test_a_target_whose_counts_begin_again_has_not_answered_for_that() -> None:
    targets = Targets()
    targets.full(0.0, 7)
    assert targets.full(LATE_S, 7).begun
    targets.counts = {ONE: AnswerCounts(0)}
    targets.now = LATE_S + 2 * TARGET_STUCK_GAP_S
    assert targets.look() == Changes([], [], [stuck()])


def test_a_target_with_a_free_slot_is_not_stuck() -> None:
    targets = Targets()
    targets.full(0.0, 7)
    targets.full(5.0, None)
    assert targets.full(LATE_S, 7) == NOTHING
    targets = Targets()
    targets.full(0.0, 7)
    assert targets.full(LATE_S, 7).begun
    freed = targets.full(LATE_S + TARGET_STUCK_GAP_S + 1, None)
    assert freed == Changes([], [], [stuck()]), "it has completed nothing"


def test_a_slot_that_is_free_for_a_moment_changes_nothing() -> None:
    targets = Targets()
    targets.full(0.0, 7)
    assert targets.full(LATE_S, 7).begun
    assert targets.full(LATE_S + 1, None) == targets.full(LATE_S + 2, 7) == NOTHING
    assert targets.streaks.found


def test_a_stuck_target_that_goes_down_ends_nothing() -> None:
    targets = Targets()
    targets.full(0.0, 7)
    assert targets.full(LATE_S, 7).begun
    targets.down.add(ONE)
    assert targets.full(LATE_S + 1, None) == NOTHING
    assert not targets.streaks.found


def test_requests_that_take_long_as_a_rule_are_no_sign() -> None:
    usual_s = LATE_S / TARGET_STUCK_TIMES
    for told_s, begun in ((usual_s + 1, []), (usual_s, [stuck()]), (None, [])):
        targets = Targets(told_s)
        targets.full(0.0, 7)
        assert targets.full(LATE_S, 7).begun == begun


def test_with_free_slots_it_is_stuck_if_several_requests_wait_for_it() -> None:
    few = AnswerCounts(7, awaited=TARGET_STUCK_AWAITED - 1)
    several = AnswerCounts(7, awaited=TARGET_STUCK_AWAITED)
    targets = Targets()
    targets.at(0.0, few)
    assert targets.at(LATE_S, few) == NOTHING
    targets = Targets()
    targets.at(0.0, several)
    assert targets.at(TARGET_STUCK_S - 1, several) == NOTHING
    assert targets.at(LATE_S, several) == Changes([stuck_with_room()], [], [])
    more = AnswerCounts(7, awaited=20)
    assert targets.at(LATE_S + 1, more) == NOTHING
    assert targets.streaks.found == {KEY: {ONE: stuck_with_room(20)}}
    assert targets.at(LATE_S + 2, AnswerCounts(7)) == NOTHING, "the next ones may come"
    freed = targets.at(LATE_S + 2 + TARGET_STUCK_GAP_S, AnswerCounts(7))
    assert freed == Changes([], [], [stuck_with_room(20)])


def test_with_free_slots_some_that_take_long_as_a_rule_are_no_sign() -> None:
    several = AnswerCounts(7, awaited=TARGET_STUCK_AWAITED)
    late_s = 4 * TARGET_STUCK_S
    longest_s = late_s / TARGET_STUCK_LONGEST
    for told_s, begun in ((longest_s + 1, []), (longest_s, [stuck_with_room()])):
        targets = Targets(longest_s=told_s)
        targets.at(0.0, several)
        assert targets.at(late_s, several).begun == begun
    full = Targets(longest_s=longest_s + 1)
    full.full(0.0, 7)
    assert full.full(late_s, 7).begun, "it takes no more either"


def test_one_that_gets_full_while_it_is_stuck_began_once_and_says_so() -> None:
    targets = Targets()
    targets.at(0.0, AnswerCounts(7, awaited=TARGET_STUCK_AWAITED))
    assert targets.at(LATE_S, AnswerCounts(7, awaited=TARGET_STUCK_AWAITED)).begun
    assert targets.full(LATE_S + 1, 7) == NOTHING
    assert targets.streaks.found == {KEY: {ONE: stuck()}}


def test_words() -> None:
    assert silent(3).shown == "3 connections in a row got no byte of an answer"
    assert silent(3).sentence == f"3 connections in a row got no byte of an answer from {ONE}"
    assert stuck().shown == STUCK
    assert stuck().sentence == f"all slots of {ONE} are taken, and it completes no request"
    assert stuck_with_room().shown == STUCK_WITH_ROOM
    assert stuck_with_room().sentence == f"requests await an answer of {ONE}, and it completes none"


def test_a_stuck_target_that_has_a_free_slot_moves_once_it_completes_a_request() -> None:
    targets = Targets()
    targets.full(0.0, 7)
    assert targets.streaks.waited_for_lately == [(KEY, ONE)]
    assert targets.full(30.0, 7) == Changes([stuck()], [], [])
    targets.counts = {ONE: AnswerCounts(7)}  # A client gave up, and the next one is not there yet.
    targets.now = 30.5
    assert targets.look() == NOTHING
    targets.counts = {ONE: AnswerCounts(8)}
    targets.now = 31.0
    assert targets.look() == Changes([], [stuck()], [])
    assert targets.streaks.waited_for_lately == []
