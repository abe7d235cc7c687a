"""Calls to a Kubernetes API server in the few forms that a site needs, with one fault policy.

Objects go in and come out as JSON (`Object`). Each call has a deadline that covers its retries.
What the server refuses is an `ApiError` with its status; no answer at all is one with status 0.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Final, Protocol, Self

import msgspec

from router.control.kubernetes.answers import (
    CONFLICT,
    FORBIDDEN,
    GONE,
    INVALID,
    NO_ANSWER,
    NOT_FOUND,
    TOO_MANY,
    Answer,
    ApiError,
    Listed,
    Page,
    WatchEvent,
    WatchLine,
    decoded,
    lines,
    object_of,
    refused,
    typed,
)
from router.kubernetes.kinds import KINDS, KindInfo
from router.kubernetes.objects import Object, metadata, name_of
from router.model import limits

__all__ = [
    "ALL_NAMESPACES",
    "CONFLICT",
    "FIELD_MANAGER",
    "FORBIDDEN",
    "GONE",
    "INVALID",
    "NOT_FOUND",
    "NO_ANSWER",
    "TOO_MANY",
    "Answer",
    "Api",
    "ApiError",
    "Page",
    "Transport",
    "WatchEvent",
    "backoff_s",
    "refused",
    "typed",
]

FIELD_MANAGER: Final = "spillway"
ALL_NAMESPACES: Final = "*"
MERGE_PATCH: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
JSON: Final = "application/json"

_REPEATABLE: Final = frozenset({NO_ANSWER, TOO_MANY, 500, 502, 503, 504})
_NOT_BEGUN: Final = frozenset({TOO_MANY})
"""Refused before anything was done: even what may be done only once is sent again."""


class Transport(Protocol):
    """HTTP to one API server, authenticated. Raises `ApiError` with status 0."""

    async def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: bytes | None,
        content_type: str,
        timeout_s: float,
    ) -> Answer:
        """The answer, whatever its status."""
        ...

    def stream(
        self, path: str, params: Mapping[str, str], silence_s: float
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Pieces of a GET's body as they come; `ApiError` for a status that is not 200.

        Raises as well when nothing came for ``silence_s``.
        """
        ...

    async def close(self) -> None:
        """End all connections."""
        ...


