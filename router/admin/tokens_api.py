"""`/api/v1/tokens`: the claim tokens of this site and who used them."""

from collections.abc import Callable, Sequence

from router.admin.answers import items
from router.admin.http import Request, Response, Routes
from router.admin.live_views import TokenView


class TokensApi:
    """``tokens``: those that are known, the newest first."""

    def __init__(self, tokens: Callable[[], Sequence[TokenView]]) -> None:
        self._tokens = tokens

    def add_to(self, routes: Routes) -> None:
        """See `ApiPart`."""
        routes.get("/api/v1/tokens", self._list)

    async def _list(self, request: Request) -> Response:
        return items("Token", self._tokens())
