"""What only the simulated internet has: faults at will, and one history per seed."""

import random

import pytest

from router.net.ports import Connection, DialFailure, Network, Tls
from router.net.simulated.internet import SimulatedInternet
from tests.unit.net.recorder import Recorder

LEFT, RIGHT = "10.0.0.1", "10.0.0.2"


class Scene:
    """A connection from ``LEFT`` to ``RIGHT``."""

    def __init__(self, seed: int = 1, *, delay_s: float = 0.01) -> None:
        self.internet = SimulatedInternet(seed, delay_s=delay_s)
        self.left_host: Network = self.internet.host(LEFT)
        self.right_host: Network = self.internet.host(RIGHT)
        self.failures: list[DialFailure] = []
        self.right = Recorder()
        self.listener = self.right_host.listen(RIGHT, 80, self.right.take)
        self.left = self.dial()
        self.internet.run_until_idle()

    def dial(self, *, port: int = 80, timeout_s: float = 1.0) -> Recorder:
        recorder = Recorder()
        self.left_host.dial(RIGHT, port, recorder.take, self.failures.append, timeout_s=timeout_s)
        return recorder


def test_bytes_take_the_delay_and_a_connection_two_of_them() -> None:
    scene = Scene(delay_s=0.1)
    assert scene.internet.now == pytest.approx(0.2)
    scene.left.wire.send(b"x")
    scene.internet.run_while(lambda: not scene.right.data)
    assert scene.internet.now == pytest.approx(0.3)
    scene.internet.set_delay(LEFT, RIGHT, 2.0)
    scene.left.wire.send(b"y")
    scene.internet.run_until(2.0)
    assert scene.right.data == b"x"
    scene.internet.run_until(2.4)
    assert scene.right.data == b"xy"


def history(seed: int) -> list[tuple[float, int]]:
    scene = Scene(seed)
    pieces: list[tuple[float, int]] = []
    scene.right.on_received = lambda data: pieces.append((scene.internet.now, len(data)))
    scene.left.wire.send(random.Random(0).randbytes(700_000))
    scene.internet.run_until_idle()
    return pieces


def test_one_seed_is_one_history_and_another_seed_another() -> None:
    assert history(5) == history(5)
    assert history(5) != history(6)


def test_a_cut_is_silent_and_what_it_swallowed_arrives_in_order_after_it_heals() -> None:
    scene = Scene()
    scene.left.wire.send(b"under way,")
    scene.internet.cut(LEFT, RIGHT)
    scene.left.wire.send(b" during,")
    scene.internet.run_until(5.0)
    assert scene.right.data == b"" and not scene.right.calls
    scene.left.wire.send(b" just before,")
    scene.internet.heal(LEFT, RIGHT)
    scene.left.wire.send(b" after")
    scene.left.wire.finish()
    scene.internet.run_until_idle()
    assert scene.right.data == b"under way, during, just before, after"
    assert scene.right.told("ended")


def test_a_dial_over_a_cut_times_out() -> None:
    scene = Scene()
    scene.internet.cut(LEFT, RIGHT)
    scene.dial(timeout_s=0.5)
    scene.internet.run_until(1.0)
    assert [failure.code for failure in scene.failures] == ["timeout"]


def test_a_reset_lost_in_a_cut_shows_when_the_peer_next_sends() -> None:
    scene = Scene()
    scene.internet.cut(LEFT, RIGHT)
    scene.left.wire.abort()
    scene.internet.run_until(1.0)
    scene.internet.heal(LEFT, RIGHT)
    scene.internet.run_until(2.0)
    assert not scene.right.losses
    scene.right.wire.send(b"anybody there?")
    scene.internet.run_until_idle()
    assert scene.right.lost_code == "reset"


def test_reset_all_resets_both_ends_and_leaves_the_listener() -> None:
    scene = Scene()
    scene.internet.reset_all(LEFT, RIGHT)
    scene.internet.run_until_idle()
    assert scene.left.lost_code == scene.right.lost_code == "reset"
    again = scene.dial()
    scene.internet.run_until_idle()
    assert again.connection is not None


def test_a_killed_host_resets_its_peers_hears_nothing_and_can_come_back() -> None:
    scene = Scene()
    rang: list[str] = []
    scene.right_host.call_at(5.0, lambda: rang.append("timer of the dead"))
    scene.internet.kill(RIGHT)
    scene.internet.run_until(10.0)
    assert scene.left.lost_code == "reset"
    assert scene.right.calls == [] and not rang
    scene.dial()
    scene.internet.run_until_idle()
    assert [failure.code for failure in scene.failures] == ["refused"]
    reborn = Recorder()
    scene.internet.host(RIGHT).listen(RIGHT, 80, reborn.take)
    again = scene.dial()
    scene.internet.run_until_idle()
    again.wire.send(b"hello")
    scene.internet.run_until_idle()
    assert reborn.data == b"hello"


def test_a_host_that_dies_while_it_dials_hears_of_no_outcome() -> None:
    internet = SimulatedInternet(1)
    near, far = internet.host("10.0.0.1"), internet.host("10.0.0.2")
    told: list[str] = []
    far.listen("10.0.0.2", 80, lambda connection: Recorder())

    def connected(connection: Connection) -> Recorder:
        told.append("connected")
        return Recorder()

    for port in (80, 81):
        near.dial(
            "10.0.0.2", port, connected, lambda failure: told.append(failure.code), timeout_s=9.0
        )
    internet.kill("10.0.0.1")
    internet.run_until(30.0)
    assert told == []


