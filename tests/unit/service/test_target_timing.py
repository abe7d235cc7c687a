"""Which requests are timed, and who hears of them: knees, learners, the choice among targets."""

from typing import get_args

import pytest

from router.balance.learning.knees import pooled
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model import limits
from router.model.capacity import TargetTerms
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.specs import ServiceProtocol
from router.service.learning import Learning
from router.service.ports import LegCode, TargetConfig
from router.service.targets.target_timing import TargetTiming, Timings
from tests.unit.exchange.fakes import FakeNetwork

TARGET = "a:1"
REQUEST = Request(key=ServiceKey("shop", 80), protocol="http")


class Heard:
    def __init__(self, *, auto: bool = False) -> None:
        network = FakeNetwork()
        self.compared: list[tuple[str, float | None, int]] = []
        self.ledger = ledger = LocalLedger()
        learning = Learning(ledger, network, lambda: 0.0, lambda: None)
        targets = {TARGET: TargetConfig(connector="c", auto=auto)}
        ledger.set_targets({TARGET: TargetTerms(name="c", capacity=None)})
        ledger.set_ready(TARGET, True)
        learning.set_targets(targets)
        self.timings = Timings(
            learning,
            network,
            lambda target, latency_s, in_flight, _: self.compared.append(
                (target, latency_s, in_flight)
            ),
        )
        self.timings.set_targets(targets)

    def time_one(self) -> None:
        self.timings.take().answered(TARGET, 0.02, 1)


def test_one_request_is_timed_for_each_that_the_choice_asks_for() -> None:
    heard = Heard()
    assert heard.timings.wanted is None
    heard.timings.time_next()
    heard.time_one()
    assert heard.compared == [(TARGET, 0.02, 1)]
    assert heard.timings.wanted is None
    assert not heard.timings.latencies(TARGET)


def test_samples_for_the_knee_count_for_the_choice_as_well() -> None:
    heard = Heard()
    heard.timings.sample()
    heard.timings.time_next()
    for _ in range(limits.KNEE_SAMPLES_AT_ONCE):
        heard.time_one()
    assert heard.timings.wanted is None
    assert len(heard.compared) == limits.KNEE_SAMPLES_AT_ONCE
    assert [level.count for level in pooled(heard.timings.latencies(TARGET))] == [8]


def test_of_learnt_targets_all_are_timed_and_the_choice_hears_of_its_own() -> None:
    heard = Heard(auto=True)
    heard.time_one()
    assert not heard.compared
    heard.timings.time_next()
    heard.time_one()
    heard.time_one()
    assert len(heard.compared) == 1
    assert heard.timings.wanted is not None


def test_the_choice_hears_of_a_target_that_is_busy_but_of_no_error_of_its_clients() -> None:
    heard = Heard()
    for status, is_heard in ((404, False), (429, True), (500, False), (503, False)):
        heard.compared.clear()
        heard.timings.time_next()
        slot = heard.ledger.try_acquire(0.0)
        assert isinstance(slot, Slot)
        timing = heard.timings.begin(slot, REQUEST)
        timing.held()
        timing.answered(status)
        assert heard.compared == ([(TARGET, None, 1)] if is_heard else [])
        slot.release(0.0)


