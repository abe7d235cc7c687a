"""Load reports as they leave: the last figure is sent when load settles, then now and then."""

from collections.abc import Callable
from typing import cast

import pytest

from router.exchange.readings import Readings
from router.exchange.service_ports import ServicePorts
from router.link.links import Links
from router.link.routing_messages import LoadMessage
from router.model import limits
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import LoadReport
from router.net.ports import Network as HostNetwork
from router.node.services.load_exchange import LoadExchange
from router.routing.edges.attached import AttachedEdges
from router.routing.load import first_number
from router.service.figures import Load
from tests.unit.routing.fakes import advert
from tests.unit.routing.network import Network

WEB, BROKEN = ServiceKey("web", 80), ServiceKey("broken", 80)
NEIGHBOUR = RouterId("n")
EPOCH = 1_790_000_000


class Alarm:
    """One timer of the world."""

    def __init__(self, world: "World", call: tuple[float, Callable[[], None]]) -> None:
        self.world, self.call = world, call

    def cancel(self) -> None:
        if self.call in self.world.calls:
            self.world.calls.remove(self.call)


class World:
    """Time, links that record sent messages, and a forwarder with one figure."""

    def __init__(self) -> None:
        self.time = 100.0
        self.calls: list[tuple[float, Callable[[], None]]] = []
        self.sent: list[tuple[float, int]] = []
        self.in_flight = 0
        self.most_for_one: int | None = None
        self.neighbours = [NEIGHBOUR]
        self.messages: list[tuple[float, RouterId, tuple[LoadReport, ...]]] = []
        self.glitches: list[RouterId] = []
        self.believed: list[LoadReport] = []
        self.exchange = LoadExchange(
            cast(HostNetwork, self),
            RouterId("r"),
            cast(Links, self),
            cast(Readings, self),
            cast(ServicePorts, self),
            AttachedEdges(),
            EPOCH,
        )
        self.exchange.set_services([WEB])

    def now(self) -> float:
        return self.time

    def call_at(self, when: float, callback: Callable[[], None]) -> "Alarm":
        self.calls.append((when, callback))
        return Alarm(self, self.calls[-1])

    @property
    def adjacent(self) -> dict[RouterId, int]:
        return dict.fromkeys(self.neighbours, 1)

    def send(self, router: RouterId, message: LoadMessage) -> bool:
        self.messages.append((self.time, router, message.reports))
        if router == NEIGHBOUR:
            self.sent += [(self.time, report.in_flight) for report in message.reports]
        return True

    def misbehaved(self, router: RouterId) -> None:
        self.glitches.append(router)

    def report_load(self, report: LoadReport, site: SiteId) -> None:
        self.believed.append(report)

    def load_of(self, key: ServiceKey) -> Load:
        if key == BROKEN:
            raise LookupError("a fault of ours")
        return Load(
            targets_ready=1, capacity=10, used=self.in_flight, most_for_one=self.most_for_one
        )

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


def test_a_changed_share_of_one_neighbor_is_told_without_any_request() -> None:
    """Other sites have no signed figure of learned slots, and of the share of them."""
    world = World()
    world.set(0)
    world.run_until(100.0 + 1.5 * limits.LOAD_REFRESH_S)
    told = len(world.messages)
    world.most_for_one = 3
    world.exchange.changed(WEB)
    world.run_until(100.0 + 1.6 * limits.LOAD_REFRESH_S)
    ((_, _, (report,)),) = world.messages[told:]
    assert report.most_for_one == 3


def test_every_figure_is_told_again_when_nothing_changes_until_the_end() -> None:
    world = World()
    world.in_flight = 3  # Without a change event: the next refresh corrects other routers.
    world.run_until(100.0 + 3.5 * limits.LOAD_REFRESH_S)
    assert world.sent == [(100.0 + n * limits.LOAD_REFRESH_S, 3) for n in (1, 2, 3)]
    world.exchange.close()
    assert world.calls == []


def test_a_fault_while_figures_are_told_again_does_not_end_that() -> None:
    world = World()
    world.exchange.set_services([WEB, BROKEN])
    with pytest.raises(LookupError):
        world.run_until(100.0 + 1.5 * limits.LOAD_REFRESH_S)
    world.exchange.set_services([WEB])
    world.sent.clear()
    world.run_until(100.0 + 2.5 * limits.LOAD_REFRESH_S)
    assert world.sent == [(100.0 + 2 * limits.LOAD_REFRESH_S, 0)]


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


def test_a_new_neighbour_hears_of_us_at_once_and_again_once_it_has_a_table() -> None:
    world = World()
    world.in_flight = 3
    world.exchange.neighbour_up(NEIGHBOUR, NEIGHBOUR)
    assert world.sent == [(100.0, 3)]
    world.run_until(100.0 + limits.LOAD_SETTLE_INTERVAL_S)
    assert world.sent == [(100.0, 3), (100.0 + limits.LOAD_SETTLE_INTERVAL_S, 3)]


