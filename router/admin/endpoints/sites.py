"""`GET /api/v1/sites/SITE`: one site whole, asked now over the links, this one or another."""

from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from router.admin.answers import failure, item
from router.admin.awaited_answer import AwaitedAnswer
from router.admin.views.site import SiteDetail
from router.model import limits


class Sites(Protocol):
    """Who asks; `operate` supplies it."""

    def detail(self, site: str, done: Callable[[SiteDetail], None]) -> bool | None:
        """None: no such site. False: too many are being asked. Else ``done`` comes once."""


class SitesApi:
    """An `ApiPart`."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """Its one route."""
        routes.add_get("/api/v1/sites/{site}", self._site)

    async def _site(self, request: web.Request) -> web.Response:
        site = request.match_info["site"]
        answer = AwaitedAnswer[SiteDetail]()
        asked = self._sites.detail(site, answer.done)
        if asked is None:
            return no_site(site)
        if not asked:
            return too_many()
        return item("SiteDetail", await answer.within(2 * limits.INQUIRY_WAIT_S))


def no_site(site: str) -> web.Response:
    """Nobody of that name or id."""
    return failure(404, "not-found", f"No site {site!r} is known here.", "sitectl network status")


def too_many() -> web.Response:
    """Other sites are being asked, as many as may be."""
    text = f"{limits.SITE_QUESTIONS_AT_ONCE_MAX} sites are being asked, and no more at once."
    return failure(503, "too-many-questions", text, "Try again in a moment")