class Sink:
    """A `TimingSink` that records its calls."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def answered(self, target: str, latency_s: float, in_flight: int) -> None:
        self.heard.append(("answered", latency_s, in_flight))

    def failed(self, target: str) -> None:
        self.heard.append(("failed",))

    def too_busy(self, target: str, in_flight: int) -> None:
        self.heard.append(("too busy", in_flight))


class Timed:
    """One attempt at a target with three requests, in virtual time."""

    def __init__(self, protocol: ServiceProtocol, body_bytes: int = 0) -> None:
        ledger = LocalLedger()
        ledger.set_targets({TARGET: TargetTerms(name="c", capacity=9)})
        ledger.set_ready(TARGET, True)
        for _ in range(3):
            slot = ledger.try_acquire(0.0)
        assert isinstance(slot, Slot)
        self.sink = Sink()
        request = Request(key=ServiceKey("shop", 80), protocol=protocol, body_bytes=body_bytes)
        self.network = FakeNetwork()
        self.timing = TargetTiming(self.sink, self.network, slot, request)


@pytest.mark.parametrize("protocol", ["http", "http2"])
@pytest.mark.parametrize(
    "status", [200, 204, 399, 400, 404, 428, 429, 430, 500, 501, 502, 503, 504]
)
def test_good_answers_are_times_and_others_say_that_a_target_is_busy_or_fails(
    protocol: ServiceProtocol, status: int
) -> None:
    timed = Timed(protocol)
    timed.timing.held()
    timed.network.advance(0.5)
    timed.timing.answered(status)
    timed.network.advance(9.0)  # Its body, which a client may read slowly.
    timed.timing.ended(status)
    if status < 400:
        assert timed.sink.heard == [("answered", 0.5, 3)]
    elif status == 429:
        assert timed.sink.heard == [("too busy", 3)]
    else:
        assert timed.sink.heard == ([("failed",)] if status in (502, 503, 504) else [])


@pytest.mark.parametrize("status", [200, 399, 400, 429, 500, 503])
def test_of_http2_trailers_say_whether_an_answer_was_good(status: int) -> None:
    timed = Timed("http2")
    timed.timing.held()
    timed.network.advance(0.5)
    timed.timing.answered(200)
    assert timed.sink.heard == []
    timed.timing.ended(status)
    expected: dict[int, list[tuple[object, ...]]] = {
        200: [("answered", 0.5, 3)],
        399: [("answered", 0.5, 3)],
        429: [("too busy", 3)],
        503: [("failed",)],
    }
    assert timed.sink.heard == expected.get(status, [])
    timed.timing.ended(status)
    assert timed.sink.heard == expected.get(status, []), "it is told once"


@pytest.mark.parametrize("protocol", ["http", "http2"])
@pytest.mark.parametrize(("woke_late_s", "expected"), [(-1.0, 1), (0.0, 1), (0.1, 0), (20.0, 0)])
def test_a_time_in_which_this_process_stood_still_is_not_the_targets(
    protocol: ServiceProtocol, woke_late_s: float, expected: int
) -> None:
    timed = Timed(protocol)
    timed.network.woke_late_at = timed.network.now() + woke_late_s
    timed.timing.held()
    timed.network.advance(20.0)
    timed.timing.answered(200)
    timed.timing.ended(200)
    assert timed.sink.heard == [("answered", 20.0, 3)] * expected


@pytest.mark.parametrize("protocol", ["http", "http2"])
@pytest.mark.parametrize("body_bytes", [5, -1])
@pytest.mark.parametrize("order", ["held complete", "complete held", "held", "complete"])
def test_the_time_begins_when_the_target_has_the_whole_request(
    protocol: ServiceProtocol, order: str, body_bytes: int
) -> None:
    timed = Timed(protocol, body_bytes)
    for step in order.split():
        timed.network.advance(1.0)
        timed.timing.held() if step == "held" else timed.timing.complete()
    timed.timing.complete() if "complete" in order else None  # Again: that changes nothing.
    timed.network.advance(0.5)
    timed.timing.answered(0)  # A head, and not the final one.
    timed.timing.answered(200)
    timed.timing.ended(200)
    is_whole = len(order.split()) == 2
    assert timed.sink.heard == ([("answered", 0.5, 3)] if is_whole else [])


@pytest.mark.parametrize("code", get_args(LegCode))
def test_a_failure_counts_if_no_connection_was_had_or_the_target_is_to_blame(code: LegCode) -> None:
    for blames in (False, True):
        timed = Timed("http")
        timed.timing.failed(code, blames=blames)
        overloads = code in {"target-timeout", "target-reset"} and blames
        counts = code == "connect-failed" or overloads
        assert timed.sink.heard == ([("failed",)] if counts else [])
