"""`/api/v1/flows`: single requests and connections of this site's clients, as they come and go."""

import asyncio
import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Protocol

import msgspec
from aiohttp import web

from router.admin import sse
from router.admin.answers import encode, failure, item
from router.admin.flow_views import FlowDetail, FlowView
from router.admin.named import named_port
from router.admin.slices import encoded
from router.model import limits
from router.model.specs import API_VERSION

COUNT_USUAL = 100
HEARTBEAT_S = 15.0
NOWHERE = "none"
"""As a wanted site: nobody served it."""
UNDER_WAY, FAILED = "under-way", "failed"
_NUMBER = re.compile(r"[0-9]{1,15}")


class FlowsView(Protocol):
    """What is asked; `main.flows` answers."""

    turn: int
    skipped: int

    def look(self) -> None: ...
    def follow(self) -> bool: ...
    def unfollow(self) -> None: ...
    def newest(self) -> Iterator[FlowView | None]: ...
    def since(self, turn: int) -> list[FlowView]: ...
    def lasting(self) -> list[FlowView]: ...
    def detail(self, number: int) -> FlowDetail | None: ...


class _Wanted(msgspec.Struct, frozen=True):
    """Which flows; None: whatever it is."""

    service: str | None = None
    port: int | None = None
    outcome: str | None = None
    site: str | None = None
    count: int = COUNT_USUAL

    def of(self, flows: list[FlowView]) -> list[FlowView]:
        """Those of ``flows``."""
        return [flow for flow in flows if self.has(flow)]

    def has(self, flow: FlowView) -> bool:
        return (
            self.service in (None, flow.service)
            and self.port in (None, flow.port)
            and self.site in (None, flow.site or NOWHERE)
            and (
                self.outcome in (None, flow.outcome)
                or (self.outcome == FAILED and flow.outcome not in ("ok", UNDER_WAY))
            )
        )


class FlowsApi:
    """Looking makes the router look, for `limits.FLOWS_WATCH_S`, or as long as one follows."""

    def __init__(self, flows: FlowsView) -> None:
        self._flows = flows

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/api/v1/flows", self._list)
        app.router.add_get("/api/v1/flows/{number}", self._detail)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        wanted = _wanted(request)
        if isinstance(wanted, web.Response):
            return wanted
        if sse.wanted(request):
            return await self._follow(request, wanted)
        self._flows.look()
        found = await encoded(_first(self._flows.newest(), wanted))
        body = encode(
            {
                "apiVersion": API_VERSION,
                "kind": "Flow",
                "items": found.items,
                "skipped": self._flows.skipped,
            }
        )
        return web.Response(body=body, content_type="application/json")

    async def _detail(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        found = None
        if _NUMBER.fullmatch(number):
            self._flows.look()
            found = self._flows.detail(int(number))
        if found is None:
            return failure(
                404,
                "not-found",
                f"Flow {number[:20]!r} is not known, or not any more.",
                "What is known: GET /api/v1/flows",
            )
        return item("FlowDetail", found)

    async def _follow(self, request: web.Request, wanted: _Wanted) -> web.StreamResponse:
        if not self._flows.follow():
            return sse.no_place("flows")
        try:
            since = request.headers.get("Last-Event-ID", "")
            last = int(since) if _NUMBER.fullmatch(since) else self._flows.turn + 1
            return await sse.follow(request, partial(self._begin, wanted, last))
        finally:
            self._flows.unfollow()

    async def _begin(self, wanted: _Wanted, last: int, response: web.StreamResponse) -> None:
        """Those that are known, unless it comes back and knows what was before ``last``."""
        flows, turn = self._flows, self._flows.turn
        if last <= turn:
            turn = last
        else:
            known = (await encoded(_first(flows.newest(), wanted))).items
            await sse.write(response, _events(turn, reversed(known)) or b": nothing yet\n\n")
        await self._feed(response, wanted, turn)

    async def _feed(self, response: web.StreamResponse, wanted: _Wanted, turn: int) -> None:
        """Those that end, soon; those that last, again and again; how many went unseen."""
        flows, loop = self._flows, asyncio.get_running_loop()
        skipped = -1
        again_at = wrote_at = loop.time()
        while True:
            ended, turn = flows.since(turn), flows.turn
            told = _events(turn, wanted.of(ended))
            now = loop.time()
            if now >= again_at:
                again_at = now + limits.FLOWS_AGAIN_S
                told += _events(turn, wanted.of(flows.lasting()))
                if flows.skipped != skipped:
                    skipped = flows.skipped
                    told += b"event: skipped\n" + sse.message(turn, {"skipped": skipped})
            if not told and now - wrote_at >= HEARTBEAT_S:
                told = b": still here\n\n"
            if told:
                wrote_at = now
                await sse.write(response, told)
            await asyncio.sleep(limits.FLOWS_TICK_S)


def _events(turn: int, flows: Iterable[object]) -> bytes:
    return b"".join(sse.message(turn, flow) for flow in flows)


def _first(flows: Iterator[FlowView | None], wanted: _Wanted) -> Iterator[FlowView | None]:
    """As many as are wanted, and None for each of the others."""
    left = wanted.count
    for flow in flows:
        if flow is None or not wanted.has(flow):
            yield None
            continue
        yield flow
        left -= 1
        if not left:
            return


def _wanted(request: web.Request) -> _Wanted | web.Response:
    query = request.query
    service, port = None, None
    if "service" in query:
        named = named_port(query["service"])
        if isinstance(named, web.Response):
            return named
        service, port = named
    count = query.get("count", str(COUNT_USUAL))
    if not _NUMBER.fullmatch(count) or not 1 <= int(count) <= limits.FLOWS_COUNT_MAX:
        return failure(
            400,
            "bad-count",
            f"{count[:20]!r} is not a number from 1 to {limits.FLOWS_COUNT_MAX}.",
            f"?count={COUNT_USUAL}",
        )
    return _Wanted(service, port, query.get("outcome"), query.get("site"), int(count))
