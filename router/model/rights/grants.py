"""Grants: what the owner of a service lets another site do with it, until when. Pure.

Grants are part of the owner's signed declaration of the service, so every site checks them itself.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec.structs import replace

from router.model.ids import SiteId

OFFER: Final = "offer"
"""Offer targets of it, up to `ServiceGrant.max_capacity` slots."""
CALL: Final = "call"
"""Use it, whatever export rules say."""
REDECLARE: Final = "redeclare"
"""Declare it differently; that counts while the owner does not declare it."""
OWN: Final = "own"
"""Become its owner, by declaring it too."""
VERBS: Final = (OFFER, CALL, REDECLARE, OWN)


class ServiceGrant(msgspec.Struct, frozen=True, array_like=True):
    """``site``: an id; in documents also a name or NAME@ID. Unknown verbs of later versions are
    ignored.

    ``max_capacity``: the most slots of a service port accepted from all routers of the site
    together; None: as many as the site reports. ``until``: Unix seconds; 0: no end.
    """

    site: SiteId
    verbs: tuple[str, ...]
    max_capacity: int | None = None
    until: int = 0

    def holds(self, unix: float) -> bool:
        """Whether it has not ended at ``unix`` seconds."""
        return not self.until or unix < self.until


NONE: Final[tuple[ServiceGrant, ...]] = ()


def no_clock() -> float:
    """A clock for callers without a wall clock: no grant ends by it."""
    return 0.0


def understood(grants: Iterable[ServiceGrant]) -> tuple[ServiceGrant, ...]:
    """Grants with a verb that this version knows, without unknown verbs."""
    known = (
        replace(grant, verbs=tuple(verb for verb in VERBS if verb in grant.verbs))
        for grant in grants
    )
    return tuple(grant for grant in known if grant.verbs)


def in_force(grants: Iterable[ServiceGrant], unix: float) -> tuple[ServiceGrant, ...]:
    """Grants in force at ``unix`` seconds."""
    return tuple(grant for grant in grants if grant.holds(unix))


def granted(grants: Iterable[ServiceGrant], verb: str) -> tuple[SiteId, ...]:
    """Sites that may do ``verb``."""
    return tuple(dict.fromkeys(grant.site for grant in grants if verb in grant.verbs))


def ceiling(grants: Iterable[ServiceGrant], site: SiteId) -> int | None:
    """The most slots accepted from ``site``; None: no limit."""
    found = [grant.max_capacity for grant in grants if grant.site == site and OFFER in grant.verbs]
    known = [slots for slots in found if slots is not None]
    return max(known) if known and len(known) == len(found) else None


def first_end(grants: Iterable[ServiceGrant], unix: float) -> int | None:
    """Unix seconds at which the next grant ends."""
    ends = [grant.until for grant in grants if grant.until and grant.holds(unix)]
    return min(ends, default=None)
