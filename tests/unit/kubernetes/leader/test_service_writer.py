"""Plans for Services, carried out against an API that refuses, is slow, or is faster."""

import asyncio
import copy
from collections.abc import Mapping
from random import Random
from typing import Any

from router.kubernetes.client.api import Api
from router.kubernetes.client.api_calls import Page
from router.kubernetes.client.errors import ApiError
from router.kubernetes.leader.service_writer import Restored, ServiceWriter, carry_out, restore_all
from router.kubernetes.objects.changes import Change, Create
from router.kubernetes.objects.picture import SiteOptions
from router.kubernetes.services import owned_services as made
from router.kubernetes.services.services import Memory, plan
from router.model import limits
from router.model.specs import ServiceSpec
from tests.kubernetes.patching import merged
from tests.unit.kubernetes.cluster import Cluster, users_service, without_version
from tests.unit.virtual_loop import run, running

QUOTA = ApiError(403, "Forbidden", "services is forbidden: exceeded quota: small")
CONFLICT = ApiError(409, "Conflict", "the object has been modified")


class ClusterApi(Api):
    """A `Cluster` behind the calls of `client.api`."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.refused: dict[str, ApiError] = {}
        self.slow: set[str] = set()
        self.times: list[tuple[float, str]] = []

    async def create(self, made: Any, *, namespace: str = "") -> dict[str, Any]:
        name = made["metadata"]["name"]
        await self._call(name)
        if name in self.cluster.objects[made["kind"]]:
            raise CONFLICT
        return self.cluster.put(made)

    async def patch(
        self, kind: str, name: str, changes: Any, *, subresource: str = "", namespace: str = ""
    ) -> dict[str, Any]:
        await self._call(name)
        found = self._found(kind, name, changes["metadata"]["resourceVersion"])
        return self.cluster.put(merged(found, changes))

    async def delete(
        self, kind: str, name: str, *, uid: str = "", version: str = "", namespace: str = ""
    ) -> bool:
        await self._call(name)
        self._found(kind, name, version)
        del self.cluster.objects[kind][name]
        return True

    async def list(
        self, kind: str, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> Page:
        return Page(list(copy.deepcopy(self.cluster.objects[kind]).values()), "1")

    def _found(self, kind: str, name: str, version: str) -> Mapping[str, Any]:
        found = self.cluster.objects[kind].get(name)
        if found is None:
            raise ApiError(404, "NotFound", "not found")
        if found["metadata"]["resourceVersion"] != version:
            raise CONFLICT
        return found

    async def _call(self, name: str) -> None:
        self.times.append((asyncio.get_running_loop().time(), name))
        if name in self.slow:
            await asyncio.sleep(1_000)
        if name in self.refused:
            raise self.refused[name]


def changes(cluster: Cluster, *names: str) -> tuple[Change, ...]:
    declared = {name: ServiceSpec(ports=(80,)) for name in names}
    options = SiteOptions(name="x")
    memory = Memory(began_at=0.0, declared=frozenset(cluster.objects["Service"]))
    return plan(cluster.snapshot(), options, {}, declared, names, memory, 0.0).changes


def test_what_is_offered_is_written_once_until_the_mirror_shows_it() -> None:
    async def body() -> None:
        cluster = Cluster()
        api = ClusterApi(cluster)
        writer = ServiceWriter(api, Random(1))
        async with running(writer):
            due = changes(cluster, "a", "b")
            for _ in range(3):
                writer.offer(due)
                await asyncio.sleep(0.1)
            assert sorted(name for _, name in api.times) == ["a", "b"]
            writer.offer(changes(cluster, "a"))
            await asyncio.sleep(0.1)
        assert list(cluster.objects["Service"]) == ["a"]

    run(body())


def test_one_that_is_refused_is_told_and_tried_ever_more_rarely_while_others_go_on() -> None:
    async def body() -> None:
        cluster = Cluster()
        api = ClusterApi(cluster)
        api.refused["a"] = QUOTA
        told: list[int] = []
        writer = ServiceWriter(api, Random(1), changed=lambda: told.append(1))
        async with running(writer):
            writer.offer(changes(cluster, "a", "b"))
            await asyncio.sleep(600)
            tries = [at for at, name in api.times if name == "a"]
            assert 10 <= len(tries) <= 30 and tries[-1] - tries[-2] >= 30
            (finding,) = writer.findings
            assert finding.code == "SW0428" and finding.source == "Service/a"
            assert "exceeded quota" in finding.reason and "quota" in finding.hint
            assert list(cluster.objects["Service"]) == ["b"]
            api.refused.clear()
            await asyncio.sleep(limits.SERVICE_RETRY_MAX_S)
            assert "a" in cluster.objects["Service"] and not writer.findings
        assert len(told) == 2, "only when they are others"

    run(body())


def test_a_new_version_of_the_object_does_not_make_a_refused_change_worth_trying() -> None:
    async def body() -> None:
        cluster = Cluster()
        cluster.put(users_service("a", 80))
        api = ClusterApi(cluster)
        api.refused["a"] = ApiError(422, "Invalid", "spec.ports: no")
        writer = ServiceWriter(api, Random(1))
        async with running(writer):
            for _ in range(200):
                cluster.put(cluster.service("a"))
                writer.offer(changes(cluster, "a"))
                await asyncio.sleep(0.1)
        assert len(api.times) < 10

    run(body())


def test_who_was_too_slow_waits_for_the_next_plan_and_reports_nothing() -> None:
    async def body() -> None:
        cluster = Cluster()
        cluster.put(users_service("a", 80))
        api = ClusterApi(cluster)
        writer = ServiceWriter(api, Random(1))
        async with running(writer):
            outdated = changes(cluster, "a")
            cluster.put(cluster.service("a"))
            writer.offer(outdated)
            await asyncio.sleep(0.1)
            assert len(api.times) == 1 and not writer.findings
            writer.offer(changes(cluster, "a"))
            await asyncio.sleep(0.1)
        assert not changes(cluster, "a")

    run(body())


def test_one_object_that_takes_long_holds_up_no_other() -> None:
    async def body() -> None:
        cluster = Cluster()
        api = ClusterApi(cluster)
        api.slow.add("a")
        writer = ServiceWriter(api, Random(1))
        async with running(writer):
            writer.offer(changes(cluster, "a", "b", "c", "d", "e", "f"))
            await asyncio.sleep(1)
            assert list(cluster.objects["Service"]) == ["b", "c", "d", "e", "f"]

    run(body())


def test_writes_keep_to_their_rate() -> None:
    async def body() -> None:
        cluster = Cluster()
        api = ClusterApi(cluster)
        writer = ServiceWriter(api, Random(1))
        async with running(writer):
            writer.offer(changes(cluster, *(f"s{index}" for index in range(300))))
            await asyncio.sleep(1)
            burst = limits.SERVICE_WRITES_BURST + limits.SERVICE_WRITES_PER_S
            assert len(api.times) <= burst + 1
            await asyncio.sleep(300 / limits.SERVICE_WRITES_PER_S)
        assert len(cluster.objects["Service"]) == 300

    run(body())


def test_only_who_may_writes_and_only_where_the_routers_listen() -> None:
    async def body() -> None:
        cluster = Cluster()
        api = ClusterApi(cluster)
        may_write, listening = False, True
        writer = ServiceWriter(
            api, Random(1), may_write=lambda: may_write, listening=lambda needs: listening
        )
        async with running(writer):
            writer.offer(changes(cluster, "a"))
            await asyncio.sleep(100)
            assert not api.times
            may_write, listening = True, False
            writer.poke()
            await asyncio.sleep(100)
            assert not api.times
            listening = True
            writer.poke()
            await asyncio.sleep(0.1)
            assert len(api.times) == 1

    run(body())


def test_a_listener_that_comes_late_and_tells_nobody_is_led_to_soon() -> None:
    async def body() -> None:
        cluster = Cluster()
        api = ClusterApi(cluster)
        listening = False  # Its certificate comes later, or its port was busy.
        writer = ServiceWriter(api, Random(1), listening=lambda needs: listening)
        async with running(writer):
            writer.offer(changes(cluster, "a"))
            await asyncio.sleep(100)
            listening = True
            await asyncio.sleep(limits.SERVICE_LISTEN_LOOK_S)
            assert len(api.times) == 1

    run(body())


def test_restoring_gives_everything_back_whoever_writes_meanwhile() -> None:
    class Restless(ClusterApi):
        async def list(self, kind: str, **_: str) -> Page:
            page = await super().list(kind)
            if len(self.times) < 2 and kind == "Service":
                for found in page.items:
                    self.cluster.put(found)
            return page

    async def body() -> None:
        cluster = Cluster()
        users = cluster.put(users_service("a", 80))
        for change in changes(cluster, "a", "b"):
            cluster.carry_out(change)
        assert await restore_all(Restless(cluster)) == Restored()
        assert list(cluster.objects["Service"]) == ["a"]
        assert without_version(cluster.service("a")) == without_version(users)

    run(body())


def test_what_could_not_be_restored_is_told() -> None:
    async def body() -> None:
        cluster = Cluster()
        for change in changes(cluster, "a", "b"):
            cluster.carry_out(change)
        api = ClusterApi(cluster)
        api.refused["a"] = ApiError(403, "Forbidden", "cannot delete resource")
        restored = await restore_all(api)
        (finding,) = restored.findings
        assert restored.refusal is api.refused["a"]
        assert finding.source == "Service/a" and "delete" in finding.hint
        assert list(cluster.objects["Service"]) == ["a"]

    run(body())


def test_what_an_admission_webhook_undoes_is_told_and_written_ever_more_rarely() -> None:
    class Mutating(ClusterApi):
        async def patch(self, kind: str, name: str, changes: Any, **_: str) -> dict[str, Any]:
            found = await super().patch(kind, name, changes)
            return self.cluster.put({**found, "spec": {**found["spec"], "selector": {"app": "x"}}})

    async def body() -> None:
        cluster = Cluster()
        for change in changes(cluster, "a"):
            cluster.carry_out(change)
        cluster.put(
            {**cluster.service("a"), "spec": {**cluster.service("a")["spec"], "selector": {}}}
        )
        api = Mutating(cluster)
        writer = ServiceWriter(api, Random(1))
        async with running(writer):
            for _ in range(6_000):
                writer.offer(changes(cluster, "a"))
                await asyncio.sleep(0.1)
            assert 8 <= len(api.times) <= 25
            assert [error.code for error in writer.findings] == ["SW0428"]

    run(body())


def reapplied(cluster: Cluster) -> Change:
    """A user applies the original Service over the adopted one; the change that is due then."""
    live = copy.deepcopy(cluster.service("a"))
    live["spec"]["selector"] = {"app": "a"}
    wrote = {"manager": "kubectl-client-side-apply", "fieldsV1": {"f:spec": {"f:selector": {}}}}
    live["metadata"]["managedFields"] = [wrote]
    cluster.put(live)
    (change,) = changes(cluster, "a")
    return change


def test_what_people_apply_over_and_over_is_put_right_at_once_each_time() -> None:
    async def body() -> None:
        cluster = Cluster()
        cluster.put(users_service("a", 80))
        api = ClusterApi(cluster)
        writer = ServiceWriter(api, Random(1))
        async with running(writer):
            writer.offer(changes(cluster, "a"))
            await asyncio.sleep(1)
            for _ in range(100):
                writer.offer([reapplied(cluster)])
                began = asyncio.get_running_loop().time()
                await asyncio.sleep(1)
                assert api.times[-1][0] - began < 0.1
                writer.offer([])
            assert len(api.times) == 101 and not writer.findings
            for _ in range(100):  # A loop without end is bounded.
                writer.offer([reapplied(cluster)])
                await asyncio.sleep(0.01)
            assert len(api.times) <= 101 + 1 / limits.SERVICE_URGENT_EVERY_S + 1

    run(body())


def test_a_service_whose_address_somebody_has_gets_another_one() -> None:
    class Allocating(ClusterApi):
        async def create(self, made: Any, *, namespace: str = "") -> dict[str, Any]:
            if made["spec"].get("clusterIP") == "10.0.0.9":
                raise ApiError(422, "Invalid", "provided IP is already allocated")
            return await super().create(made, namespace=namespace)

    async def story() -> None:
        api = Allocating(Cluster())
        for address in ("10.0.0.8", "10.0.0.9"):
            name = f"shop-{address[-1]}"
            body = made.service(name, {80: 1024}, {}, {}, cluster_ip=address)
            await carry_out(api, Create(kind="Service", name=name, body=body))
        assert api.cluster.service("shop-8")["spec"]["clusterIP"] == "10.0.0.8"
        assert api.cluster.service("shop-9")["spec"]["clusterIP"] != "10.0.0.9"

    run(story())


def test_an_address_that_flaps_is_written_ever_more_rarely_and_comes_right_in_the_end() -> None:
    async def body() -> None:
        cluster = Cluster()
        api = ClusterApi(cluster)
        writer = ServiceWriter(api, Random(1))
        loop = asyncio.get_running_loop()
        async with running(writer):
            began = loop.time()
            while loop.time() - began < 600:  # Another site declares and withdraws it.
                is_there = "flaps" in cluster.objects["Service"]
                writer.offer(changes(cluster, *([] if is_there else ["flaps"]), "steady"))
                await asyncio.sleep(0.1)
            flapped = [at for at, name in api.times if name == "flaps"]
            assert len(flapped) < limits.SERVICE_CHANGES_BURST + 12
            assert [name for _, name in api.times].count("steady") == 1
            writer.offer(changes(cluster, "flaps", "steady", "other"))
            await asyncio.sleep(1.0)
            assert "other" in cluster.objects["Service"]
            await asyncio.sleep(limits.SERVICE_REST_MAX_S)
            writer.offer(changes(cluster, "flaps", "steady", "other"))
            await asyncio.sleep(1.0)
            assert "flaps" in cluster.objects["Service"]

    run(body())
