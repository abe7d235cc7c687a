"""What the wires of these tests do as every network does: by the tests of `router.net` itself."""

from collections.abc import Callable

import pytest

from router.net.ports import Address, Connection, ConnectionHandler, Listener, Tls
from tests.unit.link.wire import World
from tests.unit.net import worlds
from tests.unit.net.test_conformance import (  # noqa: F401
    test_a_connection_paused_in_accept_starts_paused,
    test_a_mark_of_zero_says_no_while_anything_is_unsent,
    test_a_paused_connection_delivers_nothing_until_resumed,
    test_a_reset_reaches_a_half_closed_connection,
    test_a_reset_reaches_a_paused_connection,
    test_a_send_below_the_mark_owes_no_writable,
    test_a_stream_survives_any_cut_into_sends,
    test_a_writer_that_obeys_writable_gets_all_through,
    test_abort_is_told_as_reset_there_and_aborted_here,
    test_aborting_twice_and_finishing_then_aborting_lose_once,
    test_aborting_within_received_delivers_nothing_more,
    test_an_abort_with_unsent_bytes_never_looks_like_an_end,
    test_an_end_with_data_before_it_waits_for_the_buffer,
    test_bytes_arrive_in_order_whatever_their_parts,
    test_bytes_sent_from_within_accept_and_connected_arrive,
    test_finishing_at_the_same_time_ends_both_cleanly,
    test_finishing_from_within_ended_ends_both_cleanly,
    test_half_close_each_way_delivers_all_before_the_end,
    test_large_transfers_both_ways_at_once_arrive_whole,
    test_more_parts_than_one_system_call_takes_arrive_in_order,
    test_nothing_follows_after_lost_whatever_is_called,
    test_pausing_and_resuming_within_received_loses_nothing,
    test_pausing_within_received_holds_back_what_follows,
    test_send_says_no_above_the_mark_and_writable_comes_once_when_drained,
    test_what_came_ahead_of_a_reset_is_read_also_when_a_write_meets_it_first,
    test_what_came_ahead_of_a_reset_is_read_where_a_pause_says_so,
    test_what_came_before_a_reset_is_delivered_to_a_reader_who_was_sending,
    test_what_is_sent_after_finish_is_dropped,
    test_what_was_sent_is_copied,
    test_who_reads_on_is_told_of_an_end_by_ended_alone,
)


class _Bound:
    def __init__(self, address: Address) -> None:
        self.address = address


class _Net(World):
    def listen(
        self,
        host: str,
        port: int,
        accept: Callable[[Connection], ConnectionHandler | None],
        *,
        tls: Tls | None = None,
        essential: bool = False,
    ) -> Listener:
        port = port or len(self.listeners) + 1
        super().listen(host, port, accept, tls=tls)
        return _Bound(Address(host, port))  # type: ignore[return-value]


class _WireWorld:
    """`worlds.World`, of which both ends are one `World`."""

    flood_bytes = 3_000_000
    right_ip = "10.0.0.2"
    server_tls = client_tls = None

    def __init__(self) -> None:
        self.left = self.right = _Net()

    def run_while(self, predicate: Callable[[], bool]) -> None:
        while predicate():
            assert self.left.turn(), "it comes to rest, and nothing happens any more"

    def settle(self) -> None:
        self.left.settle()


@pytest.fixture
def world() -> _WireWorld:
    return _WireWorld()


@pytest.fixture
def pair(world: worlds.World) -> worlds.Pair:
    return worlds.Pair(world)
