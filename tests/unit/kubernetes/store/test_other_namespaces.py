"""Other namespaces: which are mirrored, how many, and what stays of one that nothing names."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from random import Random

from router.kubernetes.client.errors import ApiError
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.store.other_namespaces import ATTACHED, CHANGED, POD, OtherNamespaces
from router.kubernetes.store.supervise import run_supervised
from router.model import limits
from tests.unit.kubernetes.client.scripted import ScriptedCluster
from tests.unit.kubernetes.objects_made import pod
from tests.unit.virtual_loop import run, running

FORBIDDEN = ApiError(403, "Forbidden", 'pods is forbidden: cannot list resource "pods"')
NOTHING: frozenset[str] = frozenset()


def test_no_more_namespaces_than_allowed_are_mirrored_and_the_others_are_named() -> None:
    async def story() -> None:
        told: list[str] = []
        others = OtherNamespaces(ScriptedCluster(pod("a")), told.append, Random(1))
        names = [f"n{number:02}" for number in range(limits.OTHER_NAMESPACES_MAX + 1)]

        def left_out() -> list[str]:
            return [name for name, one in others.view.items() if one.is_left_out]

        async with running(others):
            others.want(frozenset(names), NOTHING)
            assert told == list(CHANGED.values())
            await asyncio.sleep(1)
            assert sorted(others.view) == names
            assert left_out() == names[-1:], "the first by name count"
            assert not others.unanswered
            others.want(frozenset(names[1:]), NOTHING)
            await asyncio.sleep(1)
            assert sorted(others.view) == names[1:]
            assert left_out() == []

    run(story())


def test_a_namespace_that_nothing_names_any_more_is_forgotten_at_once() -> None:
    async def story() -> None:
        told: list[str] = []
        cluster = ScriptedCluster(pod("a"))
        others = OtherNamespaces(cluster, told.append, Random(1))
        async with running(others):
            others.want(frozenset({"work"}), NOTHING)
            await asyncio.sleep(1)
            assert set(others.view["work"].objects["Pod"]) == {"a"}
            others.want(NOTHING, NOTHING)
            await asyncio.sleep(1)
            assert others.view == {}
            mark = len(told)
            cluster.put(pod("b"))
            await asyncio.sleep(1)
            assert (told[-1], len(told)) == (CHANGED[POD], mark), "it is watched no more"

    run(story())


@contextlib.asynccontextmanager
async def mirror(
    cluster: ScriptedCluster, changed: Callable[[str], None] = lambda what: None
) -> AsyncIterator[OtherNamespaces]:
    """The pods of namespace ``work``, listed once."""
    others = OtherNamespaces(cluster, changed, Random(1))
    async with running(others):
        others.want(frozenset({"work"}), NOTHING)
        await asyncio.sleep(1)
        yield others


def pods_of(others: OtherNamespaces) -> set[str] | None:
    """Names; None: none may be read."""
    listed = others.view["work"].objects.get(POD)
    return None if listed is None else set(listed)


def test_a_permission_that_is_taken_back_withdraws_the_pods() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(pod("a"))
        async with mirror(cluster) as others:
            assert pods_of(others) == {"a"}
            cluster.of(POD).list_faults = [FORBIDDEN] * 9
            cluster.of(POD).watch_faults = [FORBIDDEN]
            await asyncio.sleep(limits.REVOCABLE_WATCH_S + limits.REVOKED_AGAIN_S * 1.25 + 1)
            assert pods_of(others) is None
            assert POD in others.view["work"].refused
            cluster.of(POD).list_faults = []
            await asyncio.sleep(limits.WATCH_REFUSED_S * 1.25 + 1)
            assert pods_of(others) == {"a"}
            assert others.view["work"].refused == {}

    run(story())


def test_a_server_that_refuses_once_withdraws_nothing() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(pod("a"))
        refusals: list[str] = []
        async with mirror(cluster, refusals.append) as others:
            del refusals[:]
            cluster.of(POD).watch_faults = [FORBIDDEN]
            await asyncio.sleep(limits.REVOCABLE_WATCH_S)
            assert POD in others.view["work"].refused
            assert pods_of(others) == {"a"}
            await asyncio.sleep(limits.REVOKED_AGAIN_S * 1.25 + 1)
            assert len(cluster.of(POD).lists) == 2
            assert others.view["work"].refused == {}
            assert len(refusals) == 2, "that it is refused, and no longer"

    run(story())


def test_a_role_without_watch_flaps_nothing() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(pod("a"))
        cluster.of(POD).watch_faults = [FORBIDDEN] * 20
        async with mirror(cluster) as others:
            for _ in range(20):
                assert pods_of(others) == {"a"}
                assert POD in others.view["work"].refused
                await asyncio.sleep(limits.WATCH_REFUSED_S / 4)

    run(story())


def test_a_permission_that_went_with_the_definition_of_the_kind_may_be_given_again() -> None:
    async def story() -> None:
        cluster = ScriptedCluster()
        cluster.custom_levels[ATTACHED] = AccessLevel.FULL
        server = cluster.of(ATTACHED)
        server.put("a")
        others = OtherNamespaces(cluster, lambda what: None, Random(1))

        def attached() -> set[str] | None:
            listed = others.view["work"].objects.get(ATTACHED)
            return None if listed is None else set(listed)

        async with running(others):
            others.want(NOTHING, frozenset({"work"}))
            await asyncio.sleep(1)
            assert attached() == {"a"}
            del cluster.custom_levels[ATTACHED]
            server.remove("a")
            await asyncio.sleep(limits.REVOCABLE_WATCH_S)
            assert attached() == {"a"}, "its definition went, and so its deletion does not count"
            server.list_faults = [FORBIDDEN] * 2
            cluster.custom_levels[ATTACHED] = AccessLevel.FULL
            await asyncio.sleep(limits.CUSTOM_KINDS_IDLE_S * 1.25 + limits.WATCH_REFUSED_S * 2)
            assert not server.list_faults
            server.put("b")
            await asyncio.sleep(limits.WATCH_REFUSED_S * 2)
            assert attached() == {"b"}

    run(story())


def test_after_a_fault_of_ours_the_namespaces_are_mirrored_again() -> None:
    async def story() -> None:
        broken: list[Exception] = []

        def changed(what: str) -> None:
            if broken:
                raise broken.pop()

        cluster = ScriptedCluster(pod("a"))
        others = OtherNamespaces(cluster, changed, Random(1))
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(run_supervised(others, "the namespaces of the test"))
            others.want(frozenset({"work", "gone"}), NOTHING)
            await asyncio.sleep(1)
            broken.append(RuntimeError("a fault of ours"))
            others.want(frozenset({"work"}), NOTHING)
            await asyncio.sleep(1)
            assert not broken, "it was met"
            cluster.put(pod("b"))
            await asyncio.sleep(limits.WATCH_BACKOFF_MAX_S + 1)
            assert pods_of(others) == {"a", "b"}
            task.cancel()

    run(story())
