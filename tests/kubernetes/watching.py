"""Watches: a stream of lines, one event each."""

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from aiohttp import web

from tests.kubernetes.failures import Failure, bad_request
from tests.kubernetes.faults import Faults
from tests.kubernetes.listening import abort
from tests.kubernetes.requests import Wanted
from tests.kubernetes.resources import Json
from tests.kubernetes.selectors import Matches
from tests.kubernetes.storage import Change, Store

TIMEOUT_S_MIN: Final = 1800
INITIAL_END: Final = "k8s.io/initial-events-end"
SILENCE_POLL_S: Final = 0.05


class Watch:
    """One watch that a client has open."""

    def __init__(self, wanted: Wanted, user: str, matches: Matches, revision: int) -> None:
        self.wanted, self.user = wanted, user
        self.revision = revision
        self._matches = matches
        self._pending: list[Change] = []
        self._woken = asyncio.Event()

    def note(self, change: Change) -> None:
        """Take a change that concerns it."""
        if change.resource is self.wanted.resource and change.revision > self.revision:
            self._pending.append(change)
            self._woken.set()

    def take(self) -> list[Json]:
        """The events since the last time."""
        self._woken.clear()
        changes, self._pending = self._pending, []
        events = []
        for change in changes:
            self.revision = change.revision
            found = change.seen_through(self._matches)
            if found is not None:
                events.append({"type": found[0], "object": found[1]})
        return events

    async def woken(self, timeout_s: float) -> None:
        """Return when something is there, or in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return


class Watches:
    """All open watches of a server."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store, self._faults = store, faults
        self._open: dict[int, tuple[web.Request, Watch]] = {}

    def cut(self, kind: str = "") -> int:
        """Break the connections of watches, in the middle; gives how many."""
        chosen = [
            request
            for request, watch in self._open.values()
            if kind in ("", watch.wanted.resource.kind)
        ]
        for request in chosen:
            if request.transport is not None:
                abort(request.transport)
        return len(chosen)

    def count(self, kind: str = "", user: str = "") -> int:
        """How many are open."""
        return sum(
            1
            for _request, watch in self._open.values()
            if kind in ("", watch.wanted.resource.kind) and user in ("", watch.user)
        )

    async def serve(
        self,
        request: web.Request,
        wanted: Wanted,
        user: str,
        matches: Matches,
        shown: Callable[[Json], Json],
    ) -> web.StreamResponse:
        """Answer a watch until its time is over or the client goes."""
        query = request.query
        initial, watch = self._begin(wanted, user, matches, query)
        stop = self._store.listen(watch.note)
        self._open[id(request)] = request, watch
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            await response.prepare(request)
            await self._send(response, [{**e, "object": shown(e["object"])} for e in initial])
            if not (initial and initial[0]["type"] == "ERROR"):
                await self._run(response, watch, query, shown)
            await response.write_eof()
        except ConnectionError:
            if request.transport is not None:
                abort(request.transport)
        finally:
            stop()
            self._open.pop(id(request), None)
        return response

    def _begin(
        self, wanted: Wanted, user: str, matches: Matches, query: Mapping[str, str]
    ) -> tuple[list[Json], Watch]:
        text = query.get("resourceVersion", "")
        if text and not text.isdigit():
            raise bad_request(
                f'invalid resource version "{text}": strconv.ParseUint: invalid syntax'
            )
        sends_initial = query.get("sendInitialEvents") == "true"
        if text in ("", "0") or sends_initial:
            revision = self._store.revision
            found = self._store.all(wanted.resource, wanted.namespace)
            events = [{"type": "ADDED", "object": each} for each in found if matches(each)]
            if sends_initial:
                events.append(_bookmark(wanted, revision, {INITIAL_END: "true"}))
            return events, Watch(wanted, user, matches, revision)
        watch = Watch(wanted, user, matches, int(text))
        try:
            for change in self._store.since(wanted.resource, int(text)):
                watch.note(change)
        except Failure as gone:
            if self._faults.watches_gone_as_http:
                raise
            return [{"type": "ERROR", "object": gone.status()}], watch
        return [], watch

    async def _run(
        self,
        response: web.StreamResponse,
        watch: Watch,
        query: Mapping[str, str],
        shown: Callable[[Json], Json],
    ) -> None:
        loop = asyncio.get_running_loop()
        default = random.uniform(TIMEOUT_S_MIN, 2 * TIMEOUT_S_MIN)
        deadline = loop.time() + float(query.get("timeoutSeconds") or default)
        bookmarks = query.get("allowWatchBookmarks") in ("true", "1")
        bookmark_at = loop.time() + self._faults.bookmark_interval_s
        while (now := loop.time()) < deadline:
            if self._faults.watches_are_silent:
                await asyncio.sleep(SILENCE_POLL_S)
                continue
            events = watch.take()
            if bookmarks and now >= bookmark_at and not events:
                watch.revision = max(watch.revision, self._store.revision)
                events = [_bookmark(watch.wanted, watch.revision, {})]
                bookmark_at = now + self._faults.bookmark_interval_s
            await self._send(
                response,
                [
                    event
                    if event["type"] == "BOOKMARK"
                    else {**event, "object": shown(event["object"])}
                    for event in events
                ],
            )
            until = min(deadline, bookmark_at) if bookmarks else deadline
            await watch.woken(min(max(until - loop.time(), 0), 1.0))

    async def _send(self, response: web.StreamResponse, events: list[Json]) -> None:
        if events:
            await response.write(b"".join(msgspec.json.encode(each) + b"\n" for each in events))


def _bookmark(wanted: Wanted, revision: int, annotations: Json) -> Json:
    metadata: Json = {"resourceVersion": str(revision), "creationTimestamp": None}
    if annotations:
        metadata["annotations"] = annotations
    found = {
        "kind": wanted.resource.kind,
        "apiVersion": wanted.resource.api_version,
        "metadata": metadata,
    }
    return {"type": "BOOKMARK", "object": found}
