"""A proxy before a real API server: it counts requests, injects faults and serves pods' streams.

A request with a token of the tests is sent on as that user (impersonation), so that the server's
own RBAC judges; every other token is passed on.
"""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import Callable
from typing import Final

import aiohttp
import msgspec
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from tests.kubernetes import requests
from tests.kubernetes.answers import failed
from tests.kubernetes.apiserver import Subresource, cut, suffer
from tests.kubernetes.failures import Failure
from tests.kubernetes.faults import Faults, Seen
from tests.kubernetes.listening import Door, abort
from tests.kubernetes.rbac import Tokens, User, no_right
from tests.kubernetes.remote import RemoteRegistry, refused
from tests.kubernetes.requests import Wanted
from tests.kubernetes.upstream import impersonation
from tests.kubernetes.watching import SILENCE_POLL_S

_NOT_PASSED_ON: Final = ("host", "connection", "transfer-encoding", "content-length", "keep-alive")
ANONYMOUS: Final = "system:anonymous"


class OpenWatches:
    """The watches that go through the door."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[web.Request, Wanted, str]] = {}

    def add(self, request: web.Request, wanted: Wanted, user: str) -> Callable[[], None]:
        """One more; gives what ends it."""
        self._open[id(request)] = request, wanted, user
        return lambda: self._open.pop(id(request), None) and None

    def cut(self, kind: str = "") -> int:
        """Break the connections of watches, in the middle; gives how many."""
        chosen = [
            request
            for request, wanted, _ in self._open.values()
            if kind in ("", wanted.resource.kind)
        ]
        for request in chosen:
            if request.transport is not None:
                abort(request.transport)
        return len(chosen)

    def count(self, kind: str = "", user: str = "") -> int:
        """How many are open."""
        return sum(
            kind in ("", wanted.resource.kind) and user in ("", name)
            for _, wanted, name in self._open.values()
        )


class Front:
    """Listens as the API server of the tests does. ``further``: subresources served here."""

    def __init__(
        self,
        registry: RemoteRegistry,
        tokens: Tokens,
        faults: Faults,
        on_error: Callable[[str], None],
    ) -> None:
        self.registry, self.tokens, self.faults, self.on_error = registry, tokens, faults, on_error
        self.watches = OpenWatches()
        self.further: dict[str, Subresource] = {}
        self._door = Door(self._handle)
        self._session: aiohttp.ClientSession | None = None
        self._strangers: aiohttp.ClientSession | None = None

    async def start(self, address: str, port: int, context: ssl.SSLContext) -> int:
        """Listen; gives the port."""
        upstream = self.registry.upstream
        self._session = _session(upstream.context)
        self._strangers = _session(upstream.plain_context)
        return await self._door.open(address, port, context)

    async def stop(self) -> None:
        """Stop to listen and cut all connections."""
        self.watches.cut()
        await self._door.close()
        for session in (self._session, self._strangers):
            if session is not None:
                await session.close()
        self._session = self._strangers = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        wanted, name = self._wanted(request), ANONYMOUS
        try:
            user = self._user(request)
            name = user.name if user is not None else _subject(request)
            fault = None
            if wanted is not None:
                fault = self.faults.hit(name, wanted)
                if fault is not None:
                    await suffer(request, fault, name, wanted)
            response = await self._answer(request, wanted, user, name)
            if fault is not None and fault.cut == "after":
                cut(request)
        except Failure as failure:
            response = failed(failure)
        except (ConnectionError, aiohttp.ClientConnectionError):
            cut(request)
            raise
        except Exception as error:
            self.on_error(f"{request.method} {request.path_qs}: {error!r}")
            response = failed(Failure(500, "InternalError", "Internal error occurred"))
        if wanted is not None and wanted.verb != "watch":
            self._note(request, wanted, name, response.status)
        return response

    def _note(self, request: web.Request, wanted: Wanted, name: str, code: int) -> None:
        agent = request.headers.get("User-Agent", "")
        self.faults.seen.append(Seen(user=name, wanted=wanted, code=code, agent=agent))

    def _user(self, request: web.Request) -> User | None:
        """Whose token of the tests it is; None: the server may know it."""
        with contextlib.suppress(Failure):
            return self.tokens.user(request.headers.get("Authorization", ""))
        return None

    def _wanted(self, request: web.Request) -> Wanted | None:
        """None: discovery and the like."""
        query = request.query
        try:
            return requests.read(self.registry.catalogue, request.method, request.path, query)
        except Failure:
            return requests.unserved(request.method, request.path, query)

    async def _answer(
        self, request: web.Request, wanted: Wanted | None, user: User | None, name: str
    ) -> web.StreamResponse:
        if wanted is None:
            return await self._passed_on(request, user)
        place = f"{wanted.resource.plural}/{wanted.subresource}"
        if place in self.further and user is not None:
            await self._allowed(wanted, user)
            return await self.further[place](request, wanted, user)
        store, query = self.registry.store, request.query
        gone = refused(store, query.get("resourceVersion", ""), query.get("continue", ""))
        if wanted.verb == "watch":
            return await self._watch(request, wanted, user, name, gone)
        if wanted.verb == "list":
            if gone is not None and query.get("continue"):
                raise gone
            store.pages_are_gone = False
        return await self._passed_on(request, user)

    async def _passed_on(self, request: web.Request, user: User | None) -> web.StreamResponse:
        async with self._sent(request, user, await request.read()) as answer:
            headers = _passed(answer.headers)
            return web.Response(body=await answer.read(), status=answer.status, headers=headers)

    async def _watch(
        self,
        request: web.Request,
        wanted: Wanted,
        user: User | None,
        name: str,
        gone: Failure | None,
    ) -> web.StreamResponse:
        if gone is not None:
            if self.faults.watches_gone_as_http:
                raise gone
            event = {"type": "ERROR", "object": gone.status()}
            self._note(request, wanted, name, 0)
            return web.Response(
                body=msgspec.json.encode(event) + b"\n", content_type="application/json"
            )
        async with self._sent(request, user, b"") as answer:
            if answer.status != 200:
                self._note(request, wanted, name, answer.status)
                body = await answer.read()
                headers = _passed(answer.headers)
                return web.Response(body=body, status=answer.status, headers=headers)
            self._note(request, wanted, name, 0)
            response = web.StreamResponse(headers=_passed(answer.headers))
            ended = self.watches.add(request, wanted, name)
            try:
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    await self._spoken()
                    await response.write(piece)
                await response.write_eof()
            finally:
                ended()
            return response

    async def _spoken(self) -> None:
        """Returns once watches are not silent: the switch is an attribute that a test sets."""
        while self.faults.watches_are_silent:  # noqa: ASYNC110
            await asyncio.sleep(SILENCE_POLL_S)

    def _sent(
        self, request: web.Request, user: User | None, body: bytes
    ) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
        session = self._session if user is not None else self._strangers
        assert session is not None
        headers = _passed(request.headers)
        if user is not None:
            headers.pop("Authorization", None)
            headers.extend([*self.registry.upstream.headers.items(), *impersonation(user)])
        url = URL(self.registry.upstream.url + request.raw_path, encoded=True)
        return session.request(request.method, url, headers=headers, data=body or None)

    async def _allowed(self, wanted: Wanted, user: User) -> None:
        """403 as the server says it: it judges requests that are then served here."""
        assert self._session is not None
        resource = wanted.resource
        asked = {
            "namespace": wanted.namespace,
            "name": wanted.name,
            "verb": wanted.verb,
            "group": resource.group,
            "resource": resource.plural,
            "subresource": wanted.subresource,
        }
        review = {"spec": {"resourceAttributes": asked}}
        stated = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        upstream = self.registry.upstream
        url = f"{upstream.url}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        headers = CIMultiDict([*upstream.headers.items(), *impersonation(user)])
        async with self._session.post(url, json={**stated, **review}, headers=headers) as answer:
            found = msgspec.json.decode(await answer.read())
        if not found["status"]["allowed"]:
            raise no_right(user.name, wanted)


def _session(context: ssl.SSLContext) -> aiohttp.ClientSession:
    """Adds nothing to requests, and leaves answers as they are."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=0),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


def _passed(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    found = CIMultiDict(headers)
    for name in _NOT_PASSED_ON:
        found.popall(name, None)
    return found


def _subject(request: web.Request) -> str:
    """The user that a token of the server names."""
    parts = request.headers.get("Authorization", "").removeprefix("Bearer ").split(".")
    if len(parts) != 3:
        return ANONYMOUS
    with contextlib.suppress(ValueError, msgspec.DecodeError):
        text = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return str(msgspec.json.decode(text).get("sub", ANONYMOUS))
    return ANONYMOUS
