"""A Kubernetes API server in the few verbs that a site needs.

Objects go in and come out as JSON (`Object`). How one call is made and made again is in `calls`,
what many objects at a time need in `lists`, what the server refuses in `errors`.
"""

import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Self

from router.kubernetes.client import api_calls, lists
from router.kubernetes.client.api_calls import (
    FIELD_MANAGER,
    JSON,
    ApiCall,
    Page,
    namespace_of,
    typed,
)
from router.kubernetes.client.calls import Calls, Transport
from router.kubernetes.client.errors import NOT_FOUND, ApiError, decoded, malformed
from router.kubernetes.client.lists import WatchEvent
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.objects import Object, name_of
from router.model import limits


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
        self._calls = Calls(transport, rng)
        self._manager = field_manager
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
        from router.kubernetes.client.transport import open_transport

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
        found = await self._object(api_calls.get(kind, name, namespace or self.namespace))
        if name_of(found) != name:  # A proxy that answers with anything has not told what there is.
            raise malformed(f"no {kind} {name}")
        return found

    async def find(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        """The object, or None."""
        try:
            return await self.get(kind, name, namespace=namespace)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            return None

    def pages(
        self, kind: str, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> AsyncGenerator[Page, None]:
        """All objects of ``kind``, some at a time. Items carry no ``kind`` of their own.

        ApiError 410: the list grew old between two pages, begin again. What is no list is an
        ApiError, too: taken for an empty one it would withdraw everything.
        """
        selected = api_calls.selectors(labels, fields)
        return lists.pages(self._calls, kind, namespace or self.namespace, selected)

    async def list(
        self, kind: str, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> Page:
        """All objects of ``kind`` at once, each with its ``kind`` and ``apiVersion``."""
        info = KINDS[kind]
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

    def watch(
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
        path = api_calls.path_of(kind, namespace or self.namespace)
        selected = api_calls.selectors(labels, fields)
        return lists.watch(self._transport, path, KINDS[kind], selected, version, timeout_s)

    async def create_review(self, attributes: Mapping[str, str], *, namespace: str = "") -> bool:
        """Whether we may do this: ``verb``, ``resource``, ``group``, ``name``, ``subresource``."""
        review = api_calls.access_review(attributes, namespace or self.namespace)
        return api_calls.is_allowed(await self._object(review))

    # Writing --------------------------------------------------------------------------------

    async def create(self, made: Object, *, namespace: str = "") -> dict[str, Any]:
        """The object as it was made. ApiError 409 ``AlreadyExists``.

        Sent again only when it was surely not carried out.
        """
        call = api_calls.create(made, self._namespace(namespace, made), self._manager)
        return await self._object(call)

    async def replace(
        self, whole: Object, *, subresource: str = "", namespace: str = ""
    ) -> dict[str, Any]:
        """Put ``whole`` in place of the object that has its version; ApiError 409 ``Conflict``."""
        place = self._namespace(namespace, whole)
        return await self._object(api_calls.replace(whole, place, subresource, self._manager))

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
        place = namespace or self.namespace
        call = api_calls.patch(kind, name, changes, place, subresource, self._manager)
        return await self._object(call)

    async def apply(
        self, wanted: Object, *, force: bool = True, subresource: str = "", namespace: str = ""
    ) -> dict[str, Any]:
        """Server-side apply: the fields of ``wanted`` become ours, others stay as they are."""
        call = api_calls.apply(
            wanted,
            self._namespace(namespace, wanted),
            force=force,
            subresource=subresource,
            manager=self._manager,
        )
        return await self._object(call)

    async def delete(
        self, kind: str, name: str, *, uid: str = "", version: str = "", namespace: str = ""
    ) -> bool:
        """Delete it, in the background what it owns. False: there was none.

        ApiError 409: it has another ``uid`` or ``version`` than the one meant.
        """
        place = namespace or self.namespace
        try:
            await self._calls.send(api_calls.delete(kind, name, place, uid=uid, version=version))
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            return False
        return True

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
    ) -> dict[str, Any]:
        """One call that may be repeated, for kinds that are not in `KINDS`."""
        as_us = {"fieldManager": self._manager} if method == "PATCH" else {}
        whole = {**as_us, **(params or {})}
        body = await self._calls.call(
            method, path, params=whole, body=body, content_type=content_type
        )
        return decoded(body, dict[str, Any])

    async def _object(self, call: ApiCall) -> dict[str, Any]:
        return decoded(await self._calls.send(call), dict[str, Any])

    def _namespace(self, stated: str, found: Object) -> str:
        return stated or namespace_of(found) or self.namespace
