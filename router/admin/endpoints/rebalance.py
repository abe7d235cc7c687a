"""`GET /api/v1/services/NAME/rebalance`: connections that the policy would place elsewhere now."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from router.admin.answers import items
from router.admin.named import ServiceNames, named_port, no_service


class RebalanceView(msgspec.Struct, frozen=True, kw_only=True):
    """Client connections of one service port that last, by the name of the site they are at.

    ``leave``: how many the policy would place elsewhere now, by the site that they are at;
    ``come``: the same by where it would place them. ``running``: they are being moved. What
    belongs to a session is not counted: it stays where that is. ``ending``: further ones that were
    asked to end, for their age or to move.
    """

    service: str
    port: int
    connections: dict[str, int]
    leave: dict[str, int]
    come: dict[str, int]
    running: bool
    ending: int = 0
    routing_key: str = ""  # As of `ServiceView`.


class RebalancePlans(Protocol):
    """Who knows; `operate.rebalances` supplies it."""

    async def plans(self, service: str, port: int | None) -> Sequence[RebalanceView]:
        """Of each port of the service that is known here, or of that one."""


class RebalanceApi:
    """An `ApiPart`. Asking moves nothing: the command ``rebalance`` does."""

    def __init__(self, plans: RebalancePlans, names: ServiceNames) -> None:
        self._plans, self._names = plans, names

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """Its one route."""
        routes.add_get("/api/v1/services/{name}/rebalance", self._plan)

    async def _plan(self, request: web.Request) -> web.Response:
        text = request.match_info["name"]
        named = named_port(text, self._names)
        if isinstance(named, web.Response):
            return named
        found = await self._plans.plans(*named)
        if not found:
            return await no_service(text, self._names)
        return items("Rebalance", found)
