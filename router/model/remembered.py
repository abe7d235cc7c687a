"""Knowledge of other sites that outlives a restart, as in files and backups."""

from typing import Annotated

import msgspec

from router.model.ids import SiteId


class HeldListener(msgspec.Struct, frozen=True, array_like=True):
    """A service port that this site has a listener for, of ``site``; empty: of its own.

    ``host``, ``listens_at``: where; 0: an older version wrote it, or a Service of Kubernetes leads
    there.
    """

    service: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)]
    site: SiteId
    host: str = ""
    listens_at: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0


KeptOffer = SiteId | tuple[SiteId, float]
"""A site with targets of a service of another; while it is new, with the Unix seconds at which it
came."""
KeptOffers = dict[str, tuple[KeptOffer, ...]]
"""By service."""


def site_of(offer: KeptOffer) -> SiteId:
    """Whose offer it is."""
    return SiteId(offer) if isinstance(offer, str) else offer[0]