def test_a_neighbour_that_went_meanwhile_is_told_nothing() -> None:
    world = World()
    world.exchange.neighbour_up(NEIGHBOUR, NEIGHBOUR)
    world.exchange.neighbour_down(NEIGHBOUR)
    world.neighbours.clear()
    world.run_until(104.0)
    assert len(world.sent) == 1


def test_reports_go_on_to_no_neighbour_that_is_gone_though_the_table_has_it_yet() -> None:
    world = World()
    network, first, second = between_two()
    table, said = network.table("b"), [LoadReport(first, n, "x", 80, n, 1, 10) for n in (1, 2)]
    for neighbour in (first, second):
        world.exchange.neighbour_up(neighbour, neighbour)
    world.exchange.received(first, (said[0],), table)
    world.exchange.neighbour_down(second)
    world.exchange.received(first, (said[1],), table)
    world.run_until(104.0)
    told = [report for _, to, reports in world.messages if to == second for report in reports]
    assert [report for report in told if report.router == first] == [said[0]]


def told_by(network: Network, count: int) -> tuple[LoadReport, ...]:
    origin = network.identities["a"].router
    return tuple(LoadReport(origin, seq, "x", 80, seq % 7, 1, 10) for seq in range(1, count + 1))


def pair() -> Network:
    network = Network("ab")
    network.serve("a", [], [advert("x")])
    network.connect("a", "b")
    network.run(1.0)
    return network


def test_as_many_reports_of_a_neighbour_are_looked_at_as_its_budget_has() -> None:
    world, network = World(), pair()
    sender, table = network.identities["a"].router, network.table("b")
    world.exchange.neighbour_up(sender, sender)
    reports = told_by(network, limits.LOADS_RECEIVED_BURST)
    world.exchange.received(sender, reports, table)
    assert len(world.believed) == limits.LOADS_RECEIVED_BURST
    assert (world.exchange.over_budget, world.glitches) == (0, [])


def test_one_report_more_is_not_looked_at_and_is_a_glitch_of_who_passed_it_on() -> None:
    world, network = World(), pair()
    sender, table = network.identities["a"].router, network.table("b")
    world.exchange.neighbour_up(sender, sender)
    reports = told_by(network, limits.LOADS_RECEIVED_BURST + 1)
    world.exchange.received(sender, reports, table)
    assert len(world.believed) == limits.LOADS_RECEIVED_BURST
    assert (world.exchange.over_budget, world.glitches) == (1, [sender])
    world.run_until(100.0 + 1.5 / limits.LOADS_RECEIVED_PER_S)
    world.exchange.received(sender, reports[-1:], table)
    assert world.believed[-1] == reports[-1]


def between_two() -> tuple[Network, RouterId, RouterId]:
    """Where ``b`` has two neighbors that serve, and these."""
    network = Network("abc")
    for name in "ac":
        network.serve(name, [], [advert("x")])
        network.connect(name, "b")
    network.run(1.0)
    return network, network.identities["a"].router, network.identities["c"].router


def test_what_one_neighbour_floods_takes_nothing_of_another_ones_budget() -> None:
    world = World()
    network, flooding, honest = between_two()
    for neighbour in (flooding, honest):
        world.exchange.neighbour_up(neighbour, neighbour)
    table = network.table("b")
    world.exchange.received(flooding, told_by(network, 2 * limits.LOADS_RECEIVED_BURST), table)
    said = LoadReport(honest, 1, "x", 80, 4, 1, 10)
    world.exchange.received(honest, (said,), table)
    assert world.believed[-1] == said
    assert world.glitches == [flooding]


def test_all_that_one_token_let_in_have_one_budget_however_often_they_link() -> None:
    world = World()
    network, first, second = between_two()
    for neighbour in (first, second):
        world.exchange.neighbour_up(neighbour, "fleet")
    table = network.table("b")
    world.exchange.received(first, told_by(network, limits.LOADS_RECEIVED_BURST), table)
    world.exchange.neighbour_down(second)
    world.exchange.neighbour_up(second, "fleet")
    world.exchange.received(second, (LoadReport(second, 1, "x", 80, 4, 1, 10),), table)
    assert len(world.believed) == limits.LOADS_RECEIVED_BURST
    assert (world.exchange.over_budget, world.glitches) == (1, [second])


def test_reports_are_numbered_from_the_epoch_on_and_from_a_raised_one_as_it_is() -> None:
    world = World()
    world.exchange.neighbour_up(NEIGHBOUR, NEIGHBOUR)
    world.exchange.epoch_raised(EPOCH + 3)
    world.exchange.neighbour_up(NEIGHBOUR, NEIGHBOUR)
    world.exchange.epoch_raised(EPOCH + 2)
    world.exchange.neighbour_up(NEIGHBOUR, NEIGHBOUR)
    numbers = [report.seq for _, _, reports in world.messages for report in reports]
    later = first_number(EPOCH + 3)
    assert numbers == [first_number(EPOCH) + 1, later + 1, later + 2]
