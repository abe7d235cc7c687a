"""The API over HTTPS: who asks, may they, which resource, which answer."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import yaml
from aiohttp import web

from tests.kubernetes import (
    deleting,
    discovery,
    escalation,
    openapi2,
    protobuf,
    requests,
    reviews,
    selectors,
    tables,
)
from tests.kubernetes.answers import answer, failed, scale_of, success
from tests.kubernetes.decoding import Asked
from tests.kubernetes.failures import Failure, bad_request, no_such_path
from tests.kubernetes.faults import Fault, Faults, Seen
from tests.kubernetes.listening import Door, abort
from tests.kubernetes.rbac import Rules, Tokens, User, service_account
from tests.kubernetes.registry import APPLY_PATCH, CREATED_BY_UPDATE, Registry, now
from tests.kubernetes.requests import Wanted
from tests.kubernetes.resources import Json
from tests.kubernetes.watching import Watches

_YamlLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""With the pure Python loader, reading manifests would take a tenth of some tests' time."""
Subresource = Callable[[web.Request, Wanted, User], Awaitable[web.StreamResponse]]


class ApiServer:
    """Serves one `Registry`. ``further``: subresources that others serve (``pods/exec``).

    ``on_error`` hears of bugs of this server.
    """

    def __init__(
        self,
        registry: Registry,
        tokens: Tokens,
        faults: Faults,
        on_error: Callable[[str], None],
    ) -> None:
        self.on_error = on_error
        self.registry, self.tokens, self.faults = registry, tokens, faults
        self.rules = Rules(registry.store, registry.catalogue)
        self.watches = Watches(registry.store, faults)
        self.further: dict[str, Subresource] = {}
        self._door = Door(self._handle)

    async def start(self, address: str, port: int, context: ssl.SSLContext) -> int:
        """Listen; gives the port."""
        return await self._door.open(address, port, context)

    async def stop(self) -> None:
        """Stop to listen and cut all connections."""
        self.watches.cut()
        await self._door.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        wanted: Wanted | None = None
        name = "system:anonymous"
        try:
            if request.path in ("/readyz", "/livez", "/healthz"):
                return web.Response(text="ok")
            user = self.tokens.user(request.headers.get("Authorization", ""))
            name = user.name
            if request.path == "/openapi/v2":
                data = openapi2.document(self.registry.catalogue)
                return web.Response(body=data, content_type=openapi2.CONTENT_TYPE)
            if discovery.AGGREGATED in request.headers.get("Accept", ""):
                found = discovery.aggregated(self.registry.catalogue, request.path)
                if found is not None:
                    return answer(found, content_type=discovery.AGGREGATED)
            found = discovery.answer(self.registry.catalogue, request.path)
            if found is not None and request.method == "GET":
                return answer(found)
            wanted = self._wanted(request, user)
            fault = self.faults.hit(user.name, wanted)
            if fault is not None:
                await suffer(request, fault, user.name, wanted)
            self.rules.check(user, wanted)
            response = await self._answer(request, wanted, user)
            if fault is not None and fault.cut == "after":
                cut(request)
        except Failure as failure:
            response = failed(failure)
        except ConnectionError:
            raise
        except Exception as error:
            self.on_error(f"{request.method} {request.path_qs}: {error!r}")
            response = failed(Failure(500, "InternalError", "Internal error occurred"))
        if wanted is not None:
            agent = request.headers.get("User-Agent", "")
            self.faults.seen.append(
                Seen(user=name, wanted=wanted, code=response.status, agent=agent)
            )
        return response

    def _wanted(self, request: web.Request, user: User) -> Wanted:
        """404 for a resource that is not served, if the user would be allowed it; 403 otherwise."""
        query = request.query
        try:
            return requests.read(self.registry.catalogue, request.method, request.path, query)
        except Failure:
            unknown = requests.unserved(request.method, request.path, query)
            if unknown is not None:
                self.rules.check(user, unknown)
            raise

    async def _answer(self, request: web.Request, wanted: Wanted, user: User) -> web.StreamResponse:
        place = f"{wanted.resource.plural}/{wanted.subresource}"
        if place in self.further:
            return await self.further[place](request, wanted, user)
        if wanted.subresource not in ("", "status", "finalize"):
            return await self._subresource(request, wanted)
        match wanted.verb:
            case "watch":
                return await self._watch(request, wanted, user)
            case "list":
                return self._list(request, wanted)
            case "get":
                found = self.registry.get(wanted.resource, wanted.namespace, wanted.name)
                return self._one(request, wanted, found)
            case "create":
                return await self._create(request, wanted, user)
            case "update" | "patch":
                self._check_creation(request, wanted, user)
                return await self._change(request, wanted, user)
            case "delete":
                return await self._delete(request, wanted)
            case "deletecollection":
                return await self._delete_all(request, wanted)
        raise Failure(405, "MethodNotAllowed", "the server does not allow this method")

    def _check_creation(self, request: web.Request, wanted: Wanted, user: User) -> None:
        """403 for an update or a server-side apply that would create the object, without the right
        to create.
        """
        applies = wanted.verb == "patch" and request.content_type == APPLY_PATCH
        if not applies and (
            wanted.verb != "update" or wanted.resource.kind not in CREATED_BY_UPDATE
        ):
            return
        if self.registry.store.get(wanted.resource, wanted.namespace, wanted.name) is None:
            self.rules.check(user, msgspec.structs.replace(wanted, verb="create"))

    def _list(self, request: web.Request, wanted: Wanted) -> web.Response:
        query = request.query
        matches = _selector(wanted, query)
        store = self.registry.store
        version = query.get("resourceVersion", "")
        if version.isdigit() and int(version) > store.revision:
            text = f"Too large resource version: {version}, current: {store.revision}"
            raise Failure(504, "Timeout", text, retry_after_s=1)
        limit = int(query.get("limit") or 0)
        page = store.page(
            wanted.resource, wanted.namespace, matches, limit, query.get("continue", "")
        )
        metadata: Json = {"resourceVersion": str(page.revision)}
        if page.token:
            metadata["continue"] = page.token
            if matches is selectors.everything:
                metadata["remainingItemCount"] = page.remaining
        if _wants_table(request):
            objects = query.get("includeObject", "Metadata")
            return answer(tables.table(wanted.resource, page.items, metadata, objects))
        return answer(
            {
                "kind": f"{wanted.resource.kind}List",
                "apiVersion": wanted.resource.api_version,
                "metadata": metadata,
                "items": page.items,
            }
        )

    async def _watch(self, request: web.Request, wanted: Wanted, user: User) -> web.StreamResponse:
        matches = _selector(wanted, request.query)

        def shown(found: Json) -> Json:
            if not _wants_table(request) or found.get("kind") == "Status":
                return found
            objects = request.query.get("includeObject", "Metadata")
            return tables.table(wanted.resource, [found], {}, objects)

        self.faults.seen.append(Seen(user=user.name, wanted=wanted, code=0))
        return await self.watches.serve(request, wanted, user.name, matches, shown)

    def _one(
        self, request: web.Request, wanted: Wanted, found: Json, code: int = 200
    ) -> web.Response:
        if _wants_table(request) and request.method == "GET":
            objects = request.query.get("includeObject", "Metadata")
            version = found["metadata"]["resourceVersion"]
            metadata = {"resourceVersion": version}
            return answer(tables.table(wanted.resource, [found], metadata, objects))
        return answer(found, code, self.registry.warnings if request.method != "GET" else [])

    async def _create(self, request: web.Request, wanted: Wanted, user: User) -> web.StreamResponse:
        given = await _body(request)
        if wanted.resource.verbs == ("create",):
            return answer(reviews.answer(self.rules, user, wanted.resource, given), 201)
        if wanted.name:
            raise Failure(405, "MethodNotAllowed", "the server does not allow this method")
        asked = requests.asked(request.query, request.headers.get("User-Agent", ""))
        if wanted.resource in self.registry.catalogue.terminating:
            text = "create not allowed while custom resource definition is terminating"
            raise Failure(405, "MethodNotAllowed", text)
        place = wanted.resource, wanted.namespace
        self._confirm(user, wanted, asked, lambda how: self.registry.create(*place, given, how))
        found = self.registry.create(*place, given, asked)
        return self._one(request, wanted, found, 201)

    def _confirm(
        self, user: User, wanted: Wanted, asked: Asked, write: Callable[[Asked], Json]
    ) -> None:
        """403 for a ``write`` that would give rights which the user does not hold."""
        if not escalation.gives_rights(wanted):
            return
        before = self.registry.store.get(wanted.resource, wanted.namespace, wanted.name)
        found = write(msgspec.structs.replace(asked, dry_run=True))
        escalation.confirm(self.rules, user, wanted, before, found)

    async def _change(self, request: web.Request, wanted: Wanted, user: User) -> web.StreamResponse:
        given = await _body(request)
        asked = requests.asked(request.query, request.headers.get("User-Agent", ""))
        place = wanted.resource, wanted.namespace, wanted.name
        part = wanted.subresource if wanted.subresource == "status" else ""
        if wanted.subresource == "finalize":
            return answer(self.registry.finalize(given))
        kind = request.content_type
        self._confirm(
            user,
            wanted,
            asked,
            lambda how: (
                self.registry.update(*place, given, how, part)
                if wanted.verb == "update"
                else self.registry.patch(*place, given, kind, how, part)[0]
            ),
        )
        if wanted.verb == "update":
            code = 200 if self.registry.store.get(*place) is not None else 201
            found = self.registry.update(*place, given, asked, part)
            return self._one(request, wanted, found, code)
        found, is_new = self.registry.patch(*place, given, kind, asked, part)
        return self._one(request, wanted, found, 201 if is_new else 200)

    async def _delete(self, request: web.Request, wanted: Wanted) -> web.StreamResponse:
        options = await _options(request)
        place = wanted.resource, wanted.namespace, wanted.name
        dry_run = bool(options.get("dryRun")) or request.query.get("dryRun") == "All"
        found, is_gone = self.registry.delete(*place, options, dry_run=dry_run)
        if not is_gone:
            return answer(found)
        return answer(success(wanted, found))

    async def _delete_all(self, request: web.Request, wanted: Wanted) -> web.StreamResponse:
        options = await _options(request)
        matches = _selector(wanted, request.query)
        found = [
            each
            for each in self.registry.store.all(wanted.resource, wanted.namespace)
            if matches(each)
        ]
        for each in found:
            metadata = each["metadata"]
            self.registry.delete(
                wanted.resource, metadata.get("namespace", ""), metadata["name"], options
            )
        metadata = {"resourceVersion": str(self.registry.store.revision)}
        kind = f"{wanted.resource.kind}List"
        version = wanted.resource.api_version
        return answer({"kind": kind, "apiVersion": version, "metadata": metadata, "items": found})

    async def _subresource(self, request: web.Request, wanted: Wanted) -> web.StreamResponse:
        place = wanted.resource, wanted.namespace, wanted.name
        match wanted.subresource:
            case "scale":
                found = self.registry.get(*place)
                if wanted.verb != "get":
                    found = await self._scale(request, wanted, found)
                return answer(scale_of(found))
            case "eviction":
                pod = self.registry.get(*place)
                deleting.take_from_budgets(self.registry, pod)
                found, _gone = self.registry.delete(
                    *place, (await _body(request)).get("deleteOptions") or {}
                )
                return answer(success(wanted, found), 201)
            case "token":
                self.registry.get(*place)
                given = await _body(request)
                token = self.tokens.issue(service_account(wanted.namespace, wanted.name))
                given["status"] = {"token": token, "expirationTimestamp": now(3600)}
                given.setdefault("metadata", {})
                return answer(given, 201)
        raise no_such_path()

    async def _scale(self, request: web.Request, wanted: Wanted, found: Json) -> Json:
        given = await _body(request)
        place = wanted.resource, wanted.namespace, wanted.name
        if wanted.verb == "patch":
            kind = request.content_type
            scale = self.registry.patched(wanted.resource, scale_of(found), given, kind)
        else:
            scale = given
        replicas = scale.get("spec", {}).get("replicas", 0)
        version = scale.get("metadata", {}).get("resourceVersion") or None
        patch = {"spec": {"replicas": replicas}, "metadata": {"resourceVersion": version}}
        asked = requests.asked(request.query, request.headers.get("User-Agent", ""))
        merge = "application/merge-patch+json"
        return self.registry.patch(*place, patch, merge, asked, "")[0]


