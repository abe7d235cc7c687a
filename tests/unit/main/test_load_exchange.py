"""Load reports as they leave: the last word is spoken at rest, and now and then again."""

from collections.abc import Callable
from typing import cast

from router.forward.figures import Load
from router.forward.forwarder import Forwarder
from router.link.links import Links
from router.link.ports import LoadMessage
from router.main.load_exchange import LoadExchange
from router.model import limits
from router.model.ids import RouterId, ServiceKey
from router.net.ports import Network
from router.routing.attached import AttachedEdges

WEB = ServiceKey("web", 80)


class Alarm:
    """One timer of the world."""

    def __init__(self, world: "World", call: tuple[float, Callable[[], None]]) -> None:
        self.world, self.call = world, call

    def cancel(self) -> None:
        if self.call in self.world.calls:
            self.world.calls.remove(self.call)


class World:
    """Time, links that keep what is sent, and a forwarder with one figure."""

    def __init__(self) -> None:
        self.time = 100.0
        self.calls: list[tuple[float, Callable[[], None]]] = []
        self.sent: list[tuple[float, int]] = []
        self.in_flight = 0
        self.exchange = LoadExchange(
            cast(Network, self),
            RouterId("r"),
            cast(Links, self),
            cast(Forwarder, self),
            AttachedEdges(),
        )
        self.exchange.set_services([WEB])

    def now(self) -> float:
        return self.time

    def call_at(self, when: float, callback: Callable[[], None]) -> "Alarm":
        self.calls.append((when, callback))
        return Alarm(self, self.calls[-1])

    def broadcast(self, message: LoadMessage) -> None:
        self.sent += [(self.time, report.in_flight) for report in message.reports]

    def load_of(self, key: ServiceKey) -> Load:
        return Load(targets_ready=1, capacity=10, in_flight=self.in_flight)

    def set(self, in_flight: int) -> None:
        self.in_flight = in_flight
        self.exchange.changed(WEB)

    def run_until(self, until: float) -> None:
        while due := [call for call in self.calls if call[0] <= until]:
            call = min(due, key=lambda each: each[0])
            self.calls.remove(call)
            self.time = max(self.time, call[0])
            call[1]()
        self.time = until


def test_what_came_to_rest_is_told_once_more_and_then_no_more() -> None:
    world = World()
    world.set(1)
    world.run_until(100.2)
    world.set(0)
    world.run_until(100.2 + 0.9 * limits.LOAD_SETTLE_INTERVAL_S)
    told = len(world.sent)
    world.run_until(100.0 + 0.9 * limits.LOAD_REFRESH_S)
    again = world.sent[told:]
    assert [in_flight for _, in_flight in again] == [0]
    assert again[0][0] >= 100.2 + limits.LOAD_SETTLE_INTERVAL_S


def test_every_figure_is_told_again_when_nothing_changes_until_the_end() -> None:
    world = World()
    world.in_flight = 3  # Nobody said so: whoever counts otherwise is set right.
    world.run_until(100.0 + 3.5 * limits.LOAD_REFRESH_S)
    assert world.sent == [(100.0 + n * limits.LOAD_REFRESH_S, 3) for n in (1, 2, 3)]
    world.exchange.close()
    assert world.calls == []


def test_a_change_too_short_to_be_told_is_followed_by_a_report_at_rest() -> None:
    world = World()
    world.set(0)
    world.run_until(110.0)
    told = len(world.sent)
    world.set(1)
    world.set(0)
    world.run_until(120.0)
    assert world.sent[told:][-1][1] == 0
    assert world.sent[-1][0] >= 110.0 + limits.LOAD_SETTLE_INTERVAL_S
