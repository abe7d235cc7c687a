"""The application behind the console's listener: login, files, and the read-only API.

Each request passes these checks: its host, its origin, its method, its user. Then a handler has
`limits.CONSOLE_REQUEST_S`, including the time until the client takes the answer; streams last as
long as their session.
"""

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

import msgspec
from aiohttp import web

from router.admin.answers import failure, item, refusal
from router.admin.connection_slots import SlotConnection, know
from router.admin.connections import Handler, close_if_unsure
from router.admin.console import gate, login_page
from router.admin.console.auth import ConsoleSessions, FailureLimiter, Proofs, Users, basic
from router.admin.console.openshift import BEGIN, CALLBACK, PROOF, Everybody
from router.admin.console.openshift_door import OpenShift, OpenShiftDoor
from router.admin.console.static import Asset
from router.model import limits
from router.model.addresses import source_of
from router.model.events import Severity
from router.model.specs import ConsoleAuth

_OPEN: Final = ("/login", "/healthz", "/favicon.ico", BEGIN, CALLBACK)
_OPEN_BELOW: Final = "/static/"
USER: Final = web.RequestKey("console_user", str)
POLL: Final = "Spillway-Poll"
"""The header field of requests that a page repeats by itself: they do not prolong a session."""
_TOKEN: Final = web.RequestKey("console_token", str)


class ConsoleTell(Protocol):
    """Write an event to the journal."""

    def __call__(
        self, severity: Severity, code: str, subject: str, message: str, hint: str = "", /
    ) -> None: ...


