"""Requests are held while a site wakes: none is refused, none sent to a silent site."""

import re
from collections.abc import Callable

import pytest

from router.balance.learning.saturation import together
from router.balance.site.wake_hold import Wake
from router.model import limits
from router.model.bursts import BurstSpec, CalmMarks, SaturatedMarks
from router.model.ids import ServiceKey
from router.model.specs import ServiceSpec
from router.operate.bursts.burst_hook import Hook, HookMemory
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import (
    FakeMesh,
    FakeNetwork,
    FakeTarget,
    Party,
    Site,
    candidate,
    router_of,
)

pytestmark = pytest.mark.usefixtures("lateness")

KEY = ServiceKey("shop", 80)
GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TAKES_S = 0.2
# As docs/bursts.md has it.
BURST = BurstSpec(
    service="shop",
    saturated=SaturatedMarks(used=0.7, queue_wait_s=0.2, overflow=0.2),
    calm=CalmMarks(used=0.3, overflow=0.05),
    command=("wake",),
)


class Client:
    """One request, and how long it took to be answered."""

    def __init__(self, party: Party, now: Callable[[], float]) -> None:
        self.party = party
        self.began = now()
        self.took_s = 0.0
        party.send(GET)

        def answered(party: Party) -> None:
            self.took_s = self.took_s or now() - self.began

        party.answer = answered

    @property
    def status(self) -> int:
        return int(self.party.got[9:12] or b"0")

    def field(self, name: str) -> float | None:
        found = re.search(rb"\r\n%b: ([0-9.]+)\r\n" % name.encode(), bytes(self.party.got))
        return float(found[1]) if found else None


class World:
    """``near`` serves 20 requests a second; its hook wakes ``far``, which takes ``wake_s``."""

    def __init__(
        self, wake_s: float, spec: ServiceSpec | None = None, settles_s: float = 0.0
    ) -> None:
        self.network, self.wake_s = FakeNetwork(), wake_s
        self.mesh = FakeMesh(self.network)
        self.near = Site(self.network, self.mesh, "near", settles_s)
        self.far = Site(self.network, self.mesh, "far")
        self.hook = Hook("wake-far", BURST)
        self.clients: list[Client] = []
        self.woke_at: float | None = None
        self.answers_from = 0.0  # Before that time ``far`` swallows all requests.
        spec = spec if spec is not None else ServiceSpec(ports=(80,), protocol="http")
        self.far_target = FakeTarget(self.network, "10.0.0.2", 80, self.serve_far)
        self.near_target = near_target = FakeTarget(self.network, "10.0.0.1", 80, self.serve)
        for site, target, capacity in (
            (self.near, near_target, 4),
            (self.far, self.far_target, 60),
        ):
            site.forwarder.set_service(KEY, spec)
            config = TargetConfig(connector="main", capacity=capacity)
            site.forwarder.set_targets(KEY, {str(target): config})
        self.near.forwarder.set_listeners({KEY: ("127.0.0.1", 80)})
        self.network.advance(limits.HEALTH_INTERVAL_S)

    def serve(self, party: Party) -> None:
        self.network.call_at(self.network.time + TAKES_S, lambda: party.send(OK))

    def serve_far(self, party: Party) -> None:
        if self.network.time >= self.answers_from:
            self.serve(party)

    def ask(self) -> Client:
        client = Client(self.near.connect("127.0.0.1", 80), lambda: self.network.time)
        self.clients.append(client)
        return client

    def look(self) -> None:
        """As `BurstRunner` does some times a second."""
        now, forwarder = self.network.time, self.near.forwarder
        totals = together(list(forwarder.readings.totals_of("shop").values()))
        if self.hook.feed(now, now, totals, "id") == "saturated":
            self.woke_at = now
            ready_at = now + self.wake_s
            self.network.call_at(
                ready_at,
                lambda: forwarder.ports.set_remotes(KEY, [candidate("far", capacity=60)]),
            )
        forwarder.ports.wakes.set("shop", self.hook.wake(now), True)

    def run(self, seconds: float, per_s: int = 0) -> None:
        step_s = limits.BURST_SAMPLE_S
        due = 0.0
        for _ in range(round(seconds / step_s)):
            due += per_s * step_s
            for _ in range(int(due)):
                self.ask()
            due -= int(due)
            self.network.advance(step_s)
            self.look()

    def held(self) -> dict[str, int]:
        return {outcome: count for outcome, (count, _) in self.counted().items()}

    def counted(self) -> dict[str, tuple[int, float]]:
        """How many were held, and how long all together, by what became of them."""
        return self.near.forwarder.readings.services_snapshot()[0].counters.held