class Api:
    """One API server, seen from one namespace. Belongs to one event loop.

    Kinds are named as in `KINDS`. ``namespace`` of a call: another than the own one, or
    `ALL_NAMESPACES` for lists and watches.
    """

    def __init__(
        self,
        transport: Transport,
        namespace: str,
        rng: random.Random,
        field_manager: str = FIELD_MANAGER,
    ) -> None:
        self._transport = transport
        self._rng = rng
        self._as_us = {"fieldManager": field_manager}
        self.namespace = namespace

    @classmethod
    def connect(
        cls,
        namespace: str = "",
        kubeconfig: str | None = None,
        context: str | None = None,
        field_manager: str = FIELD_MANAGER,
    ) -> Self:
        """Ready to call; nothing is sent yet. Reads files.

        Without ``kubeconfig`` and ``context``: the pod's service account when there is one, else
        KUBECONFIG, else ``~/.kube/config``. ``namespace`` empty: that of the account or context.
        ConfigError SW0430, SW0431: the extra is not installed; nothing says where the API is.
        """
        from router.control.kubernetes.transport import open_transport

        transport, default_namespace = open_transport(kubeconfig, context)
        rng = random.SystemRandom()
        return cls(transport, namespace or default_namespace, rng, field_manager)

    async def close(self) -> None:
        """End all connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.close()

    # Reading --------------------------------------------------------------------------------

    async def get(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any]:
        """The object; ApiError 404: there is none."""
        return object_of(await self._call("GET", self._path(kind, name, namespace=namespace)))

    async def find(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        """The object, or None."""
        try:
            return await self.get(kind, name, namespace=namespace)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            return None

    async def pages(
        self, kind: str, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> AsyncGenerator[Page, None]:
        """All objects of ``kind``, some at a time. Items carry no ``kind`` of their own.

        ApiError 410: the list grew old between two pages, begin again.
        """
        params = _selected(labels, fields) | {"limit": str(limits.API_PAGE_OBJECTS)}
        path = self._path(kind, namespace=namespace)
        while True:
            found = decoded(await self._call("GET", path, params=params), Listed)
            yield Page(found.items or [], found.metadata.resource_version)
            if not found.metadata.more:
                return
            params["continue"] = found.metadata.more

    async def list(
        self, kind: str, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> Page:
        """All objects of ``kind`` at once, each with its ``kind`` and ``apiVersion``."""
        info = _info(kind)
        for is_last in (False, True):
            items: list[dict[str, Any]] = []
            version = ""
            try:
                pages = self.pages(kind, labels=labels, fields=fields, namespace=namespace)
                async with aclosing(pages):
                    async for page in pages:
                        version = page.version
                        items += [typed(found, info) for found in page.items]
            except ApiError as error:
                if is_last or not error.is_gone:
                    raise
                continue  # It grew old between two pages.
            break
        return Page(items, version)

    async def watch(
        self,
        kind: str,
        version: str,
        *,
        labels: str = "",
        fields: str = "",
        namespace: str = "",
        timeout_s: int = limits.WATCH_S,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Changes after ``version``, with bookmarks, until the server ends it (``timeout_s``).

        The first is a bookmark of ``version`` itself: the server agreed to watch. ApiError 410:
        list again. Also raised for ERROR events and for a watch that fell silent. Close it
        (`contextlib.aclosing`) when leaving early.
        """
        params = _selected(labels, fields) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(timeout_s),
        }
        info = _info(kind)
        path = self._path(kind, namespace=namespace)
        async with self._transport.stream(path, params, limits.WATCH_SILENCE_S) as pieces:
            yield WatchEvent("BOOKMARK", {"metadata": {"resourceVersion": version}})
            async for line in lines(pieces):
                told = decoded(line, WatchLine)
                if told.type == "ERROR":
                    raise refused(0, msgspec.json.encode(told.object), None)
                yield WatchEvent(told.type, typed(told.object, info))

    async def create_review(self, attributes: Mapping[str, str], *, namespace: str = "") -> bool:
        """Whether we may do this: ``verb``, ``resource``, ``group``, ``name``, ``subresource``."""
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {
                "resourceAttributes": {"namespace": namespace or self.namespace, **attributes}
            },
        }
        path = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = object_of(await self._call("POST", path, body=review, repeats=True))
        status = answer.get("status")
        return isinstance(status, dict) and status.get("allowed") is True

    # Writing --------------------------------------------------------------------------------

    async def create(self, made: Object, *, namespace: str = "") -> dict[str, Any]:
        """The object as it was made. ApiError 409 ``AlreadyExists``.

        Sent again only when it was surely not carried out.
        """
        path = self._path(_kind(made), namespace=namespace or _namespace(made))
        body = await self._call("POST", path, params=self._as_us, body=made, repeats=False)
        return object_of(body)

    async def replace(
        self, whole: Object, *, subresource: str = "", namespace: str = ""
    ) -> dict[str, Any]:
        """Put ``whole`` in place of the object that has its version; ApiError 409 ``Conflict``."""
        namespace = namespace or _namespace(whole)
        path = self._path(_kind(whole), name_of(whole), subresource, namespace=namespace)
        return object_of(await self._call("PUT", path, params=self._as_us, body=whole))

    async def patch(
        self,
        kind: str,
        name: str,
        changes: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        subresource: str = "",
        namespace: str = "",
    ) -> dict[str, Any]:
        """Merge ``changes`` (None removes a field), or apply a list of JSON patch operations.

        ``metadata.resourceVersion`` in ``changes``: ApiError 409 if the object has another.
        A list is not sent twice unless it was surely not carried out.
        """
        is_merge = isinstance(changes, Mapping)
        body = await self._call(
            "PATCH",
            self._path(kind, name, subresource, namespace=namespace),
            params=self._as_us,
            body=changes,
            content_type=MERGE_PATCH if is_merge else JSON_PATCH,
            repeats=is_merge,
        )
        return object_of(body)

    async def apply(
        self, wanted: Object, *, force: bool = True, subresource: str = "", namespace: str = ""
    ) -> dict[str, Any]:
        """Server-side apply: the fields of ``wanted`` become ours, others stay as they are."""
        namespace = namespace or _namespace(wanted)
        body = await self._call(
            "PATCH",
            self._path(_kind(wanted), name_of(wanted), subresource, namespace=namespace),
            params={**self._as_us, "force": "true" if force else "false"},
            body=wanted,
            content_type=APPLY_PATCH,
        )
        return object_of(body)

    async def delete(
        self, kind: str, name: str, *, uid: str = "", version: str = "", namespace: str = ""
    ) -> bool:
        """Delete it, in the background what it owns. False: there was none.

        ApiError 409: it has another ``uid`` or ``version`` than the one meant.
        """
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
        }
        if uid or version:
            known = {"uid": uid, "resourceVersion": version}
            options["preconditions"] = {name: value for name, value in known.items() if value}
        try:
            await self._call("DELETE", self._path(kind, name, namespace=namespace), body=options)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            return False
        return True

    # One call -------------------------------------------------------------------------------

    def _path(
        self, kind: str, name: str = "", subresource: str = "", *, namespace: str = ""
    ) -> str:
        info = _info(kind)
        root = "apis" if "/" in info.api_version else "api"
        namespace = namespace or self.namespace
        parts = [root, info.api_version]
        if namespace != ALL_NAMESPACES:
            parts += ["namespaces", namespace]
        parts += [part for part in (info.plural, name, subresource) if part]
        return "/".join(parts)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
        repeats: bool = True,
    ) -> bytes:
        """The body of a good answer. ``repeats``: doing it twice is as doing it once."""
        encoded = None if body is None else msgspec.json.encode(body)
        deadline = asyncio.get_running_loop().time() + limits.API_CALL_S
        for attempt in range(limits.API_ATTEMPTS_MAX):
            left_s = deadline - asyncio.get_running_loop().time()
            error = await self._attempt(
                method, path, params or {}, encoded, content_type, min(left_s, limits.API_ATTEMPT_S)
            )
            if isinstance(error, bytes):
                return error
            may_repeat = error.status in (_REPEATABLE if repeats else _NOT_BEGUN)
            wait_s = backoff_s(attempt, self._rng, error.retry_after_s)
            left_s = deadline - asyncio.get_running_loop().time()
            if not may_repeat or attempt == limits.API_ATTEMPTS_MAX - 1 or wait_s >= left_s:
                raise error
            await asyncio.sleep(wait_s)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _attempt(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: bytes | None,
        content_type: str,
        timeout_s: float,
    ) -> bytes | ApiError:
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._transport.request(
                    method, path, params, body, content_type, timeout_s
                )
        except TimeoutError:
            return ApiError(NO_ANSWER, "Timeout", f"no answer within {timeout_s:.0f} s")
        except ApiError as error:
            return error
        if 200 <= answer.status < 300:
            return answer.body
        return refused(answer.status, answer.body, answer.retry_after_s)


def backoff_s(
    attempt: int, rng: random.Random, asked_s: float | None = None, most_s: float = 0.0
) -> float:
    """The wait after failure number ``attempt`` (from 0): doubling, jittered by half.

    Never shorter than what the server asked for, which is stretched so that not all come back at
    once. ``most_s`` 0: `API_BACKOFF_MAX_S`.
    """
    base_s: float = limits.API_BACKOFF_S * 2.0 ** min(attempt, 16)
    wait_s = min(base_s, most_s or limits.API_BACKOFF_MAX_S) * rng.uniform(0.5, 1.0)
    if asked_s is None:
        return wait_s
    return max(wait_s, min(asked_s, limits.API_RETRY_AFTER_MAX_S) * rng.uniform(1.0, 1.25))


def _selected(labels: str, fields: str) -> dict[str, str]:
    found = {"labelSelector": labels, "fieldSelector": fields}
    return {name: text for name, text in found.items() if text}


def _info(kind: str) -> KindInfo:
    return KINDS[kind]


def _kind(found: Object) -> str:
    return str(found["kind"])


def _namespace(found: Object) -> str:
    namespace = metadata(found).get("namespace", "")
    return namespace if isinstance(namespace, str) else ""
