"""`/api/v1/live`: one snapshot of everything a second, made once for all clients."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from router.admin import sse
from router.admin.answers import encode
from router.admin.ports import RouterView
from router.admin.slices import encoded
from router.admin.views.live import ServiceNow, TokenView
from router.admin.views.services import ServiceView
from router.model import limits
from router.model.specs import API_VERSION

Rows = Callable[[], Iterator[tuple[ServiceView, ServiceNow]]]
"""Rows of service ports, one at a time; other work may run between two of them."""


class _Picture(msgspec.Struct, frozen=True):
    """The last snapshot. ``until``: how long it is new enough, in monotonic seconds."""

    number: int
    until: float
    body: bytes


class LiveApi:
    """Makes no snapshot while no client follows."""

    def __init__(
        self, view: RouterView, rows: Rows, tokens: Callable[[], Sequence[TokenView]]
    ) -> None:
        self._view, self._rows = view, rows
        self._tokens = tokens
        self._last = _Picture(0, 0.0, b"")
        self._making = asyncio.Lock()
        self._followers = 0

    def add_to(self, routes: web.UrlDispatcher) -> None:
        routes.add_get("/api/v1/live", self._live)

    async def _live(self, request: web.Request) -> web.StreamResponse:
        if sse.wanted(request):
            return await self._follow(request)
        picture = await self._newest()
        head = encode({"apiVersion": API_VERSION, "kind": "Live"})[:-1]
        return web.Response(
            body=b'%s,"item":%s}' % (head, picture.body), content_type="application/json"
        )

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        if self._followers >= limits.LIVE_CLIENTS_MAX:
            return sse.no_place("the live view")
        self._followers += 1
        try:
            return await sse.follow(request, self._feed)
        finally:
            self._followers -= 1

    async def _feed(self, response: web.StreamResponse) -> None:
        """Write snapshots. Each is complete: a client that comes back with an id gets the newest.

        One a second is also the heartbeat.
        """
        while True:
            picture = await self._newest()
            await sse.write(response, b"id: %d\ndata: %s\n\n" % (picture.number, picture.body))
            await asyncio.sleep(max(0.0, picture.until - time.monotonic()))

    async def _newest(self) -> _Picture:
        """The last snapshot, or a new one if its time is over."""
        async with self._making:
            if time.monotonic() >= self._last.until:
                self._last = await self._make()
            return self._last

    async def _make(self) -> _Picture:
        """In slices: its parts are some milliseconds apart."""
        view = self._view
        began = time.monotonic()
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        parts = (
            ("status", view.status),
            ("links", view.links),
            ("network", view.network),
            ("bursts", view.bursts),
            ("ca", view.ca),
            ("tokens", self._tokens),
        )
        await view.look("live")
        singles = await encoded(make() for _, make in parts)
        now: list[ServiceNow] = []
        services = await encoded(_noting(self._rows(), now))
        nows = await encoded(now)
        body = encode(
            {
                "at": at,
                **dict(zip((name for name, _ in parts), singles.items, strict=True)),
                "services": services.items,
                "now": nows.items,
            }
        )
        busy_s = singles.busy_s + services.busy_s + nows.busy_s
        lasts_s = max(limits.LIVE_EVERY_S, min(busy_s / limits.LIVE_SHARE, limits.LIVE_LASTS_S_MAX))
        return _Picture(self._last.number + 1, began + lasts_s, body)


def _noting(
    services: Iterator[tuple[ServiceView, ServiceNow]], now: list[ServiceNow]
) -> Iterator[ServiceView]:
    """The first of each pair; the second goes to ``now``."""
    for service, its_now in services:
        now.append(its_now)
        yield service
