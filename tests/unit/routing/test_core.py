"""The core among neighbors: its messages, their times, and which LSAs it accepts."""

from zlib import crc32

import pytest

from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.limits import (
    ADJACENCIES_MAX,
    CONFLICT_ANSWERS,
    CONFLICT_REPEAT_S,
    COUNTER_MAX,
    LSA_BURST,
    LSA_CHECKS_BURST,
    LSA_MAX_AGE_S,
    LSA_MIN_INTERVAL_S,
    LSA_REFRESH_S,
    LSA_RETRANSMIT_S,
    REROUTE_WAIT_S,
    SERVICE_SYNC_TTL_S,
    SPF_DELAY_MAX_S,
)
from router.model.messages.acks import LsaAck
from router.routing.adverts.duplicate_routers import DuplicateRouters
from router.routing.adverts.lsa import Lsa, ReceivedLsa, Services, Topology, decode_lsa
from router.routing.core import RoutingCore
from router.routing.events import (
    EpochRaised,
    IdentityConflict,
    LsaRejected,
    RoutingEvent,
    SendAck,
    SendLsa,
    TableChanged,
    ack_of,
)
from tests.unit.routing.fakes import (
    FakeIdentity,
    SameSiteIdentity,
    advert,
    declare,
    make_lsa,
    signed,
)
from tests.unit.routing.network import Network

pytestmark = pytest.mark.usefixtures("both_orders")

WEST, EAST, NORTH = FakeIdentity("west"), FakeIdentity("east"), FakeIdentity("north")


def make_core(who: FakeIdentity = WEST, epoch: int = 1) -> RoutingCore:
    return RoutingCore(who, epoch=epoch, boot_nonce=b"w", version="1", now=0.0)


def beside(*others: FakeIdentity) -> RoutingCore:
    """West with adjacencies that are up, everything sent so far acked."""
    core = make_core()
    for other in others:
        ack_all(core, core.adjacency_up(other.router, other.site, 1, 0.0))
    ack_all(core, core.handle_timeout(LSA_MIN_INTERVAL_S), LSA_MIN_INTERVAL_S)
    return core


def read(event: SendLsa) -> Lsa:
    received = decode_lsa(event.signed)
    assert isinstance(received, ReceivedLsa)
    return received.lsa


def acked(event: SendLsa) -> LsaAck:
    received = decode_lsa(event.signed)
    assert isinstance(received, ReceivedLsa)
    return ack_of(received, event.to).ack


def ack_all(core: RoutingCore, events: list[RoutingEvent], now: float = 0.0) -> None:
    for event in events:
        if isinstance(event, SendLsa):
            ack_all(core, core.receive_ack(event.to, acked(event), now), now)


def lsas(events: list[RoutingEvent]) -> list[SendLsa]:
    return [event for event in events if isinstance(event, SendLsa)]


def told_neighbours(lsa: Lsa) -> set[RouterId]:
    assert isinstance(lsa.body, Topology)
    return {adjacency.router for adjacency in lsa.body.adjacencies}


def test_a_new_lsa_is_acked_to_its_sender_and_sent_on_verbatim_to_all_others() -> None:
    core = beside(EAST, NORTH)
    data = signed(make_lsa(EAST, neighbours=((WEST, 1),)), EAST)
    ack, send = core.receive_lsa(EAST.router, data, 1.0)
    assert ack == SendAck(EAST.router, LsaAck(EAST.router, 0, 1, 1, crc32(data)))
    assert send == SendLsa(NORTH.router, data)


def test_the_same_lsa_again_is_acked_and_goes_no_further() -> None:
    core = beside(EAST, NORTH)
    data = signed(make_lsa(EAST), EAST)
    core.receive_lsa(EAST.router, data, 1.0)
    events = core.receive_lsa(EAST.router, data, 1.0)
    assert [type(event) for event in events] == [SendAck]


def test_a_neighbour_that_sends_what_we_sent_it_needs_no_retransmission() -> None:
    core = beside(EAST, NORTH)
    data = signed(make_lsa(FakeIdentity("far")), FakeIdentity("far"))
    core.receive_lsa(EAST.router, data, 1.0)
    core.receive_lsa(NORTH.router, data, 1.1)
    assert lsas(core.handle_timeout(1.0 + 2 * LSA_RETRANSMIT_S)) == []


def test_what_is_not_acked_is_sent_again_until_it_is() -> None:
    core = beside(EAST, NORTH)
    data = signed(make_lsa(EAST), EAST)
    core.receive_lsa(EAST.router, data, 1.0)
    for count in (1, 2, 3):
        again = core.handle_timeout(1.0 + count * LSA_RETRANSMIT_S)
        assert lsas(again) == [SendLsa(NORTH.router, data, age_s=count)]
    core.receive_ack(NORTH.router, LsaAck(EAST.router, 0, 1, 1, crc32(data)), 4.5)
    assert lsas(core.handle_timeout(10.0)) == []
    assert core.retransmissions == 3


