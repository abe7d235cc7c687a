"""Which answer a client gets whose request failed before a target had answered it."""

import random
from typing import get_args

import pytest

from router.exchange.failure_answers import FAILURES, failure_error
from router.http.http1 import render
from router.http.http1.render import ClientFraming
from router.service.counters import REFUSED
from router.service.ports import LegCode, LegFailure

CLIENT = ClientFraming(head_only=False, old=False, close=False)
ANSWERS: dict[LegCode, tuple[int, bytes]] = {
    "no-route": (503, b"no-route"),
    "no-target": (503, b"no-route"),
    "draining": (503, b"no-route"),
    "not-allowed": (503, b"no-route"),
    "busy": (503, b"all-full"),
    "all-full": (503, b"all-full"),
    "shed": (503, b"shed"),
    "overloaded": (503, b"overloaded"),
    "exhausted": (503, b"overloaded"),
    "connect-failed": (502, b"target-refused"),
    "not-processed": (502, b"target-reset"),
    "target-reset": (502, b"target-reset"),
    "client-gone": (502, b"target-reset"),
    "cancelled": (502, b"target-reset"),
    "bad-response": (502, b"bad-response"),
    "bad-head": (502, b"request-refused"),
    "bad-message": (502, b"request-refused"),
    "bad-answer": (502, b"response-refused"),
    "link-lost": (502, b"link-lost"),
    "stalled": (502, b"stalled"),
    "internal": (502, b"internal"),
    "target-timeout": (504, b"target-timeout"),
    "unanswered": (504, b"unanswered"),
}
ASK_AGAIN = (b"all-full", b"shed", b"overloaded")


def test_no_failure_is_left_out() -> None:
    assert set(ANSWERS) == set(FAILURES) == set(get_args(LegCode))


@pytest.mark.parametrize("failure", ANSWERS)
def test_every_failure_has_its_answer(failure: LegCode) -> None:
    status, code = ANSWERS[failure]
    answer = render.own_answer(failure_error(LegFailure(failure)), CLIENT, random.Random(1))
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nSpillway-Error: " + code + b"\r\n" in answer
    assert b"\r\nContent-Type: text/plain\r\n" in answer
    assert (b"\r\nRetry-After: " in answer) == (code in ASK_AGAIN)
    head, _, text = answer.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(text) in head
    assert text.count(b"\n") == 1


def test_retry_after_is_spread() -> None:
    rng = random.Random(7)
    error = failure_error(LegFailure("all-full"))
    answers = {render.own_answer(error, CLIENT, rng) for _ in range(100)}
    assert len(answers) == 5


def test_each_answer_that_no_site_took_the_request_counts_as_refused() -> None:
    """So that the event `refusing-begun` comes, and its end counts all of them."""
    assert {code for code, error in FAILURES.items() if error.status == 503} == REFUSED
