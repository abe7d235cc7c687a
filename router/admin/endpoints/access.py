"""`GET /api/v1/access`: who may declare, offer and call which service, on whose authority, until
when.
"""

from collections.abc import Callable
from typing import Literal

import msgspec
from aiohttp import web

from router.admin.answers import item
from router.admin.named import ServiceNames, service_meant
from router.model.specs import SharingMode

May = Literal["declare", "offer", "call", "redeclare", "own"]
State = Literal[
    "in use",
    "allowed",
    "not-approved",
    "pending name",
    "ended",
    "conflicts",
    "not known",
    "barred",
]


class AccessRow(msgspec.Struct, frozen=True, kw_only=True):
    """One permission. ``site``: a name or a pattern, ``*`` for all sites; ``site_id``: empty for a
    pattern or a name that no site has yet.

    ``service``: a name or, by the terms of a token, a pattern; ``*``: all services without their
    own rules. ``by``: the source of the permission. ``until``: null for no end. ``capacity``: the
    most slots accepted from an offer; null: as many as the site reports. ``state``:
    ``not-approved`` offers are not used here, ``conflicts`` are declarations, grants and offers
    with another protocol or port that do not count here, ``not known`` are rules of another site
    that this one does not receive, ``barred`` is a site of which nothing counts here, whatever
    other rows say of all sites.
    """

    service: str
    site: str
    site_id: str
    may: May
    by: str
    until: str | None
    capacity: int | None
    state: State


class AccessView(msgspec.Struct, frozen=True, kw_only=True):
    """Permissions as this site sees them. ``left_out``: rows beyond the limit of one answer."""

    sharing: SharingMode
    rows: tuple[AccessRow, ...]
    left_out: int


class AccessApi:
    """An `ApiPart`. ``access``: of one service, or of all."""

    def __init__(self, access: Callable[[str | None], AccessView], names: ServiceNames) -> None:
        self._access, self._names = access, names

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """Add its route."""
        routes.add_get("/api/v1/access", self._all)

    async def _all(self, request: web.Request) -> web.Response:
        asked = request.query.get("service")
        service = service_meant(asked, self._names) if asked is not None else None
        return item("Access", self._access(service))
