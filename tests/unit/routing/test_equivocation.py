"""Origins that sign two different things with one number."""

import pytest

from router.model import limits
from router.routing.adverts.equivocation import Equivocators
from router.routing.adverts.lsa import encode_lsa
from router.routing.core import RoutingCore
from router.routing.events import OriginEquivocated, RoutingEvent
from tests.unit.routing.fakes import FakeIdentity, make_lsa, signed
from tests.unit.routing.test_core import beside

pytestmark = pytest.mark.usefixtures("both_orders")

WEST, EAST, NORTH = FakeIdentity("west"), FakeIdentity("east"), FakeIdentity("north")
LIAR = FakeIdentity("liar")


def lies(sequence: int = 5) -> tuple[bytes, bytes]:
    """Two parts of one number: the first is linked to all, the second to no router."""
    linked = make_lsa(LIAR, neighbours=((EAST, 1), (NORTH, 1)), sequence=sequence)
    alone = make_lsa(LIAR, sequence=sequence)
    return signed(linked, LIAR), signed(alone, LIAR)


def told(events: list[RoutingEvent]) -> list[OriginEquivocated]:
    return [event for event in events if isinstance(event, OriginEquivocated)]


def hear(core: RoutingCore, *parts: bytes, now: float = 1.0) -> list[OriginEquivocated]:
    """The reports when these come in turn, from different neighbors."""
    found: list[OriginEquivocated] = []
    for at, part in enumerate(parts):
        found += told(core.receive_lsa((EAST, NORTH)[at % 2].router, part, now))
    return found


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_payloads_of_one_number_name_their_origin(order: tuple[int, int]) -> None:
    core = beside(EAST, NORTH)
    found = hear(core, *(lies()[at] for at in order))
    assert found == [OriginEquivocated(site=LIAR.site, router=LIAR.router)]


def test_whatever_came_first_the_same_one_stands() -> None:
    cores = [beside(EAST, NORTH), beside(EAST, NORTH)]
    hear(cores[0], *lies())
    hear(cores[1], *reversed(lies()))
    mine = [[lsa for lsa in core.database() if lsa.node == LIAR.node] for core in cores]
    assert mine[0] == mine[1]
    assert len(mine[0]) == 1


def test_who_goes_on_is_told_of_once_and_again_after_a_while() -> None:
    core = beside(EAST, NORTH)
    found = [len(hear(core, *lies(sequence), now=1.0)) for sequence in range(5, 9)]
    assert found == [1, 0, 0, 0]
    later = 1.0 + limits.CONFLICT_REPEAT_S
    assert len(hear(core, *lies(9), now=later - 0.1)) == 0
    assert len(hear(core, *lies(10), now=later)) == 1


def test_the_same_words_under_another_signature_are_no_lie() -> None:
    class SignsTwice(FakeIdentity):
        """Accepts two signatures of one text, as ECDSA does (s and n - s)."""

        def verify(self, public_key: bytes, signature: bytes, data: bytes) -> bool:
            return super().verify(public_key, signature.removesuffix(b"!"), data)

    class OtherSignature(FakeIdentity):
        def sign(self, data: bytes) -> bytes:
            return super().sign(data) + b"!"

    who = SignsTwice("west")
    core = RoutingCore(who, epoch=1, boot_nonce=b"w", version="1", now=0.0)
    for other in (EAST, NORTH):
        core.adjacency_up(other.router, other.site, 1, 0.0)
    lsa = make_lsa(LIAR, sequence=5)
    again = encode_lsa(lsa, OtherSignature("liar"))
    assert again != signed(lsa, LIAR)
    assert hear(core, signed(lsa, LIAR), again) == []


def test_what_another_forged_under_its_number_is_no_lie_of_the_origin() -> None:
    core = beside(EAST, NORTH)
    first, second = lies()
    forged = encode_lsa(make_lsa(LIAR, sequence=5), FakeIdentity("mallory"))
    assert hear(core, first, forged) == []
    assert len(hear(core, second)) == 1


def test_another_sequence_or_epoch_is_news_and_no_lie() -> None:
    def part(sequence: int, epoch: int = 1) -> bytes:
        lsa = make_lsa(LIAR, neighbours=((EAST, 1),), sequence=sequence, epoch=epoch)
        return signed(lsa, LIAR)

    core = beside(EAST, NORTH)
    parts = [part(5), part(6), part(1, epoch=2), part(5)]
    assert hear(core, *parts) == []


def test_memory_is_bounded_whoever_lies() -> None:
    kept = Equivocators()
    many = [FakeIdentity(f"liar {n}").node for n in range(limits.EQUIVOCATORS_MAX)]
    assert all(kept.is_news(node, 1.0) for node in many)
    assert not any(kept.is_news(node, 2.0) for node in many)  # At the limit all are remembered.
    assert kept.is_news(LIAR.node, 3.0)  # One past it the oldest makes room.
    assert not kept.is_news(many[1], 3.0)
    assert kept.is_news(many[0], 3.0)
