"""`/api/v1/knees`: where the latency of this site's targets bends, next to configured
capacities."""

from collections.abc import Callable, Iterator

from aiohttp import web

from router.admin.answers import items
from router.admin.named import ServiceNames, named_port
from router.admin.slices import encoded
from router.admin.views.history import KneeView

Knees = Callable[[str | None, int | None], Iterator[KneeView]]


class KneesApi:
    """``knees``: of a service, by name and port, or of all, one at a time."""

    def __init__(self, knees: Knees, names: ServiceNames) -> None:
        self._knees, self._names = knees, names

    def add_to(self, routes: web.UrlDispatcher) -> None:
        routes.add_get("/api/v1/knees", self._list)

    async def _list(self, request: web.Request) -> web.Response:
        """An empty list also for an unknown service, as for one without targets here."""
        asked = request.query.get("service")
        named = (None, None) if asked is None else named_port(asked, self._names)
        if isinstance(named, web.Response):
            return named
        return items("Knee", (await encoded(self._knees(*named))).items)
