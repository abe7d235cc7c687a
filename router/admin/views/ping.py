"""The path to a site: `/api/v1/ping/SITE`."""

import msgspec


class HopView(msgspec.Struct, frozen=True, kw_only=True):
    """One site on the path. ``cost`` of the link into it; ``rtt_ms``: lowest, mean, highest.

    ``certificate_expires``: only for the first hop's link. ``error``: the reason of its last
    missing answer.
    """

    site: str
    id: str
    cost: int | None
    path_cost: int | None
    sent: int
    answered: int
    rtt_ms: tuple[float, float, float] | None
    certificate_expires: str | None
    version: str
    error: str


class PingView(msgspec.Struct, frozen=True, kw_only=True):
    """`ping SITE`: its hops in order, the site itself last. ``reachable``: it answered.

    ``reason``: where the path breaks. ``paths``: how many paths have the same cost, this one
    included.
    """

    site: str
    id: str
    reachable: bool
    path_cost: int | None
    hops: tuple[HopView, ...]
    reason: str
    paths: int = 1
