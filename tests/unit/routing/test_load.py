"""Load reports: which senders are believed, and which neighbors get them next."""

from math import inf, nan

import msgspec
import pytest

from router.model.ids import RouterId, ServiceKey
from router.model.limits import COUNTER_MAX
from router.model.messages import packed
from router.model.messages.adverts import LoadReport, RateLoad
from router.routing.load import LoadTable, first_number
from tests.unit.routing.fakes import advert
from tests.unit.routing.network import Network

pytestmark = pytest.mark.usefixtures("both_orders")

X80 = ServiceKey("x", 80)
EPOCH = 1_790_000_000  # Unix seconds.


def square() -> Network:
    """West reaches east over north (cost 2) or, at a higher cost, over south (cost 6)."""
    network = Network(["west", "north", "south", "east"])
    network.serve("east", [], [advert("x", capacity=10)])
    network.connect("west", "north", 1)
    network.connect("north", "east", 1)
    network.connect("west", "south", 3)
    network.connect("south", "east", 3)
    network.run(1.0)
    return network


def report(
    network: Network, seq: int, *, in_flight: int = 3, capacity: int | None = 10, service: str = "x"
) -> LoadReport:
    return LoadReport(network.identities["east"].router, seq, service, 80, in_flight, 1, capacity)


def hear(
    loads: LoadTable, network: Network, said: LoadReport, by: str
) -> tuple[LoadReport, tuple[RouterId, ...]] | None:
    sender = network.identities[by].router
    accepted = loads.accept(said, sender, network.table("west"), network.now)
    return (accepted.report, accepted.forward_to) if accepted else None


def test_a_report_is_believed_from_a_cheapest_next_hop_and_goes_on_to_all_others() -> None:
    network, loads = square(), LoadTable()
    said = report(network, 1)
    assert hear(loads, network, said, "south") is None
    assert hear(loads, network, said, "north") == (said, (network.identities["south"].router,))
    assert loads.last(said.router, X80) == (said, network.now)


def test_each_number_is_believed_once_and_never_after_a_later_one() -> None:
    network, loads = square(), LoadTable()
    assert hear(loads, network, report(network, 5), "north")
    assert hear(loads, network, report(network, 5), "north") is None
    assert hear(loads, network, report(network, 4), "north") is None
    assert hear(loads, network, report(network, 6), "north")


def test_capacity_is_bounded_by_what_is_signed() -> None:
    network, loads = square(), LoadTable()
    for seq, (told, bounded) in enumerate([(4, 4), (99, 10), (None, 10)]):
        heard = hear(loads, network, report(network, seq, capacity=told), "north")
        assert heard is not None and heard[0].capacity == bounded


def test_a_rate_is_bounded_by_what_is_signed_and_must_be_one() -> None:
    network, loads = square(), LoadTable()
    network.serve("east", [], [advert("x", capacity=10, rate_per_s=15.0)])
    network.run(1.0)
    bad = [(nan, 1, 0), (0.0, 1, 0), (inf, 1, 0), (1.0, -1, 0), (1.0, 2**60, 0), (1.0, 1, -1)]
    for told in bad:
        said = msgspec.structs.replace(report(network, 1), rate=RateLoad(*told))
        assert hear(loads, network, said, "north") is None, told
    for seq, (told_per_s, bounded) in enumerate([(4.0, 4.0), (99.0, 15.0)], start=2):
        said = msgspec.structs.replace(report(network, seq), rate=RateLoad(told_per_s, 7, 9))
        heard = hear(loads, network, said, "north")
        assert heard is not None
        assert heard[0].rate == RateLoad(bounded, 7, 9)


def test_what_is_asked_for_is_nothing_or_more() -> None:
    network, loads = square(), LoadTable()
    for seq, asked in enumerate((nan, inf, -1.0, 1e13, 0.0, 15.5), start=1):
        said = msgspec.structs.replace(report(network, seq), asked_per_s=asked)
        heard = hear(loads, network, said, "north")
        told = None if heard is None else heard[0].asked_per_s
        assert told == (asked if asked in {0.0, 15.5} else None)


def test_an_older_router_reports_without_a_rate_and_reads_one_that_has_it() -> None:
    old = msgspec.msgpack.encode(["r", 1, "x", 80, 3, 1, 10])
    assert msgspec.msgpack.decode(old, type=LoadReport).rate is None
    new = LoadReport(RouterId("r"), 1, "x", 80, 3, 1, 10, RateLoad(15.0, 7, 1), asked_per_s=20.0)
    wire = msgspec.msgpack.encode(new)
    assert msgspec.msgpack.decode(wire, type=LoadReport) == new
    assert msgspec.msgpack.decode(wire)[:7] == msgspec.msgpack.decode(old)


@pytest.mark.parametrize(
    "name",
    ["in_flight", "beyond", "waiting", "targets_ready", "reserved", "most_for_one", "capacity"],
)
def test_a_report_may_count_nothing_and_not_less(name: str) -> None:
    network, loads = square(), LoadTable()
    less = msgspec.structs.replace(report(network, 1), **{name: -1})
    assert hear(loads, network, less, "north") is None
    nothing = msgspec.structs.replace(report(network, 1), **{name: 0})
    assert hear(loads, network, nothing, "north") is not None


