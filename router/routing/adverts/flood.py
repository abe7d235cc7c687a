"""Reliable flooding: which neighbor still needs which part, until it is acked (RFC 2328, 13.3 to
13.6).

A neighbor that comes up gets the parts that its database lacks, found by digests of both (10.8):
each end sends its digest, and then its parts in buckets that differ. Changes in the meantime are
flooded as usual.
"""

from collections.abc import Iterable

from router.model.ids import RouterId
from router.model.limits import (
    ADJACENCIES_MAX,
    DIGEST_TRIES,
    DIGESTS_BURST,
    DIGESTS_PER_S,
    LSA_BUDGETS_MAX,
    LSA_BURST,
    LSA_CHECKS_BURST,
    LSA_CHECKS_PER_S,
    LSA_PER_S,
    LSA_RETRANSMIT_S,
    LSAS_UNACKED_MAX,
)
from router.model.messages.acks import checksum_of
from router.model.token_bucket import TokenBucket, TokenBuckets
from router.routing.adverts.database_digest import DatabaseDigest
from router.routing.adverts.lsa import LsaKey, Node, Version
from router.routing.adverts.lsdb import Lsdb
from router.routing.events import SendDigest, SendLsa


class NeighbourFlood:
    """The parts sent to one neighbor and those that wait for it: keys only, bytes come from the
    LSDB.

    ``only``: the one router whose parts it gets; None: the parts of all. ``holder``: the holder
    whose budgets count its digests and signatures, see `Neighbour.holder`.
    """

    __slots__ = (
        "_only",
        "_prune_at",
        "asked_at",
        "budgets",
        "has_compared",
        "holder",
        "tries",
        "unacked",
        "waiting",
    )

    def __init__(self, holder: str, only: Node | None) -> None:
        self.holder, self._only = holder, only
        self.has_compared = False
        self.asked_at: float | None = None  # While its digest is awaited: when we sent ours.
        self.tries = 0
        self.unacked: dict[LsaKey, tuple[Version, float]] = {}  # Oldest sending first.
        self.waiting: dict[LsaKey, None] = {}
        self.budgets: dict[LsaKey, TokenBucket] = {}
        self._prune_at = 0.0

    def takes(self, key: LsaKey) -> bool:
        return self._only is None or key.node == self._only

    def lacks(self, keys: Iterable[LsaKey]) -> None:
        """Queue ``keys`` for this neighbor, without those that are sent and not acknowledged."""
        for key in filter(self.takes, keys):
            if key not in self.unacked:
                self.waiting[key] = None

    def has_pruned(self, now: float) -> bool:
        """Forget signature budgets without recent use; True: some were. O(n), so called seldom."""
        if now < self._prune_at:
            return False
        self._prune_at = now + 1 / LSA_PER_S
        before = len(self.budgets)
        self.budgets = {key: kept for key, kept in self.budgets.items() if not kept.is_full(now)}
        return len(self.budgets) < before


