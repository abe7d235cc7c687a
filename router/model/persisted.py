"""Knowledge of other sites that survives a restart, as in files and backups."""

from typing import Annotated

import msgspec

from router.model.ids import SiteId


class HeldListener(msgspec.Struct, frozen=True, array_like=True):
    """A service port of ``site`` (empty: this site) for which this site has a listener.

    ``host``, ``listens_at``: its address. Port 0: an older version wrote it, or a Service of
    Kubernetes leads there.
    """

    service: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)]
    site: SiteId
    host: str = ""
    listens_at: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0


KeptOffer = SiteId | tuple[SiteId, float]
"""A site that has targets of another site's service; while the offer is new, with the Unix seconds
when it appeared."""
KeptOffers = dict[str, tuple[KeptOffer, ...]]
"""By service."""


def site_of(offer: KeptOffer) -> SiteId:
    """The site that makes ``offer``."""
    return SiteId(offer) if isinstance(offer, str) else offer[0]
