"""`/api/v1/history`: the last quarter of an hour of service ports, of this site or another."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

from aiohttp import web

from router.admin.answers import failure, items
from router.admin.awaited_answer import AwaitedAnswer
from router.admin.endpoints.sites import no_site, too_many
from router.admin.named import ServiceNames, named_port, no_service
from router.admin.slices import encoded
from router.admin.views.history import ServiceHistory
from router.model import limits

Histories = Callable[[str | None, int | None], Awaitable[Iterator[ServiceHistory]]]


class Elsewhere(Protocol):
    """Histories of other sites, implemented by `operate`."""

    def is_here(self, site: str) -> bool:
        """Whether ``site`` is this site."""

    def history(
        self,
        site: str,
        service: str,
        port: int | None,
        done: Callable[[tuple[ServiceHistory, ...], str], None],
    ) -> bool | None:
        """None: no such site. False: too many questions in progress. Otherwise ``done`` is called
        once: with the history, or with none and the reason."""


class HistoryApi:
    """``histories``: of a service, by name and port, or of all; then one at a time.

    ``elsewhere`` asks other sites, for one service at a time.
    """

    def __init__(self, histories: Histories, elsewhere: Elsewhere, names: ServiceNames) -> None:
        self._histories, self._names = histories, names
        self._elsewhere = elsewhere

    def add_to(self, routes: web.UrlDispatcher) -> None:
        routes.add_get("/api/v1/history", self._history)

    async def _history(self, request: web.Request) -> web.Response:
        asked, site = request.query.get("service"), request.query.get("site")
        named = named_port(asked, self._names) if asked is not None else None
        if isinstance(named, web.Response):
            return named
        if site is not None and not self._elsewhere.is_here(site):
            return await self._of_site(site, named)
        if named is None:
            return items("ServiceHistory", (await encoded(await self._histories(None, None))).items)
        found = (await encoded(await self._histories(*named))).items
        if not found:
            return await no_service(str(asked), self._names)
        return items("ServiceHistory", found)

    async def _of_site(self, site: str, named: tuple[str, int | None] | None) -> web.Response:
        """The history at another site."""
        if named is None:
            text = f"Of {site!r}, another site, one service is shown at a time."
            return failure(400, "no-service", text, f"?service=NAME&site={site}")
        service, port = named
        answer = AwaitedAnswer[tuple[tuple[ServiceHistory, ...], str]]()
        asked = self._elsewhere.history(
            site, service, port, lambda histories, error: answer.done((histories, error))
        )
        if asked is None:
            return no_site(site)
        if not asked:
            return too_many()
        histories, error = await answer.within(2 * limits.INQUIRY_WAIT_S)
        if error:
            text = f"Site {site!r} did not tell its history: {error}."
            return failure(502, "not-told", text, f"sitectl ping {site}")
        if not histories:
            text = f"Site {site!r} reports no service {service!r}."
            return failure(404, "not-found", text, f"sitectl network status {site}")
        return items("ServiceHistory", histories)
