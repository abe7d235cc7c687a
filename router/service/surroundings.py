"""What every service port of a router shares."""

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


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """Made once; nothing in it belongs to one service port."""

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
    """What a site is called now, for people."""
    branch_to: Callable[[SiteId, SiteId], SiteId | None]
    """Through which site beyond a neighbour the way to a site leads; None: no known way does."""
    settles_until: float = 0.0
    """Until then a route that is missing may be about to be learnt."""
    heads: HeadMemory = msgspec.field(default_factory=HeadMemory)
    observing: Observing = msgspec.field(default_factory=Observing)
    """Who wants to know of single requests."""