def test_a_replayed_old_lsa_is_answered_with_the_newer_one() -> None:
    core = beside(EAST, NORTH)
    old = signed(make_lsa(EAST, sequence=1), EAST)
    new = signed(make_lsa(EAST, sequence=2, neighbours=((WEST, 1),)), EAST)
    core.receive_lsa(EAST.router, new, 1.0)
    assert core.receive_lsa(NORTH.router, old, 2.0) == [SendLsa(NORTH.router, new, age_s=1)]
    assert [lsa.sequence for lsa in core.database() if lsa.router == EAST.router] == [2]


def test_a_later_epoch_beats_any_sequence() -> None:
    core = beside(EAST)
    core.receive_lsa(EAST.router, signed(make_lsa(EAST, epoch=1, sequence=99), EAST), 1.0)
    core.receive_lsa(EAST.router, signed(make_lsa(EAST, epoch=2, sequence=1), EAST), 1.0)
    assert [lsa.epoch for lsa in core.database() if lsa.router == EAST.router] == [2]


def test_a_neighbour_calls_itself_as_it_did_when_it_linked() -> None:
    core = make_core()
    core.adjacency_up(EAST.router, EAST.site, 1, 0.0, name="east")
    renamed = SameSiteIdentity(EAST, EAST.router, name="alpha")
    (told,) = core.receive_lsa(EAST.router, signed(make_lsa(renamed), renamed), 1.0)
    assert isinstance(told, LsaRejected) and told.code == "wrong-name"
    events = core.receive_lsa(EAST.router, signed(make_lsa(EAST), EAST), 2.0)
    assert LsaRejected not in map(type, events)
    other = FakeIdentity("other")  # What others are called is not the neighbor's to say twice.
    events = core.receive_lsa(EAST.router, signed(make_lsa(other), other), 3.0)
    assert LsaRejected not in map(type, events)


def test_an_lsa_that_another_site_signed_is_rejected_and_ours_stays() -> None:
    core = beside(EAST, NORTH)
    core.receive_lsa(EAST.router, signed(make_lsa(EAST), EAST), 1.0)
    before = core.database()
    forged = signed(make_lsa(EAST, epoch=9), NORTH)
    events = core.receive_lsa(NORTH.router, forged, 1.0)
    assert [type(event) for event in events] == [LsaRejected]
    assert core.database() == before
    assert core.lsas_rejected == 1


def test_edited_bytes_are_rejected_even_under_a_known_number() -> None:
    core = beside(EAST, NORTH)
    data = bytearray(signed(make_lsa(EAST, neighbours=((WEST, 5),)), EAST))
    core.receive_lsa(EAST.router, bytes(data), 1.0)
    data[-40] ^= 1  # In the list of parts or the signature.
    events = core.receive_lsa(NORTH.router, bytes(data), 1.0)
    assert [type(event) for event in events] == [LsaRejected]


def test_nobody_can_make_us_raise_our_epoch_but_ourselves() -> None:
    core = beside(EAST)
    forged = signed(make_lsa(WEST, epoch=50, boot_nonce=b"x"), EAST)
    events = core.receive_lsa(EAST.router, forged, 1.0)
    assert [type(event) for event in events] == [LsaRejected]
    assert core.epoch == 1


def test_an_adjacency_that_came_up_gets_the_whole_database() -> None:
    core = make_core()
    core.set_services([declare("x")], [advert("x")], 0.0)
    ack_all(core, core.adjacency_up(EAST.router, EAST.site, 1, 0.0))
    core.receive_lsa(EAST.router, signed(make_lsa(EAST), EAST), 0.0)
    events = core.adjacency_up(NORTH.router, NORTH.site, 1, 5.0)
    to_north = {
        (lsa.router, lsa.part) for e in lsas(events) if e.to == NORTH.router for lsa in [read(e)]
    }
    assert to_north == {(EAST.router, 0), (WEST.router, 0), (WEST.router, 1)}


def test_a_sync_is_paced_by_the_acks_of_the_neighbour() -> None:
    core = beside(EAST)
    origins = [FakeIdentity(f"far-{number}") for number in range(300)]
    for who in origins:
        core.receive_lsa(EAST.router, signed(make_lsa(who), who), 1.0)
    first = lsas(core.adjacency_up(NORTH.router, NORTH.site, 1, 2.0))
    first = [event for event in first if event.to == NORTH.router]
    assert len(first) < 100
    seen = set()
    waiting = first
    while waiting:
        event = waiting.pop(0)
        seen.add(read(event).router)
        waiting += lsas(core.receive_ack(NORTH.router, acked(event), 2.0))
    assert seen >= {who.router for who in origins}


