"""The upgrade that a request asks for, as OPEN carries it: a flag for WebSocket, else its name."""

from router.http.http1.grammar import is_upgrade
from router.link.ports import OpenRequest

WEBSOCKET, WEBSOCKET_FLAG = "websocket", 1
"""The one upgrade that every version knows from the flags of OPEN."""


def upgrade_of(offer: OpenRequest) -> str | None:
    """The protocol that ``offer`` asks to switch to; empty: none; None: one that is not allowed."""
    asked = offer.upgrade
    if offer.flags & WEBSOCKET_FLAG:
        return WEBSOCKET if asked in ("", WEBSOCKET) else None
    return asked if not asked or is_upgrade(asked.encode("utf-8", "replace")) else None
