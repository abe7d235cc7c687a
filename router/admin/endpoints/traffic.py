"""`POST /api/v1/traffic/SERVICE[:PORT]`: one real request through each site, now."""

from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from router.admin.answers import failure, item
from router.admin.awaited_answer import AwaitedAnswer
from router.admin.named import ServiceNames, named_port, no_service
from router.admin.views.traffic import TrafficView
from router.model import limits


class Trying(Protocol):
    """Sends the requests; implemented by `operate`."""

    def try_service(
        self, service: str, port: int | None, done: Callable[[TrafficView], None]
    ) -> bool | None:
        """None: no such service port. False: too many at once. Otherwise ``done`` is called once,
        later.
        """


class TrafficApi:
    """An `ApiPart`. A POST, because it sends requests to targets."""

    def __init__(self, trying: Trying, names: ServiceNames) -> None:
        self._trying, self._names = trying, names

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """Add its only route."""
        routes.add_post("/api/v1/traffic/{name}", self._try)

    async def _try(self, request: web.Request) -> web.Response:
        text = request.match_info["name"]
        asked = named_port(text, self._names)
        if isinstance(asked, web.Response):
            return asked
        service, port = asked
        answer = AwaitedAnswer[TrafficView]()
        begun = self._trying.try_service(service, port, answer.done)
        if begun is None:
            return await no_service(text, self._names)
        if not begun:
            text = f"{limits.TRIALS_AT_ONCE_MAX} services are being tried, and no more at once."
            return failure(503, "too-many-trials", text, "Try again in some seconds")
        return item("Traffic", await answer.within(2 * limits.TRIAL_S))
