"""Statuses of custom resources: what differs is written, seldom, by the holder of the Lease."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.leader.object_statuses import ObjectStatuses, Statuses
from router.kubernetes.objects.objects import Object, Snapshot
from router.model import limits
from tests.unit.kubernetes.kept import seen
from tests.unit.virtual_loop import run, running

KEY = ("Listener", "db")
READY = {"status": "Ready"}


class Server(Api):
    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.version = 1
        self.faults: list[ApiError] = []
        self.writes: list[tuple[float, str, dict[str, Any]]] = []
        self.kept: Callable[[dict[str, Any]], dict[str, Any]] = lambda status: status
        """What the schema of the kind leaves of a status."""

    def put(self, name: str, **fields: Any) -> None:
        self.version += 1
        metadata = {"name": name, "resourceVersion": str(self.version)}
        self.objects[name] = {"kind": "Listener", "metadata": metadata, **fields}

    def snapshot(self) -> Snapshot:
        return seen("west", {"Listener": dict(self.objects)})

    async def replace(
        self, whole: Object, *, subresource: str = "", namespace: str = ""
    ) -> dict[str, Any]:
        assert subresource == "status"
        name = whole["metadata"]["name"]
        now = asyncio.get_running_loop().time()
        self.writes.append((now, name, dict(whole["status"])))
        if self.faults:
            raise self.faults.pop(0)
        if whole["metadata"] != self.objects[name]["metadata"]:
            raise ApiError(409, "Conflict", "the object has been modified")
        kept = self.kept(dict(whole["status"]))
        if self.objects[name].get("status") != kept:  # Else no new version.
            self.put(name, status=kept)
        return self.objects[name]


@contextlib.asynccontextmanager
async def writing(server: Server, *, holds: bool = True) -> AsyncIterator[ObjectStatuses]:
    statuses = ObjectStatuses(server, lambda: holds)
    async with running(statuses):
        yield statuses


async def offered(statuses: ObjectStatuses, server: Server, wanted: Statuses) -> None:
    statuses.offer(server.snapshot(), wanted)
    await asyncio.sleep(0.01)


def test_what_differs_is_written_once_and_what_is_right_never() -> None:
    async def story() -> None:
        server = Server()
        server.put("db")
        server.put("web", status=READY)
        async with writing(server) as statuses:
            wanted = {KEY: READY, ("Listener", "web"): READY, ("Listener", "gone"): READY}
            await offered(statuses, server, wanted)
            await offered(statuses, server, wanted)
            await asyncio.sleep(100)
            assert [name for _, name, _ in server.writes] == ["db"]

    run(story())


def test_one_object_is_not_written_more_often_than_allowed() -> None:
    async def story() -> None:
        server = Server()
        server.put("db")
        async with writing(server) as statuses:
            for number in range(50):
                await offered(statuses, server, {KEY: {"status": str(number)}})
            await asyncio.sleep(limits.STATUS_EVERY_S * 2)
            times = [at for at, _, _ in server.writes]
            assert [status["status"] for _, _, status in server.writes] == ["0", "49"]
            assert times[1] - times[0] >= limits.STATUS_EVERY_S

    run(story())


def test_a_field_that_the_schema_lacks_keeps_no_later_change_away() -> None:
    async def story() -> None:
        server = Server()
        server.kept = lambda status: {"status": status["status"]}
        server.put("db")
        async with writing(server) as statuses:
            for number in range(3):
                wanted = {"status": "one", "conditions": [{"lastTransitionTime": str(number)}]}
                await offered(statuses, server, {KEY: wanted})
                await asyncio.sleep(limits.STATUS_EVERY_S * 3)
            assert len(server.writes) == 1
            await offered(statuses, server, {KEY: {"status": "two", "conditions": []}})
            await asyncio.sleep(limits.STATUS_EVERY_S * 3)
            assert server.objects["db"]["status"] == {"status": "two"}

    run(story())


def test_a_part_that_the_schema_lacks_is_tried_once_more_and_keeps_no_later_change_away() -> None:
    async def story() -> None:
        server = Server()
        server.kept = lambda status: {**status, "network": [{"id": "1"}]}
        server.put("db")
        network = [{"id": "1", "name": "east"}]
        async with writing(server) as statuses:
            for _ in range(5):
                await offered(statuses, server, {KEY: {"status": "one", "network": network}})
                await asyncio.sleep(limits.STATUS_EVERY_S * 3)
            assert len(server.writes) == 2
            await offered(statuses, server, {KEY: {"status": "two", "network": network}})
            await asyncio.sleep(limits.STATUS_EVERY_S * 3)
            assert server.objects["db"]["status"]["status"] == "two"

    run(story())


def test_a_conflict_waits_for_what_the_watch_brings() -> None:
    async def story() -> None:
        server = Server()
        server.put("db")
        old = server.snapshot()
        server.put("db", spec=2)
        async with writing(server) as statuses:
            statuses.offer(old, {KEY: READY})
            await asyncio.sleep(100)
            assert len(server.writes) == 1
            await offered(statuses, server, {KEY: READY})
            assert server.objects["db"]["status"] == READY

    run(story())


def test_an_answer_that_the_object_is_gone_counts_for_a_while_if_it_stays() -> None:
    """One of several API servers may not know the kind yet; then no watch brings any news."""

    async def story() -> None:
        server = Server()
        server.put("db")
        server.faults = [ApiError(404, "NotFound", "404 page not found")]
        async with writing(server) as statuses:
            await offered(statuses, server, {KEY: READY})
            await asyncio.sleep(limits.STATUS_AGAIN_S + 1)
            assert server.objects["db"]["status"] == READY
            assert len(server.writes) == 2

    run(story())


def test_an_object_that_stays_gone_is_asked_for_ever_more_seldom() -> None:
    """Its kind was removed: objects stay as they were last seen."""

    async def story() -> None:
        server = Server()
        server.put("db")
        server.faults = [ApiError(404, "NotFound", "404 page not found")] * 100
        async with writing(server) as statuses:
            await offered(statuses, server, {KEY: READY})
            await asyncio.sleep(86_400)
            assert 24 <= len(server.writes) <= 30
            server.faults = []
            await asyncio.sleep(limits.STATUS_OVERTAKEN_S + 1)
            assert server.objects["db"]["status"] == READY

    run(story())


def test_a_missing_right_is_asked_for_seldom_and_used_once_it_is_given() -> None:
    async def story() -> None:
        server = Server()
        server.put("db")
        server.faults = [ApiError(403, "Forbidden", "listeners/status is forbidden")] * 2
        async with writing(server) as statuses:
            await offered(statuses, server, {KEY: READY})
            for number in range(20):
                await offered(statuses, server, {KEY: {"status": str(number)}})
            assert len(server.writes) == 1
            await offered(statuses, server, {KEY: READY})
            await asyncio.sleep(limits.RIGHTS_LOOK_S * 2 + 1)
            assert len(server.writes) == 3
            assert server.objects["db"]["status"] == READY

    run(story())


def test_a_refusal_of_a_moment_delays_a_status_no_longer_than_a_change_does() -> None:
    """A starting API server refuses everything until it has read the Roles."""

    async def story() -> None:
        server = Server()
        server.put("db")
        server.faults = [ApiError(403, "Forbidden", "listeners/status is forbidden")]
        async with writing(server) as statuses:
            await offered(statuses, server, {KEY: READY})
            await asyncio.sleep(limits.STATUS_EVERY_S * 1.1)
            assert server.objects["db"]["status"] == READY

    run(story())


def test_a_server_that_is_away_is_tried_again() -> None:
    async def story() -> None:
        server = Server()
        server.put("db")
        server.faults = [ApiError(0, "Unreachable", "connection refused")] * 3
        async with writing(server) as statuses:
            await offered(statuses, server, {KEY: READY})
            await asyncio.sleep(limits.STATUS_EVERY_S * 3.5)
            assert server.objects["db"]["status"] == READY

    run(story())


def test_without_the_lease_nothing_is_written() -> None:
    async def story() -> None:
        server = Server()
        server.put("db")
        async with writing(server, holds=False) as statuses:
            await offered(statuses, server, {KEY: READY})
            await asyncio.sleep(100)
            assert server.writes == []

    run(story())
