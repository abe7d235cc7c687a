"""Health of targets: first check, down on one failure, up after two good ones."""

import random

from router.forward.health import HealthChecks
from router.model import limits
from tests.unit.forward.fakes import FakeNetwork, FakeTarget

TARGET = "10.0.0.1:80"


class Watch:
    def __init__(self) -> None:
        self.network = FakeNetwork()
        self.changes: list[tuple[str, bool]] = []
        self.checks = HealthChecks(
            self.network, random.Random(1), lambda target, up: self.changes.append((target, up))
        )


def test_a_new_target_is_up_after_its_first_good_check() -> None:
    watch = Watch()
    FakeTarget(watch.network, "10.0.0.1", 80)
    watch.checks.set_targets([TARGET])
    watch.network.run()
    assert watch.changes == [(TARGET, True)]
    assert watch.checks.error_of(TARGET) == ""


def test_one_failed_check_takes_a_target_down_and_two_good_ones_bring_it_back() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.checks.set_targets([TARGET])
    watch.network.run()
    target.stop()
    watch.network.advance(1.2)
    assert watch.changes[1:] == [(TARGET, False)]
    assert "refused" in watch.checks.error_of(TARGET)
    target.start()
    watch.network.advance(0.9)
    assert len(watch.changes) == 2
    watch.network.advance(1.4)
    assert watch.changes[2:] == [(TARGET, True)]


def test_a_target_that_does_not_answer_in_time_is_down() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.checks.set_targets([TARGET])
    watch.network.run()
    watch.network.silent.add(target.address)
    watch.network.advance(1.2 + limits.HEALTH_TIMEOUT_S)
    assert watch.changes[1:] == [(TARGET, False)]


def test_a_failed_connect_of_a_request_takes_it_down_at_once() -> None:
    watch = Watch()
    FakeTarget(watch.network, "10.0.0.1", 80)
    watch.checks.set_targets([TARGET])
    watch.network.run()
    watch.checks.connect_failed(TARGET, "refused")
    assert watch.changes[1:] == [(TARGET, False)]
    watch.network.advance(2.5)
    assert watch.changes[2:] == [(TARGET, True)]


def test_a_lack_of_descriptors_here_says_nothing_of_a_target() -> None:
    watch = Watch()
    FakeTarget(watch.network, "10.0.0.1", 80)
    watch.checks.set_targets([TARGET])
    watch.network.run()
    watch.network.is_exhausted = True
    watch.network.advance(5)
    watch.network.is_exhausted = False
    watch.network.advance(5)
    assert watch.changes == [(TARGET, True)]


def test_a_removed_target_is_checked_no_more() -> None:
    watch = Watch()
    watch.checks.set_targets([TARGET])
    watch.checks.set_targets([])
    watch.network.advance(5)
    assert watch.changes == []
    assert watch.checks.error_of(TARGET) == "not checked"
