"""Custom resources are found by discovery, read as rights allow, and kept when their kind goes."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from router.kubernetes.client.errors import ApiError
from router.kubernetes.objects.access_levels import AccessLevel, least
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.store.custom_kinds import CustomKinds
from router.kubernetes.store.supervise import run_supervised
from router.model import limits
from tests.unit.kubernetes.client.scripted import ScriptedCluster
from tests.unit.virtual_loop import run, running

GROUP = "skupper.io/v2alpha1"
OLDER = "skupper.io/v1alpha1"
SERVED = ("Site", "Listener")
ROUND_S = limits.CUSTOM_KINDS_S * 1.3
SOON_S = 6.0


class CustomCluster(ScriptedCluster):
    """A cluster with definitions of kinds, and rights on them."""

    def __init__(self) -> None:
        super().__init__()
        self.served = set(SERVED)
        self.rights = dict.fromkeys(SERVED, AccessLevel.FULL)
        self.fault: ApiError | None = None
        self.broken: list[Exception] = []  # Each is raised once.
        self.questions = 0
        self.version = GROUP

    async def creatable(self, api_version: str) -> frozenset[str]:
        self.questions += 1
        if self.fault is not None:
            raise self.fault
        if self.broken:
            raise self.broken.pop()
        served = self.served if api_version == self.version else ()
        return frozenset(KINDS[kind].plural for kind in served)

    async def access_level(self, kind: str) -> AccessLevel:
        self.questions += 3
        return self.rights[kind]

    def add(self, kind: str, name: str, **spec: Any) -> None:
        self.put({"apiVersion": GROUP, "kind": kind, "metadata": {"name": name}, "spec": spec})

    def undefine(self, kind: str) -> None:
        """As an API server does it: no creation any more, then every object is deleted."""
        self.served.discard(kind)
        for name in list(self.of(kind).objects):
            self.of(kind).remove(name)


@contextlib.asynccontextmanager
async def mirrored(cluster: CustomCluster, *older: str) -> AsyncIterator[CustomKinds]:
    kinds = CustomKinds(cluster, GROUP, SERVED, lambda kind: None, random.Random(3), older)
    async with running(kinds):
        await asyncio.sleep(0.01)
        yield kinds


def names(kinds: CustomKinds, kind: str) -> set[str]:
    return set(kinds.informers[kind].copy())


def test_kinds_that_are_served_are_mirrored_and_their_levels_known() -> None:
    async def story() -> None:
        cluster = CustomCluster()
        cluster.add("Site", "west")
        cluster.rights["Listener"] = AccessLevel.READ
        async with mirrored(cluster) as kinds:
            assert kinds.settled
            assert names(kinds, "Site") == {"west"}
            assert kinds.levels == {"Site": AccessLevel.FULL, "Listener": AccessLevel.READ}
            assert least(kinds.levels.values()).letter == "B"

    run(story())


def test_a_kind_without_definition_or_right_is_never_listed_and_found_later() -> None:
    async def story() -> None:
        cluster = CustomCluster()
        cluster.served, cluster.rights["Site"] = {"Site"}, AccessLevel.NONE
        cluster.add("Listener", "db")
        cluster.add("Site", "west")
        async with mirrored(cluster) as kinds:
            assert kinds.settled
            await asyncio.sleep(ROUND_S * 3)
            assert cluster.of("Site").lists == cluster.of("Listener").lists == []
            assert least(kinds.levels.values()).letter == "C"
            cluster.served.add("Listener")
            cluster.rights["Site"] = AccessLevel.FULL
            await asyncio.sleep(ROUND_S)
            assert (names(kinds, "Site"), names(kinds, "Listener")) == ({"west"}, {"db"})

    run(story())


def test_an_error_of_the_server_may_pass_and_does_not_last() -> None:
    """A router that starts without its predecessor's objects withdraws what they declare."""

    async def story() -> None:
        cluster = CustomCluster()
        cluster.add("Site", "west")
        cluster.broken = [ApiError(503, "ServiceUnavailable", "starting")]
        async with mirrored(cluster) as kinds:
            before = kinds.settled
            await asyncio.sleep(2.0)
            assert (before, kinds.settled) == (False, True)
            assert names(kinds, "Site") == {"west"}
        cluster.fault = ApiError(503, "ServiceUnavailable", "overloaded")
        async with mirrored(cluster) as kinds:
            await asyncio.sleep(3.0)
            before = kinds.settled
            await asyncio.sleep(SOON_S)
            assert (before, kinds.settled) == (False, True), "a router starts all the same"

    run(story())


def test_an_api_server_that_was_away_may_have_errors_too_while_it_starts() -> None:
    async def story() -> None:
        cluster = CustomCluster()
        cluster.add("Site", "west")
        starting = ApiError(503, "ServiceUnavailable", "starting")
        cluster.broken = [starting, *[ApiError(0, "Unreachable", "connection refused")] * 4]
        async with mirrored(cluster) as kinds:
            for _ in range(200):
                await asyncio.sleep(0.1)
                if kinds.settled:
                    break
            assert kinds.settled and names(kinds, "Site") == {"west"}

    run(story())


def test_a_right_that_comes_right_after_the_start_counts_within_seconds() -> None:
    """A router may start before its Roles are applied, or before the API server has read them."""

    async def story() -> None:
        cluster = CustomCluster()
        cluster.rights = dict.fromkeys(SERVED, AccessLevel.NONE)
        cluster.add("Site", "west")
        cluster.add("Listener", "db")
        async with mirrored(cluster) as kinds:
            await asyncio.sleep(SOON_S / 3)
            cluster.rights = dict.fromkeys(SERVED, AccessLevel.FULL)
            await asyncio.sleep(SOON_S)
            assert (names(kinds, "Site"), names(kinds, "Listener")) == ({"west"}, {"db"})

    run(story())