def test_a_frozen_host_is_silent_and_catches_up_when_thawed() -> None:
    scene = Scene()
    rang: list[float] = []
    scene.right_host.call_at(1.0, lambda: rang.append(scene.internet.now))
    scene.internet.freeze(RIGHT)
    scene.left.wire.send(b"hello")
    scene.dial(timeout_s=0.5)
    scene.internet.run_until(5.0)
    assert not scene.right.data and not rang
    assert [failure.code for failure in scene.failures] == ["timeout"]
    scene.internet.thaw(RIGHT)
    scene.internet.run_until_idle()
    assert scene.right.data == b"hello"
    assert rang == [5.0]


def test_loopback_reaches_only_the_own_host() -> None:
    internet = SimulatedInternet(1)
    here, there = internet.host(LEFT), internet.host(RIGHT, "10.0.0.3")
    right = Recorder()
    failures: list[DialFailure] = []
    there.listen("127.0.0.5", 80, right.take)
    left = Recorder()
    there.dial("127.0.0.5", 80, left.take, failures.append, timeout_s=1.0)
    here.dial("127.0.0.5", 80, Recorder().take, failures.append, timeout_s=1.0)
    internet.run_until_idle()
    assert [failure.code for failure in failures] == ["refused"]
    assert left.wire.peer == right.wire.local


def test_several_addresses_and_names_reach_one_host() -> None:
    internet = SimulatedInternet(1)
    here, there = internet.host(LEFT), internet.host(RIGHT, "10.0.0.3")
    assert internet.host("10.0.0.3") is there
    accepted: list[str] = []

    def accept(connection: Connection) -> Recorder:
        accepted.append(connection.local.host)
        return Recorder()

    there.listen("0.0.0.0", 80, accept)
    internet.set_name("backend", "10.0.0.9", "10.0.0.3")  # The first has no host.
    failures: list[DialFailure] = []
    for name in (RIGHT, "10.0.0.3", "backend", "nowhere"):
        here.dial(name, 80, Recorder().take, failures.append, timeout_s=1.0)
    internet.run_until(2.0)
    assert accepted == [RIGHT, "10.0.0.3", "10.0.0.3"]
    assert [failure.code for failure in failures] == ["name"]


def test_a_connection_to_oneself_is_a_failure() -> None:
    internet = SimulatedInternet(1)
    here = internet.host(LEFT)
    probe = here.listen(LEFT, 0, lambda connection: None)
    probe.close()
    failures: list[DialFailure] = []
    # Ephemeral ports are given out in order: the dial gets the port that it dials.
    here.dial(LEFT, probe.address.port + 1, Recorder().take, failures.append, timeout_s=1.0)
    internet.run_until_idle()
    assert [failure.code for failure in failures] == ["self"]


@pytest.mark.parametrize(
    ("alpn", "certificate", "outcome"),
    [
        (("spillway/1",), b"leaf", "spillway/1"),
        (("spillway-claim/1",), b"", "spillway-claim/1"),
        (("spillway/1",), b"", "reset"),
        (("h2",), b"leaf", "tls"),
    ],
)
def test_tls_is_judged_as_in_the_real_network(
    alpn: tuple[str, ...], certificate: bytes, outcome: str
) -> None:
    internet = SimulatedInternet(1)
    here, there = internet.host(LEFT), internet.host(RIGHT)
    left, right = Recorder(), Recorder()
    failures: list[DialFailure] = []
    there.listen(
        RIGHT,
        80,
        right.take,
        tls=Tls(
            context=None,
            certificate=b"server",
            alpn=("spillway/1", "spillway-claim/1"),
            alpn_with_certificate=("spillway/1",),
        ),
    )
    here.dial(
        RIGHT,
        80,
        left.take,
        failures.append,
        timeout_s=1.0,
        tls=Tls(context=None, certificate=certificate, alpn=alpn),
    )
    internet.run_until_idle()
    if outcome == "tls":
        assert [failure.code for failure in failures] == ["tls"]
        assert left.connection is None and right.connection is None
    elif outcome == "reset":
        assert left.lost_code == "reset" and right.connection is None
    else:
        assert left.wire.alpn == right.wire.alpn == outcome
        assert right.wire.peer_certificate == certificate


def test_an_exception_of_a_handler_is_raised_at_the_end_of_the_run() -> None:
    scene = Scene()

    def fail(data: memoryview) -> None:
        raise RuntimeError("a bug of the handler")

    scene.right.on_received = fail
    scene.left.wire.send(b"x")
    with pytest.raises(RuntimeError, match="a bug of the handler"):
        scene.internet.run_until_idle()
    assert scene.right.lost_code == "handler"
    scene.internet.run_until_idle()


def test_a_view_that_is_kept_shows_other_bytes() -> None:
    scene = Scene()
    kept: list[memoryview] = []
    scene.right.on_received = kept.append
    scene.left.wire.send(b"secret")
    scene.internet.run_until_idle()
    assert b"".join(kept) != b"secret"


def test_waiting_for_what_never_comes_ends_at_the_limit() -> None:
    scene = Scene()
    with pytest.raises(TimeoutError):
        scene.internet.run_while(lambda: True, limit_s=3.0)