def test_an_ack_of_what_a_former_life_told_by_the_same_number_is_no_ack_of_this() -> None:
    """Two lives of a router that lost its epoch, both told within one round trip."""
    core = beside(EAST, NORTH)
    far = FakeIdentity("far")
    told = [signed(make_lsa(far, neighbours=((who, 1),)), far) for who in (EAST, NORTH)]
    former, newer = sorted(told)
    core.receive_lsa(EAST.router, former, 1.0)
    (again,) = [s for s in lsas(core.receive_lsa(EAST.router, newer, 1.0)) if s.to == NORTH.router]
    core.receive_ack(NORTH.router, acked(SendLsa(NORTH.router, former)), 1.1)
    assert SendLsa(NORTH.router, newer, age_s=1) in core.handle_timeout(1.0 + LSA_RETRANSMIT_S)
    core.receive_ack(NORTH.router, acked(again), 2.1)
    assert lsas(core.handle_timeout(10.0)) == []


def test_a_neighbour_of_an_earlier_release_tells_no_checksum() -> None:
    core = beside(EAST, NORTH)
    core.receive_lsa(EAST.router, signed(make_lsa(EAST), EAST), 1.0)
    core.receive_ack(NORTH.router, LsaAck(EAST.router, 0, 1, 1), 1.1)
    assert lsas(core.handle_timeout(10.0)) == []


def test_a_dead_adjacency_goes_out_at_once_and_the_table_is_there_at_once() -> None:
    network = Network(["west", "east", "north"])
    network.connect("west", "east")
    network.connect("west", "north")
    network.connect("east", "north", 5)
    network.run(1.0)
    core = network.cores["west"]
    # A change a moment ago does not hold back the death.
    network.take("west", core.adjacency_cost(NORTH.router, 2, network.now))
    events = core.adjacency_down(EAST.router, network.now)
    told = [read(event) for event in lsas(events)]
    assert [told_neighbours(lsa) for lsa in told] == [{NORTH.router}]
    tables = [event.table for event in events if isinstance(event, TableChanged)]
    assert [table.sites[EAST.site].path_cost for table in tables] == [7]


def test_own_changes_go_out_at_once_and_then_in_intervals() -> None:
    core = beside(EAST)
    assert len(lsas(core.adjacency_cost(EAST.router, 2, 10.0))) == 1
    assert lsas(core.adjacency_cost(EAST.router, 3, 10.01)) == []
    assert lsas(core.adjacency_cost(EAST.router, 4, 10.02)) == []
    deadline = core.next_deadline()
    assert deadline is not None and deadline <= 10.0 + LSA_MIN_INTERVAL_S
    (late,) = lsas(core.handle_timeout(10.0 + LSA_MIN_INTERVAL_S))
    body = read(late).body
    assert isinstance(body, Topology)
    assert [adjacency.cost for adjacency in body.adjacencies] == [4]


def test_our_own_changes_never_use_up_what_others_grant_us() -> None:
    network = Network(["west", "east"])
    network.connect("west", "east")
    network.run(1.0)
    for number in range(400):
        network.serve("west", [], [advert("x", ready=number)])
        network.run(0.05)
    network.run(1.0)
    assert network.cores["east"].lsas_over_budget == 0
    candidate = network.table("east").candidates[ServiceKey("x", 80)][0]
    assert candidate.targets_ready == 399


def test_an_origin_that_floods_is_held_to_its_budget_and_others_are_not() -> None:
    core = beside(EAST, NORTH)
    for number in range(1, 500):
        core.receive_lsa(EAST.router, signed(make_lsa(EAST, sequence=number), EAST), 1.0)
    assert core.lsas_over_budget == 499 - LSA_BURST
    events = core.receive_lsa(EAST.router, signed(make_lsa(NORTH), NORTH), 1.0)
    assert any(isinstance(event, SendAck) for event in events)


def test_forgeries_over_one_neighbour_do_not_use_up_the_budget_of_another() -> None:
    core = beside(EAST, NORTH)
    for number in range(1, 100):
        core.receive_lsa(NORTH.router, signed(make_lsa(EAST, sequence=number), NORTH), 1.0)
    events = core.receive_lsa(EAST.router, signed(make_lsa(EAST), EAST), 1.0)
    assert any(isinstance(event, SendAck) for event in events)


def test_signatures_are_checked_for_one_neighbour_only_so_often() -> None:
    core = beside(EAST)
    for number in range(2 * LSA_CHECKS_BURST):
        far = FakeIdentity(f"{number}")  # New parts would otherwise each have a separate budget.
        core.receive_lsa(EAST.router, signed(make_lsa(far), NORTH), 1.0)
    assert core.lsas_over_budget == LSA_CHECKS_BURST
    core.receive_lsa(EAST.router, signed(make_lsa(NORTH), NORTH), 2.0)
    assert core.lsas_over_budget == LSA_CHECKS_BURST


def test_signatures_are_checked_for_all_neighbours_of_one_token_as_often_as_for_one() -> None:
    core, south = make_core(), FakeIdentity("south")
    for neighbour in (EAST, NORTH):
        core.adjacency_up(neighbour.router, neighbour.site, 1, 0.0, token="fleet")
    core.adjacency_up(south.router, south.site, 1, 0.0)
    for number in range(2 * LSA_CHECKS_BURST):
        sender = (EAST, NORTH)[number % 2].router
        core.receive_lsa(sender, signed(make_lsa(FakeIdentity(f"{number}")), NORTH), 1.0)
    assert core.lsas_over_budget == LSA_CHECKS_BURST
    events = core.receive_lsa(south.router, signed(make_lsa(south), south), 1.0)
    assert any(isinstance(event, SendAck) for event in events)


