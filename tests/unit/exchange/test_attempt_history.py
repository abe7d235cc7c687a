"""What may be tried again: the rules of PROTOCOL, one by one."""

from typing import get_args

import pytest

from router.exchange.attempt_history import AttemptHistory
from router.model import limits
from router.model.ids import SiteId
from router.service.ports import UNTOUCHED, LegCode, LegFailure

A, B = SiteId("a"), SiteId("b")
NOT_PROCESSED: LegCode = "not-processed"
TOUCHED = sorted(set(get_args(LegCode)) - UNTOUCHED - {NOT_PROCESSED})


@pytest.mark.parametrize("code", sorted(UNTOUCHED))
@pytest.mark.parametrize("idempotent", [True, False])
def test_what_no_target_saw_may_always_go_on(code: LegCode, idempotent: bool) -> None:
    assert AttemptHistory().may_repeat(LegFailure(code), idempotent=idempotent)


@pytest.mark.parametrize("code", TOUCHED)
def test_what_may_have_run_is_never_repeated_unless_idempotent(code: LegCode) -> None:
    assert not AttemptHistory().may_repeat(LegFailure(code), idempotent=False)


@pytest.mark.parametrize("code", TOUCHED)
def test_an_idempotent_request_is_repeated_when_its_target_or_link_broke(code: LegCode) -> None:
    expected = code in ("target-reset", "link-lost", "unanswered")
    assert AttemptHistory().may_repeat(LegFailure(code), idempotent=True) is expected


def test_repeats_are_bounded() -> None:
    tries = AttemptHistory()
    for _ in range(limits.REPEATS_MAX):
        assert tries.may_repeat(LegFailure("link-lost"), idempotent=True)
        tries.note(LegFailure("link-lost"), A, None)
    assert not tries.may_repeat(LegFailure("link-lost"), idempotent=True)


def test_what_a_target_did_not_process_may_go_on_a_few_times_whatever_its_method() -> None:
    tries = AttemptHistory()
    for target in ("10.0.0.1:80", "10.0.0.2:80"):
        assert tries.may_repeat(LegFailure(NOT_PROCESSED), idempotent=False)
        tries.note(LegFailure(NOT_PROCESSED), A, target)
    assert tries.avoid == {"10.0.0.1:80", "10.0.0.2:80"}
    assert not tries.may_repeat(LegFailure(NOT_PROCESSED), idempotent=False)


def test_attempts_are_bounded_until_the_request_rests() -> None:
    tries = AttemptHistory()
    assert [tries.begin() for _ in range(limits.RETRIES_MAX + 1)].count(True) == limits.RETRIES_MAX
    tries.rest()
    assert tries.begin()


def test_a_full_site_may_be_asked_again_after_waiting_but_a_broken_one_not() -> None:
    tries = AttemptHistory()
    tries.note(LegFailure("busy"), A, None)
    tries.note(LegFailure("connect-failed"), B, None)
    assert tries.excluded == {A, B}
    tries.rest()
    assert tries.excluded == tries.hopeless == {B}


def test_a_local_target_that_broke_off_is_avoided_and_its_site_is_not() -> None:
    tries = AttemptHistory()
    tries.note(LegFailure("target-reset"), A, "10.0.0.1:80")
    assert tries.avoid == {"10.0.0.1:80"}
    assert not tries.excluded


def test_a_site_where_a_target_broke_off_is_left_out_until_nobody_else_is_left() -> None:
    tries = AttemptHistory()
    tries.note(LegFailure("target-reset"), A, None)
    tries.note(LegFailure("connect-failed"), B, None)
    assert tries.excluded == {A, B}
    assert tries.forgive()
    assert tries.excluded == tries.hopeless == {B}
    assert not tries.forgive()


@pytest.mark.parametrize(
    ("failures", "code"),
    [
        ([], "no-route"),
        (["busy"], "all-full"),
        (["busy", "connect-failed"], "connect-failed"),
        (["draining"], "draining"),
    ],
)
def test_the_verdict_tells_the_last_failure(failures: list[LegCode], code: LegCode) -> None:
    tries = AttemptHistory()
    for failure in failures:
        tries.note(LegFailure(failure), A, None)
    assert tries.verdict().code == code


@pytest.mark.parametrize("code", ["no-route", "draining"])
def test_a_site_that_could_not_be_reached_may_be_tried_again_over_new_routes(code: LegCode) -> None:
    """A transit lost its link; or one router of the site drains, and there is another."""
    tries = AttemptHistory()
    tries.note(LegFailure(code), A, None)
    assert tries.excluded == tries.out == {A} and not tries.hopeless
    tries.rest()
    assert tries.excluded == {A}, "a request in the queue would ask it again and again"
    tries.reroute()
    assert not tries.excluded and not tries.out


def test_a_site_whose_link_was_lost_may_be_tried_at_once_over_another_path() -> None:
    tries = AttemptHistory()
    tries.note(LegFailure("link-lost"), A, None)
    assert not tries.excluded and not tries.out
    tries.note(LegFailure("link-lost"), A, None)
    assert tries.excluded == tries.way_lost == {A}, "a second loss: rather elsewhere"
    tries.reroute()
    assert not tries.out


def test_after_resting_nothing_is_left_to_forgive() -> None:
    tries = AttemptHistory()
    tries.note(LegFailure("target-reset"), A, None)
    tries.rest()
    assert tries.excluded == frozenset()
    assert not tries.forgive()


@pytest.mark.parametrize("target", [None, "10.0.0.1:80"])
@pytest.mark.parametrize("was_busy", [False, True])
@pytest.mark.parametrize("code", sorted(set(get_args(LegCode))))
def test_what_each_failure_says_of_its_site(
    code: LegCode, was_busy: bool, target: str | None
) -> None:
    tries = AttemptHistory()
    if was_busy:
        tries.note(LegFailure("busy"), A, None)
    tries.note(LegFailure(code), A, target)
    is_busy, breaks_off = code == "busy", code == "target-reset" and target is None
    is_targets = code not in UNTOUCHED and code != "link-lost" and target is not None
    is_of_link = code in ("no-route", "draining")
    is_hopeless = not (is_busy or breaks_off or is_targets or is_of_link or code == "link-lost")
    assert tries.refused == ({A} if is_busy else set())
    assert tries.way_lost == ({A} if is_of_link else set())
    assert tries.hopeless == ({A} if is_hopeless else set())
    assert tries.avoid == ({target} if is_targets else set())
    is_left_out = is_busy or breaks_off or is_of_link or is_hopeless or was_busy
    assert tries.excluded == ({A} if is_left_out else set())
    assert tries.forgive() == breaks_off