def _selector(wanted: Wanted, query: Any) -> selectors.Matches:
    matches = selectors.of_query(
        wanted.resource, query.get("labelSelector", ""), query.get("fieldSelector", "")
    )
    if wanted.verb != "watch":
        return matches
    if wanted.name:
        return lambda found: found["metadata"]["name"] == wanted.name and matches(found)
    if not wanted.namespace:
        return matches
    return lambda found: found["metadata"]["namespace"] == wanted.namespace and matches(found)


def _wants_table(request: web.Request) -> bool:
    return "as=Table" in request.headers.get("Accept", "")


async def suffer(request: web.Request, fault: Fault, user: str, wanted: Wanted) -> None:
    """Let a fault happen to a request."""
    if fault.delay_s:
        await asyncio.sleep(fault.delay_s)
    if fault.cut == "before":
        cut(request)
    fault.refuse(user, wanted)


def cut(request: web.Request) -> None:
    """Break its connection."""
    if request.transport is not None:
        abort(request.transport)
    raise ConnectionResetError


async def _body(request: web.Request) -> Any:
    data = await request.read()
    if request.content_type == protobuf.CONTENT_TYPE:
        return protobuf.read(data)
    try:
        if request.content_type in (APPLY_PATCH, "application/yaml"):
            return yaml.load(data, _YamlLoader)
        return msgspec.json.decode(data)
    except (yaml.YAMLError, msgspec.DecodeError) as error:
        raise bad_request(f"the request body cannot be read: {error}") from error


async def _options(request: web.Request) -> Json:
    given = await _body(request) if request.can_read_body else {}
    options = dict(given or {})
    if "propagationPolicy" in request.query:
        options.setdefault("propagationPolicy", request.query["propagationPolicy"])
    if "gracePeriodSeconds" in request.query:
        options.setdefault("gracePeriodSeconds", int(request.query["gracePeriodSeconds"]))
    return options