class ReadOnlyApi(Protocol):
    """The part of the API that only reads."""

    def add_reading_to(self, routes: web.UrlDispatcher) -> None: ...

    async def note_faults(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A middleware."""


class SessionView(msgspec.Struct, frozen=True):
    """`GET /api/v1/session`: the logged-in user. ``user`` is empty if no login is required."""

    user: str
    auth: str


class ConsoleDoor:
    """Handlers of one console, and its sessions."""

    def __init__(
        self,
        api: ReadOnlyApi,
        files: Mapping[str, Asset],
        users: Callable[[], Users],
        names: Callable[[], Iterable[str]],
        tell: ConsoleTell,
        sessions: ConsoleSessions,
        *,
        site: str,
        site_id: str,
        auth: ConsoleAuth,
        is_tls: bool,
        openshift: OpenShift | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``names``: host names of the console. ``clock``: seconds.

        ``openshift``: the login by OpenShift; then ``users`` and their passwords do not count.
        """
        self._api, self._files, self._users, self._names = api, files, users, names
        self._tell, self._site, self._clock = tell, site, clock
        self.auth: ConsoleAuth = auth
        self._is_tls, self._scheme = is_tls, "https" if is_tls else "http"
        # By site: consoles of several sites may share a host, and browsers ignore ports.
        prefix = "__Host-" if is_tls else ""
        self._cookie = f"{prefix}spillway-{site_id[:12]}"
        self.sessions = sessions
        self._pacing = FailureLimiter()
        self._openshift: OpenShiftDoor | None = None
        self._proofs: Callable[[], Proofs] = users
        if openshift is not None:
            self._proofs = Everybody
            self._openshift = OpenShiftDoor(
                openshift,
                self._pacing,
                self._admit,
                lambda source, reason: self._failed(f"{source} did not log in. {reason}"),
                site=site,
                cookie=f"{prefix}spillway-login-{site_id[:12]}",
                is_tls=is_tls,
                clock=clock,
            )
        self._streams: dict[asyncio.Task[object], tuple[str, Callable[[], bool]]] = {}
        """Each with its path, and whether it may go on."""

    def application(self) -> web.Application:
        """An aiohttp application with all routes."""
        app = web.Application(
            client_max_size=limits.CONSOLE_BODY_BYTES_MAX,
            middlewares=[self._within_time, self._guard, self._api.note_faults],
        )
        app.on_response_prepare.append(self._put_headers)
        app.router.add_get("/", self._index)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/favicon.ico", self._icon)
        app.router.add_get("/login", self._login_page)
        app.router.add_post("/login", self._login)
        app.router.add_post("/logout", self._logout)
        app.router.add_get("/api/v1/session", self._session)
        app.router.add_get("/static/{name:.+}", self._static)
        self._api.add_reading_to(app.router)
        if self._openshift is not None:
            self._openshift.add_to(app)
        return app

    # Checks of each request -------------------------------------------------------------------

    async def _put_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(gate.HEADERS)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.popall("Server", None)

    @web.middleware
    async def _within_time(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Give the handler and the client's reading a deadline; cut a client that does not read."""
        if isinstance(request.protocol, SlotConnection):
            request.protocol.began(request)
        is_stream = "text/event-stream" in request.headers.get("Accept", "")
        deadline_s = limits.CONSOLE_STREAM_S if is_stream else limits.CONSOLE_REQUEST_S
        if request.path in gate.ASKED_BY_POST:
            deadline_s = limits.CONSOLE_COMPUTE_S
        try:
            async with asyncio.timeout(deadline_s):
                try:
                    response = await handler(request)
                except web.HTTPException as error:
                    response = refusal(error)
                close_if_unsure(request, response)
                if not response.prepared:
                    await response.prepare(request)
                await response.write_eof()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the client took too long") from None
        return response

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        names = {name.lower() for name in self._names()}
        asked = {request.headers.get("Host", ""), request.host}  # The second one: from the target.
        if not all(gate.is_host(host, names) for host in asked):
            return failure(
                421,
                "misdirected",
                "This console is not served under that name.",
                "Use its address, or add the name to hosts of `console` in the Site document",
            )
        if "Content-Encoding" in request.headers:
            return failure(415, "packed", "What is sent here is not packed.")
        if not gate.is_own_page(request.method, request.path, request.headers, self._scheme):
            return failure(403, "cross-site", "This request comes from another site's page.")
        allowed = gate.methods(request.path)
        if not allowed:
            return failure(404, "not-found", "The console does not show this.", "sitectl --help")
        if request.method not in allowed:
            refusal = failure(405, "method-not-allowed", f"Only {', '.join(allowed)} here.")
            refusal.headers["Allow"] = ", ".join(allowed)
            return refusal
        if not gate.takes(request.path, request.content_type):
            return failure(415, "wrong-type", "Send JSON here, with its Content-Type.")
        if request.path in _OPEN or request.path.startswith(_OPEN_BELOW):
            return await handler(request)
        refused = self._recognise(request)
        if refused is not None:
            return refused
        know(request)
        if "text/event-stream" in request.headers.get("Accept", ""):
            return await self._stream(request, handler)
        return await handler(request)

    def _recognise(self, request: web.Request) -> web.Response | None:
        """Identify the user; or return the answer that refuses the request."""
        request[USER], request[_TOKEN] = "", ""
        if self.auth == "unsecured":
            return None
        token = request.cookies.get(self._cookie, "")
        user = None
        if token:
            is_use = POLL not in request.headers
            user = self.sessions.user(token, self._proofs(), self._clock(), is_use=is_use)
        if user is not None:
            request[USER], request[_TOKEN] = user, token
            return None
        if self._openshift is not None:
            return self._ask(request)
        shown = basic(request.headers.get("Authorization", ""))
        if shown is None:
            return self._ask(request)
        refusal = self._try(request, *shown)
        if refusal is None:
            request[USER] = shown[0]
        return refusal

    def _ask(self, request: web.Request) -> web.Response:
        """A redirect to the login page, or a 401 for programs."""
        if request.method == "GET" and not request.path.startswith("/api/"):
            return _see("/login")
        if self._openshift is not None:
            return failure(401, "unauthorized", "Log in first.", "/login, with a browser")
        refusal = failure(401, "unauthorized", "Log in first.", "/login, or a user and password")
        if "Sec-Fetch-Mode" not in request.headers:  # A browser would show its own dialog.
            refusal.headers["WWW-Authenticate"] = 'Basic realm="spillway", charset="UTF-8"'
        return refusal

    def _try(self, request: web.Request, user: str, password: str) -> web.Response | None:
        """None: the user may enter. Otherwise the answer, counted against the source."""
        source, now = source_of(request.remote or ""), self._clock()
        wait_s = self._pacing.wait_s(source, now)
        if wait_s > 0:
            refusal = failure(
                429, "too-many-failures", "Too many wrong passwords came from this address."
            )
            refusal.headers["Retry-After"] = str(math.ceil(wait_s))
            return refusal
        if self._users().admits(user, password):
            return None
        self._pacing.failed(source, now)
        self._failed(f"A client at {source} showed a wrong user or password.")
        return failure(401, "unauthorized", login_page.WRONG)

    def _failed(self, message: str) -> None:
        self._tell("warning", "console-login-failed", "console", message)

    async def _stream(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Stream until the user may no longer read; see `end_streams`."""
        same = sum(path == request.path for path, _ in self._streams.values())
        if (
            len(self._streams) >= limits.CONSOLE_STREAMS_MAX
            or same >= limits.CONSOLE_STREAMS_PER_PATH_MAX
        ):
            refusal = failure(503, "too-many-followers", "Too many clients follow this console.")
            refusal.force_close()  # A refused connection that stays open would keep others out.
            return refusal
        task = asyncio.current_task()
        assert task is not None
        token, user = request[_TOKEN], request[USER]
        proof = self._proofs().proof(user)

        def lasts() -> bool:
            if token:
                return self.sessions.is_open(token, self._proofs(), self._clock())
            return self._proofs().proof(user) == proof

        self._streams[task] = (request.path, lasts)
        try:
            return await handler(request)
        finally:
            del self._streams[task]

    def end_streams(self) -> None:
        """Cut the streams whose session is over, or whose user's password changed."""
        for task, (_, lasts) in list(self._streams.items()):
            if not lasts():
                task.cancel()

    # Routes -----------------------------------------------------------------------------------

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _session(self, request: web.Request) -> web.Response:
        return item("Session", SessionView(request[USER], self.auth))

    async def _login_page(self, request: web.Request) -> web.Response:
        if self.auth == "unsecured":
            return _see("/")
        return self._page() if self._openshift is None else self._openshift.page()

    def _page(self, said: str = "", status: int = 200) -> web.Response:
        text = login_page.render(self._site, said)
        return web.Response(text=text, status=status, content_type="text/html")

    async def _login(self, request: web.Request) -> web.Response:
        if self.auth == "unsecured":
            return _see("/")
        if self._openshift is not None:
            return self._openshift.page(status=405)
        shown = await login_page.read_login(request)
        if shown is None:
            return self._page(login_page.WRONG, 400)
        user, password = shown
        refusal = self._try(request, user, password)
        if refusal is not None:
            said = login_page.WRONG if refusal.status == 401 else "Too many tries, wait a moment."
            page = self._page(said, refusal.status)
            if "Retry-After" in refusal.headers:
                page.headers["Retry-After"] = refusal.headers["Retry-After"]
            return page
        proof = self._users().proof(user)
        assert proof is not None
        answer = _see("/")
        self._enter(request, answer, user, proof, limits.CONSOLE_SESSION_S)
        return answer

    def _admit(self, request: web.Request, answer: web.Response, user: str) -> None:
        """OpenShift lets ``user`` in."""
        know(request)
        self._enter(request, answer, user, PROOF, limits.CONSOLE_OAUTH_SESSION_S)

    def _enter(
        self, request: web.Request, answer: web.Response, user: str, proof: bytes, lasts_s: float
    ) -> None:
        """Begin a session; ``answer`` carries its cookie."""
        self.sessions.end(request.cookies.get(self._cookie, ""))
        token = secrets.token_urlsafe(32)
        self.sessions.open(token, user, proof, self._clock(), lasts_s)
        self._tell("info", "console-login", "console", f"{user} logged in.")
        answer.set_cookie(
            self._cookie, token, path="/", httponly=True, secure=self._is_tls, samesite="Strict"
        )

    async def _logout(self, request: web.Request) -> web.Response:
        self.sessions.end(request[_TOKEN])
        self.end_streams()
        answer = _see("/login")
        answer.del_cookie(
            self._cookie, path="/", httponly=True, secure=self._is_tls, samesite="Strict"
        )
        return answer

    async def _index(self, request: web.Request) -> web.Response:
        return self._file(request, "index.html")

    async def _icon(self, request: web.Request) -> web.Response:
        return self._file(request, "icon.svg")

    async def _static(self, request: web.Request) -> web.Response:
        return self._file(request, request.match_info["name"])

    def _file(self, request: web.Request, name: str) -> web.Response:
        asset = self._files.get(name)
        if asset is None:
            return failure(404, "not-found", "There is no such file.")
        # A name does not identify the content: browsers revalidate each time, which costs 200
        # bytes.
        headers = {"ETag": asset.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if asset.etag in (
            part.strip() for part in request.headers.get("If-None-Match", "").split(",")
        ):
            return web.Response(status=304, headers=headers)
        headers["Content-Type"] = asset.content_type
        body = asset.body
        if asset.packed and _takes_gzip(request.headers.get("Accept-Encoding", "")):
            headers["Content-Encoding"] = "gzip"
            body = asset.packed
        return web.Response(body=body, headers=headers)


def _takes_gzip(header: str) -> bool:
    for part in header.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _see(place: str) -> web.Response:
    return web.Response(status=303, headers={"Location": place})