@pytest.mark.parametrize("status", [403, 0])
def test_discovery_that_fails_for_a_moment_is_asked_for_again_within_seconds(status: int) -> None:
    """A starting API server refuses everything until it has read the Roles."""

    async def story() -> None:
        cluster = CustomCluster()
        cluster.fault = ApiError(status, "", "not yet")
        cluster.add("Site", "west")
        async with mirrored(cluster) as kinds:
            await asyncio.sleep(SOON_S / 3)
            cluster.fault = None
            await asyncio.sleep(SOON_S)
            assert names(kinds, "Site") == {"west"}

    run(story())


def test_an_older_version_is_read_where_the_newest_is_not_served() -> None:
    async def story() -> None:
        cluster = CustomCluster()
        cluster.version = OLDER
        cluster.add("Site", "west")
        async with mirrored(cluster, OLDER) as kinds:
            assert (kinds.api_version, cluster.versions) == (OLDER, [OLDER])
            assert names(kinds, "Site") == {"west"}
            lists = len(cluster.of("Site").lists)
            await asyncio.sleep(ROUND_S)
            assert cluster.versions == [OLDER], "once"
            cluster.version = GROUP
            await asyncio.sleep(ROUND_S)
            assert (kinds.api_version, cluster.versions) == (GROUP, [OLDER, GROUP])
            assert len(cluster.of("Site").lists) == lists + 1, "it is read in the new version"
            assert kinds.levels["Site"] is AccessLevel.FULL and not kinds.vanished

    run(story())


def test_no_older_version_is_asked_for_while_the_newest_is_served() -> None:
    async def story() -> None:
        cluster = CustomCluster()
        async with mirrored(cluster, OLDER) as kinds:
            assert (kinds.api_version, cluster.versions) == (GROUP, [])
            assert cluster.questions == 1 + 2 * 3

    run(story())


def test_a_deleted_object_goes_away() -> None:
    async def story() -> None:
        cluster = CustomCluster()
        for name in ("a", "b", "c"):
            cluster.add("Listener", name)
        async with mirrored(cluster) as kinds:
            asked = cluster.questions
            for name in ("a", "b"):
                cluster.of("Listener").remove(name)
            await asyncio.sleep(limits.CUSTOM_KIND_SETTLES_S * 2)
            assert names(kinds, "Listener") == {"c"}
            assert cluster.questions == asked + 1, "one question for a burst of deletions"

    run(story())


def test_a_vanished_definition_deletes_nothing_even_after_it_came_back_empty() -> None:
    async def story() -> None:
        cluster = CustomCluster()
        for name in ("a", "b"):
            cluster.add("Listener", name, port=1)
        async with mirrored(cluster) as kinds:
            cluster.undefine("Listener")
            await asyncio.sleep(ROUND_S * 3)
            assert names(kinds, "Listener") == {"a", "b"}
            assert kinds.vanished == ["Listener"]
            cluster.served.add("Listener")
            await asyncio.sleep(ROUND_S * 2)
            assert names(kinds, "Listener") == {"a", "b"}
            assert kinds.vanished == []
            assert kinds.informers["Listener"].retained == {"a", "b"}
            cluster.add("Listener", "a", port=2)
            await asyncio.sleep(1)
            assert kinds.informers["Listener"].retained == {"b"}
            assert kinds.informers["Listener"].copy()["a"]["spec"] == {"port": 2}
            cluster.of("Listener").remove("a")
            await asyncio.sleep(1)
            assert names(kinds, "Listener") == {"b"}

    run(story())


def test_a_definition_that_vanished_while_the_watch_was_broken_deletes_nothing() -> None:
    async def story() -> None:
        cluster = CustomCluster()
        cluster.add("Listener", "a")
        async with mirrored(cluster) as kinds:
            cluster.undefine("Listener")
            cluster.of("Listener").history.clear()
            cluster.of("Listener").forget()
            cluster.of("Listener").cut(ApiError(404, "NotFound", "404 page not found"))
            await asyncio.sleep(ROUND_S * 3)
            assert names(kinds, "Listener") == {"a"}

    run(story())


def test_with_discovery_away_everything_stays() -> None:
    async def story() -> None:
        cluster = CustomCluster()
        cluster.add("Site", "west")
        async with mirrored(cluster) as kinds:
            cluster.fault = ApiError(0, "Unreachable", "connection refused")
            await asyncio.sleep(ROUND_S * 3)
            assert names(kinds, "Site") == {"west"}
            assert kinds.levels["Site"] is AccessLevel.FULL

    run(story())


def test_after_a_fault_of_ours_the_kinds_are_mirrored_again() -> None:
    async def story() -> None:
        cluster = CustomCluster()
        cluster.add("Site", "west")
        kinds = CustomKinds(cluster, GROUP, SERVED, lambda kind: None, random.Random(3))
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(run_supervised(kinds, "the kinds of the test"))
            await asyncio.sleep(1)
            cluster.broken.append(RuntimeError("a fault of ours"))
            await asyncio.sleep(ROUND_S)
            assert not cluster.broken, "it was met"
            cluster.add("Site", "east")
            await asyncio.sleep(limits.WATCH_BACKOFF_MAX_S + 1)
            assert names(kinds, "Site") == {"west", "east"}
            task.cancel()

    run(story())


def test_an_idle_namespace_is_asked_about_twice_a_minute_at_most() -> None:
    async def story() -> None:
        cluster = CustomCluster()
        async with mirrored(cluster):
            await asyncio.sleep(60)
            asked = cluster.questions
            await asyncio.sleep(600)
            assert cluster.questions - asked <= 20 + 6 * 3, "and rights some times in ten minutes"

    run(story())
