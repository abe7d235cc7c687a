"""Laws of flooding: which LSAs a neighbor gets, when again, and that it has all in the end.

They hold whatever the neighbor acknowledges or sends us.
"""

from typing import NamedTuple
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.model.ids import RouterId
from router.model.limits import LSA_RETRANSMIT_S
from router.routing.adverts.flood import Flooding
from router.routing.adverts.lsa import LsaKey, Version
from router.routing.adverts.lsdb import Lsdb
from router.routing.events import SendDigest, SendLsa
from tests.examples import examples, histories
from tests.unit.routing.fakes import FakeIdentity, make_lsa

OWN = FakeIdentity("own")
OTHERS = [FakeIdentity(f"{number}") for number in range(6)]
UNACKED_MAX = 2
EDGE, *ROUTERS = NEIGHBOURS = [RouterId(name) for name in ("edge", "near", "far")]
"""An edge gets the LSAs of one router only: its own."""


class Sent(NamedTuple):
    version: Version
    at: float


class Wire:
    """The LSAs that neighbors said they have, and those that they were sent."""

    def __init__(self, parts: int) -> None:
        self.now = 100.0
        self.lsdb = Lsdb(OWN.node)
        self.flooding = Flooding(self.lsdb)
        self.keys: dict[bytes, LsaKey] = {}
        self.has: dict[RouterId, dict[LsaKey, Version]] = {}
        self.sent: dict[RouterId, dict[LsaKey, Sent]] = {}
        for who in OTHERS[:parts]:
            self.store(who)

    def store(self, who: FakeIdentity) -> LsaKey:
        """The next version of its part."""
        stored = self.lsdb.get(LsaKey(0, who.node))
        lsa = make_lsa(who, sequence=1 if stored is None else stored[0].sequence + 1)
        signed = f"{lsa.key} {lsa.sequence}".encode()
        self.lsdb.store(lsa, signed, self.now)
        self.keys[signed] = lsa.key
        return lsa.key

    def newest(self, key: LsaKey) -> tuple[Version, bytes]:
        stored = self.lsdb.get(key)
        assert stored is not None
        return stored[0].newness, stored[1]

    def wanted(self, router: RouterId) -> list[LsaKey]:
        keys = self.lsdb.keys()
        return [key for key in keys if key.node == OTHERS[0].node] if router == EDGE else keys

    def up(self, router: RouterId) -> None:
        self.has[router], self.sent[router] = {}, {}
        only = OTHERS[0].node if router == EDGE else None
        self.take(self.flooding.add(router, self.now, router, only))

    def down(self, router: RouterId) -> None:
        self.flooding.remove(router)
        self.has.pop(router, None)
        self.sent.pop(router, None)

    def flood(self, who: FakeIdentity, but: RouterId) -> None:
        """A new version came from ``but``, which is sent nothing until something else changes."""
        key = self.store(who)
        if but in self.has:
            self.hear(but, key, behind=0)
        self.take(self.flooding.flood([key], self.now, but=but))

    def hear(self, router: RouterId, key: LsaKey, behind: int) -> None:
        """It acknowledges or sends a version that is so old."""
        (epoch, sequence), signed = self.newest(key)
        version = epoch, sequence - behind
        self.has[router][key] = max(version, self.has[router].get(key, version))
        self.take(self.flooding.is_acked(router, key, version, crc32(signed), self.now))

    def take(self, events: list[SendLsa] | list[SendLsa | SendDigest]) -> None:
        for event in events:
            assert isinstance(event, SendLsa)
            key = self.keys[event.signed]
            version, newest = self.newest(key)
            assert (event.signed, key in self.wanted(event.to)) == (newest, True)
            assert self.has[event.to].get(key, (0, 0)) < version, "it said that it has this"
            before = self.sent[event.to].pop(key, None)
            assert before is None or before.version < version or self.is_due(before)
            self.sent[event.to][key] = Sent(version, self.now)
            assert len(self.under_way(event.to)) <= UNACKED_MAX

    def is_due(self, sent: Sent) -> bool:
        return self.now >= sent.at + LSA_RETRANSMIT_S

    def under_way(self, router: RouterId) -> list[Sent]:
        has = self.has[router]
        return [s for key, s in self.sent[router].items() if has.get(key, (0, 0)) < s.version]

    def pass_time(self, seconds: float) -> None:
        """The timer comes at its deadline, and once before."""
        until = self.now + seconds
        while (at := self.flooding.next_deadline()) is not None and at <= until:
            waiting = [sent for router in self.sent for sent in self.under_way(router)]
            assert at == min(sent.at for sent in waiting) + LSA_RETRANSMIT_S
            assert self.flooding.handle_timeout(at - 1e-6) == []
            self.now = at
            due = sum(map(self.is_due, waiting))
            before = self.flooding.retransmissions
            self.take(self.flooding.handle_timeout(at))
            assert self.flooding.retransmissions - before == due
        self.now = until

    def settles(self) -> None:
        """Each neighbor acknowledges all that it is sent from now on."""
        self.pass_time(LSA_RETRANSMIT_S)
        for router in self.has:
            while self.under_way(router):
                for key, sent in list(self.sent[router].items()):
                    if self.has[router].get(key, (0, 0)) < sent.version:
                        self.hear(router, key, behind=0)
            has = {key: self.has[router].get(key) for key in self.wanted(router)}
            assert has == {key: self.newest(key)[0] for key in self.wanted(router)}
        assert self.flooding.next_deadline() is None


STEPS = histories(
    st.tuples(
        st.sampled_from(("up", "down", "flood", "flood", "hear", "hear", "hear", "pass")),
        st.sampled_from(NEIGHBOURS),
        st.sampled_from(OTHERS),
        st.sampled_from((0, 0, 1)),
    ),
    30,
)


@settings(max_examples=examples(100))
@given(parts=st.integers(1, len(OTHERS)), steps=STEPS)
def test_a_neighbor_is_sent_what_it_lacks_again_when_it_is_silent_and_has_all_in_the_end(
    parts: int, steps: list[tuple[str, RouterId, FakeIdentity, int]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("router.routing.adverts.flood.LSAS_UNACKED_MAX", UNACKED_MAX)
        wire = Wire(parts)
        for router in NEIGHBOURS:
            wire.up(router)
        for what, router, who, behind in steps:
            match what:
                case "up":
                    wire.up(router)
                case "down":
                    wire.down(router)
                case "flood":
                    wire.flood(who, router)
                case "hear" if router in wire.has and wire.lsdb.get(LsaKey(0, who.node)):
                    wire.hear(router, LsaKey(0, who.node), behind)
                case "pass":
                    wire.pass_time(0.4)
        wire.settles()
