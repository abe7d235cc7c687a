"""`/api/v1/events`: events, as a list or as they happen, all or some of them."""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

from router.admin import sse
from router.admin.answers import failure, items
from router.admin.events import EventLog
from router.model import limits
from router.model.event_codes import EVENT_CODES
from router.model.events import Event
from router.model.wording.routing_key_names import AskedService

SSE_HEARTBEAT_S = 15.0
_EVENT_NUMBER = re.compile(r"[0-9]{1,18}")
_COUNT = re.compile(r"[0-9]{1,5}")
_CODE = re.compile(r"SW[0-9]{4}")
_SEVERITIES = ("info", "warning", "error")
_KINDS = ("event", "audit")


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A filter for events; empty fields match all. ``severity``: that one and worse.

    ``after``: events with a greater number.
    """

    severity: str = ""
    service: AskedService | None = None
    code: str = ""
    kind: str = ""
    since: str = ""
    after: int = 0
    count: int = limits.EVENTS_ANSWER_MAX

    def has(self, event: Event) -> bool:
        """Whether ``event`` matches."""
        least = _SEVERITIES.index(self.severity) if self.severity else 0
        return (
            _SEVERITIES.index(event.severity) >= least
            and (not self.code or event.code == self.code)
            and (not self.kind or event.kind == self.kind)
            and (self.service is None or self.service.has(event.subject, event.service))
            and event.at >= self.since
        )


def chosen(query: Mapping[str, str]) -> Chosen | web.Response:
    """The filter in a URL's query; or an error answer."""
    hint = "?since=2026-01-01T00:00:00Z&severity=warning&service=shop&code=link-down&kind=audit"
    for key, words in (("severity", _SEVERITIES), ("kind", _KINDS)):
        if query.get(key, "") not in ("", *words):
            text = f"{key} is one of {', '.join(words)}, not {query[key][:20]!r}."
            return failure(400, f"bad-{key}", text, hint)
    code = query.get("code", "")
    if code and code not in EVENT_CODES and not _CODE.fullmatch(code):
        return failure(400, "bad-code", f"There is no event {code[:30]!r}.", "See docs/events.md")
    count = query.get("count", str(limits.EVENTS_ANSWER_MAX))
    if not _COUNT.fullmatch(count) or not 1 <= int(count) <= limits.EVENTS_ANSWER_MAX:
        text = f"count is a number from 1 to {limits.EVENTS_ANSWER_MAX}."
        return failure(400, "bad-count", text, hint)
    after = query.get("after", "0")
    if not _EVENT_NUMBER.fullmatch(after):
        return failure(400, "bad-after", f"{after[:20]!r} is no number of an event.", "?after=0")
    service, since = query.get("service"), ""
    if query.get("since"):
        try:
            moment = datetime.fromisoformat(query["since"])
        except ValueError:
            return failure(400, "bad-since", f"{query['since'][:40]!r} is no time.", hint)
        stamp = moment.astimezone(UTC).isoformat(timespec="milliseconds")
        since = stamp.replace("+00:00", "Z")
    return Chosen(
        severity=query.get("severity", ""),
        service=AskedService(service) if service else None,
        code=code,
        kind=query.get("kind", ""),
        since=since,
        after=int(after),
        count=int(count),
    )


class EventsApi:
    """The routes of the journal."""

    def __init__(self, events: EventLog) -> None:
        self._events = events

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """See `ApiPart`."""
        routes.add_get("/api/v1/events", self._list)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        wanted = chosen(request.query)
        if isinstance(wanted, web.Response):
            return wanted
        if sse.wanted(request):
            return await self._stream(request, wanted)
        newest = self._events.newest
        if wanted.since:
            known = await self._events.since(wanted.since)
        else:
            known = self._events.after()
        fresh = [event for number, event in known if wanted.after < number <= newest]
        found = [event for event in fresh if wanted.has(event)]
        return items("Event", found[-wanted.count :], newest=newest)

    async def _stream(self, request: web.Request, wanted: Chosen) -> web.StreamResponse:
        since = request.headers.get("Last-Event-ID", "")
        last = int(since) if _EVENT_NUMBER.fullmatch(since) else wanted.after
        follower = self._events.follow()
        if follower is None:
            return sse.no_place("events")
        try:
            return await sse.follow(request, partial(self._feed, follower, wanted, last))
        finally:
            self._events.unfollow(follower)

    async def _feed(
        self,
        follower: asyncio.Queue[tuple[int, Event] | None],
        wanted: Chosen,
        last: int,
        response: web.StreamResponse,
    ) -> None:
        """Write stored events after ``last``, then each new one."""
        for number, event in self._events.after(last):
            if wanted.has(event):
                await sse.write(response, sse.message(number, event))
        while True:
            try:
                async with asyncio.timeout(SSE_HEARTBEAT_S):
                    numbered: Any = await follower.get()
            except TimeoutError:
                await sse.write(response, b": still here\n\n")
                continue
            if numbered is None:
                return
            if wanted.has(numbered[1]):
                await sse.write(response, sse.message(*numbered))
