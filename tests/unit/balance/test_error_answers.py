"""Which targets answer 5xx, and how often, by counts of their answers."""

from hypothesis import given
from hypothesis import strategies as st

from router.balance.targets.error_answers import ErrorAnswers, ErrorCounts
from router.model.ids import ServiceKey
from router.model.limits import FAILING_SHARE, TARGET_ERRORS_MIN, TARGET_ERRORS_S
from tests.examples import histories

KEY = ServiceKey("shop", 8080)
ONE, OTHER = "10.0.0.1:80", "10.0.0.2:80"


class Targets:
    """Looked at once a second."""

    def __init__(self) -> None:
        self.answers = ErrorAnswers()
        self.counts = {ONE: ErrorCounts(0, 0)}
        self.now = 0.0

    def second(self, errors: int, requests: int, address: str = ONE) -> list[str]:
        before = self.counts.get(address, ErrorCounts(0, 0))
        self.counts[address] = ErrorCounts(before.errors + errors, before.requests + requests)
        self.now += 1.0
        seen = {(KEY, one): counts for one, counts in self.counts.items() if counts.errors}
        self.answers.look(seen, self.now)
        return [one.sentence for one in self.answers.found.get(KEY, {}).values()]


def test_a_target_that_begins_to_fail_is_not_excused_by_what_it_did_before() -> None:
    targets = Targets()
    targets.second(1, 50)  # Long ago: from then on its requests are known.
    for _ in range(100):
        assert targets.second(0, 50) == []
    assert targets.second(5, 5) == [f"{ONE} answered 5xx to 5 of 5 requests in the last 1 s"]
    assert targets.second(4, 5) == [f"{ONE} answered 5xx to 9 of 10 requests in the last 2 s"]


def test_others_of_the_service_are_not_named() -> None:
    targets = Targets()
    targets.second(0, 9, OTHER)
    targets.second(1, 1)
    (told,) = targets.second(9, 9)
    assert ONE in told and OTHER not in told


def test_a_few_answers_among_many_are_nothing_to_tell() -> None:
    targets = Targets()
    for _ in range(200):
        assert targets.second(1, 20) == [], "not more than one of twenty"
    assert targets.second(40, 60) != []


def test_it_goes_a_minute_after_the_last_one_at_the_latest() -> None:
    targets = Targets()
    targets.second(1, 1)
    assert targets.second(5, 5) != []
    for _ in range(int(TARGET_ERRORS_S) - 1):
        assert targets.second(0, 0) != []
    assert targets.second(0, 0) == targets.second(0, 0) == []


def test_one_that_is_not_shown_any_more_begins_again() -> None:
    targets = Targets()
    targets.second(1, 1)
    assert targets.second(5, 5) != []
    targets.answers.look({}, targets.now)
    assert targets.answers.found == {}
    assert targets.second(5, 5) == [], "what came while it was away is not of this minute"


def test_counts_that_fell_are_of_another_service() -> None:
    targets = Targets()
    targets.second(9, 9)
    targets.counts = {ONE: ErrorCounts(0, 0)}
    assert targets.second(4, 4) == []
    assert targets.second(4, 4) == [f"{ONE} answered 5xx to 4 of 4 requests in the last 1 s"]


@given(histories(st.tuples(st.integers(0, 9), st.integers(0, 40)), 130))
def test_it_says_what_an_oracle_with_all_seconds_finds(steps: list[tuple[int, int]]) -> None:
    targets = Targets()
    seconds = [(0, 0)]
    for errors, good in steps:
        told = targets.second(errors, errors + good)
        began = bool(targets.counts[ONE].errors)
        if began and targets.counts[ONE].errors == errors:
            seconds = []  # The first look that shows it is what the next ones are compared with.
        elif began:
            seconds.append((errors, errors + good))
        lately = seconds[-int(TARGET_ERRORS_S) :]
        while lately and not lately[0][0]:
            lately = lately[1:]
        failed, all_of_them = (
            (sum(column) for column in zip(*lately, strict=True)) if lately else (0, 0)
        )
        is_told = failed >= TARGET_ERRORS_MIN and failed > FAILING_SHARE * all_of_them
        expected = f"answered 5xx to {failed} of {all_of_them} requests in the last {len(lately)} s"
        assert told == ([f"{ONE} {expected}"] if is_told else [])
