"""Targets that accept connections and answer nothing, by counts of connections."""

from router.balance.answer_streaks import AnswerCounts, AnswerStreaks, SilenceBegun, SilenceEnded
from router.model.ids import ServiceKey
from router.model.limits import SILENT_AFTER

KEY = ServiceKey("db", 5432)
ONE, OTHER = "10.0.0.1:5432", "10.0.0.2:5432"


class Targets:
    """Of one service port."""

    def __init__(self) -> None:
        self.streaks = AnswerStreaks()
        self.counts = {ONE: AnswerCounts(0, 0)}
        self.down: set[str] = set()

    def look(self) -> list[SilenceBegun | SilenceEnded]:
        return self.streaks.look({KEY: self.counts}, lambda key, one: one not in self.down)

    def after(
        self, address: str = ONE, *, answered: int = 0, silent: int = 0
    ) -> list[SilenceBegun | SilenceEnded]:
        """One look after so many connections."""
        before = self.counts.get(address, AnswerCounts(0, 0))
        self.counts[address] = AnswerCounts(before.answered + answered, before.silent + silent)
        return self.look()


def test_a_target_that_answered_before_is_reported_once_and_its_return_once() -> None:
    targets = Targets()
    assert not targets.after(answered=1)
    assert not targets.after(silent=SILENT_AFTER - 1)
    assert targets.after(silent=1) == [SilenceBegun(KEY, ONE, SILENT_AFTER)]
    assert not targets.after(silent=2)
    assert targets.streaks.silent == {KEY: {ONE: SILENT_AFTER + 2}}
    assert targets.after(answered=1) == [SilenceEnded(KEY, ONE, SILENT_AFTER + 2)]
    assert not targets.look() and not targets.streaks.silent


def test_an_answer_in_between_begins_the_row_again() -> None:
    targets = Targets()
    targets.after(answered=1)
    for _ in range(3):
        assert not targets.after(silent=SILENT_AFTER - 1)
        assert not targets.after(answered=1)


def test_a_server_that_never_speaks_is_not_silent() -> None:
    targets = Targets()
    assert not targets.after(silent=100)
    assert not targets.streaks.silent


def test_a_target_that_never_answered_is_silent_once_another_one_of_its_service_did() -> None:
    targets = Targets()
    assert not targets.after(silent=SILENT_AFTER)
    assert targets.after(OTHER, answered=1) == [SilenceBegun(KEY, ONE, SILENT_AFTER)]


def test_a_target_that_goes_down_begins_again_and_ends_nothing() -> None:
    targets = Targets()
    targets.after(answered=1)
    assert targets.after(silent=SILENT_AFTER)
    targets.down.add(ONE)
    assert not targets.look() and not targets.streaks.silent
    targets.down.clear()
    assert not targets.after(silent=SILENT_AFTER - 1)
    assert targets.after(silent=1) == [SilenceBegun(KEY, ONE, SILENT_AFTER)]


def test_a_target_that_is_removed_is_forgotten() -> None:
    targets = Targets()
    targets.after(answered=1)
    targets.after(silent=SILENT_AFTER)
    targets.counts.clear()
    assert not targets.look() and not targets.streaks.silent
    assert not targets.after(silent=SILENT_AFTER), "another one of that address, which never spoke"
