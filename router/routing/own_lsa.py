"""This router's own LSA: when it is due, and how it overtakes LSAs from before a restart."""

from router.model.limits import COUNTER_MAX
from router.model.messages.adverts import TargetsAdvert
from router.routing.adjacent import AdjacencySet
from router.routing.adverts.duplicate_routers import DuplicateRouters
from router.routing.adverts.lsa import Bar, Lsa, LsaKey, Services, Version
from router.routing.adverts.lsdb import Lsdb
from router.routing.events import EpochRaised, IdentityConflict
from router.routing.origin import OwnOrigin


class OwnLsa:
    """Keeps our parts in ``lsdb`` up to date. The caller sends them."""

    __slots__ = (
        "_bodies",
        "_declares",
        "_duplicates",
        "_lsdb",
        "_neighbours",
        "_origin",
        "adverts",
        "bars",
        "has_news",
        "is_deleted",
        "is_draining",
    )

    def __init__(self, origin: OwnOrigin, lsdb: Lsdb, neighbours: AdjacencySet) -> None:
        self._origin, self._lsdb, self._neighbours = origin, lsdb, neighbours
        self._duplicates = DuplicateRouters()
        self._bodies: tuple[Services, ...] = ()
        self._declares = False  # Other than what was sent last.
        self.adverts: tuple[TargetsAdvert, ...] = ()
        self.has_news = False
        """There are changes that were not sent yet."""
        self.is_draining = False
        self.is_deleted = False
        """The site will not come back: it publishes no services any more."""
        self.bars: tuple[Bar, ...] = ()
        """Sites that this one put out."""

    @property
    def epoch(self) -> int:
        return self._origin.epoch

    @property
    def originated(self) -> int:
        """Parts so far."""
        return self._origin.originated

    @property
    def is_withdrawn(self) -> bool:
        """A twin that started earlier lives: we send nothing any more."""
        return self._duplicates.is_withdrawn

    def is_ours(self, lsa: Lsa) -> bool:
        """Whether this process made ``lsa``, by its birth."""
        return (lsa.boot_epoch, lsa.boot_nonce) == self._origin.birth

    def is_past(self, lsa: Lsa) -> bool:
        """Whether its number is lower than the last one given."""
        return lsa.newness < (self._origin.epoch, self._origin.sequence)

    def next_deadline(self) -> float | None:
        """When `due` returns keys."""
        if not len(self._neighbours) or self.is_withdrawn:
            return None
        refresh_at = self._origin.refresh_at
        if not self.has_news:
            return refresh_at
        may_at = self._origin.may_at
        return may_at if refresh_at is None else min(refresh_at, may_at)

    def set_bodies(
        self, bodies: tuple[Services, ...], adverts: tuple[TargetsAdvert, ...], *, declares: bool
    ) -> bool:
        """Set this router's services and adverts. ``declares``: its declarations changed. False:
        nothing changed."""
        if bodies == self._bodies:
            return False
        self._declares |= declares
        self._bodies, self.adverts = bodies, adverts
        self.has_news = True
        return True

    def due(self, now: float) -> list[LsaKey]:
        """Make the parts that are due; returns their keys."""
        refresh_at = self._origin.refresh_at
        if refresh_at is not None and now >= refresh_at:
            return self.originate(now, whole=True)
        if self.has_news and now >= self._origin.may_at:
            return self.originate(now)
        return []

    def originate(self, now: float, *, whole: bool = False) -> list[LsaKey]:
        """Store the changed parts; returns their keys. Without neighbors there is no receiver."""
        if not len(self._neighbours) or self.is_withdrawn:
            return []
        self.has_news = False
        whole |= self._declares and self._origin.is_behind
        self._declares = False
        parts = self._origin.compose(
            self._neighbours.counting(),
            self._neighbours.terms,
            () if self.is_deleted else self._bodies,
            now,
            draining=self.is_draining,
            bars=self.bars,
            deleted=self.is_deleted,
            whole=whole,
        )
        for lsa, signed in parts:
            self._lsdb.store(lsa, signed, now)
        return [lsa.key for lsa, _ in parts]

    def heard_sibling(self, version: Version) -> list[EpochRaised]:
        """Another router of this site has sent ``version``: ours are later from the next refresh
        or change of a declaration on."""
        return [EpochRaised(version[0])] if self._origin.heard(version) else []

    def overtake(self, lsa: Lsa, now: float) -> list[IdentityConflict | EpochRaised]:
        """Take a later epoch than ``lsa``, which another process with our ids has signed.

        Except if that process lives and is the earlier of the two: then `is_withdrawn`.
        """
        conflict = self._duplicates.heard(lsa, self._origin.epoch, self._origin.birth, now)
        told: list[IdentityConflict | EpochRaised] = [] if conflict is None else [conflict]
        if self.is_withdrawn:
            return told
        self._origin.epoch = min(lsa.epoch + 1, COUNTER_MAX)
        return [*told, EpochRaised(self._origin.epoch)]
