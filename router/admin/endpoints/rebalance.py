"""`GET /api/v1/services/NAME/rebalance`: connections that the policy would place elsewhere now."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from router.admin.answers import items
from router.admin.named import ServiceNames, named_port, no_service


class RebalanceView(msgspec.Struct, frozen=True, kw_only=True):
    """Long-lasting client connections of one service port, by the name of the site that serves
    them.

    ``leave``: how many the policy would place elsewhere now, by their present site; ``come``: the
    same by the site where it would place them. ``running``: they are being moved. Connections of a
    session are not counted: they stay with it. ``ending``: further ones that were asked to end, for
    their age or to move.
    """

    service: str
    port: int
    connections: dict[str, int]
    leave: dict[str, int]
    come: dict[str, int]
    running: bool
    ending: int = 0
    routing_key: str = ""  # As in `ServiceView`.


class RebalancePlans(Protocol):
    """The source of plans, implemented by `operate.rebalances`."""

    async def plans(self, service: str, port: int | None) -> Sequence[RebalanceView]:
        """Plans for each port of the service known here, or for ``port``."""


class RebalanceApi:
    """An `ApiPart`. A query moves nothing: the command ``rebalance`` does."""

    def __init__(self, plans: RebalancePlans, names: ServiceNames) -> None:
        self._plans, self._names = plans, names

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """Add its only route."""
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