class Flooding:
    """Decides which parts to send next. At most `LSAS_UNACKED_MAX` are under way to a neighbor."""

    __slots__ = ("_checks", "_digest", "_digests", "_lsdb", "_neighbours", "retransmissions")

    def __init__(self, lsdb: Lsdb) -> None:
        self._lsdb = lsdb
        self._digest = DatabaseDigest(lsdb)
        self._neighbours: dict[RouterId, NeighbourFlood] = {}
        self._checks = TokenBuckets(LSA_CHECKS_BURST, LSA_CHECKS_PER_S, ADJACENCIES_MAX)
        self._digests = TokenBuckets(DIGESTS_BURST, DIGESTS_PER_S, ADJACENCIES_MAX)
        self.retransmissions = 0

    def add(
        self, router: RouterId, now: float, holder: str, only: Node | None = None
    ) -> list[SendLsa]:
        """A neighbor came up: it gets all parts, or only those of router ``only``."""
        neighbour = self._neighbours[router] = NeighbourFlood(holder, only)
        neighbour.waiting = dict.fromkeys(filter(neighbour.takes, self._lsdb.keys()))
        return self._fill(router, neighbour, now)

    def compare(self, router: RouterId, now: float, holder: str) -> list[SendLsa | SendDigest]:
        """A neighbor with digests came up: send it only the parts that it lacks.

        Our own part 0, which has the new adjacency, goes before our digest.
        """
        neighbour = self._neighbours[router] = NeighbourFlood(holder, None)
        neighbour.waiting[LsaKey(0, self._lsdb.own)] = None
        return [*self._fill(router, neighbour, now), self._ask(router, neighbour, now)]

    def receive_digest(
        self, router: RouterId, digest: bytes, wants_answer: bool, now: float
    ) -> list[SendLsa | SendDigest]:
        """A neighbor's digest: send it the parts that differ, and our own digest if it wants one.

        Two requests that cross answer each other. An answer is never answered, so lost messages
        cause no loop. The first digest on a link is always accepted: many links of one holder may
        come up at once.
        """
        neighbour = self._neighbours.get(router)
        if neighbour is None:
            return []
        if not self._digests.take(neighbour.holder, now) and neighbour.has_compared:
            return []
        neighbour.has_compared = True
        was_asked, neighbour.asked_at = neighbour.asked_at is not None, None
        neighbour.lacks(self._digest.differing(digest))
        sends: list[SendLsa | SendDigest] = [*self._fill(router, neighbour, now)]
        if wants_answer and not was_asked:
            answer = SendDigest(to=router, digest=self._digest.digest(), wants_answer=False)
            sends.append(answer)
        return sends

    def remove(self, router: RouterId) -> None:
        self._neighbours.pop(router, None)

    def flood(
        self, keys: Iterable[LsaKey], now: float, *, but: RouterId | None = None
    ) -> list[SendLsa]:
        """Send parts that are new in the database to all neighbors except ``but``."""
        sends: list[SendLsa] = []
        for router, neighbour in self._neighbours.items():
            if router == but:
                continue
            for key in filter(neighbour.takes, keys):
                if key in neighbour.unacked:
                    sends += self._send(router, neighbour, key, now)
                else:
                    neighbour.waiting[key] = None
            sends += self._fill(router, neighbour, now)
        return sends

    def send_now(self, keys: Iterable[LsaKey], now: float) -> list[SendLsa]:
        """As `flood`, before everything in the queues: for a dead adjacency."""
        sends: list[SendLsa] = []
        for router, neighbour in self._neighbours.items():
            for key in filter(neighbour.takes, keys):
                neighbour.waiting.pop(key, None)
                sends += self._send(router, neighbour, key, now)
        return sends

    def answer(self, router: RouterId, key: LsaKey, now: float) -> list[SendLsa]:
        """Send our newer part to a neighbor that sent an older one."""
        stored = self._lsdb.get(key)
        return [SendLsa(router, stored[1], self._lsdb.age_s(key, now))] if stored else []

    def is_acked(
        self, router: RouterId, key: LsaKey, version: Version, checksum: int, now: float
    ) -> list[SendLsa]:
        """A neighbor acknowledged ``version``: send it the next parts.

        Another ``checksum`` means that it has a part of this number from before the router's
        restart: ours is sent until it has that, or answers with its own.
        """
        stored = self._lsdb.get(key)
        is_same = stored and stored[0].newness == version
        if stored and is_same and checksum not in (0, checksum_of(stored[1])):
            return []
        return self.has_heard(router, key, version, now)

    def has_heard(
        self, router: RouterId, key: LsaKey, version: Version, now: float
    ) -> list[SendLsa]:
        """A neighbor has ``version``, whatever its bytes: send it the next parts."""
        neighbour = self._neighbours.get(router)
        if neighbour is None:
            return []
        sent = neighbour.unacked.get(key)
        if sent and sent[0] <= version:
            del neighbour.unacked[key]
        stored = self._lsdb.get(key)
        if stored and stored[0].newness <= version:
            neighbour.waiting.pop(key, None)
        return self._fill(router, neighbour, now)

    def may_judge(self, router: RouterId, key: LsaKey, now: float) -> bool:
        """Take from the budgets that are checked before any signature: per holder, and per neighbor
        and part.

        The latter is keyed by the neighbor too, so that forgeries by one neighbor cannot use up the
        budget of another.
        """
        neighbour = self._neighbours[router]
        if not self._checks.take(neighbour.holder, now):
            return False  # Otherwise each new part would get a fresh budget.
        budget = neighbour.budgets.get(key)
        if budget is None:
            if len(neighbour.budgets) >= LSA_BUDGETS_MAX and not neighbour.has_pruned(now):
                return False
            budget = neighbour.budgets[key] = TokenBucket(LSA_BURST, LSA_PER_S, now)
        return budget.take(now)

    def next_deadline(self) -> float | None:
        firsts = [
            next(iter(neighbour.unacked.values()))[1]
            for neighbour in self._neighbours.values()
            if neighbour.unacked
        ]
        asked = [one.asked_at for one in self._neighbours.values() if one.asked_at is not None]
        return min(firsts + asked) + LSA_RETRANSMIT_S if firsts or asked else None

    def handle_timeout(self, now: float) -> list[SendLsa | SendDigest]:
        sends: list[SendLsa | SendDigest] = []
        for router, neighbour in self._neighbours.items():
            if neighbour.asked_at is not None and now >= neighbour.asked_at + LSA_RETRANSMIT_S:
                sends += self._ask_again(router, neighbour, now)
            for key, (_, sent_at) in list(neighbour.unacked.items()):
                if now < sent_at + LSA_RETRANSMIT_S:
                    break
                again = self._send(router, neighbour, key, now)
                self.retransmissions += len(again)
                sends += again
            sends += self._fill(router, neighbour, now)
        return sends

    def _ask(self, router: RouterId, neighbour: NeighbourFlood, now: float) -> SendDigest:
        neighbour.asked_at = now
        neighbour.tries += 1
        return SendDigest(to=router, digest=self._digest.digest(), wants_answer=True)

    def _ask_again(
        self, router: RouterId, neighbour: NeighbourFlood, now: float
    ) -> list[SendDigest]:
        """The digest did not come: ask again, and finally send the whole database."""
        if neighbour.tries < DIGEST_TRIES:
            return [self._ask(router, neighbour, now)]
        neighbour.asked_at = None
        neighbour.lacks(self._lsdb.keys())
        return []

    def _fill(self, router: RouterId, neighbour: NeighbourFlood, now: float) -> list[SendLsa]:
        sends: list[SendLsa] = []
        while neighbour.waiting and len(neighbour.unacked) < LSAS_UNACKED_MAX:
            key = next(iter(neighbour.waiting))
            del neighbour.waiting[key]
            sends += self._send(router, neighbour, key, now)
        return sends

    def _send(
        self, router: RouterId, neighbour: NeighbourFlood, key: LsaKey, now: float
    ) -> list[SendLsa]:
        """Send the newest part of ``key``; nothing if it has left the database meanwhile."""
        neighbour.unacked.pop(key, None)
        stored = self._lsdb.get(key)
        if stored is None:
            return []
        neighbour.unacked[key] = (stored[0].newness, now)
        return [SendLsa(router, stored[1], self._lsdb.age_s(key, now))]
