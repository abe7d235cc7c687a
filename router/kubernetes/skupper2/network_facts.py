"""Facts about the network from the router, as far as statuses of Skupper v2 show them."""

from collections.abc import Collection, Mapping

import msgspec


class LinkFacts(msgspec.Struct, frozen=True):
    """One link of this site."""

    is_up: bool
    site: str
    site_id: str
    error: str = ""


class KeyFacts(msgspec.Struct, frozen=True):
    """The service of one routing key. ``ready``: targets that this site can reach.

    ``is_used_elsewhere``: another site names the key and has no target, so it listens for it.
    ``unlistened``: why this site's listener for it is not bound, and the next step; empty: it is,
    or the site has none.
    """

    ready: int = 0
    is_used_elsewhere: bool = False
    unlistened: str = ""


class NetworkFacts(msgspec.Struct, frozen=True, kw_only=True):
    """``links`` by name, ``keys`` by service, ``sites`` by id: the reachable ones and this one."""

    version: str
    is_ready: bool
    links: Mapping[str, LinkFacts] = {}
    keys: Mapping[str, KeyFacts] = {}
    sites: Mapping[str, str] = {}


class GrantFacts(msgspec.Struct, frozen=True):
    """``redeemed``: AccessTokens whose link has its certificate. ``former``: those whose link is
    still that of an AccessToken that had their name before.

    ``granted``: AccessGrants with a token of this site, and how often it was redeemed.
    ``useless``: why a token of these cannot be redeemed although it has uses left.
    """

    redeemed: Collection[str] = ()
    former: Collection[str] = ()
    granted: Mapping[str, int] = {}
    useless: Mapping[str, str] = {}
