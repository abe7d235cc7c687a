"""Checks of HTTP/2 targets by a path: judged by the answer, over a dedicated connection."""

import random

import h2.events
import pytest

from router.model import limits
from router.model.settings import Health
from router.service.ports import TargetConfig
from router.service.targets.health import HealthChecks
from tests.unit.exchange.fakes import FakeNetwork, FakeTarget
from tests.unit.exchange.test_forwarder_http2 import H2Party, H2Target

TARGET = "10.0.0.1:80"


class Watch:
    def __init__(self, health: Health) -> None:
        self.network = FakeNetwork()
        self.changes: list[bool] = []
        self.checks = HealthChecks(
            self.network,
            random.Random(1),
            lambda target, up: self.changes.append(up),
            speaks_http2=True,
        )
        self.config = TargetConfig(connector="c", health=health)

    def check(self) -> str:
        """The error that the check finds; empty: the target is good."""
        self.checks.set_targets({TARGET: self.config})
        self.network.advance(self.config.health.timeout_s + 0.01)
        return self.checks.error_of(TARGET)


def answering(target: H2Target, status: bytes, body: bytes = b"", *, end: bool = True) -> None:
    def act(party: H2Party, stream: int) -> None:
        party.peer.h2.send_headers(stream, [(b":status", status)], end_stream=end and not body)
        if body:
            party.peer.h2.send_data(stream, body, end_stream=end)

    target.act = act


def test_a_path_is_asked_for_with_the_fields_of_a_check() -> None:
    watch = Watch(Health(path="/healthz?deep=1"))
    target = H2Target(watch.network, "10.0.0.1")
    assert watch.check() == ""
    assert watch.changes == [True]
    (asked,) = (
        event
        for event in target.parties[0].peer.events
        if isinstance(event, h2.events.RequestReceived)
    )
    fields = dict(asked.headers)
    assert fields[b":method"] == b"GET"
    assert fields[b":path"] == b"/healthz?deep=1"
    assert fields[b":authority"] == TARGET.encode()
    assert fields[b"user-agent"] == b"spillway-health"
    assert not any(name.startswith((b"x-forwarded", b"via")) for name in fields)


def test_each_check_has_a_connection_of_its_own_and_leaves_none() -> None:
    watch = Watch(Health(path="/", interval_s=1.0))
    target = H2Target(watch.network, "10.0.0.1")
    assert watch.check() == ""
    watch.network.advance(5.0)
    assert len(target.parties) >= 4
    watch.checks.set_targets({})
    watch.network.advance(limits.HTTP2_TARGET_IDLE_S + 2 * limits.POOL_SWEEP_S)
    assert not any(party.is_open for party in target.parties)


@pytest.mark.parametrize(
    ("status", "error"),
    [(b"204", ""), (b"302", ""), (b"503", "answered 503 to GET /"), (b"404", "answered 404")],
)
def test_the_status_decides(status: bytes, error: str) -> None:
    watch = Watch(Health(path="/"))
    answering(H2Target(watch.network, "10.0.0.1"), status)
    assert watch.check().startswith(error)
    assert bool(watch.changes) == (not error)


def test_an_answer_that_does_not_end_in_time_is_a_failure() -> None:
    watch = Watch(Health(path="/", timeout_s=0.5))
    answering(H2Target(watch.network, "10.0.0.1"), b"200", b"begun", end=False)
    assert watch.check() == "did not answer GET / within 0.5 s"


def test_a_target_that_speaks_something_else_is_down() -> None:
    watch = Watch(Health(path="/"))
    FakeTarget(watch.network, "10.0.0.1", 80, lambda party: party.send(b"HTTP/1.1 400 No\r\n\r\n"))
    assert watch.check()
    assert not watch.changes


def test_a_target_that_refuses_connections_is_down_with_the_reason() -> None:
    watch = Watch(Health(path="/"))
    assert "refused" in watch.check()


def test_a_lack_of_descriptors_here_says_nothing_of_a_target() -> None:
    watch = Watch(Health(path="/"))
    H2Target(watch.network, "10.0.0.1")
    assert watch.check() == ""
    watch.network.is_exhausted = True
    watch.network.advance(5.0)
    assert watch.changes == [True]


def test_without_a_path_a_connect_is_enough() -> None:
    watch = Watch(Health())
    FakeTarget(watch.network, "10.0.0.1", 80)
    assert watch.check() == ""
    assert watch.changes == [True]


def test_a_check_that_nobody_wants_any_more_tells_nothing_and_leaves_no_connection() -> None:
    watch = Watch(Health(path="/"))
    target = H2Target(watch.network, "10.0.0.1")
    target.act = lambda party, stream: None  # It never answers.
    watch.checks.set_targets({TARGET: watch.config})
    watch.network.run()
    watch.checks.set_targets({})
    watch.network.advance(10 * watch.config.health.interval_s)
    assert len(watch.network.dialed) == 1, "nor is there another one"
    assert watch.changes == [] and not any(party.is_open for party in target.parties)
