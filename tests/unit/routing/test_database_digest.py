"""After a link came up neighbors send each other what their databases lack, and no more."""

import pytest

from router.link import control
from router.link.routing_messages import DigestMessage, LsaMessage
from router.model import limits
from router.model.messages.acks import LsaAck
from router.routing.adverts.database_digest import HASH_BYTES, DatabaseDigest, is_digest
from router.routing.adverts.lsa import LsaKey, PartRef, Services, Version
from router.routing.adverts.lsdb import Lsdb
from router.routing.core import RoutingCore
from router.routing.events import LsaRejected, RoutingEvent, SendAck, SendDigest, SendLsa
from tests.unit.routing.fakes import FakeIdentity, advert, declare, make_lsa, signed
from tests.unit.routing.network import Network

KIB = 1024
WEST, EAST = FakeIdentity("west"), FakeIdentity("east")


class FullIdentity(FakeIdentity):
    """With a key as large as a real one."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._public_key = self._public_key.ljust(91, b".")


def told_by(who: FakeIdentity, sequence: int = 1) -> list[bytes]:
    """Two parts, as a site with one service has."""
    services = Services((declare("shop"),), (advert("shop"),))
    neighbours = ((WEST, 1), (EAST, 1))
    head = make_lsa(who, neighbours=neighbours, sequence=sequence, parts=(PartRef(1, sequence),))
    part = make_lsa(who, part=1, sequence=sequence, services=services)
    return [signed(part, who), signed(head, who)]


def size_of(event: SendLsa | SendAck | SendDigest) -> int:
    """On a link."""
    match event:
        case SendLsa():
            return len(control.encode(LsaMessage(event.signed)))
        case SendAck():
            return len(control.encode(event.ack))
        case SendDigest():
            return len(control.encode(DigestMessage(event.digest, event.wants_answer)))


def restored(sites: int, changed: int = 0, older: tuple[str, ...] = ()) -> tuple[int, Network]:
    """Bytes both ways, in all, of a link that is back between two that know ``sites``.

    ``changed`` of them are newer at one end.
    """
    network = Network(("west", "east"), older=older)
    feeder = FakeIdentity("feeder")
    others = [FullIdentity(f"site-{number}") for number in range(sites)]
    for name, newer in (("west", changed), ("east", 0)):
        core = network.cores[name]
        core.adjacency_up(feeder.router, feeder.site, 1, 0.0)
        for number, other in enumerate(others):
            for told in told_by(other, 2 if number < newer else 1):
                core.receive_lsa(feeder.router, told, 0.01 * number)
        core.adjacency_down(feeder.router, 0.01 * sites)
    network.now = 0.01 * sites + 30.0
    network.run(1.0)
    network.connect("west", "east")
    network.run(10.0)
    return sum(size_of(event) for _, _, _, event in network.sent), network


def held(core: RoutingCore) -> dict[LsaKey, Version]:
    return {lsa.key: lsa.newness for lsa in core.database()}


@pytest.mark.parametrize(("sites", "before_kib", "most_kib"), [(300, 300, 20), (1_000, 1_000, 24)])
def test_a_restored_link_between_equal_databases_costs_a_digest_each_way(
    sites: int, before_kib: int, most_kib: int
) -> None:
    size, network = restored(sites)
    assert size <= most_kib * KIB
    assert held(network.cores["west"]) == held(network.cores["east"])
    whole, _ = restored(sites, older=("east",))
    assert whole > before_kib * KIB
    print(f"{sites} sites: {whole / KIB:.0f} KiB without digests, {size / KIB:.1f} KiB with them")


def test_what_changed_meanwhile_costs_its_buckets() -> None:
    size, network = restored(1_000, changed=20)
    assert held(network.cores["west"]) == held(network.cores["east"])
    unchanged, _ = restored(1_000)
    assert unchanged < size < unchanged + 20 * 10 * KIB


def test_a_neighbour_of_an_older_release_is_sent_everything_and_no_digest() -> None:
    size, network = restored(10, older=("west",))
    assert size > 0
    assert not any(isinstance(event, SendDigest) for _, _, _, event in network.sent)
    assert held(network.cores["west"]) == held(network.cores["east"])


def digests(events: list[RoutingEvent]) -> list[SendDigest]:
    return [event for event in events if isinstance(event, SendDigest)]


def lsas(events: list[RoutingEvent]) -> list[SendLsa]:
    return [event for event in events if isinstance(event, SendLsa)]


def core_of(who: FakeIdentity) -> RoutingCore:
    return RoutingCore(who, epoch=1, boot_nonce=b"n", version="1", now=0.0)


def test_requests_that_cross_are_answers_and_an_answer_is_never_answered() -> None:
    west = core_of(WEST)
    (asked,) = digests(west.adjacency_up(EAST.router, EAST.site, 1, 0.0, compares=True))
    assert asked.wants_answer
    theirs = DatabaseDigest(Lsdb(EAST.node)).digest()
    assert digests(west.receive_digest(EAST.router, theirs, True, 0.1)) == []
    (answer,) = digests(west.receive_digest(EAST.router, theirs, True, 0.2))
    assert not answer.wants_answer
    assert digests(west.receive_digest(EAST.router, theirs, False, 0.3)) == []


def test_a_neighbour_that_never_answers_is_asked_some_times_and_then_sent_everything() -> None:
    west, other = core_of(WEST), FakeIdentity("other")
    west.adjacency_up(other.router, other.site, 1, 0.0)
    for told in told_by(other):
        west.receive_lsa(other.router, told, 0.0)
    events = west.adjacency_up(EAST.router, EAST.site, 1, 0.5, compares=True)
    now, asked, sent = 0.5, len(digests(events)), set[bytes]()
    while now < 10.0:
        now = west.next_deadline() or 10.0
        assert digests(west.handle_timeout(now - 0.001)) == []
        events = west.handle_timeout(now)
        asked += len(digests(events))
        sent |= {event.signed for event in lsas(events) if event.to == EAST.router}
    assert asked == limits.DIGEST_TRIES
    assert sent >= set(told_by(other))


def test_a_neighbour_that_lies_again_and_again_is_sent_the_database_a_few_times() -> None:
    west, other = core_of(WEST), FakeIdentity("other")
    west.adjacency_up(other.router, other.site, 1, 0.0)
    for told in told_by(other):
        west.receive_lsa(other.router, told, 0.0)
    west.adjacency_up(EAST.router, EAST.site, 1, 0.0, compares=True)
    sent = 0
    for number in range(1_000):
        lie = number.to_bytes(HASH_BYTES)
        for event in west.receive_digest(EAST.router, lie, True, 1.0):
            assert isinstance(event, SendLsa | SendDigest)
            sent += size_of(event)
        for lsa in west.database():
            west.receive_ack(EAST.router, LsaAck(lsa.router, lsa.part, *lsa.newness), 1.0)
    whole = sum(len(told) for told in told_by(other)) + 2 * KIB
    assert 0 < sent <= limits.DIGESTS_BURST * whole


def test_the_first_digest_of_each_neighbour_is_answered_and_of_one_token_few_more() -> None:
    west, other = core_of(WEST), FakeIdentity("other")
    west.adjacency_up(other.router, other.site, 1, 0.0)
    for told in told_by(other):
        west.receive_lsa(other.router, told, 0.0)
    fleet = [FakeIdentity(f"fleet-{number}") for number in range(5 * limits.DIGESTS_BURST)]
    for one in fleet:
        west.adjacency_up(one.router, one.site, 1, 0.0, compares=True, token="fleet")

    def answered() -> int:
        found = (west.receive_digest(one.router, bytes(HASH_BYTES), True, 1.0) for one in fleet)
        return sum(bool(events) for events in found)

    assert answered() == len(fleet)
    assert answered() == 0
    west.adjacency_up(EAST.router, EAST.site, 1, 1.0, compares=True)
    for _ in range(2):
        assert west.receive_digest(EAST.router, bytes(HASH_BYTES), True, 1.0)


def test_every_release_chooses_the_same_buckets() -> None:
    """Neighbors that put a part into different buckets would send each other most parts."""
    lsdb = Lsdb(WEST.node)
    for number in range(4):
        lsa = make_lsa(FakeIdentity(f"site-{number}"))
        lsdb.store(lsa, b"%d" % number, 0.0)
    digest = "67050eeb5f95abf5" + "00" * HASH_BYTES + "ddf68feb872a3298" + "00" * HASH_BYTES
    assert DatabaseDigest(lsdb).digest().hex() == digest


@pytest.mark.parametrize("size", [0, 1, 7, 9, 3 * HASH_BYTES, 2 * 1_024 * HASH_BYTES])
def test_what_is_no_digest_is_refused(size: int) -> None:
    assert not is_digest(bytes(size))
    west = core_of(WEST)
    west.adjacency_up(EAST.router, EAST.site, 1, 0.0, compares=True)
    (event,) = west.receive_digest(EAST.router, bytes(size), True, 0.0)
    assert isinstance(event, LsaRejected)
    assert west.receive_digest(WEST.router, bytes(size), True, 0.0) == []  # No neighbor.


def test_a_digest_has_about_one_bucket_for_each_part_and_never_too_many() -> None:
    assert limits.DIGEST_BUCKETS_MAX * HASH_BYTES <= limits.CONTROL_MESSAGE_BYTES_MAX // 2
    empty = DatabaseDigest(Lsdb(WEST.node)).digest()
    assert is_digest(empty) and len(empty) == HASH_BYTES
    lsdb = Lsdb(WEST.node)
    for number in range(limits.DIGEST_BUCKETS_MAX + 1):
        lsa = make_lsa(FakeIdentity(f"site {number}"))
        lsdb.store(lsa, b"%d" % number, 0.0)
        if number == 4:
            assert len(DatabaseDigest(lsdb).digest()) == 8 * HASH_BYTES
    assert len(DatabaseDigest(lsdb).digest()) == limits.DIGEST_BUCKETS_MAX * HASH_BYTES
