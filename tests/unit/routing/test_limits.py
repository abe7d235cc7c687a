"""Bounds of routing: the limit itself is accepted, one past it is not."""

from collections.abc import Callable

import msgspec
import pytest

from router.model import limits
from router.model.ids import RouterId, SiteId
from router.model.specs import ServiceSpec
from router.routing.adverts.flood import Flooding
from router.routing.adverts.lsa import (
    Adjacency,
    Bar,
    Lsa,
    PartRef,
    ReceivedLsa,
    Services,
    Splitter,
    Topology,
    decode_lsa,
    encode_lsa,
)
from router.routing.adverts.lsdb import FULL, Lsdb
from router.routing.events import SendAck, SendLsa
from router.routing.spf import clamp_cost
from tests.unit.routing.fakes import FakeIdentity, declare, make_lsa, signed
from tests.unit.routing.test_core import beside

pytestmark = pytest.mark.usefixtures("both_orders")

EAST, NORTH = FakeIdentity("east"), FakeIdentity("north")


def topology(**changes: object) -> Lsa:
    good = make_lsa(EAST)
    assert isinstance(good.body, Topology)
    return msgspec.structs.replace(good, body=msgspec.structs.replace(good.body, **changes))


def lsa(**changes: object) -> Lsa:
    return msgspec.structs.replace(make_lsa(EAST), **changes)


def services(**changes: object) -> Lsa:
    spec = msgspec.structs.replace(ServiceSpec(protocol="tcp", ports=(80,)), **changes)
    told = msgspec.structs.replace(declare("shop"), spec=spec)
    return make_lsa(EAST, part=1, services=Services((told,), ()))


def neighbours(count: int) -> tuple[Adjacency, ...]:
    return tuple(Adjacency(RouterId(f"{n:016x}"), EAST.site, 1) for n in range(count))


VALUES: dict[str, tuple[Callable[[int], Lsa], int]] = {
    "ADJACENCIES_MAX": (lambda n: topology(adjacencies=neighbours(n)), limits.ADJACENCIES_MAX),
    "BARS_MAX": (
        lambda n: topology(bars=tuple(Bar(SiteId(f"{one:032x}"), 1) for one in range(n))),
        limits.BARS_MAX,
    ),
    "NAME_CHARS_MAX": (lambda n: topology(name="n" * n), limits.NAME_CHARS_MAX),
    "LSA_PARTS_MAX": (
        lambda n: msgspec.structs.replace(services(), part=n),
        limits.LSA_PARTS_MAX - 1,
    ),
    "LSA_PARTS_MAX in the list": (
        lambda n: topology(parts=(PartRef(n, 1),)),
        limits.LSA_PARTS_MAX - 1,
    ),
    "ID_CHARS_MAX of nonces": (lambda n: lsa(boot_nonce=b"n" * n), limits.ID_CHARS_MAX),
    "COUNTER_MAX of epochs": (lambda n: lsa(epoch=n), limits.COUNTER_MAX),
    "COUNTER_MAX of sequences": (lambda n: lsa(sequence=n), limits.COUNTER_MAX),
    "LSA_SERVICE_PORTS_MAX": (
        lambda n: services(ports=tuple(range(1, n + 1))),
        limits.LSA_SERVICE_PORTS_MAX,
    ),
    "QUEUE_MAX": (lambda n: services(queue=n), limits.QUEUE_MAX),
    "QUEUE_WAIT_S_MAX": (lambda n: services(queue_wait_s=float(n)), int(limits.QUEUE_WAIT_S_MAX)),
}


@pytest.mark.parametrize("name", VALUES)
def test_an_lsa_is_read_at_the_limit_and_refused_one_past_it(name: str) -> None:
    make, most = VALUES[name]
    assert isinstance(decode_lsa(signed(make(most), EAST)), ReceivedLsa)
    assert not isinstance(decode_lsa(signed(make(most + 1), EAST)), ReceivedLsa)


