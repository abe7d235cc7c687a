"""Objects that all service ports of a router share."""

import random
from collections.abc import Callable

import msgspec

from router.balance.sites.site_ejection import SiteNews
from router.http.http1.memory import HeadMemory
from router.link.ports import StreamOpener
from router.model.ids import RouterId, ServiceKey, SiteId
from router.net.ports import Network
from router.service.observers import Observing
from router.service.pressure import Pressure
from router.service.sites.refused_messages import RefusedMessages


class RouterContext(msgspec.Struct, frozen=True, kw_only=True):
    """Created once; nothing in it belongs to one service port."""

    network: Network
    streams: StreamOpener
    site: SiteId
    site_name: str
    router: RouterId
    rng: random.Random
    pressure: Pressure
    refused_messages: RefusedMessages
    load_changed: Callable[[ServiceKey], None]
    targets_changed: Callable[[], None]
    site_news: Callable[[ServiceKey, SiteNews], None]
    """A remote site was ejected, or is back."""
    name_of: Callable[[SiteId], str]
    """The current name of a site, human-readable."""
    branch_to: Callable[[SiteId, SiteId], SiteId | None]
    """The site beyond a neighbor through which the way to a site leads; None: no known way does."""
    settles_until: float = 0.0
    """Until then a missing route may be about to be learned."""
    heads: HeadMemory = msgspec.field(default_factory=HeadMemory)
    observing: Observing = msgspec.field(default_factory=Observing)
    """The observers of single requests."""
