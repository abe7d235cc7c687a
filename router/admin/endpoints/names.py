"""`GET /api/v1/names`: which site owns each name, and which declares it."""

from collections.abc import Callable, Sequence

import msgspec
from aiohttp import web

from router.admin.answers import failure, item, items
from router.admin.named import ServiceNames, service_meant


class NameView(msgspec.Struct, frozen=True, kw_only=True):
    """A name, as this site sees it; sites are shown as in `network status`.

    ``declared_by``: the site whose declaration is in force here; empty: none, the owner does not
    declare it. ``owners``: the owners of the name; several: it is unknown which of them declared it
    first. ``differing``: sites that declare it differently.
    """

    name: str
    declared_by: str
    owners: tuple[str, ...]
    differing: tuple[str, ...]


class NamesApi:
    """An `ApiPart`."""

    def __init__(self, names: Callable[[], Sequence[NameView]], known: ServiceNames) -> None:
        self._names, self._known = names, known

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """Add its two routes."""
        routes.add_get("/api/v1/names", self._all)
        routes.add_get("/api/v1/names/{name}", self._one)

    async def _all(self, request: web.Request) -> web.Response:
        return items("Name", self._names())

    async def _one(self, request: web.Request) -> web.Response:
        name = service_meant(request.match_info["name"], self._known)
        for view in self._names():
            if view.name == name:
                return item("Name", view)
        text = f"No site that is known here declares {name[:100]!r}."
        return failure(404, "not-found", text, "sitectl service status")
