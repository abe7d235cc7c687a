"""An HTTP request or a connection to serve."""

from typing import Literal

import msgspec

from router.model.ids import ServiceKey, SiteId
from router.model.specs import ServiceProtocol

RequestSelection = Literal["all", "denied", "failed"]
"""Some of the stored last requests of a service port: ``denied``, of which no target received a
byte; ``failed``, those of the denied that count as failed, and all others that do.
"""


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request (http) or connection (tcp) to serve somewhere.

    ``head`` is the canonical request head (`router.http`), empty for tcp. ``body_bytes``: 0 none,
    -1 not known (chunked, or tcp). ``idempotent`` by method (RFC 9110, 9.2.2); False for tcp.
    ``upgrade``: the requested protocol (``websocket``), empty: none. ``head_only``: a HEAD request.
    ``client``, ``session`` and ``local`` as in `OpenRequest`; ``preferred``: the site of its
    session, if known.
    """

    key: ServiceKey
    protocol: ServiceProtocol
    head: bytes = b""
    body_bytes: int = 0
    idempotent: bool = False
    head_only: bool = False
    upgrade: str = ""
    client: str = ""
    session: int = 0
    local: str = ""
    preferred: SiteId | None = None
