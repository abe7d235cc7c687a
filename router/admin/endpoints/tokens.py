"""`/api/v1/tokens`: the claim tokens of this site, and which sites used them."""

from collections.abc import Callable, Sequence

from aiohttp import web

from router.admin.answers import items
from router.admin.views.live import TokenView


class TokensApi:
    """``tokens``: the known ones, newest first."""

    def __init__(self, tokens: Callable[[], Sequence[TokenView]]) -> None:
        self._tokens = tokens

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """See `ApiPart`."""
        routes.add_get("/api/v1/tokens", self._list)

    async def _list(self, request: web.Request) -> web.Response:
        return items("Token", self._tokens())