def test_a_cold_wake_with_defaults_refuses_nobody_and_all_go_on_at_once() -> None:
    world = World(wake_s=12.0)
    world.run(40.0)  # Idle: the hook has sampled for a while.
    world.run(40.0, per_s=53)
    world.run(20.0)
    assert len(world.clients) == 2_120
    assert {client.status for client in world.clients} == {200}
    took = sorted(client.took_s for client in world.clients)
    assert world.woke_at is not None
    # The hook runs within the usual wait for a slot.
    assert world.woke_at <= world.clients[0].began + limits.QUEUE_WAIT_S + 0.5
    assert took[len(took) * 99 // 100] <= limits.QUEUE_WAIT_S + 12.0 + TAKES_S + 0.5
    held = [client for client in world.clients if client.field("Spillway-Held") is not None]
    assert len(held) == world.held()["served"] > 400
    told_s = [client.field("Spillway-Held") or 0 for client in held]
    assert all(one <= client.took_s for one, client in zip(told_s, held, strict=True))
    _, total_s = world.counted()["served"]
    assert abs(total_s - sum(told_s)) <= 0.05 * len(held), "each is told to a tenth"


def test_what_says_ready_and_does_not_answer_gets_one_request() -> None:
    world = World(wake_s=5.0)
    world.answers_from = 1e9
    world.run(2.0)
    world.run(4.0, per_s=53)
    opened = len(world.mesh.opens)
    world.run(8.0)
    assert len(world.mesh.opens) - opened <= 2  # It, and a probe.
    world.answers_from = 0.0
    world.run(60.0)
    assert sum(client.status == 200 for client in world.clients) >= len(world.clients) - 2


def test_after_the_hold_a_refusal_says_when_to_come_again() -> None:
    spec = ServiceSpec(ports=(80,), protocol="http", hold_s=8.0)
    world = World(wake_s=1e6, spec=spec)
    hold = world.near.forwarder._services[KEY].wake_state._hold
    hold.usual_s = 30.0
    world.run(2.0)
    world.run(12.0, per_s=53)
    world.run(12.0)
    refused = [client for client in world.clients if client.status == 503]
    assert refused and world.woke_at is not None
    for client in refused:
        assert client.took_s <= limits.QUEUE_WAIT_S + 8.0 + 1.0
        ready_in_s = world.woke_at + 30.0 - (client.began + client.took_s)
        said = client.field("Retry-After") or 0
        if ready_in_s > limits.RETRY_AFTER_MAX_S:
            assert 0.8 * ready_in_s <= said <= 1.2 * ready_in_s + 1
    assert world.held().keys() == {"served", "refused"}


def test_connections_of_tcp_are_held_and_go_on_as_the_woken_site_accepts_them() -> None:
    world = World(wake_s=5.0, spec=ServiceSpec(ports=(80,), protocol="tcp"))
    world.run(2.0)
    waiting = [world.near.connect("127.0.0.1", 80) for _ in range(40)]
    for party in waiting:
        party.send(b"hello")
    world.run(4.0)
    assert len([one for one in world.far_target.serving if one.got]) == 0
    world.run(5.0)
    assert len([one for one in world.far_target.serving if one.got]) == 36
    assert all(party.is_open for party in waiting)


def test_a_woken_site_that_only_refuses_gets_no_more_than_one_and_ends_no_hold() -> None:
    world = World(wake_s=3.0)
    world.far.forwarder.set_targets(
        KEY, {str(world.far_target): TargetConfig(connector="main", capacity=0)}
    )
    world.run(2.0)
    world.run(4.0, per_s=53)
    opened = len(world.mesh.opens)
    world.run(4.0)
    service = world.near.forwarder._services[KEY]
    assert service.wake_state.wake is not None and service.wake_state.held_s(world.network.time) > 0
    assert not service.wake_state._hold.is_answered
    tried = [one for one in world.mesh.opens[opened:] if not one.wait_ms]
    assert len(tried) <= 4.0 / limits.REFUSED_FULL_S + 2


def test_what_failed_at_a_target_is_not_held_and_what_finds_none_is() -> None:
    world = World(wake_s=3.0)
    world.run(2.0)
    world.near_target.stop()
    failed = world.ask()
    world.network.advance(0.1)
    assert failed.status in (502, 503) and not world.held()
    world.run(limits.HEALTH_INTERVAL_S)
    waits = world.ask()
    world.run(2.0)
    assert waits.status == 0
    world.run(6.0)
    assert waits.status == 200


def test_a_site_that_falls_silent_is_not_waited_for_as_long_as_one_that_wakes() -> None:
    world = World(wake_s=1e6)
    forwarder = world.near.forwarder
    forwarder.ports.set_remotes(KEY, [candidate("far", capacity=1)])
    world.answers_from = 1e9  # Requests stay at ``far``, without an answer.
    world.run(2.0)
    forwarder.set_targets(KEY, {})
    holder = world.ask()
    world.network.advance(0.1)
    world.mesh.offered[router_of("far")] = lambda stream, request: None
    stands = world.ask()
    world.network.advance(0.1)
    assert world.mesh.opens[-1].wait_ms and not holder.status
    world.run(limits.QUEUE_WAIT_S + 2 * limits.STAND_S + limits.CONNECT_TIMEOUT_LOCAL_S + 1.0)
    assert stands.status == 504


def test_without_a_hook_or_with_no_hold_nobody_waits_longer() -> None:
    for spec, has_hook in (
        (ServiceSpec(ports=(80,), protocol="http"), False),
        (ServiceSpec(ports=(80,), protocol="http", hold_s=0.0), True),
    ):
        world = World(wake_s=5.0, spec=spec)
        if not has_hook:
            world.look = lambda: None  # type: ignore[method-assign]
        world.run(6.0, per_s=53)
        world.run(4.0)
        assert {client.status for client in world.clients} == {200, 503}
        assert max(client.took_s for client in world.clients) <= 2 * limits.QUEUE_WAIT_S
        assert not world.held()


def test_while_the_hook_cools_down_nobody_is_held() -> None:
    world = World(wake_s=2.0)
    world.run(2.0)
    world.run(6.0, per_s=53)
    world.run(10.0)
    before = world.held()["served"]
    world.near.forwarder.ports.set_remotes(KEY, [])  # The woken site is gone again.
    world.run(6.0, per_s=53)
    world.run(4.0)
    assert world.held() == {"served": before}
    assert any(client.status == 503 for client in world.clients)


def test_targets_that_come_here_end_the_hold_too() -> None:
    world = World(wake_s=1e6)
    world.run(2.0)
    world.run(5.0, per_s=53)
    more = FakeTarget(world.network, "10.0.0.3", 80, world.serve)
    configs = {
        f"10.0.0.{n}:80": TargetConfig(connector="main", capacity=4 if n == 1 else 60)
        for n in (1, 3)
    }
    world.near.forwarder.set_targets(KEY, configs)
    world.run(5.0)
    assert more.requests > 50 and {client.status for client in world.clients} == {200}
    service = world.near.forwarder._services[KEY]
    assert service.wake_state.held_s(world.network.time) == 0 and service.wake_state.wake is None


def test_after_a_restart_during_a_wake_what_was_there_before_ends_no_hold() -> None:
    world = World(wake_s=1e6, settles_s=limits.START_SETTLES_S)
    forwarder = world.near.forwarder
    world.hook.restore(HookMemory(state="saturated", changed_at=0.0, id="id", done="id"), 0.0, 0.0)
    forwarder.set_targets(KEY, {})
    world.look()
    config = TargetConfig(connector="main", capacity=4)
    forwarder.set_targets(KEY, {str(world.near_target): config})
    forwarder.ports.set_remotes(KEY, [candidate("far", capacity=2)])
    world.run(limits.START_SETTLES_S, per_s=53)
    assert world.far_target.requests > 2
    waking = forwarder._services[KEY].wake_state
    assert waking.wake is not None and not waking.is_woken
    world.mesh.offered[router_of("woken")] = world.mesh.offered[router_of("far")]
    remotes = [candidate("far", capacity=2), candidate("woken", capacity=60)]
    forwarder.ports.set_remotes(KEY, remotes)
    world.run(4.0, per_s=53)
    assert waking.wake is None  # It has had its effect.


def test_a_site_that_is_woken_right_after_the_start_ends_the_hold() -> None:
    """The router has just started, but the wake is younger than it."""
    world = World(wake_s=0.5, settles_s=limits.HEALTH_INTERVAL_S + limits.START_SETTLES_S)
    state = world.near.forwarder._services[KEY].wake_state
    now = world.network.time
    world.near.forwarder.ports.wakes.set("shop", Wake("wake-far", now, due_at=now), True)
    world.near.forwarder.ports.set_remotes(KEY, [candidate("far", capacity=60)])
    for _ in range(10):
        world.ask()
    world.network.advance(1.0)
    assert state.is_woken and {client.status for client in world.clients} == {200}


@pytest.mark.parametrize("leaves", [True, False])
def test_a_client_that_leaves_while_it_is_held_is_forgotten(leaves: bool) -> None:
    world = World(wake_s=20.0)
    world.run(2.0)
    world.run(4.0, per_s=53)
    now = world.network.time
    client = next(one for one in world.clients if not one.status and now - one.began > 1.5)
    if leaves:
        client.party.abort()
    world.run(30.0)
    assert world.held().get("gave-up", 0) == leaves
    assert client.status == (0 if leaves else 200)