def test_a_neighbour_that_links_again_has_no_new_budget_of_checks() -> None:
    core = beside(EAST)
    for _ in range(2):
        for number in range(LSA_CHECKS_BURST):
            far = FakeIdentity(f"{number}")
            core.receive_lsa(EAST.router, signed(make_lsa(far), NORTH), 1.0)
        core.adjacency_down(EAST.router, 1.0)
        core.adjacency_up(EAST.router, EAST.site, 1, 1.0)
    assert core.lsas_over_budget == LSA_CHECKS_BURST


def test_everything_is_refreshed_long_before_it_ages_out() -> None:
    network = Network(["west", "east"])
    network.serve("west", [declare("x")], [advert("x")])
    network.connect("west", "east")
    network.run(3 * LSA_MAX_AGE_S)
    assert network.cost("east", "west") == 1
    assert ServiceKey("x", 80) in network.table("east").candidates
    assert len(network.facts("east", TableChanged)) < 4  # A refresh changes no table.
    assert network.cores["west"].lsas_originated <= 4 + 2 * 3 * LSA_MAX_AGE_S / LSA_REFRESH_S


def test_a_site_that_has_gone_stays_known_until_its_lsa_is_old() -> None:
    network = Network(["west", "east"])
    network.connect("west", "east")
    network.run(1.0)
    network.cut("west", "east")
    network.run(LSA_MAX_AGE_S - 100)
    gone = network.table("west").sites[EAST.site]
    assert (gone.reachable, gone.path_cost, gone.paths) == (False, None, ())
    network.run(101)
    assert EAST.site not in network.table("west").sites


def test_a_site_that_has_gone_is_not_young_again_where_its_neighbor_restarts() -> None:
    network = Network(["west", "east", "north"])
    network.connect("west", "east")
    network.connect("east", "north")
    network.run(1.0)
    network.cut("east", "north")
    network.run(LSA_MAX_AGE_S - 100)
    network.restart("east", epoch=2)
    network.run(1.0)
    network.restart("west", epoch=2)
    network.run(10.0)
    assert network.cost("west", "east") == 1
    for name in ("west", "east"):
        assert not network.table(name).sites[NORTH.site].reachable
    network.run(100)
    for name in ("west", "east"):
        assert NORTH.site not in network.table(name).sites


def test_a_neighbor_that_calls_others_old_hides_only_those_out_of_reach_for_long() -> None:
    core = beside(EAST)

    def east_says(sequence: int, now: float, *others: tuple[FakeIdentity, int]) -> None:
        told = make_lsa(EAST, sequence=sequence, neighbours=((WEST, 1), *others))
        core.receive_lsa(EAST.router, signed(told, EAST), now)
        core.handle_timeout(now + SPF_DELAY_MAX_S)

    north = signed(make_lsa(NORTH, neighbours=((EAST, 1),)), NORTH)
    core.receive_lsa(EAST.router, north, 1.0, COUNTER_MAX)
    east_says(5, 1.0, (NORTH, 1))
    core.handle_timeout(LSA_REFRESH_S)
    assert core.table.sites[NORTH.site].path_cost == 2
    east_says(6, 200.0)
    core.handle_timeout(200.0 + SERVICE_SYNC_TTL_S - 1)
    assert not core.table.sites[NORTH.site].reachable
    core.handle_timeout(200.0 + SERVICE_SYNC_TTL_S + 2)
    assert NORTH.site not in core.table.sites
    east_says(7, 400.0, (NORTH, 1))
    assert core.table.sites[NORTH.site].path_cost == 2


def test_a_router_that_was_called_old_is_listed_again_once_it_sends_a_newer_part() -> None:
    core = beside(EAST)
    core.receive_lsa(EAST.router, signed(make_lsa(EAST, neighbours=((WEST, 1),)), EAST), 1.0)
    old, newer = (signed(make_lsa(NORTH, sequence=number), NORTH) for number in (1, 2))
    core.receive_lsa(EAST.router, old, 1.0, COUNTER_MAX)
    core.handle_timeout(1.0 + SPF_DELAY_MAX_S)
    assert NORTH.site not in core.table.sites
    core.receive_lsa(EAST.router, newer, 20.0)
    core.handle_timeout(20.0 + SPF_DELAY_MAX_S)
    assert not core.table.sites[NORTH.site].reachable


