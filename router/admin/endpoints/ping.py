"""`GET /api/v1/ping/SITE`: the path to a site, measured now."""

import re
from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from router.admin.answers import failure, item
from router.admin.awaited_answer import AwaitedAnswer
from router.admin.endpoints.sites import no_site
from router.admin.ports import BadQuestion
from router.admin.views.ping import PingView
from router.model import limits

_COUNT = re.compile(r"[0-9]{1,4}\Z")


class Pinging(Protocol):
    """Measures paths; implemented by `operate`."""

    def ping(
        self, site: str, rounds: int, via: str, done: Callable[[PingView], None]
    ) -> bool | None:
        """None: no such site. False: too many pings at once. Otherwise ``done`` is called once,
        later.
        """


class PingApi:
    """An `ApiPart`. ``?count=1…10`` rounds (1), ``&via=LINK``: one of several paths of equal
    cost."""

    def __init__(self, pinging: Pinging) -> None:
        self._pinging = pinging

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """Add its only route."""
        routes.add_get("/api/v1/ping/{site}", self._ping)

    async def _ping(self, request: web.Request) -> web.Response:
        site, most = request.match_info["site"], limits.PING_ROUNDS_MAX
        count = request.query.get("count", "1")
        if not _COUNT.fullmatch(count) or not 1 <= int(count) <= most:
            text = f"{count[:20]!r} is not a number from 1 to {most}."
            return failure(400, "bad-count", text, f"?count={most}, and ask again for more")
        answer = AwaitedAnswer[PingView]()
        try:
            via = request.query.get("via", "")
            begun = self._pinging.ping(site, int(count), via, answer.done)
        except BadQuestion as error:
            return failure(400, "bad-ping", str(error), error.hint)
        if begun is None:
            return no_site(site)
        if not begun:
            text = f"{limits.PINGS_AT_ONCE_MAX} pings are running, and no more at once."
            return failure(503, "too-many-pings", text, "Try again when one has ended")
        rounds_s = (limits.PING_ROUNDS_MAX - 1) * limits.PING_INTERVAL_ROUNDS_S
        return item("Ping", await answer.within(rounds_s + 2 * limits.INQUIRY_WAIT_S))
