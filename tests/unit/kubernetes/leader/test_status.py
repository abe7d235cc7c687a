"""The status ConfigMap is written seldom: when it says something else, and before it is too old."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.codecs.status import KEY, ShortStatus, encode, valid_until
from router.kubernetes.leader.status import StatusWriter
from router.kubernetes.objects.objects import Object
from router.model import limits
from tests.unit.virtual_loop import run, running

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def now() -> datetime:
    return BEGAN + timedelta(seconds=asyncio.get_running_loop().time())


class One(Api):
    """The ConfigMap as the API server keeps it."""

    def __init__(self) -> None:
        self.data: dict[str, str] | None = None
        self.written_at: list[float] = []
        self.refusals = 0
        self.told: Mapping[str, Any] | None = None
        self.gist = ""
        self.may_write = True

    @property
    def shown(self) -> dict[str, Any]:
        """The written status, without its validity."""
        found = json.loads((self.data or {}).get(KEY, "{}"))
        return {key: found[key] for key in found if key in ("a", "conditions", "links")}

    def _write(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ApiError(403, "Forbidden", "no right")
        self.written_at.append(asyncio.get_running_loop().time())

    async def find(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        return None if self.data is None else {"data": dict(self.data)}

    async def create(self, made: Object, *, namespace: str = "") -> dict[str, Any]:
        self._write()
        self.data = dict(made["data"])
        return {}

    async def patch(self, kind: str, name: str, changes: Any, **_: str) -> dict[str, Any]:
        if self.data is None:
            raise ApiError(404, "NotFound", "there is none")
        self._write()
        merged = {**self.data, **changes["data"]}
        self.data = {key: text for key, text in merged.items() if text is not None}
        return {}


@contextlib.asynccontextmanager
async def writing(api: One) -> AsyncIterator[StatusWriter]:
    def tell() -> ShortStatus | None:
        return None if api.told is None else ShortStatus(api.told, api.gist or str(api.told))

    writer = StatusWriter(api, lambda: api.may_write, tell, now)
    async with running(writer):
        yield writer


def test_a_refusal_of_a_moment_is_over_soon() -> None:
    """A starting API server refuses everything until it has read the Roles."""

    async def story() -> None:
        api = One()
        api.refusals, api.told = 1, {"a": 1}
        async with writing(api) as writer:
            await asyncio.sleep(limits.STATUS_LOOK_S * 1.1)
            assert api.shown == {"a": 1}
            assert not writer.errors

    run(story())


def test_a_refused_write_is_a_finding_until_it_succeeds() -> None:
    async def story() -> None:
        api = One()
        api.refusals, api.told = 2, {"a": 1}
        async with writing(api) as writer:
            changes: list[int] = []
            writer.follow_errors(lambda: changes.append(len(writer.errors)))
            await asyncio.sleep(limits.STATUS_LOOK_S + 1)  # The second one has come.
            (error,) = writer.errors
            assert (error.code, error.source) == ("SW0443", "ConfigMap/spillway-status")
            assert 'resourceNames: ["spillway-status"]' in error.hint
            assert "bind it again" in error.hint, "the RoleBinding may be what is gone"
            await asyncio.sleep(3 * limits.STATUS_EVERY_S)
            assert changes == [1, 0]
            api.refusals, api.told = 99, {"a": 2}
            await asyncio.sleep(2 * limits.STATUS_EVERY_S)
            assert changes == [1, 0, 1]
            api.may_write = False  # Another router writes, or the Lease cannot be held.
            await asyncio.sleep(2 * limits.STATUS_EVERY_S)
            assert changes == [1, 0, 1, 0]

    run(story())


def test_it_is_written_when_it_changes_but_not_often() -> None:
    async def story() -> None:
        api = One()
        async with writing(api):
            await asyncio.sleep(10)
            assert api.data is None
            for number in range(600):
                api.told = {"a": number}
                await asyncio.sleep(1)
            waits = len(api.written_at)
            assert 600 / limits.STATUS_EVERY_S - 1 <= waits <= 600 / limits.STATUS_EVERY_S + 2
            await asyncio.sleep(limits.STATUS_EVERY_S + 1)
            assert api.shown == {"a": 599}

    run(story())


def test_while_a_router_runs_it_holds_and_is_seldom_written() -> None:
    async def story() -> None:
        api = One()
        api.told = {"a": 1}

        def left_s() -> float:
            until = valid_until(json.loads((api.data or {})[KEY]))
            assert until is not None
            return until - now().timestamp()

        async with writing(api):
            await asyncio.sleep(limits.STATUS_LOOK_S)
            for _ in range(3_600):
                await asyncio.sleep(1)
                assert left_s() > limits.LEASE_S + limits.STATUS_EVERY_S
            assert len(api.written_at) <= 3_600 / limits.STATUS_AGAIN_S + 1
        await asyncio.sleep(limits.STATUS_VALID_S)
        assert left_s() < 0

    run(story())


def test_the_last_router_writes_that_it_stopped() -> None:
    async def story() -> None:
        api = One()
        api.told = {"a": 1, "links": [{"name": "east", "state": "up"}]}
        async with writing(api) as writer:
            await asyncio.sleep(limits.STATUS_LOOK_S)
        await writer.stop()
        found = api.shown
        assert found["links"] == [{"name": "east", "state": "down"}]
        ready = found["conditions"][0]
        assert (ready["type"], ready["status"], ready["reason"]) == (
            "Ready",
            "False",
            "Stopped",
        )
        assert valid_until(json.loads((api.data or {})[KEY])) is None
        async with writing(api):
            await asyncio.sleep(limits.STATUS_LOOK_S)
            assert api.shown == api.told, "the next one serves"

    run(story())


def test_a_router_that_ended_by_an_error_did_not_stop_in_order() -> None:
    async def story() -> None:
        api = One()
        api.data = encode({"a": 1}, now())
        await StatusWriter(api, lambda: True, lambda: None, now).stop("the link port is taken")
        written = json.loads(api.data[KEY])
        ready = written["conditions"][0]
        assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "False", "Failed")
        assert ready["message"] == "the last router of this site ended: the link port is taken"
        assert written["stopped"] is False
        assert valid_until(written) == now().timestamp(), "a reader takes nothing else for true"

    run(story())


def test_a_refusal_keeps_no_router_from_stopping() -> None:
    async def story() -> None:
        api = One()
        api.data, api.refusals = encode({"a": 1}, now()), 1
        writer = StatusWriter(api, lambda: True, lambda: None, now)
        await writer.stop()
        assert api.shown == {"a": 1}
        api.data = {"other": "text"}
        await writer.stop()
        assert api.data == {"other": "text"}, "what nobody wrote is not changed"

    run(story())


def test_a_rate_is_no_reason_to_write_it_again_and_is_written_with_the_rest() -> None:
    async def story() -> None:
        api = One()
        async with writing(api):
            for number, api.gist in enumerate(["well"] * 400 + ["full"] * 400):
                api.told = {"a": f"{number}/s"}
                await asyncio.sleep(limits.STATUS_EVERY_S / 400)
            assert len(api.written_at) == 2
            api.told = {"a": "1/s"}
            await asyncio.sleep(limits.STATUS_AGAIN_S + limits.STATUS_EVERY_S)
            assert len(api.written_at) == 3
            assert api.shown == {"a": "1/s"}, "once in a while it is written as a whole"

    run(story())


def test_a_new_writer_removes_what_is_old() -> None:
    async def story() -> None:
        api = One()
        api.told, api.data = {"a": "1"}, {"old": "x"}
        async with writing(api):
            await asyncio.sleep(60)
            assert api.data.keys() == {KEY}

    run(story())


def test_what_was_refused_or_deleted_is_written_again() -> None:
    async def story() -> None:
        api = One()
        api.told, api.refusals = {"a": "1"}, 3
        async with writing(api):
            await asyncio.sleep(4 * limits.STATUS_EVERY_S)
            assert api.shown == {"a": "1"}
            api.data, api.told = None, {"a": "2"}
            await asyncio.sleep(3 * limits.STATUS_EVERY_S)
            assert api.shown == {"a": "2"}

    run(story())


def test_who_may_not_write_does_not_and_looks_anew_once_it_may() -> None:
    async def story() -> None:
        api = One()
        api.told = {"a": "1"}
        async with writing(api):
            await asyncio.sleep(10)
            api.may_write, api.data = False, encode({"a": "of another"}, now())
            await asyncio.sleep(limits.STATUS_VALID_S)
            assert len(api.written_at) == 1
            api.may_write = True
            await asyncio.sleep(60)
            assert api.shown == {"a": "1"}

    run(story())


def test_one_that_somebody_deleted_or_changed_is_put_back_in_a_while() -> None:
    async def story() -> None:
        api = One()
        api.told = {"a": "1"}
        async with writing(api):
            await asyncio.sleep(10)
            for theirs in (None, {"a": "2"}):
                api.data = theirs
                await asyncio.sleep(limits.STATUS_AGAIN_S + 2 * limits.STATUS_EVERY_S)
                assert api.data is not None
                assert api.data.keys() == {KEY}
                assert api.shown == {"a": "1"}

    run(story())
