"""Calls to the API: which are repeated, which never, and the names of faults."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from router.kubernetes.client.api import Api
from router.kubernetes.client.api_calls import ApiAnswer
from router.kubernetes.client.errors import ApiError
from router.model import limits
from tests.kubernetes.failures import lost_quota_race
from tests.unit.virtual_loop import run

OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
OK = ApiAnswer(200, msgspec.json.encode(OBJECT))


def refusal(status: int, reason: str = "", retry_after_s: float | None = None) -> ApiAnswer:
    body = {"kind": "Status", "reason": reason, "message": f"it is {reason}", "code": status}
    return ApiAnswer(status, msgspec.json.encode(body), retry_after_s)


class Script:
    """Answers in order, the last one repeatedly; records each request and its time."""

    def __init__(
        self, *answers: ApiAnswer | ApiError | None, pieces: tuple[bytes, ...] = ()
    ) -> None:
        self.answers = list(answers)
        self.pieces = pieces
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        self.at: list[float] = []

    async def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: bytes | None,
        content_type: str,
        timeout_s: float,
    ) -> ApiAnswer:
        self.asked.append((method, path, dict(params)))
        self.at.append(asyncio.get_running_loop().time())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            await asyncio.sleep(10_000)
        if isinstance(answer, ApiError):
            raise answer
        assert answer is not None
        return answer

    @asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, str], silence_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async def pieces() -> AsyncIterator[bytes]:
            for piece in self.pieces:
                yield piece

        self.asked.append(("WATCH", path, dict(params)))
        yield pieces()

    async def close(self) -> None:
        pass


def api(script: Script) -> Api:
    return Api(script, "web", random.Random(1))


LOST = ApiError(0, "Unreachable", "connection reset")


@pytest.mark.parametrize(
    "fault", [refusal(429), refusal(500), refusal(503), refusal(504), LOST, None]
)
def test_reads_and_idempotent_writes_are_repeated(fault: ApiAnswer | ApiError | None) -> None:
    async def story() -> None:
        calls: tuple[Callable[[Api], Awaitable[object]], ...] = (
            lambda a: a.get("ConfigMap", "a"),
            lambda a: a.replace(OBJECT),
            lambda a: a.patch("ConfigMap", "a", {"data": {}}),
            lambda a: a.apply(OBJECT),
            lambda a: a.delete("ConfigMap", "a"),
        )
        for call in calls:
            script = Script(fault, OK)
            await call(api(script))
            assert len(script.asked) == 2

    run(story())


@pytest.mark.parametrize("fault", [refusal(500), refusal(503), LOST])
def test_what_may_be_done_once_only_is_not_repeated_when_it_may_have_been_done(
    fault: ApiAnswer | ApiError,
) -> None:
    async def story() -> None:
        script = Script(fault, OK)
        with pytest.raises(ApiError):
            await api(script).create(OBJECT)
        with pytest.raises(ApiError):
            script.answers.insert(0, fault)
            await api(script).patch("ConfigMap", "a", [{"op": "test"}])
        throttled = Script(refusal(429), OK)
        await api(throttled).create(OBJECT)
        assert len(throttled.asked) == 2

    run(story())


def test_a_write_that_a_quota_could_not_count_is_sent_again() -> None:
    said = lost_quota_race("few")
    race = ApiAnswer(said.code, msgspec.json.encode(said.status()))

    async def story() -> None:
        calls: tuple[Callable[[Api], Awaitable[object]], ...] = (
            lambda a: a.create(OBJECT),
            lambda a: a.apply(OBJECT),
            lambda a: a.replace(OBJECT),
        )
        for call in calls:
            script = Script(race, race, OK)
            await call(api(script))
            assert len(script.asked) == 3
        script = Script(race)
        with pytest.raises(ApiError) as refused:
            await api(script).create(OBJECT)
        assert refused.value.lost_quota_race
        assert len(script.asked) == limits.API_ATTEMPTS_MAX

    run(story())


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422])
def test_a_refusal_is_told_at_once(status: int) -> None:
    async def story() -> None:
        script = Script(refusal(status, "Whatever"))
        with pytest.raises(ApiError) as refused:
            await api(script).get("ConfigMap", "a")
        assert (refused.value.status, refused.value.reason) == (status, "Whatever")
        assert str(refused.value) == "it is Whatever"
        assert len(script.asked) == 1

    run(story())


READY = ApiAnswer(200, b"ok")
UNREADY = ApiAnswer(500, b"[-]informer-sync failed: reason withheld\n")
FORBIDDEN = refusal(403, "Forbidden")


@pytest.mark.parametrize("unready", [UNREADY, FORBIDDEN, LOST])
def test_a_server_that_has_not_read_the_roles_yet_refuses_nothing(
    unready: ApiAnswer | ApiError,
) -> None:
    """It answers 403 to everything, /readyz too, or says there that it is not ready."""
    script = Script(FORBIDDEN, unready, FORBIDDEN, unready, OK)

    async def scenario() -> None:
        assert await api(script).create(OBJECT) == OBJECT, "it was surely not carried out"

    run(scenario())
    ways = [(method, path.rpartition("/")[2]) for method, path, _ in script.asked]
    assert ways == [("POST", "configmaps"), ("GET", "readyz")] * 2 + [("POST", "configmaps")]


def test_a_server_that_starts_for_long_is_away_and_then_its_refusals_count() -> None:
    """Some clusters let no account ask whether the server is ready."""
    script = Script(FORBIDDEN)

    async def scenario() -> list[int]:
        server, loop = api(script), asyncio.get_running_loop()
        statuses: list[int] = []
        while loop.time() < 60.0:
            with pytest.raises(ApiError) as caught:
                await server.get("ConfigMap", "a")
            statuses.append(caught.value.status)
            if caught.value.status == 403:
                assert loop.time() <= limits.API_STARTING_S + limits.API_ATTEMPT_S
                break
            assert "it is Forbidden" in str(caught.value) and not caught.value.is_answer
        asked = len(script.asked)
        with pytest.raises(ApiError):
            await server.get("ConfigMap", "a")
        assert len(script.asked) == asked + 1, "it is not asked again whether it is ready"
        script.answers = [LOST, FORBIDDEN]  # It is restarted.
        with pytest.raises(ApiError) as caught:
            await server.get("ConfigMap", "a")
        return [*statuses, caught.value.status]

    *before, refused, restarted = run(scenario())
    assert before and set(before) == {503}
    assert (refused, restarted) == (403, 503)


def test_a_ready_server_refuses_in_earnest_and_is_asked_once() -> None:
    script = Script(FORBIDDEN, READY, FORBIDDEN)

    async def scenario() -> None:
        with pytest.raises(ApiError) as caught:
            await api(script).get("ConfigMap", "a")
        assert caught.value.status == 403

    run(scenario())
    assert [path.rpartition("/")[2] for _, path, _ in script.asked] == ["a", "readyz"]


def test_a_quota_that_refuses_is_no_missing_right() -> None:
    text = 'configmaps "a" is forbidden: exceeded quota: q'
    body = {"kind": "Status", "reason": "Forbidden", "message": text, "code": 403}
    script = Script(ApiAnswer(403, msgspec.json.encode(body)))

    async def scenario() -> None:
        with pytest.raises(ApiError):
            await api(script).create(OBJECT)

    run(scenario())
    assert len(script.asked) == 1


def test_the_wait_that_the_server_asks_for_is_kept_unless_it_is_too_long() -> None:
    async def story() -> None:
        script = Script(refusal(429, retry_after_s=3.0), OK)
        await api(script).get("ConfigMap", "a")
        assert 3 <= script.at[1] - script.at[0] <= 4
        script = Script(refusal(429, retry_after_s=50.0), OK)
        with pytest.raises(ApiError) as refused:
            await api(script).get("ConfigMap", "a")
        assert refused.value.retry_after_s == 50

    run(story())


def test_a_call_ends_by_its_deadline_whatever_the_server_does() -> None:
    async def story() -> None:
        for script in (Script(None), Script(refusal(503))):
            loop = asyncio.get_running_loop()
            began = loop.time()
            with pytest.raises(ApiError):
                await api(script).get("ConfigMap", "a")
            assert loop.time() - began <= limits.API_CALL_S
            assert len(script.asked) <= limits.API_ATTEMPTS_MAX

    run(story())


def test_an_answer_of_something_in_between_is_a_refusal_too() -> None:
    async def story() -> None:
        with pytest.raises(ApiError) as refused:
            await api(Script(ApiAnswer(404, b"<html>not here</html>"))).get("ConfigMap", "a")
        assert (refused.value.status, str(refused.value)) == (404, "HTTP 404")
        with pytest.raises(ApiError) as refused:
            await api(Script(ApiAnswer(200, b"<html>welcome</html>"))).get("ConfigMap", "a")
        assert refused.value.reason == "Malformed"

    run(story())


def line(kind: str, name: str, version: str, **more: Any) -> bytes:
    found = {"metadata": {"name": name, "resourceVersion": version, **more}}
    return msgspec.json.encode({"type": kind, "object": found}) + b"\n"


def test_events_of_a_watch_do_not_depend_on_how_the_bytes_come() -> None:
    async def story() -> None:
        # JSON does not escape NEL and the line separator.
        text = "a\x85b\u2028c"
        whole = line("ADDED", "a", "5", annotations={"x": text}) + line("BOOKMARK", "", "9")
        for cut in range(1, len(whole)):
            script = Script(pieces=(whole[:cut], whole[cut:]))
            events = [event async for event in api(script).watch("Pod", "4")]
            assert [(e.kind, e.version) for e in events] == [
                ("BOOKMARK", "4"),
                ("ADDED", "5"),
                ("BOOKMARK", "9"),
            ]
            assert events[1].object["metadata"]["annotations"]["x"] == text
            assert events[1].object["kind"] == "Pod"

    run(story())


def test_an_error_event_is_a_fault_with_its_status() -> None:
    async def story() -> None:
        status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
        pieces = (msgspec.json.encode({"type": "ERROR", "object": status}) + b"\n",)
        with pytest.raises(ApiError) as gone:
            async for _ in api(Script(pieces=pieces)).watch("Pod", "4"):
                pass
        assert gone.value.is_gone
        assert gone.value.status == 410

    run(story())


def test_an_event_without_end_is_a_fault_before_it_fills_the_memory() -> None:
    async def story() -> None:
        pieces = tuple(b"x" * 65_536 for _ in range(limits.WATCH_LINE_BYTES_MAX // 65_536 + 2))
        with pytest.raises(ApiError) as fault:
            async for _ in api(Script(pieces=pieces)).watch("Pod", "4"):
                pass
        assert fault.value.reason == "TooLarge"

    run(story())


def test_paths_lead_to_groups_namespaces_and_subresources() -> None:
    async def story() -> None:
        script = Script(OK)
        calls = api(script)
        await calls.get("Pod", "a")
        await calls.get("Deployment", "a", namespace="other")
        await calls.patch("Pod", "a", {}, subresource="status")
        script.answers = [listed("EndpointSlice")]
        await calls.list("EndpointSlice", namespace="*", labels="a=b")
        assert [path for _, path, _ in script.asked] == [
            "api/v1/namespaces/web/pods/a",
            "apis/apps/v1/namespaces/other/deployments/a",
            "api/v1/namespaces/web/pods/a/status",
            "apis/discovery.k8s.io/v1/endpointslices",
        ]
        assert script.asked[3][2]["labelSelector"] == "a=b"

    run(story())


def listed(kind: str, *names: str, more: str = "") -> ApiAnswer:
    body = {
        "kind": f"{kind}List",
        "metadata": {"resourceVersion": "7", "continue": more},
        "items": [{"metadata": {"name": name}} for name in names],
    }
    return ApiAnswer(200, msgspec.json.encode(body))


@pytest.mark.parametrize(
    "answer",
    [
        b"{}",
        b'{"items": []}',
        b'{"kind": "Status", "status": "Success"}',
        b'{"kind": "ConfigMapList", "metadata": {"resourceVersion": "7"}, "items": []}',
        b'{"kind": "PodList", "metadata": {}, "items": []}',
        b"[" * 100_000,
        b"<html>Sign in</html>",
    ],
)
def test_what_is_no_list_is_not_taken_for_an_empty_one(answer: bytes) -> None:
    async def story() -> None:
        with pytest.raises(ApiError) as fault:
            await api(Script(ApiAnswer(200, answer))).list("Pod")
        assert (fault.value.status, fault.value.reason) == (0, "Malformed")

    run(story())


@pytest.mark.parametrize("answer", [b"{}", b'{"kind": "Pod", "metadata": {"name": "b"}}'])
def test_another_object_than_was_asked_for_is_a_fault(answer: bytes) -> None:
    async def story() -> None:
        with pytest.raises(ApiError) as fault:
            await api(Script(ApiAnswer(200, answer))).find("Pod", "a")
        assert fault.value.reason == "Malformed"

    run(story())


def test_a_list_without_end_is_a_fault() -> None:
    async def story() -> None:
        script = Script(listed("Pod", "a", more="again"))
        with pytest.raises(ApiError) as fault:
            await api(script).list("Pod")
        assert fault.value.reason == "Malformed"
        assert len(script.asked) == limits.API_LIST_PAGES_MAX

    run(story())


def test_a_page_that_is_too_large_is_asked_for_in_smaller_parts() -> None:
    async def story() -> None:
        large = ApiError(413, "TooLarge", "the answer is too large")
        script = Script(large, large, listed("Pod", "a", more="x"), listed("Pod", "b"))
        found = await api(script).list("Pod")
        assert [item["metadata"]["name"] for item in found.items] == ["a", "b"]
        assert [asked[2]["limit"] for asked in script.asked] == ["200", "25", "3", "3"]

    run(story())


@pytest.mark.parametrize(
    "found",
    [
        {"kind": "Status", "metadata": {}},
        {"kind": "Service", "metadata": {"name": "a"}},
        {"metadata": {}},
        {},
    ],
)
def test_an_event_of_something_else_is_a_fault(found: dict[str, Any]) -> None:
    async def story() -> None:
        pieces = (msgspec.json.encode({"type": "ADDED", "object": found}) + b"\n",)
        with pytest.raises(ApiError) as fault:
            async for _ in api(Script(pieces=pieces)).watch("Pod", "4"):
                pass
        assert fault.value.reason == "Malformed"

    run(story())


def test_a_watch_whose_bytes_only_drip_is_silent() -> None:
    class Dripping(Script):
        @asynccontextmanager
        async def stream(
            self, path: str, params: Mapping[str, str], silence_s: float
        ) -> AsyncIterator[AsyncIterator[bytes]]:
            async def pieces() -> AsyncIterator[bytes]:
                while True:
                    await asyncio.sleep(1.0)
                    yield b" "

            yield pieces()

    async def story() -> None:
        began = asyncio.get_running_loop().time()
        with pytest.raises(ApiError) as fault:
            async for _ in api(Dripping(OK)).watch("Pod", "4"):
                pass
        assert fault.value.reason == "Timeout"
        took_s = asyncio.get_running_loop().time() - began
        assert took_s == pytest.approx(limits.WATCH_SILENCE_S, abs=2.0)

    run(story())