def test_what_has_aged_out_is_not_revived_by_a_neighbour_that_got_it_later() -> None:
    core = beside(EAST, NORTH)
    far = FakeIdentity("far")
    data = signed(make_lsa(far, sequence=5), far)
    core.receive_lsa(EAST.router, data, 1.0)
    core.handle_timeout(2.0 + LSA_MAX_AGE_S)
    events = core.receive_lsa(NORTH.router, data, 3.0 + LSA_MAX_AGE_S)
    assert [type(event) for event in events] == [SendAck]
    assert far.router not in {lsa.router for lsa in core.database()}
    newer = signed(make_lsa(far, sequence=6), far)
    core.receive_lsa(NORTH.router, newer, 4.0 + LSA_MAX_AGE_S)
    assert far.router in {lsa.router for lsa in core.database()}


def test_a_restart_with_a_later_epoch_overtakes_its_former_life() -> None:
    network = Network(["west", "east"])
    network.serve("west", [declare("x")], [advert("x")])
    network.connect("west", "east")
    network.run(1.0)
    network.restart("west", epoch=2)
    network.run(0.5)
    assert network.cost("east", "west") == 1
    assert network.table("east").epochs[WEST.router] == 2
    assert network.facts("west", EpochRaised) == []
    assert ServiceKey("x", 80) not in network.table("east").candidates


def test_a_restart_that_lost_its_epoch_overtakes_itself_in_one_exchange() -> None:
    network = Network(["west", "east"])
    network.cores["west"] = network.make_core("west", epoch=70)
    network.connect("west", "east")
    network.run(1.0)
    network.restart("west", epoch=3)
    network.run(3 * network.delay_s)
    assert network.facts("west", EpochRaised) == [EpochRaised(71)]
    assert {lsa.epoch for lsa in network.cores["east"].database() if lsa.node == WEST.node} == {71}
    network.run(0.5)
    assert network.table("east").epochs[WEST.router] == 71
    assert network.cost("east", "west") == 1
    assert network.facts("west", IdentityConflict) == []


def epochs_at_east(network: Network) -> set[int]:
    """Those of all parts of west."""
    return {lsa.epoch for lsa in network.cores["east"].database() if lsa.node == WEST.node}


def site_of_two(epoch: int) -> Network:
    """East knows west, and its other router, which started in ``epoch``; west in epoch 1."""
    network = Network(["west", "east"])
    network.identities["west2"] = SameSiteIdentity(network.identities["west"], "ab" * 8)
    network.cores["west2"] = network.make_core("west2", epoch=epoch)
    network.serve("west", [declare("x")], [advert("x")])
    network.connect("west", "east")
    network.connect("west2", "east")
    network.run(1.0)
    return network


def test_a_router_takes_the_latest_epoch_of_its_site_at_its_next_refresh() -> None:
    network = site_of_two(epoch=70)
    assert network.facts("west", EpochRaised) == [EpochRaised(70)], "stored before it is used"
    assert epochs_at_east(network) == {1}
    network.serve("west2", [declare("x")])
    network.run(LSA_REFRESH_S)
    assert epochs_at_east(network) == {70}
    assert network.facts("west", EpochRaised) == [EpochRaised(70)], "once"
    assert network.facts("west2", EpochRaised) == []


def test_a_late_epoch_of_another_site_moves_nothing() -> None:
    """It may be as far ahead as that site likes."""
    network = Network(["west", "east"])
    network.cores["east"] = network.make_core("east", epoch=COUNTER_MAX)
    network.serve("west", [declare("x")])
    network.connect("west", "east")
    network.run(1.0)
    network.serve("west", [declare("y")])
    network.run(LSA_REFRESH_S)
    assert network.facts("west", EpochRaised) == []
    assert epochs_at_east(network) == {1}


def test_only_a_changed_declaration_takes_the_latest_epoch_before_that() -> None:
    network = site_of_two(epoch=70)
    network.serve("west", [declare("x")], [advert("x", ready=3)])
    network.run(1.0)
    assert epochs_at_east(network) == {1}
    network.serve("west", [declare("y")])
    network.run(1.0)
    assert epochs_at_east(network) == {70}


def test_a_router_counts_on_from_the_highest_number_of_its_site_in_its_epoch() -> None:
    network = site_of_two(epoch=1)
    said: dict[str, tuple[int, int]] = {}
    for number, router in enumerate(["west", "west", "west2", "west", "west2", "west2"]):
        network.serve(router, [declare(f"x{number}")])
        network.run(1.0)
        node = network.identities[router]
        said[router] = max(
            lsa.newness
            for lsa in network.cores["east"].database()
            if (lsa.router, lsa.site) == (node.router, node.site)
        )
        assert said[router] == max(said.values()), "the later one counts at other sites"


