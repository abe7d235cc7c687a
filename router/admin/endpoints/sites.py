"""`GET /api/v1/sites/SITE`: one whole site, this one or another, asked now over the links."""

from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from router.admin.answers import failure, item
from router.admin.awaited_answer import AwaitedAnswer
from router.admin.views.site import SiteDetail
from router.model import limits


class Sites(Protocol):
    """Asks sites; implemented by `operate`."""

    def detail(self, site: str, done: Callable[[SiteDetail], None]) -> bool | None:
        """None: no such site. False: too many questions in progress. Otherwise ``done`` is called
        once.
        """


class SitesApi:
    """An `ApiPart`."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """Add its only route."""
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
    """404: no site has that name or id."""
    return failure(404, "not-found", f"No site {site!r} is known here.", "sitectl network status")


def too_many() -> web.Response:
    """503: the maximum of other sites is being asked."""
    text = f"{limits.SITE_QUESTIONS_AT_ONCE_MAX} sites are being asked, and no more at once."
    return failure(503, "too-many-questions", text, "Try again in a moment")
