"""The storage that this room needs, for one router and for a whole site. The process supplies
it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from router.model.ids import SiteId
from router.model.messages.adverts import Declaration
from router.model.persisted import HeldListener
from router.model.rights.owners import Owner


class KnownDeclaration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A declaration of another site, which has been out of reach for ``lost_for_s``."""

    declaration: Declaration
    lost_for_s: float = 0.0


class OfferingSite(msgspec.Struct, frozen=True):
    """A site with targets of another site's service.

    ``new_for_s``: how long the operator has been shown that it is new; None: it is not new.
    """

    site: SiteId
    new_for_s: float | None = None


class Keeper(Protocol):
    """Storage of small values that survive a restart: files, or objects of a namespace."""

    def keep_epoch(self, epoch: int) -> None:
        """Store ``epoch``; the caller uses it only after that."""

    def declared_at(self, name: str) -> float:
        """Unix seconds at which this site first declared the service ``name``; stored."""

    def keep_declared(self, names: frozenset[str]) -> None:
        """The services declared here now: forget all others, and start new ones."""

    def keep_learnt(self, learnt: tuple[KnownDeclaration, ...]) -> None:
        """Store the declarations of other sites."""

    def learnt(self) -> tuple[KnownDeclaration, ...]:
        """The declarations stored last, whose sites were out of reach since then."""

    def keep_owners(self, owners: Mapping[str, Owner]) -> None:
        """Store the owner of each name."""

    def owners(self) -> Mapping[str, Owner]:
        """The owners stored last."""

    def keep_listeners(self, held: Sequence[HeldListener]) -> None:
        """Store which services of other sites have which ports, if this process leads."""

    def listeners(self) -> Sequence[HeldListener]:
        """The listeners stored last, the longest held first."""

    def keep_known_offers(self, known: Mapping[str, Sequence[OfferingSite]]) -> None:
        """Store, by service, the sites that are known to have targets of it."""

    def known_offers(self) -> Mapping[str, Sequence[OfferingSite]] | None:
        """The offers stored last; None: none were ever stored."""

    def keep_links_down(self, down_for_s: Mapping[str, float]) -> None:
        """Store how long each link that is dialed and down has been so, by name."""

    def links_down(self) -> Mapping[str, float]:
        """The links stored last, down for longer by now."""

    @property
    def leads(self) -> bool:
        """Whether this process decides what is stored for all processes of its router."""

    def rule_pins(self) -> Mapping[str, SiteId]:
        """The sites that names in rules mean."""

    def keep_rule_pins(self, pins: Mapping[str, SiteId]) -> None:
        """Store the sites that names in rules mean, if this process leads."""


class SharedOwners(Protocol):
    """Owners of names, in a store that all routers of the site share."""

    def begin(self, kept: Mapping[str, Owner]) -> Mapping[str, Owner]:
        """The owners that count at the start; ``kept``: those this router knew before its
        restart."""

    def follow(
        self,
        current: Callable[[], Mapping[str, Owner]],
        take: Callable[[Mapping[str, Owner]], None],
    ) -> None:
        """``current`` returns the owners that the router knows; ``take`` is called when others
        count."""

    def changed(self) -> None:
        """The router's owners changed: store them."""

    def adopted(self, name: str) -> None:
        """An operator adopted ``name``: this router's owner of it counts for all routers."""
