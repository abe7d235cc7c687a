"""A Kubernetes API server on an event loop, in the few verbs that a site needs.

Objects go in and come out as JSON (`Object`). `verbs` defines the verbs, `errors` the refusals.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import msgspec

from router.kubernetes.client import api_calls, watches
from router.kubernetes.client.api_calls import ApiAnswer, Page
from router.kubernetes.client.errors import ApiError, late
from router.kubernetes.client.ports import Transport
from router.kubernetes.client.verbs import ApiAttempt, ApiVerbs, Steps
from router.kubernetes.client.watches import WatchEvent
from router.kubernetes.objects.names import FIELD_MANAGER
from router.model import limits

_Words = ParamSpec("_Words")
_Result = TypeVar("_Result")


def _awaited(
    verb: Callable[Concatenate[ApiVerbs, _Words], Steps[_Result]],
) -> Callable[Concatenate["Api", _Words], Coroutine[Any, Any, _Result]]:
    """``verb`` as a method of `Api`."""

    @wraps(verb)
    async def method(api: "Api", /, *args: _Words.args, **kwargs: _Words.kwargs) -> _Result:
        return await api.run(verb(api.verbs, *args, **kwargs))

    return method


class Api:
    """One API server, seen from one namespace. Belongs to one event loop.

    Kinds are named as in `KINDS`. ``namespace`` of a call: another than the client's, or
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
        self.verbs = ApiVerbs(namespace, rng, _now, manager=field_manager)
        self.namespace = namespace

    @classmethod
    def connect(
        cls,
        namespace: str = "",
        kubeconfig: str | None = None,
        context: str | None = None,
        field_manager: str = FIELD_MANAGER,
    ) -> Self:
        """A client that is ready to call; sends nothing yet. Reads files.

        Without ``kubeconfig`` and ``context``: the pod's service account if there is one, else
        KUBECONFIG, else ``~/.kube/config``. ``namespace`` empty: that of the account or context.
        ConfigError SW0430: the extra is not installed; SW0431: no configuration has the API's
        address.
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

    def use_version(self, api_version: str) -> None:
        """Use ``api_version`` instead of the version in `KINDS` for the kinds of its group."""
        self.verbs.use_version(api_version)

    get = _awaited(ApiVerbs.get)
    find = _awaited(ApiVerbs.find)
    list = _awaited(ApiVerbs.list)
    allows = _awaited(ApiVerbs.allows)
    serves = _awaited(ApiVerbs.serves)
    creatable = _awaited(ApiVerbs.creatable)
    is_creatable = _awaited(ApiVerbs.is_creatable)
    access_level = _awaited(ApiVerbs.access_level)
    create = _awaited(ApiVerbs.create)
    replace = _awaited(ApiVerbs.replace)
    patch = _awaited(ApiVerbs.patch)
    apply = _awaited(ApiVerbs.apply)
    delete = _awaited(ApiVerbs.delete)
    send = _awaited(ApiVerbs.send)
    send_if_there = _awaited(ApiVerbs.send_if_there)

    async def pages(
        self, kind: str, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> AsyncGenerator[Page, None]:
        """All objects of ``kind``, page by page.

        ApiError 410: the list expired between two pages, start again. An answer that is no list is
        an ApiError, too: taken for an empty list it would withdraw everything.
        """
        pages = self.verbs.pages(kind, labels=labels, fields=fields, namespace=namespace)
        while (page := await self.run(pages.next_page())) is not None:
            yield page

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
        """Changes after ``version``, with bookmarks, until the watch ends (``timeout_s``).

        The first event is a bookmark of ``version`` itself: the server agreed to watch. ApiError
        410: list again. ApiError is also raised for ERROR events and for a watch that fell silent.
        Close the generator (`contextlib.aclosing`) when leaving early.
        """
        info = self.verbs.info(kind)
        path = api_calls.path_of(info, namespace or self.namespace)
        selected = api_calls.selectors(labels, fields)
        return watches.watch(self._transport, path, info, selected, version, timeout_s)

    async def run(self, steps: Steps[_Result]) -> _Result:
        """Run a verb of `verbs`."""
        try:
            attempt = next(steps)
            while True:
                await asyncio.sleep(attempt.after_s)
                attempt = steps.send(await self._answer(attempt))
        except StopIteration as end:
            result: _Result = end.value
            return result

    async def _answer(self, attempt: ApiAttempt) -> ApiAnswer | ApiError:
        call = attempt.call
        body = None if call.body is None else msgspec.json.encode(call.body)
        try:
            async with asyncio.timeout(attempt.timeout_s):
                return await self._transport.request(
                    call.method,
                    call.path,
                    call.params,
                    body,
                    call.content_type,
                    attempt.timeout_s,
                )
        except TimeoutError:
            return late()
        except ApiError as error:
            return error


def _now() -> float:
    return asyncio.get_running_loop().time()
