"""Admission: the checks for every peer that has proven its identity, dialed or accepted.

Our owner judges the peer's certificate. In addition, a router id belongs to one site, the links of
a site are limited, and of two places with one identity only the original is linked
(`identity_copies`).
"""

from collections.abc import Callable, Collection, Mapping

from router.link.adjacency import LinkAdjacency
from router.link.fault import Fault
from router.link.neighbour import Neighbour
from router.link.ports import LinkOwner
from router.link.sessions.identity_copies import RefusedCopies, is_original, living_twins, place_of
from router.link.sessions.session import LinkSession
from router.link.streams.holder_share import HolderShares
from router.model import limits
from router.model.errors import HandshakeRejected
from router.model.ids import RouterId


class PeerAdmission:
    """Judges peers. ``known`` and ``incoming`` are the links up now; other objects change them."""

    __slots__ = ("_copies", "_incoming", "_known", "_now", "_owner", "_shares")

    def __init__(
        self,
        owner: LinkOwner,
        now: Callable[[], float],
        known: Mapping[RouterId, LinkAdjacency],
        incoming: Collection[LinkSession],
        shares: HolderShares,
    ) -> None:
        self._owner = owner
        self._now = now
        self._known = known
        self._incoming = incoming
        self._shares = shares
        self._copies = RefusedCopies()

    @property
    def copies_kept_out(self) -> list[str]:
        """A sentence for each neighbor whose identity has a second place, kept out here."""
        return self._copies.seen(self._now())

    def judge(
        self, session: LinkSession, certificate: bytes, neighbour: Neighbour
    ) -> HandshakeRejected | None:
        """See `LinkOwner.admit`. A router id belongs to one site, because streams are routed by
        it."""
        known = self._known.get(neighbour.router)
        if known is not None and known.neighbour.site != neighbour.site:
            return HandshakeRejected(
                "router-conflict",
                f"{neighbour.name} ({neighbour.site[:8]}) uses the router id of "
                f"{known.neighbour.name} ({known.neighbour.site[:8]}), which is linked here",
                "Was a state directory copied? If not, revoke it: sitectl link delete",
            )
        links = sum(
            1
            for known in self._incoming
            if known is not session and known.neighbour and known.neighbour.site == neighbour.site
        )
        if links >= limits.LINKS_PER_SITE_MAX:
            return HandshakeRejected(
                "too-many-links", f"{neighbour.name} has {links} links here already"
            )
        rejected = self._owner.admit(certificate, neighbour)
        if rejected is not None:
            return rejected
        if session.is_up:
            return self._judge_lanes(session)
        session.admit_by(self._owner.permission_of(certificate))
        return self._judge_lanes(session) or self._judge_twins(session)

    def _judge_lanes(self, session: LinkSession) -> HandshakeRejected | None:
        """Limits the lanes of one holder (a site, or all sites of one token), to leave room for
        others."""
        neighbour = session.neighbour
        if neighbour is None or session.config.role == "dialler":
            return None
        lanes = self._shares.lanes(neighbour.holder)
        if lanes < limits.LANES_PER_HOLDER_MAX:
            return None
        whose = f"{neighbour.name} has"
        if neighbour.holder == neighbour.token:
            whose = f"the sites that token {neighbour.token} let in have"
        return HandshakeRejected(
            "too-many-links",
            f"{whose} {lanes} connections here already",
            "The site that refuses shows whose they are: sitectl link access",
        )

    def end_copies(self) -> None:
        """End the links of copies whose originals are known by now, wherever these are."""
        for adjacency in list(self._known.values()):
            for session in list(adjacency.sessions):
                there = self._original_elsewhere(session)
                if there:
                    self._end_copy(session, there)

    def _judge_twins(self, session: LinkSession) -> HandshakeRejected | None:
        """Refuse a copy whose original is linked; end the copies of an original that comes back."""
        others = (one for adjacency in self._known.values() for one in adjacency.sessions)
        now = self._now()
        twins = living_twins(session, others, now)
        for twin in twins:
            if not is_original(session, twin):
                return self._copies.refusal(session, f"linked here from {place_of(twin)}", now)
        for twin in twins:
            self._end_copy(twin, f"linked here from {place_of(session)}")
        there = self._original_elsewhere(session)
        if there:
            return self._copies.refusal(session, there, now)
        if not twins:
            self._copies.let_in(session)
        return None

    def _end_copy(self, session: LinkSession, there: str) -> None:
        told = self._copies.refusal(session, there, self._now())
        session.close(Fault(told.code, told.reason, told.hint, "refused"))

    def _original_elsewhere(self, session: LinkSession) -> str:
        neighbour, (restored, _) = session.neighbour, session.greeting.peer_born
        if not restored or neighbour is None or neighbour.is_sibling:
            return ""  # The usual case: only a restored state can be recognized as a copy.
        return self._owner.original_of(neighbour, restored)
