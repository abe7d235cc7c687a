"""Other namespaces: which are mirrored, how many, and what stays of one that nothing names."""

import asyncio
from random import Random

from router.kubernetes.store.other_namespaces import CHANGED, POD, OtherNamespaces
from router.model import limits
from tests.unit.kubernetes.client.scripted import ScriptedCluster
from tests.unit.kubernetes.objects_made import pod
from tests.unit.virtual_loop import run

NOTHING: frozenset[str] = frozenset()


def test_no_more_namespaces_than_allowed_are_mirrored_and_the_others_are_named() -> None:
    async def story() -> None:
        others = OtherNamespaces(ScriptedCluster(pod("a")), lambda what: None, Random(1))
        names = [f"n{number:02}" for number in range(limits.OTHER_NAMESPACES_MAX + 1)]
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(others.run())
            others.want(frozenset(names), NOTHING)
            await asyncio.sleep(1)
            assert sorted(others.view) == names[:-1]
            (finding,) = others.findings()
            assert (finding.code, finding.source) == ("SW0438", f"Namespace/{names[-1]}")
            assert f"NAME.{names[-1]}" in finding.hint
            others.want(frozenset(names[1:]), NOTHING)
            await asyncio.sleep(1)
            assert sorted(others.view) == names[1:]
            assert list(others.findings()) == []
            running.cancel()

    run(story())


def test_a_namespace_that_nothing_names_any_more_is_forgotten_at_once() -> None:
    async def story() -> None:
        told: list[str] = []
        cluster = ScriptedCluster(pod("a"))
        others = OtherNamespaces(cluster, told.append, Random(1))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(others.run())
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
            running.cancel()

    run(story())
