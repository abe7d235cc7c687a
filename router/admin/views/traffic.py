"""One request through each site: `POST /api/v1/traffic/SERVICE`."""

import msgspec


class SiteTrafficView(msgspec.Struct, frozen=True, kw_only=True):
    """One site. ``outcome``: ``ok``, or why there was no whole answer.

    ``status`` of the final response; 0: none came, or the service is tcp. ``latency_ms``: until the
    response was complete, the connection open, or the failure known; null: nothing was sent.
    """

    site: str
    id: str
    local: bool
    outcome: str
    status: int
    latency_ms: float | None
    reason: str = ""


class TrafficView(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a service port through each site that has targets of it."""

    service: str
    port: int
    protocol: str
    sites: tuple[SiteTrafficView, ...]
    routing_key: str = ""  # As in `ServiceView`.