def test_of_two_processes_with_one_identity_the_later_started_goes_silent() -> None:
    network = Network(["early", "late", "hub", "other"])
    twin = network.identities["early"]
    network.identities["late"] = twin
    network.cores["early"] = network.make_core("early", epoch=100, nonce=b"one")
    network.cores["late"] = network.make_core("late", epoch=200, nonce=b"two")
    # The twins hang on different routers: only through the database do they meet.
    network.connect("early", "hub")
    network.connect("hub", "other")
    network.run(1.0)
    network.connect("late", "other")
    network.run(5.0)
    late = network.facts("late", IdentityConflict)
    hub = network.identities["hub"].site
    assert late == [
        IdentityConflict(site=twin.site, router=twin.router, withdrawn=True, neighbours=(hub,))
    ]
    early = network.facts("early", IdentityConflict)
    far = network.identities["other"].site
    assert early == [
        IdentityConflict(site=twin.site, router=twin.router, withdrawn=False, neighbours=(far,))
    ]
    assert network.cost("hub", "early") == 1
    assert network.cost("other", "early") == 2
    assert network.cost("early", "other") == 2
    assert network.cost("late", "other") is None


def test_several_epochs_of_a_life_that_is_over_are_no_conflict() -> None:
    core = beside(EAST)
    for epoch in (7, 8):  # We answer 7 with 8: a former part with 8 may still arrive.
        old = make_lsa(WEST, epoch=epoch, sequence=50, boot_nonce=b"gone", boot_epoch=0)
        events = core.receive_lsa(EAST.router, signed(old, WEST), 1.0)
        assert not [event for event in events if isinstance(event, IdentityConflict)]
        assert EpochRaised(epoch + 1) in events


def conflicts_after(*epochs: int) -> int:
    """How often we report a conflict with an earlier life, if its parts with ``epochs`` arrive."""
    core = beside(EAST)
    found = 0
    for epoch in epochs:
        old = make_lsa(WEST, epoch=epoch, sequence=50, boot_nonce=b"gone", boot_epoch=0)
        events = core.receive_lsa(EAST.router, signed(old, WEST), 1.0)
        found += sum(isinstance(event, IdentityConflict) for event in events)
    return found


def test_a_life_that_is_over_was_kept_with_epochs_far_apart_and_is_no_conflict() -> None:
    assert conflicts_after(100, 105) == 0
    assert conflicts_after(100, 105, 111, 120, 130) == 0


def test_only_who_answers_the_epochs_that_we_took_again_and_again_is_alive() -> None:
    answers = [100 + 2 * number for number in range(1 + CONFLICT_ANSWERS)]  # Ours lie between.
    assert conflicts_after(*answers[:-1]) == 0
    assert conflicts_after(*answers) == 1


def test_an_old_word_of_a_twin_that_lives_is_no_news_of_it() -> None:
    rivals, ours = DuplicateRouters(), 100

    def told(epoch: int, now: float) -> bool:
        lsa = make_lsa(WEST, epoch=epoch, boot_nonce=b"twin", boot_epoch=9)
        return rivals.heard(lsa, ours, (1, b"us"), now) is not None

    assert [told(ours + 1, 0.0) for _ in range(2 + CONFLICT_ANSWERS)][-2:] == [True, False]
    later = 2 * CONFLICT_REPEAT_S
    assert [told(epoch, later) for epoch in (ours - 1, ours, ours + 1)] == [False, False, True]


def test_more_neighbours_than_fit_into_an_lsa_are_not_used() -> None:
    core = make_core()
    for number in range(ADJACENCIES_MAX):
        core.adjacency_up(RouterId(f"{number:016x}"), SiteId(f"{number:032x}"), 1, 0.0)
    (sent,) = core.adjacency_up(EAST.router, EAST.site, 1, 0.0, name="east")
    assert isinstance(sent, SendLsa) and read(sent).router == WEST.router, "it shows why"
    assert core.without_room == {EAST.router: "east"}
    assert core.adjacency_down(EAST.router, 0.0) == []
    assert core.without_room == {}
    assert core.adjacency_up(RouterId(f"{7:016x}"), SiteId(f"{7:032x}"), 1, 0.0) != []
    assert core.without_room == {}


def test_a_neighbour_without_room_is_used_once_another_one_is_gone() -> None:
    core = make_core()
    neighbours = [RouterId(f"{number:016x}") for number in range(ADJACENCIES_MAX)]
    for router in neighbours:
        core.adjacency_up(router, SiteId(f"{int(router, 16):032x}"), 1, 0.0)
    core.adjacency_up(EAST.router, EAST.site, 1, 0.0, name="east")
    core.adjacency_cost(EAST.router, 7, 0.0)
    core.adjacency_down(neighbours[0], 1.0)
    assert core.without_room == {}
    core.handle_timeout(60.0)
    own = next(lsa for lsa in core.database() if lsa.router == WEST.router and not lsa.part)
    assert isinstance(own.body, Topology)
    costs = {one.router: one.cost for one in own.body.adjacencies}
    assert costs.keys() == {EAST.router, *neighbours[1:]} and costs[EAST.router] == 7


