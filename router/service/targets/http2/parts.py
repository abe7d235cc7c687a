"""The one place where HTTP/2 to targets is loaded: when the first http2 service needs it."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from router.service.targets.http2.pool import Http2Pool
    from router.service.targets.http2.probe import Http2Probe
    from router.service.targets.http2.way import Http2Way


class Http2(NamedTuple):
    """The classes for HTTP/2 with a target: its connections, exchanges with it, checks of it."""

    pool: type["Http2Pool"]
    way: type["Http2Way"]
    probe: type["Http2Probe"]


def http2() -> Http2:
    """Load the classes on first use: routers without HTTP/2 targets need not pay for them."""
    from router.service.targets.http2.pool import Http2Pool
    from router.service.targets.http2.probe import Http2Probe
    from router.service.targets.http2.way import Http2Way

    return Http2(Http2Pool, Http2Way, Http2Probe)