def test_a_part_is_as_large_as_the_limit_and_no_larger() -> None:
    def part(extra: int) -> Lsa:
        return lsa(public_key=b"k" * (limits.LSA_PART_BYTES_MAX - envelope + extra))

    empty = len(signed(lsa(public_key=b"k" * 30_000), EAST)) - 30_000
    envelope = empty
    at = encode_lsa(part(0), EAST)
    assert len(at) == limits.LSA_PART_BYTES_MAX
    assert isinstance(decode_lsa(at), ReceivedLsa)
    with pytest.raises(ValueError, match="bytes"):
        encode_lsa(part(1), EAST)


def test_costs_end_at_both_ends() -> None:
    told = (limits.COST_MIN - 1, limits.COST_MIN, limits.COST_MAX, limits.COST_MAX + 1)
    used = [clamp_cost(cost, same_site=False) for cost in told]
    assert used == [limits.COST_MIN, limits.COST_MIN, limits.COST_MAX, limits.COST_MAX]
    assert clamp_cost(-1, same_site=True) == limits.SIBLING_COST


def test_a_site_tells_as_many_services_as_the_limit_says() -> None:
    most = limits.SERVICES_PER_SITE_MAX
    assert Splitter().split([declare(f"s{n}") for n in range(most)], ())
    with pytest.raises(ValueError, match=str(most + 1)):
        Splitter().split([declare(f"s{n}") for n in range(most + 1)], ())


def test_one_part_is_judged_as_often_as_its_burst_and_then_at_its_rate() -> None:
    core = beside(EAST, NORTH)

    def taken(sequence: int, now: float) -> bool:
        told = core.receive_lsa(EAST.router, signed(make_lsa(EAST, sequence=sequence), EAST), now)
        return any(isinstance(event, SendAck) for event in told)

    assert all(taken(n, 1.0) for n in range(1, limits.LSA_BURST + 1))
    assert not taken(limits.LSA_BURST + 1, 1.0)
    again = 1.0 + 1.01 / limits.LSA_PER_S
    assert taken(limits.LSA_BURST + 2, again)
    assert not taken(limits.LSA_BURST + 3, again)


def test_as_many_parts_are_under_way_to_one_neighbour_as_the_limit_says() -> None:
    def sent(origins: int) -> int:
        lsdb = Lsdb(NORTH.node)
        for number in range(origins):
            who = FakeIdentity(f"site {number}")
            part = make_lsa(who)
            lsdb.store(part, signed(part, who), 0.0)
        sends = Flooding(lsdb).add(EAST.router, 0.0, EAST.site)
        return sum(isinstance(event, SendLsa) for event in sends)

    assert sent(limits.LSAS_UNACKED_MAX) == limits.LSAS_UNACKED_MAX
    assert sent(limits.LSAS_UNACKED_MAX + 1) == limits.LSAS_UNACKED_MAX


def test_budgets_of_one_neighbour_are_as_many_as_the_limit_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.routing.adverts.flood.LSA_BUDGETS_MAX", 3)
    flooding = Flooding(Lsdb(NORTH.node))
    flooding.add(EAST.router, 0.0, EAST.site)
    keys = [make_lsa(FakeIdentity(f"site {n}")).key for n in range(4)]
    assert [flooding.may_judge(EAST.router, key, 0.0) for key in keys] == [True] * 3 + [False]
    later = 10.0  # Budgets that were not used meanwhile are forgotten.
    assert flooding.may_judge(EAST.router, keys[3], later)


def test_origins_beyond_the_cap_find_no_room_unless_one_is_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.routing.adverts.lsdb.ORIGINS_MAX", 3)
    lsdb = Lsdb(NORTH.node)
    whos = [FakeIdentity(f"site {n}") for n in range(4)]
    for who in whos[:3]:
        part = make_lsa(who)
        assert not lsdb.make_room(part, b"", set(), 0.0)
        lsdb.store(part, signed(part, who), 0.0)
    live = {who.node for who in whos[:3]}
    another = make_lsa(whos[3])
    assert lsdb.make_room(another, b"", live, 0.0) == FULL
    assert len(lsdb) == 3
    assert not lsdb.make_room(another, b"", live - {whos[1].node}, 0.0)
    assert {origin.node for origin in lsdb.origins()} == live - {whos[1].node}