@pytest.mark.parametrize("count", [None, 0, 1, ADJACENCIES_MAX - 1, ADJACENCIES_MAX])
@pytest.mark.parametrize("lists_us", [False, True])
@pytest.mark.parametrize("is_edge", [False, True])
def test_a_neighbor_whose_lsa_does_not_list_us_holds_the_link_back_or_is_full(
    count: int | None, lists_us: bool, is_edge: bool
) -> None:
    """``count``: adjacencies that its LSA lists; None: it has told none."""
    core = make_core()
    core.adjacency_up(EAST.router, EAST.site, 1, 0.0, is_edge=is_edge)
    if count is not None:
        others = [FakeIdentity(f"other-{number}") for number in range(count - lists_us)]
        told = tuple((who, 1) for who in [*others, *([WEST] if lists_us else [])])
        core.receive_lsa(EAST.router, signed(make_lsa(EAST, neighbours=told), EAST), 1.0)
    is_known = count is not None and not lists_us and not is_edge
    assert core.held_by == ([EAST.router] if is_known and count != ADJACENCIES_MAX else [])
    assert core.full_neighbours == ([EAST.router] if is_known and count == ADJACENCIES_MAX else [])


def crowded(token: str, count: int = ADJACENCIES_MAX) -> tuple[RoutingCore, list[RouterId]]:
    """A core beside so many sites that ``token`` let in, and their routers."""
    core, crowd = make_core(), [RouterId(f"{number:016x}") for number in range(count)]
    for router in crowd:
        site = SiteId(f"{int(router, 16):032x}")
        core.adjacency_up(router, site, 1, 0.0, name="one of many", token=token)
    return core, crowd


def test_the_last_site_of_a_token_that_let_in_most_makes_room_for_a_neighbor() -> None:
    core, crowd = crowded("fleet")
    core.adjacency_cost(crowd[-1], 7, 0.0)
    sent = core.adjacency_up(EAST.router, EAST.site, 1, 0.0, name="east")
    (told,) = [one for one in sent if isinstance(one, SendLsa) and one.to == crowd[-1]]
    why = read(told).body
    assert isinstance(why, Topology) and len(why.adjacencies) == ADJACENCIES_MAX
    assert crowd[-1] not in {one.router for one in why.adjacencies}
    assert core.without_room == {crowd[-1]: "one of many"}
    assert adjacent_to(core, 60.0).keys() == {EAST.router, *crowd[:-1]}
    core.adjacency_down(EAST.router, 61.0)
    assert core.without_room == {}
    assert adjacent_to(core, 120.0) == {router: 7 if router == crowd[-1] else 1 for router in crowd}


@pytest.mark.parametrize("site", [SiteId("0" * 32), SiteId("f" * 32)])
def test_who_came_last_gives_no_place_to_others_while_a_token_let_in_most(site: SiteId) -> None:
    core, crowd = crowded("5-fleet", ADJACENCIES_MAX - 1)
    core.adjacency_up(RouterId("e" * 16), site, 1, 0.0, token="")
    core.adjacency_up(EAST.router, EAST.site, 1, 0.0)
    assert list(core.without_room) == crowd[-1:]


@pytest.mark.parametrize(("of_it", "gives_way"), [(0, True), (1, False)])
def test_a_token_gives_a_place_only_to_one_that_has_fewer_then(of_it: int, gives_way: bool) -> None:
    """``of_it``: how many the newcomer's token has in excess of two less than the other has."""
    small = ADJACENCIES_MAX // 2 - 1 + of_it
    core, crowd = crowded("5-fleet", ADJACENCIES_MAX - small)
    for number in range(small):
        core.adjacency_up(RouterId(f"e{number:015x}"), SiteId(f"e{number:031x}"), 1, 0.0, token="x")
    core.adjacency_up(EAST.router, EAST.site, 1, 0.0, token="x")
    assert list(core.without_room) == ([crowd[-1]] if gives_way else [EAST.router])


def test_routers_of_one_site_make_room_likewise_and_those_of_our_own_do_not() -> None:
    core, site = make_core(), SiteId("f" * 32)
    crowd = [RouterId(f"{number:016x}") for number in range(ADJACENCIES_MAX)]
    for number, router in enumerate(crowd):
        is_ours = number < ADJACENCIES_MAX // 2
        core.adjacency_up(router, WEST.site if is_ours else site, 1, 0.0)
    core.adjacency_up(EAST.router, EAST.site, 1, 0.0)
    assert list(core.without_room) == crowd[-1:]


def test_sites_of_a_token_take_the_place_of_no_other_neighbor() -> None:
    core, crowd = crowded("", ADJACENCIES_MAX - 1)
    for number in range(3):
        late = FakeIdentity(f"late-{number}")
        core.adjacency_up(late.router, late.site, 1, 0.0, token="fleet")
    assert len(core.without_room) == 2
    assert adjacent_to(core, 60.0).keys() == {FakeIdentity("late-0").router, *crowd}


def adjacent_to(core: RoutingCore, now: float) -> dict[RouterId, int]:
    """Whom its own LSA lists, at which cost."""
    core.handle_timeout(now)
    own = next(lsa for lsa in core.database() if lsa.router == WEST.router and not lsa.part)
    assert isinstance(own.body, Topology)
    return {one.router: one.cost for one in own.body.adjacencies}


