"""Our own LSA: the parts that changed, their numbers, and how often they may go out.

Versions of a site are one logical clock (Lamport, 1978): each router numbers its parts above all
that it has heard from the other routers of its site. So other sites can tell which declaration of a
site is the later one, whichever router sent it (`routing.owners`).
"""

from collections.abc import Mapping, Sequence

from router.model.ids import RouterId
from router.model.limits import LSA_BURST, LSA_MIN_INTERVAL_S, LSA_PER_S, LSA_REFRESH_S
from router.model.own_identity import OwnIdentity
from router.model.rights.sharing import Terms
from router.model.token_bucket import TokenBucket
from router.routing.adverts.lsa import (
    Adjacency,
    Bar,
    Lsa,
    PartRef,
    Services,
    Topology,
    Version,
    encode_lsa,
)
from router.routing.site_terms import with_terms


class OwnOrigin:
    """Numbers and signs our parts. One sequence counts all parts, so any two can be ordered."""

    __slots__ = (
        "_birth",
        "_budget",
        "_common",
        "_head",
        "_identity",
        "_last_at",
        "_latest",
        "_refresh_at",
        "_restored",
        "_services",
        "_software",
        "_stub",
        "epoch",
        "originated",
        "sequence",
    )

    def __init__(
        self,
        identity: OwnIdentity,
        *,
        epoch: int,
        boot_nonce: bytes,
        software: str,
        stub: bool,
        now: float,
        restored: int = 0,
        common: bool = False,
    ) -> None:
        self._identity = identity
        self._restored, self._common = restored, common
        self._birth = (epoch, boot_nonce)
        self._software, self._stub = software, stub
        # Half of the budget that others grant us: a loss that is sent early must find room.
        self._budget = TokenBucket(LSA_BURST // 2, LSA_PER_S, now)
        self._last_at = float("-inf")  # The first goes out at once.
        self._refresh_at: float | None = None
        self._services: dict[int, tuple[Services, int]] = {}
        self._head: Topology | None = None
        self.epoch, self.sequence = epoch, 0
        self._latest: Version = (0, 0)
        self.originated = 0

    @property
    def birth(self) -> tuple[int, bytes]:
        """(epoch at start, nonce): of two processes the greater was started later."""
        return self._birth

    @property
    def refresh_at(self) -> float | None:
        """When all parts are due again; None before the first time."""
        return self._refresh_at

    @property
    def is_behind(self) -> bool:
        """Whether another router of this site has a later epoch."""
        return self._latest[0] > self.epoch

    def heard(self, version: Version) -> bool:
        """Another router of this site has sent ``version``. True: its epoch is later than all so
        far, and ours from the next time that all parts go out."""
        was_known = max(self.epoch, self._latest[0])
        self._latest = max(self._latest, version)
        return version[0] > was_known

    @property
    def may_at(self) -> float:
        """The earliest time for a change that can wait."""
        return max(self._last_at + LSA_MIN_INTERVAL_S, self._budget.ready_at())

    def compose(
        self,
        adjacencies: Sequence[Adjacency],
        terms: Mapping[RouterId, Terms],
        bodies: Sequence[Services],
        now: float,
        *,
        draining: bool,
        bars: tuple[Bar, ...] = (),
        deleted: bool = False,
        whole: bool,
    ) -> list[tuple[Lsa, bytes]]:
        """The parts that differ from those last sent, part 0 last; all of them if ``whole``.

        Part 0 comes last so that a receiver has the parts that it lists by the time it arrives.
        """
        if whole:
            self.epoch = max(self.epoch, self._latest[0])
        parts: list[tuple[Lsa, bytes]] = []
        services: dict[int, tuple[Services, int]] = {}
        for number, body in enumerate(bodies, start=1):
            told = self._services.get(number)
            if told and told[0] == body and not whole:
                services[number] = told
            else:
                parts.append(self._signed(number, body))
                services[number] = (body, self.sequence)
        reported, stated = with_terms(adjacencies, terms)
        head = Topology(
            adjacencies=reported,
            draining=draining,
            stub=self._stub,
            name=self._identity.name,
            version=self._software,
            parts=tuple(PartRef(number, sequence) for number, (_, sequence) in services.items()),
            restored=self._restored,
            terms=stated,
            bars=bars,
            deleted=deleted,
            common=self._common,
        )
        if whole or head != self._head:
            parts.append(self._signed(0, head))
        if parts:
            self._services, self._head = services, head
            self._last_at = now
            self._budget.overdraw(now)
            self.originated += len(parts)
        if whole or self._refresh_at is None:
            self._refresh_at = now + LSA_REFRESH_S
        return parts

    def _signed(self, part: int, body: Topology | Services) -> tuple[Lsa, bytes]:
        epoch, sequence = self._latest
        self.sequence = 1 + (max(self.sequence, sequence) if epoch == self.epoch else self.sequence)
        identity = self._identity
        lsa = Lsa(
            router=identity.router,
            site=identity.site,
            part=part,
            epoch=self.epoch,
            sequence=self.sequence,
            boot_epoch=self._birth[0],
            boot_nonce=self._birth[1],
            public_key=identity.public_key,
            body=body,
        )
        return lsa, encode_lsa(lsa, identity)
