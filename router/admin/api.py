"""The HTTP API. Routes and shapes are promises to users; see the docs and `sitectl`."""

import asyncio
import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Final, get_args

import msgspec
from aiohttp import web

from router.admin import exposition
from router.admin.answers import failure, item, items, json, refusal
from router.admin.awaited_answer import AwaitedAnswer
from router.admin.client_identity import asker
from router.admin.connection_slots import know
from router.admin.connections import Handler, application
from router.admin.endpoints.events import EventsApi
from router.admin.events import EventLog
from router.admin.named import named_port, no_service, not_known, service_meant
from router.admin.ports import (
    ApiPart,
    BadQuestion,
    CommandFailed,
    CommandRefused,
    GivenCommand,
    RouterView,
    UnknownCommand,
    ignored,
    unheard,
)
from router.admin.slices import sliced
from router.admin.views.services import TargetView
from router.model import limits
from router.model.requests import RequestSelection
from router.model.settings import AffinityBy
from router.model.unreadable import UNREADABLE_JSON
from router.model.wording.routing_key_names import hashed_name

METRICS_CACHE_S = 1.0

_COUNT = re.compile(r"[0-9]{1,4}")
_SELECTIONS: Final[tuple[RequestSelection, ...]] = ("denied", "failed")


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /api/v1/commands."""

    command: str
    arguments: dict[str, str] = {}


class AdminApi:
    """Handlers of one router. ``credential``: required from TCP clients; empty: none required.

    ``parts`` add their own routes below ``/api/v1``. ``commanded`` receives every command,
    ``failed`` every exception that is a fault of ours: the client gets 500.
    """

    def __init__(
        self,
        view: RouterView,
        events: EventLog,
        credential: str = "",
        parts: Sequence[ApiPart] = (),
        commanded: Callable[[GivenCommand], None] = unheard,
        failed: Callable[[Exception], None] = ignored,
    ) -> None:
        self._commanded, self._failed = commanded, failed
        self._parts = tuple(parts)
        self._view = view
        self._events = events
        self._credential = credential
        self._scrapes: dict[str, tuple[float, bytes]] = {}  # The last one, by content type.
        self._rendering = asyncio.Lock()

    def application(self) -> web.Application:
        """The whole application, guarded."""
        app = application(self._guard, self.note_faults)
        routes = app.router
        routes.add_get("/healthz", self._healthz)
        routes.add_get("/readyz", self._readyz)
        routes.add_get("/metrics", self._scrape)
        routes.add_post("/api/v1/commands", self._command)
        self.add_reading_to(routes)
        return app

    def add_reading_to(self, routes: web.UrlDispatcher) -> None:
        """Add the read-only routes below ``/api/v1``, including those of the parts."""
        routes.add_get("/api/v1/status", self._status)
        routes.add_get("/api/v1/links", self._links)
        routes.add_get("/api/v1/services", self._services)
        routes.add_get("/api/v1/services/{name}", self._service)
        routes.add_get("/api/v1/services/{name}/scale", self._scale)
        routes.add_get("/api/v1/network", self._network)
        routes.add_get("/api/v1/bursts", self._bursts)
        routes.add_get("/api/v1/ca", self._ca)
        routes.add_get("/api/v1/why/{name}", self._why)
        for part in (EventsApi(self._events), *self._parts):
            part.add_to(routes)

    def probes(self) -> web.Application:
        """Four read-only routes for clients without a credential.

        They show whether the router lives and serves, its metrics, which name services, sites and
        links, and the demand for a service, which the metrics show too.
        """
        app = application(self._guard, self.note_faults)
        routes = app.router
        routes.add_get("/healthz", self._healthz)
        routes.add_get("/readyz", self._readyz_listening)
        routes.add_get("/metrics", self._scrape)
        routes.add_get("/api/v1/services/{name}/scale", self._scale)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._credential and request.path not in ("/healthz", "/readyz"):
            shown = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(shown, f"Bearer {self._credential}".encode()):
                return failure(
                    401,
                    "unauthorized",
                    "This address needs a bearer credential.",
                    "Authorization: Bearer, and what secrets/admin.credential of the site holds",
                )
            know(request)
        try:
            return await handler(request)
        except web.HTTPException as error:
            return refusal(error)

    @web.middleware
    async def note_faults(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Report what the connection answers with 500, except faults of clients and networks."""
        try:
            return await handler(request)
        except (web.HTTPException, web.RequestPayloadError, OSError):
            raise
        except Exception as error:
            self._failed(error)
            raise

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        if self._view.ready():
            return web.Response(text="ready\n")
        return web.Response(text="not ready\n", status=503)

    async def _readyz_listening(self, request: web.Request) -> web.Response:
        """As `_readyz`; with ``?service=NAME…`` also wait a while for listeners of these services.

        An application beside a sidecar then starts after its services are there. It must start
        without them too: no peer's fault may keep it down.
        """
        wanted = set(request.query.getall("service", []))
        if wanted and self._view.status().uptime_s < limits.PROBES_SERVICES_WAIT_S:
            wanted -= {
                service.name
                for service in self._view.services()
                if service.listener.state == "bound"
            }
            if wanted:
                missing = ", ".join(sorted(wanted))
                return web.Response(text=f"not listening yet for {missing}\n", status=503)
        return await self._readyz(request)

    async def _scrape(self, request: web.Request) -> web.Response:
        form = exposition.format_for(request.headers.get("Accept", ""))
        async with self._rendering:
            made_at, text = self._scrapes.get(form.content_type, (-inf, b""))
            if time.monotonic() - made_at > METRICS_CACHE_S:
                await self._view.look("metrics")
                made = await sliced(exposition.pieces(self._view.metrics(), form))
                text = b"".join(made.items)
                self._scrapes[form.content_type] = (time.monotonic(), text)
        return web.Response(body=text, headers={"Content-Type": form.content_type})

    async def _status(self, request: web.Request) -> web.Response:
        await self._view.look("lately")
        return item("Status", self._view.status())

    async def _links(self, request: web.Request) -> web.Response:
        await self._view.look("lately")
        return items("Link", self._view.links())

    async def _services(self, request: web.Request) -> web.Response:
        await self._view.look("services")
        return items("Service", self._view.services())

    async def _service(self, request: web.Request) -> web.Response:
        """One service, including the targets of other sites, which are asked now."""
        named = self._port_of(request)
        if isinstance(named, web.Response):
            return named
        name, port = named
        if not any(
            service.name == name and port in (None, service.port)
            for service in self._view.services()
        ):
            return await self._unknown(name, port)
        await self._view.look("services")
        answer = AwaitedAnswer[Mapping[int, list[TargetView]]]()
        self._view.ask_targets(name, answer.done)
        elsewhere = await answer.within(2 * limits.INQUIRY_WAIT_S)
        return items(
            "Service",
            [
                msgspec.structs.replace(
                    service, targets=(*service.targets, *elsewhere.get(service.port, ()))
                )
                for service in self._view.services()
                if service.name == name and port in (None, service.port)
            ],
        )

    def _port_of(self, request: web.Request) -> tuple[str, int | None] | web.Response:
        """Service and port named in the path; or an error answer."""
        return named_port(request.match_info["name"], self._view)

    async def _scale(self, request: web.Request) -> web.Response:
        asked = self._port_of(request)
        if isinstance(asked, web.Response):
            return asked
        await self._view.look("scales")
        scale = self._view.scale(*asked)
        if scale is None:
            # Any client may ask on the port of the probes: no search for similar names.
            why = self._why_unknown(asked[0])
            return not_known(request.match_info["name"]) if why is None else why
        return item("Scale", scale)

    async def _network(self, request: web.Request) -> web.Response:
        return items("Site", self._view.network())

    async def _bursts(self, request: web.Request) -> web.Response:
        return items("Burst", self._view.bursts())

    async def _ca(self, request: web.Request) -> web.Response:
        return item("Ca", self._view.ca())

    async def _why(self, request: web.Request) -> web.Response:
        asked_port = self._port_of(request)
        if isinstance(asked_port, web.Response):
            return asked_port
        name, port = asked_port
        if request.query.keys() & {"last", "denied", "failed"}:
            return await self._past(request, name, port)
        asked = [(by, request.query[by]) for by in get_args(AffinityBy) if by in request.query]
        if len(asked) > 1:
            return failure(400, "bad-session", "A session is asked for in one way only.")
        sheddable = request.query.get("sheddable", "0")
        if sheddable not in ("0", "1"):
            hint = f"sitectl why {name} --sheddable"
            return failure(400, "bad-class", f"{sheddable[:20]!r} is neither 0 nor 1.", hint)
        session = asked[0] if asked else None
        try:
            why = await self._view.why(name, port, session, sheddable=sheddable == "1")
        except BadQuestion as error:
            return failure(400, "bad-session", str(error), error.hint)
        if why is None:
            return await self._unknown(name, port)
        return item("Why", why)

    async def _unknown(self, name: str, port: int | None) -> web.Response:
        """404: no service of that name, or not with that port; then with the ports that it has."""
        ports = sorted({one.port for one in self._view.services() if one.name == name})
        if port is None or not ports:
            return await self._no_service(name)
        known = ", ".join(map(str, ports))
        text = f"Service {name!r} has no port {port}, it has {known}."
        return failure(404, "not-found", text, f"sitectl why {name}:{ports[0]}")

    async def _past(self, request: web.Request, name: str, port: int | None) -> web.Response:
        """The last decisions. ``last`` 1 to `limits.DECISIONS_KEPT`, all by default."""
        query, most = request.query, limits.DECISIONS_KEPT
        last = query.get("last", str(most))
        hint = (
            f"?last=1…{most}, denied=1 for those that no site took, failed=1 for those that failed:"
            f" sitectl why {name} --last 20"
        )
        if not _COUNT.fullmatch(last) or not 1 <= int(last) <= most:
            return failure(
                400, "bad-last", f"{last[:20]!r} is not a number from 1 to {most}.", hint
            )
        which: RequestSelection = "all"
        for one in _SELECTIONS:
            asked = query.get(one, "0")
            if asked not in ("0", "1"):
                return failure(400, f"bad-{one}", f"{one} is 0 or 1, not {asked[:20]!r}.", hint)
            if asked == "1":
                which = one  # Of both ``failed``: it has the denied, too.
        count = int(last) if "last" in query or which != "failed" else 2 * most  # Two are stored.
        if query.keys() & {*get_args(AffinityBy)}:
            text = "The past is not asked for by session: what a client sent is not kept."
            return failure(400, "bad-session", text, hint)
        past = await self._view.past(name, port, count, which)
        if past is None:
            return await self._unknown(name, port)
        return items("PastDecisions", past)

    async def _no_service(self, name: str) -> web.Response:
        why = self._why_unknown(name)
        return await no_service(name, self._view) if why is None else why

    def _why_unknown(self, name: str) -> web.Response | None:
        """Why ``name``, a service or its routing key, is not known here, as an answer."""
        why = self._view.why_unknown(name) or self._view.why_unknown(hashed_name(name))
        return failure(404, why.code, why.message, why.hint) if why is not None else None

    async def _command(self, request: web.Request) -> web.Response:
        try:
            command = msgspec.json.decode(await request.read(), type=Command)
        except UNREADABLE_JSON as error:
            return failure(400, "bad-request", f"The body is not a command: {error}.")
        by = await asker(request)
        name, arguments = command.command, command.arguments
        if "service" in arguments:
            arguments = arguments | {"service": service_meant(arguments["service"], self._view)}
        try:
            done = self._view.command(name, arguments)
        except UnknownCommand as error:
            return failure(400, "unknown-command", str(error))
        except CommandRefused as error:
            self._commanded(GivenCommand(by, name, arguments, failed=str(error)))
            return failure(422, "command-refused", f"{error}.", error.hint)
        except CommandFailed as error:
            self._commanded(GivenCommand(by, name, arguments, failed=str(error)))
            hint = "Check the disk and the permissions of the site's directory, then try again"
            return failure(500, "command-failed", str(error), hint)
        self._commanded(GivenCommand(by, name, arguments, done=done))
        return json({"ok": True, "message": done})
