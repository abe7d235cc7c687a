"""The parameters of a router, beside its identity and its credentials."""

import msgspec

from router.model import limits


class RouterStart(msgspec.Struct, frozen=True, kw_only=True):
    """``is_edge``: it attaches to one site, accepts no links and takes no part in routing.

    ``connections_max``: connections of service clients, over all listeners, of which there are at
    most ``listeners_max``. ``place``: human-readable location of this process, sent to neighbors.
    ``restored``: Unix seconds at which its state was restored from a backup, 0: never.
    ``common``: all routers of the site read the same documents.
    ``life``: when the process started, in Unix seconds by its host's clock and growing with each
    start. The routers of a namespace compare it with the times of Pods. ``epoch`` grows too, but
    may be ahead of the clock: another router of the site, whose clock is ahead, raises it.
    ``has_inner_door``: other workers of this router dial it. ``worker``: its number among them.
    """

    epoch: int
    boot_nonce: bytes
    version: str
    is_edge: bool = False
    service_ttl_s: float = limits.SERVICE_SYNC_TTL_S
    connections_max: int = limits.CLIENT_CONNECTIONS_MAX
    listeners_max: int = limits.LISTENERS_MAX
    place: str = ""
    restored: int = 0
    common: bool = False
    has_inner_door: bool = False
    worker: int = 0
    life: int = 0
