"""Sentences of `why --last` on requests: how each was decided, and how it ended."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from router.admin.views.why import PastDecision
from tests.simulation.hours.claims import false_of
from tests.simulation.hours.truth import LATELY_S, OWN_S, Truth
from tests.simulation.world import Answer

NEAR_S = 0.01
"""Between what the client sees and what the router does."""


def false_in_past(truth: Truth, key: str, past: Sequence[PastDecision]) -> Iterator[str]:
    """What of ``past`` was not so when it was decided, or did not come so."""
    if truth.lasts("known", key) < LATELY_S:
        return
    told = [truth.now - _age_s(truth, key, one.at) for one in past]
    asked = truth.asked(key, min(told, default=truth.now) - NEAR_S)
    for one, began in zip(past, told, strict=True):
        answers = [found for found in asked if abs(found.began - began) < NEAR_S]
        if truth.comes_late(key, began):
            continue
        is_torn = truth.protocol == "tcp" and one.outcome == "link-lost"  # Perhaps only its end.
        if not is_torn and not any(_fits(one, answer, truth.now) for answer in answers):
            yield f"{one.outcome} at {one.site}: {list(map(vars, answers))}"
        yield from _false_then(truth, key, one)
    for answer in asked:
        if truth.comes_late(key, answer.began):
            continue
        is_over = answer.status and answer.ended < truth.now - OWN_S
        is_among = told and told[-1] < answer.began < truth.now - OWN_S
        if is_over and is_among and not any(abs(answer.began - at) < NEAR_S for at in told):
            yield f"nothing is remembered of {vars(answer)}"


def _false_then(truth: Truth, key: str, one: PastDecision) -> Iterator[str]:
    age_s = _age_s(truth, key, one.decided_at or one.at)
    if one.decided_at is None and one.total_s > OWN_S:
        return  # It may have been decided at any time since it began.
    with truth.then(age_s):
        said = [one.reason, *(f"{seen.site}: {seen.reason}" for seen in one.candidates)]
        for text in said:
            for wrong in false_of([truth], key, text):
                yield f"{age_s:.1f} s ago: {text!r}: {wrong}"
        if one.spill_reason == "no-target" and truth.lasts("serves", key) > OWN_S:
            yield f"{age_s:.1f} s ago: spilled for no-target, and it had some"
        if one.spill_reason == "drained" and truth.is_over("drained", truth.name_of(key)) > OWN_S:
            yield f"{age_s:.1f} s ago: spilled for drained, and it was not"


def _fits(one: PastDecision, answer: Answer, now: float) -> bool:
    if not answer.ended or answer.status == 0:
        return True  # It is under way, or was torn.
    match one.outcome:
        case "under-way":
            return now - answer.ended < NEAR_S  # Its end is counted with the turn's end.
        case "ok":
            is_whole = one.answer in ("2xx", "ok")
            return answer.status == 500 or (is_whole and one.site == answer.site)
        case _:
            return answer.status >= 500


def _age_s(truth: Truth, key: str, at: str) -> float:
    """How long ago that was, as router ``key`` shows times."""
    return truth.network.world[key].age_s(datetime.fromisoformat(at).timestamp())
