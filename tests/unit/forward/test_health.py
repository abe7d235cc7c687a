"""Health of targets: first check, down on one failure, up after two good ones."""

import random

from router.forward.health import HealthChecks
from router.forward.ports import TargetConfig
from router.forward.proxy_header import LOCAL_HEADER
from router.model import limits
from router.net.ports import Tls
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
    watch.checks.set_targets({TARGET: TargetConfig(connector="c")})
    watch.network.run()
    assert watch.changes == [(TARGET, True)]
    assert watch.checks.error_of(TARGET) == ""


def test_one_failed_check_takes_a_target_down_and_two_good_ones_bring_it_back() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.checks.set_targets({TARGET: TargetConfig(connector="c")})
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
    watch.checks.set_targets({TARGET: TargetConfig(connector="c")})
    watch.network.run()
    watch.network.silent.add(target.address)
    watch.network.advance(1.2 + limits.HEALTH_TIMEOUT_S)
    assert watch.changes[1:] == [(TARGET, False)]


def test_a_failed_connect_of_a_request_takes_it_down_at_once() -> None:
    watch = Watch()
    FakeTarget(watch.network, "10.0.0.1", 80)
    watch.checks.set_targets({TARGET: TargetConfig(connector="c")})
    watch.network.run()
    watch.checks.connect_failed(TARGET, "refused")
    assert watch.changes[1:] == [(TARGET, False)]
    watch.network.advance(2.5)
    assert watch.changes[2:] == [(TARGET, True)]


def test_a_removed_target_is_checked_no_more() -> None:
    watch = Watch()
    watch.checks.set_targets({TARGET: TargetConfig(connector="c")})
    watch.checks.set_targets({})
    watch.network.advance(5)
    assert watch.changes == []
    assert watch.checks.error_of(TARGET) == "not checked"


TLS = Tls(context=None, certificate=b"", alpn=())


def test_a_target_that_must_not_be_dialled_is_down_with_the_reason() -> None:
    watch = Watch()
    FakeTarget(watch.network, "10.0.0.1", 80)
    unusable = TargetConfig(connector="c", unusable="ca.crt is not there")
    watch.checks.set_targets({TARGET: unusable})
    watch.network.advance(5)
    assert watch.network.dialled == []
    assert watch.checks.error_of(TARGET) == "ca.crt is not there"
    watch.checks.set_targets({TARGET: TargetConfig(connector="c", tls=TLS)})
    watch.network.run()
    assert watch.changes == [(TARGET, True)]
    assert watch.network.dialled_tls == [TLS]
    watch.checks.set_targets({TARGET: unusable})
    assert watch.changes[1:] == [(TARGET, False)]
    watch.network.advance(5)
    assert watch.changes[2:] == []


def test_a_target_is_told_that_a_check_is_no_client() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.checks.set_targets({TARGET: TargetConfig(connector="c", proxy_protocol=True)})
    watch.network.run()
    (party,) = target.parties
    assert bytes(party.got) == LOCAL_HEADER
    assert party.got_end and not party.losses
    watch.network.advance(limits.HEALTH_TIMEOUT_S)
    assert party.was_reset  # It would not close its side.


def test_a_check_by_tls_says_so_before_its_handshake() -> None:
    watch = Watch()
    target = FakeTarget(watch.network, "10.0.0.1", 80)
    watch.checks.set_targets({TARGET: TargetConfig(connector="c", tls=TLS, proxy_protocol=True)})
    watch.network.run()
    (tls,) = watch.network.dialled_tls
    assert tls is not None and tls.preface == LOCAL_HEADER
    assert target.parties[0].got_end
