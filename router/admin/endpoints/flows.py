"""`/api/v1/flows`: single requests and connections of this site's clients, as they come and go."""

import asyncio
import re
from collections.abc import Iterable, Iterator
from functools import partial
from operator import attrgetter
from typing import Protocol

import msgspec
from aiohttp import web

from router.admin import sse
from router.admin.answers import encode, failure, item
from router.admin.named import ServiceNames, named_port
from router.admin.slices import encoded, sliced
from router.admin.views.flow import COUNT_USUAL, FlowDetail, FlowsWanted, FlowView
from router.model import limits
from router.model.specs import API_VERSION

HEARTBEAT_S = 15.0
_NUMBER = re.compile(r"[0-9]{1,15}")


class FlowsView(Protocol):
    """The source of flows, implemented by `operate.flows.flows`."""

    @property
    def turn(self) -> int: ...
    @property
    def skipped(self) -> int: ...

    def look(self) -> None: ...
    def follow(self) -> bool: ...
    def unfollow(self) -> None: ...
    def newest(self) -> Iterator[FlowView | None]: ...
    def since(self, turn: int) -> list[FlowView]: ...
    def lasting(self) -> list[FlowView]: ...
    def detail(self, number: int) -> FlowDetail | None: ...


class OtherFlows(Protocol):
    """Flows of the router's other processes, from `operate.flows.all_flows`."""

    async def newest_of_others(self, wanted: FlowsWanted) -> list[FlowView]: ...
    async def detail_of_others(self, number: int) -> FlowDetail | None: ...


class FlowsApi:
    """A request makes the router record for `limits.FLOWS_WATCH_S`, a follower as long as it
    stays."""

    def __init__(
        self, flows: FlowsView, names: ServiceNames, others: OtherFlows | None = None
    ) -> None:
        self._flows, self._names = flows, names
        self._others = others

    def add_to(self, routes: web.UrlDispatcher) -> None:
        routes.add_get("/api/v1/flows", self._list)
        routes.add_get("/api/v1/flows/{number}", self._detail)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        wanted = _wanted(request, self._names)
        if isinstance(wanted, web.Response):
            return wanted
        if sse.wanted(request):
            return await self._follow(request, wanted)
        self._flows.look()
        found = await self._newest(wanted)
        body = encode(
            {
                "apiVersion": API_VERSION,
                "kind": "Flow",
                "items": found,
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
            if found is None and self._others is not None:
                found = await self._others.detail_of_others(int(number))
        if found is None:
            return failure(
                404,
                "not-found",
                f"Flow {number[:20]!r} is not known, or not any more.",
                "What is known: GET /api/v1/flows",
            )
        return item("FlowDetail", found)

    async def _newest(self, wanted: FlowsWanted) -> list[msgspec.Raw]:
        """The newest first."""
        found = wanted.first(self._flows.newest())
        if self._others is None:
            return (await encoded(found)).items
        each = (await sliced(found)).items + await self._others.newest_of_others(wanted)
        each.sort(key=attrgetter("id"), reverse=True)
        return (await encoded(each[: wanted.count])).items

    async def _follow(self, request: web.Request, wanted: FlowsWanted) -> web.StreamResponse:
        if not self._flows.follow():
            return sse.no_place("flows")
        try:
            since = request.headers.get("Last-Event-ID", "")
            last = int(since) if _NUMBER.fullmatch(since) else self._flows.turn + 1
            return await sse.follow(request, partial(self._begin, wanted, last))
        finally:
            self._flows.unfollow()

    async def _begin(self, wanted: FlowsWanted, last: int, response: web.StreamResponse) -> None:
        """Write the known flows, unless a returning client already has those before ``last``."""
        turn = self._flows.turn
        if last <= turn:
            turn = last
        else:
            known = await self._newest(wanted)
            await sse.write(response, _events(turn, reversed(known)) or b": nothing yet\n\n")
        await self._feed(response, wanted, turn)

    async def _feed(self, response: web.StreamResponse, wanted: FlowsWanted, turn: int) -> None:
        """Write flows that end, soon; lasting ones, repeatedly; and the number of unrecorded
        ones."""
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


def _wanted(request: web.Request, names: ServiceNames) -> FlowsWanted | web.Response:
    query = request.query
    service, port = None, None
    if "service" in query:
        named = named_port(query["service"], names)
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
    return FlowsWanted(service, port, query.get("outcome"), query.get("site"), int(count))