def test_a_report_of_an_unknown_service_is_refused() -> None:
    network, loads = square(), LoadTable()
    assert hear(loads, network, report(network, 1, service="y"), "north") is None


def test_a_restarted_router_may_count_from_the_beginning() -> None:
    network, loads = square(), LoadTable()
    assert hear(loads, network, report(network, 900), "north")
    network.restart("east", epoch=2)
    network.serve("east", [], [advert("x", capacity=10)])
    network.run(1.0)
    assert hear(loads, network, report(network, 0), "north")


def restarted(network: Network, epoch: int) -> None:
    """East restarts, and all know it."""
    network.restart("east", epoch=epoch)
    network.serve("east", [], [advert("x", capacity=10)])
    network.run(1.0)


def test_a_late_report_of_a_former_life_never_stands_for_this_one() -> None:
    network, loads = square(), LoadTable()
    restarted(network, EPOCH)
    former = [report(network, first_number(EPOCH) + count) for count in (700, 900)]
    assert hear(loads, network, former[0], "north")
    restarted(network, EPOCH + 1)
    assert hear(loads, network, former[1], "north") is None
    assert hear(loads, network, report(network, first_number(EPOCH + 1)), "north")


def test_a_report_may_come_before_its_router_is_known_to_have_begun_anew() -> None:
    network, loads = square(), LoadTable()
    restarted(network, EPOCH)
    assert hear(loads, network, report(network, first_number(EPOCH) + 900), "north")
    early = report(network, first_number(EPOCH + 5))
    assert hear(loads, network, early, "north")
    assert hear(loads, network, report(network, first_number(EPOCH) + 901), "north") is None
    restarted(network, EPOCH + 5)
    loads.table_changed(network.table("west"))
    assert loads.last(early.router, X80) is not None


def test_what_was_said_of_a_life_that_never_came_ends_with_the_next_one() -> None:
    network, loads = square(), LoadTable()
    restarted(network, EPOCH)
    lie = report(network, first_number(COUNTER_MAX))
    assert hear(loads, network, lie, "north")
    restarted(network, EPOCH + 1)
    loads.table_changed(network.table("west"))
    assert loads.last(lie.router, X80) is None
    assert hear(loads, network, report(network, first_number(EPOCH + 1)), "north")


def test_a_number_beyond_all_lives_is_of_the_life_that_the_table_knows() -> None:
    network, loads = square(), LoadTable()
    restarted(network, EPOCH)
    assert hear(loads, network, report(network, first_number(COUNTER_MAX)), "north")
    assert hear(loads, network, report(network, first_number(EPOCH + 1)), "north")


@pytest.mark.parametrize("epoch", [1, EPOCH, COUNTER_MAX])
def test_numbers_of_any_epoch_go_over_the_wire(epoch: int) -> None:
    said = report(square(), first_number(epoch))
    assert packed.read(packed.pack(said), LoadReport) == said
    assert said.seq <= COUNTER_MAX


def test_reports_of_routers_that_went_are_forgotten() -> None:
    network, loads = square(), LoadTable()
    said = report(network, 1)
    hear(loads, network, said, "north")
    loads.table_changed(network.table("west"))
    assert loads.last(said.router, X80) is not None
    network.cut("north", "east")
    network.cut("south", "east")
    network.run(1.0)
    loads.table_changed(network.table("west"))
    assert loads.last(said.router, X80) is None
    assert hear(loads, network, report(network, 2), "north") is None


def test_reports_of_what_is_not_offered_to_this_site_are_passed_on_to_those_that_it_is_for() -> (
    None
):
    network, loads = square(), LoadTable()
    offered = msgspec.structs.replace(advert("x", capacity=10), export_to=("south",))
    network.serve("east", [], [offered])
    network.run(1.0)
    said = report(network, 1)
    assert network.table("west").candidates == {}
    assert hear(loads, network, said, "north") == (said, (network.identities["south"].router,))


def test_reports_of_a_router_whose_epoch_is_not_known_any_more_are_forgotten() -> None:
    network, loads = square(), LoadTable()
    said = report(network, 1)
    assert hear(loads, network, said, "north")
    loads.table_changed(msgspec.structs.replace(network.table("west"), epochs={}))
    assert loads.last(said.router, X80) is None


def test_reports_are_passed_to_whom_they_reach_over_us_alone_as_they_came() -> None:
    network, loads = square(), LoadTable()
    said = report(network, 1, capacity=99)  # More than is signed.
    assert (loads.candidates, loads.is_candidate(said.router, X80)) == (0, False)
    hear(loads, network, said, "north")
    ids = network.identities
    assert loads.originals(ids["south"].router) == [said]
    assert loads.originals(ids["north"].router) == [], "it came from there"
    assert loads.originals(ids["east"].router) == [], "it is its own"
    assert (loads.candidates, loads.is_candidate(said.router, X80)) == (1, True)
    assert not loads.is_candidate(ids["north"].router, X80)
    network.serve("east")
    network.run(1.0)
    loads.table_changed(network.table("west"))
    assert (loads.candidates, loads.originals(ids["south"].router)) == (0, [])
