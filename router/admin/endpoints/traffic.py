"""`POST /api/v1/traffic/SERVICE[:PORT]`: one real request by each site, now."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from router.admin.answers import failure, item
from router.admin.named import named_port
from router.admin.views.traffic import TrafficView
from router.model import limits


class Trying(Protocol):
    """Who sends the requests; `operate` supplies it."""

    def try_service(
        self, service: str, port: int | None, done: Callable[[TrafficView], None]
    ) -> bool | None:
        """None: no such service port. False: too many at once. Else ``done`` comes once, later."""


class TrafficApi:
    """An `ApiPart`. A POST, because it sends requests to targets."""

    def __init__(self, trying: Trying) -> None:
        self._trying = trying

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """Its one route."""
        routes.add_post("/api/v1/traffic/{name}", self._try)

    async def _try(self, request: web.Request) -> web.Response:
        asked = named_port(request.match_info["name"])
        if isinstance(asked, web.Response):
            return asked
        service, port = asked
        answered: asyncio.Future[TrafficView] = asyncio.get_running_loop().create_future()

        def done(view: TrafficView) -> None:
            if not answered.done():  # The client may have gone.
                answered.set_result(view)

        begun = self._trying.try_service(service, port, done)
        if begun is None:
            text = f"No service {service[:100]!r} with that port is known here."
            return failure(404, "not-found", text, "sitectl service status")
        if not begun:
            text = f"{limits.TRIALS_AT_ONCE_MAX} services are being tried, and no more at once."
            return failure(503, "too-many-trials", text, "Try again in some seconds")
        async with asyncio.timeout(2 * limits.TRIAL_S):
            return item("Traffic", await answered)
