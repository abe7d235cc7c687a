"""Routers and `sitectl` ask an API server the same, and take the same for no answer."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from router.kubernetes.client import api_calls
from router.kubernetes.client.api import Api
from router.kubernetes.client.api_calls import ApiAnswer
from router.kubernetes.client.errors import ApiError, refused
from router.kubernetes.objects.kinds import KINDS
from sitectl.base.failure import Failure
from sitectl.kubernetes.cluster import Cluster, Executed

OBJECT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "router", "resourceVersion": "7"},
}
LIST = {"kind": "DeploymentList", "metadata": {"resourceVersion": "9"}, "items": []}
Said = tuple[str, str, dict[str, str], object, str]


class Threaded(Cluster):
    """`sitectl`'s client: answers ``body``, and records its requests."""

    def __init__(self, body: bytes) -> None:
        super().__init__("shop")
        self.body, self.said = body, list[Said]()

    def call(
        self, method: str, path: str, body: object = None, content_type: str = ""
    ) -> ApiAnswer:
        url = urlsplit(path)
        params = dict(parse_qsl(url.query))
        self.said.append((method, url.path, params, body, content_type or "application/json"))
        return ApiAnswer(200, self.body)

    def execute(self, pod: str, container: str, command: Sequence[str]) -> Executed:
        raise NotImplementedError

    def follow(self, pod: str, container: str, command: Sequence[str]) -> Iterator[bytes]:
        raise NotImplementedError


class OnLoop:
    """A router's transport, likewise."""

    def __init__(self, body: bytes) -> None:
        self.body, self.said = body, list[Said]()

    async def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: bytes | None,
        content_type: str,
        timeout_s: float,
    ) -> ApiAnswer:
        sent = None if body is None else json.loads(body)
        self.said.append((method, path, dict(params), sent, content_type))
        return ApiAnswer(200, self.body)

    def stream(
        self, path: str, params: Mapping[str, str], silence_s: float
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        raise NotImplementedError

    async def close(self) -> None:
        pass


def api_of(transport: OnLoop) -> Api:
    return Api(transport, "shop", random.Random(1))


Both = tuple[Callable[[Cluster], object], Callable[[Api], Awaitable[object]]]
VERBS: dict[str, Both] = {
    "get": (lambda c: c.get("Deployment", "router"), lambda a: a.get("Deployment", "router")),
    "create": (lambda c: c.create(OBJECT), lambda a: a.create(OBJECT)),
    "replace": (lambda c: c.replace(OBJECT), lambda a: a.replace(OBJECT)),
    "patch": (
        lambda c: c.patch("Deployment", "router", {"spec": None}),
        lambda a: a.patch("Deployment", "router", {"spec": None}),
    ),
    "apply": (lambda c: c.apply(OBJECT, force=False), lambda a: a.apply(OBJECT, force=False)),
    "delete": (
        lambda c: c.delete("Deployment", "router", uid="u"),
        lambda a: a.delete("Deployment", "router", uid="u"),
    ),
    "review": (
        lambda c: c.allows({"verb": "get", "resource": "secrets"}),
        lambda a: a.allows({"verb": "get", "resource": "secrets"}),
    ),
}


@pytest.mark.parametrize("verb", VERBS)
def test_both_clients_ask_the_same(verb: str) -> None:
    answer = msgspec.json.encode(OBJECT)
    cluster, transport = Threaded(answer), OnLoop(answer)
    in_thread, on_loop = VERBS[verb]

    async def ask() -> None:
        await on_loop(api_of(transport))

    in_thread(cluster)
    asyncio.run(ask())
    assert cluster.said == transport.said and len(cluster.said) == 1


def test_both_clients_list_page_by_page() -> None:
    answer = msgspec.json.encode({**LIST, "items": [{"metadata": {"name": "a"}}]})
    cluster, transport = Threaded(answer), OnLoop(answer)
    items = asyncio.run(api_of(transport).list("Deployment", labels="a=b")).items
    assert cluster.list("Deployment", "a=b") == items
    assert items == [{"metadata": {"name": "a"}, "apiVersion": "apps/v1", "kind": "Deployment"}]
    for asked in (cluster, transport):
        (_, path, params, _, _), *_ = asked.said
        assert path == "apis/apps/v1/namespaces/shop/deployments"
        assert params.pop("limit").isdecimal() and params == {"labelSelector": "a=b"}


@pytest.mark.parametrize(
    "answer",
    [b"<html>", b"[]", b"{}", b'{"kind": "PodList", "metadata": {"resourceVersion": "1"}}'],
)
def test_what_is_no_list_says_not_that_there_is_none(answer: bytes) -> None:
    with pytest.raises(Failure) as failed:
        Threaded(answer).list("Deployment")
    assert failed.value.code == "bad-answer"
    with pytest.raises(ApiError) as refused:
        asyncio.run(api_of(OnLoop(answer)).list("Deployment"))
    assert refused.value.reason == "Malformed"


def test_a_list_without_end_is_left() -> None:
    endless = {**LIST, "metadata": {"resourceVersion": "9", "continue": "more"}}
    with pytest.raises(Failure, match="without end"):
        Threaded(msgspec.json.encode(endless)).list("Deployment")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"message": 1}', b'"x"'])
def test_a_refusal_in_any_words_is_one(body: bytes) -> None:
    said = refused(502, body)
    assert (said.status, said.reason, said.message) == (502, "", "HTTP 502")


class Busy(Threaded):
    """Answers ``statuses`` in order, then well."""

    def __init__(self, body: bytes, *statuses: int) -> None:
        super().__init__(body)
        self.statuses = list(statuses)

    def call(
        self, method: str, path: str, body: object = None, content_type: str = ""
    ) -> ApiAnswer:
        answer = super().call(method, path, body, content_type)
        return ApiAnswer(self.statuses.pop(0), b"{}") if self.statuses else answer


def test_a_command_asks_a_busy_server_again_but_does_nothing_twice() -> None:
    cluster = Busy(msgspec.json.encode(OBJECT), 503, 429)
    assert cluster.get("Deployment", "router") == OBJECT
    assert len(cluster.said) == 3
    cluster = Busy(msgspec.json.encode(OBJECT), 429, 503)
    with pytest.raises(Failure) as failed:
        cluster.create(OBJECT)
    assert failed.value.code == "api-unreachable" and len(cluster.said) == 2


def test_a_command_asks_for_smaller_pages_when_one_is_too_large() -> None:
    cluster = Busy(msgspec.json.encode({**LIST, "items": [OBJECT]}), 413, 413)
    assert cluster.list("Deployment") == [OBJECT]
    limits_asked = [int(params["limit"]) for _, _, params, _, _ in cluster.said]
    assert limits_asked == sorted(set(limits_asked), reverse=True) and len(limits_asked) == 3


def test_a_list_that_grew_old_between_two_pages_is_read_again_by_a_command() -> None:
    cluster = Busy(msgspec.json.encode({**LIST, "items": [OBJECT]}), 410)
    assert cluster.list("Deployment") == [OBJECT]


def test_every_kind_has_a_path_here_and_everywhere() -> None:
    for info in KINDS.values():
        root = "apis" if "/" in info.api_version else "api"
        path = f"{root}/{info.api_version}/namespaces/shop/{info.plural}/x"
        assert api_calls.path_of(info, "shop", "x") == path
        everywhere = api_calls.path_of(info, api_calls.ALL_NAMESPACES)
        assert everywhere == f"{root}/{info.api_version}/{info.plural}"