def test_words_of_a_neighbour_that_has_gone_are_ignored() -> None:
    core = make_core()
    assert core.receive_lsa(EAST.router, signed(make_lsa(EAST), EAST), 0.0) == []
    assert core.receive_ack(EAST.router, LsaAck(WEST.router, 0, 1, 1), 0.0) == []
    assert core.adjacency_down(EAST.router, 0.0) == []
    assert core.adjacency_cost(EAST.router, 3, 0.0) == []


def test_one_burst_of_changes_is_one_computation() -> None:
    core = beside(EAST)
    for number in range(50):
        far = FakeIdentity(f"far-{number}")
        core.receive_lsa(EAST.router, signed(make_lsa(far), far), 5.0)
    before = core.spf_runs
    deadline = core.next_deadline()
    assert deadline is not None
    core.handle_timeout(deadline)
    assert core.spf_runs == before + 1


def test_under_churn_computations_become_rare_and_fast_again_afterwards() -> None:
    network = Network(["west", "east", "north"])
    network.connect("west", "east")
    network.connect("east", "north")
    network.run(5.0)
    before = network.cores["west"].spf_runs
    for number in range(100):
        cost = number % 2 + 1
        east = network.cores["east"]
        network.take("east", east.adjacency_cost(NORTH.router, cost, network.now))
        network.run(0.1)
    assert network.cores["west"].spf_runs - before <= 8 + 10 / SPF_DELAY_MAX_S
    network.run(5.0)
    network.cut("east", "north")
    network.run(0.1)
    assert network.cost("west", "north") is None


def test_a_lost_way_is_back_before_requests_give_up_however_much_changes_elsewhere() -> None:
    """A site is replaced, router by router, while others come and go: its clients wait."""
    network = Network(["west", "east", "north", "south"])
    network.connect("west", "east")
    network.connect("east", "north")
    network.connect("east", "south")
    network.run(5.0)
    for number in range(40):
        east = network.cores["east"]
        network.take("east", east.adjacency_cost(NORTH.router, number % 2 + 1, network.now))
        network.run(0.25)
    network.cut("west", "east")
    network.connect("west", "south")
    network.run(REROUTE_WAIT_S / 2)
    assert network.cost("west", "north") is not None


def test_services_alone_never_compute_paths() -> None:
    network = Network(["west", "east"])
    network.connect("west", "east")
    network.run(1.0)
    before = network.cores["east"].spf_runs
    network.serve("west", [declare("x")], [advert("x")])
    network.run(1.0)
    assert network.cores["east"].spf_runs == before
    assert ServiceKey("x", 80) in network.table("east").candidates


def test_early_late_and_double_timeouts_are_harmless() -> None:
    core = beside(EAST)
    core.handle_timeout(0.5)
    assert core.handle_timeout(0.5) == []
    assert core.handle_timeout(0.4) == []
    deadline = core.next_deadline()
    assert deadline is not None and deadline > 0.5


def test_services_that_move_between_parts_are_never_seen_missing() -> None:
    core = beside(EAST)
    head = make_lsa(EAST, neighbours=((WEST, 1),), sequence=3, parts=())
    core.receive_lsa(EAST.router, signed(head, EAST), 1.0)
    network = Network(["west", "east"])
    names = [f"service-{number:03}" for number in range(400)]
    network.serve("east", [declare(name) for name in names], [advert(name) for name in names])
    network.connect("west", "east")
    network.run(1.0)
    network.serve("east", [declare("a"), *map(declare, names)], [advert(name) for name in names])
    network.run(1.0)
    for _, event in network.events:
        if isinstance(event, TableChanged) and event.table.site == WEST.site:
            declared = event.table.declarations
            assert len(declared) in (0, 400, 401)


def test_a_part_that_its_origin_dropped_does_not_come_back() -> None:
    core = beside(EAST, NORTH)
    further = signed(make_lsa(EAST, part=1, sequence=1, services=Services((), ())), EAST)
    core.receive_lsa(EAST.router, further, 1.0)
    core.receive_lsa(EAST.router, signed(make_lsa(EAST, sequence=2), EAST), 1.0)
    events = core.receive_lsa(NORTH.router, further, 1.0)
    assert [type(event) for event in events] == [SendAck]
    assert {lsa.part for lsa in core.database() if lsa.router == EAST.router} == {0}


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([], ("", 0)),
        (["", "", ""], ("", 0)),
        (["a", "b"], ("", 0)),
        (["a", "b", "b", "a", "b", *[""] * 5], ("b", 3)),
    ],
)
def test_a_crowd_is_of_the_token_that_let_in_most_several_at_least(
    tokens: list[str], expected: tuple[str, int]
) -> None:
    core = make_core()
    for number, token in enumerate(tokens):
        router, site = RouterId(f"e{number:015x}"), SiteId(f"e{number:031x}")
        core.adjacency_up(router, site, 1, 0.0, token=token)
    assert core.crowd == expected
