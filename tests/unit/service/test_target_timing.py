"""Which requests are timed, and who hears of them: knees, learners, the choice among targets."""

from router.balance.learning.knees import pooled
from router.balance.site.ledger import LocalLedger
from router.balance.site.slots import Slot
from router.model import limits
from router.model.capacity import TargetTerms
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.service.learning import Learning
from router.service.ports import TargetConfig
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
            network.now,
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
        timing = TargetTiming(heard.timings.take(), lambda: 0.0, slot, REQUEST)
        timing.held()
        timing.answered(status)
        assert heard.compared == ([(TARGET, None, 1)] if is_heard else [])
        slot.release(0.0)
