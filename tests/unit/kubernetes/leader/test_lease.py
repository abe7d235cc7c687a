"""One router of a site writes, and two never do."""

import asyncio
import copy
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.leader.lease import Leadership
from router.kubernetes.objects.names import ROUTER
from router.kubernetes.objects.objects import Object
from router.model import limits
from tests.unit.virtual_loop import VirtualLoop, run, running

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


class OneLease(Api):
    """The Lease as the API server keeps it. ``away``: the server does not answer."""

    def __init__(self) -> None:
        self.found: dict[str, Any] | None = None
        self.away = self.hangs = False
        self.forbidden = False
        self.refusal = "leases is forbidden"
        self.takes_s = 0.01
        self.version = 0
        self.calls: list[str] = []

    def write(self, whole: Object) -> dict[str, Any]:
        self.version += 1
        self.found = copy.deepcopy(dict(whole))
        self.found["metadata"] = {**self.found["metadata"], "resourceVersion": str(self.version)}
        return copy.deepcopy(self.found)

    def _refuse(self) -> None:
        if self.away:
            raise ApiError(0, "Unreachable", "nobody answers")
        if self.forbidden:
            raise ApiError(403, "Forbidden", self.refusal)

    async def find(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        assert (kind, name) == ("Lease", ROUTER)
        self.calls.append("find")
        if self.hangs:
            await asyncio.sleep(3_600)
        self._refuse()
        found = copy.deepcopy(self.found)
        await asyncio.sleep(self.takes_s)  # Others may write meanwhile.
        return found

    async def create(self, made: Object, *, namespace: str = "") -> dict[str, Any]:
        self._refuse()
        if self.found is not None:
            raise ApiError(409, "AlreadyExists", "there is one")
        return self.write(made)

    async def replace(
        self, whole: Object, *, subresource: str = "", namespace: str = ""
    ) -> dict[str, Any]:
        if self.hangs:
            await asyncio.sleep(3_600)
        self._refuse()
        self.calls.append("replace")
        assert self.found is not None
        if whole["metadata"]["resourceVersion"] != self.found["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "somebody was faster")
        return self.write(whole)


def routers(api: OneLease, *holders: str) -> list[Leadership]:
    return [
        Leadership(api, holder, Random(number), clock=lambda: WHEN)
        for number, holder in enumerate(holders)
    ]


async def never_two(found: list[Leadership], seconds: float) -> None:
    """Virtual time passes, and at no time do two hold it."""
    for _ in range(int(seconds * 20)):
        await asyncio.sleep(0.05)
        assert sum(one.holds for one in found) <= 1


def test_of_several_one_holds_it_and_goes_on_holding_it() -> None:
    async def story() -> None:
        api = OneLease()
        found = routers(api, "a", "b", "c")
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(one.run()) for one in found]
            await never_two(found, 1)
            (holder,) = [one for one in found if one.holds]
            await never_two(found, 60)
            assert holder.holds
            assert api.found is not None
            assert api.found["spec"]["leaseTransitions"] == 0
            for task in running:
                task.cancel()

    run(story())


@pytest.mark.parametrize("leaves_in_order", [True, False])
def test_when_the_holder_ends_another_takes_over(leaves_in_order: bool) -> None:
    async def story() -> None:
        api = OneLease()
        first, second = found = routers(api, "a", "b")
        async with asyncio.TaskGroup() as tasks:
            ends = tasks.create_task(first.run())
            await never_two(found, 1)
            running = tasks.create_task(second.run())
            await never_two(found, 20)
            assert [one.holds for one in found] == [True, False]
            ends.cancel()
            if leaves_in_order:
                await first.release()
            await never_two(found, limits.LEASE_RENEW_S + 1)
            assert [one.holds for one in found][1] is leaves_in_order
            await never_two(found, limits.LEASE_S + limits.LEASE_RENEW_S)
            assert [one.holds for one in found] == [False, True]
            running.cancel()

    run(story())


@pytest.mark.parametrize("renews", [True, False])
def test_a_holder_without_a_routers_pod_is_named_while_it_renews(renews: bool) -> None:
    async def story() -> None:
        api = OneLease()
        (router,) = routers(api, "pod-a_1")
        router.see(["pod-a", "pod-b"])
        foreign = {"holderIdentity": "backup-job", "leaseDurationSeconds": 15}
        found = {"metadata": {"name": ROUTER}, "spec": foreign}
        api.write(found)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(router.run())
            for _ in range(20):
                await asyncio.sleep(2)
                if renews:
                    api.write(found)
            assert router.holds is not renews
            assert [error.code for error in router.errors] == (["SW0473"] if renews else [])
            if renews:
                (error,) = router.errors
                assert error.reason == (
                    "'backup-job' holds and renews it, and has no Pod of a router here: no router "
                    "in a pod writes a Service, Event or status"
                )
                assert "outside the cluster" in error.hint, (
                    "a router outside the cluster has no Pod"
                )
                await asyncio.sleep(2 * limits.LEASE_S)
                assert router.holds and not router.errors, "it renews no more"
            running.cancel()

    run(story())


def test_a_foreign_holder_is_forgotten_once_its_lease_was_deleted() -> None:
    async def story() -> None:
        api = OneLease()
        (router,) = routers(api, "pod-a_1")
        router.see(["pod-a"])
        found = {"metadata": {"name": ROUTER}, "spec": {"holderIdentity": "backup-job"}}
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(router.run())
            for _ in range(20):
                api.write(found)
                await asyncio.sleep(2)
            assert router.errors
            api.found = None
            await asyncio.sleep(limits.LEASE_RENEW_S + 1)
            assert router.holds and not router.errors
            running.cancel()

    run(story())


def test_a_router_whose_pod_is_known_is_no_foreign_holder() -> None:
    async def story() -> None:
        api = OneLease()
        first, second = routers(api, "pod-a_1", "pod-b_1")
        for one in (first, second):
            one.see(["pod-a", "pod-b"])
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(one.run()) for one in (first, second)]
            await asyncio.sleep(3 * limits.LEASE_FOREIGN_S)
            assert first.holds != second.holds and not first.errors + second.errors
            for task in running:
                task.cancel()

    run(story())


def test_a_holder_that_cannot_renew_stops_before_another_begins() -> None:
    async def story() -> None:
        api = OneLease()
        first, second = found = routers(api, "a", "b")
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(first.run())]
            await never_two(found, 1)
            running.append(tasks.create_task(second.run()))
            await never_two(found, 10)
            api.away = True
            await never_two(found, limits.LEASE_HELD_S + limits.LEASE_RENEW_S)
            assert not any(one.holds for one in found)
            api.away = False
            await never_two(found, 30)
            assert any(one.holds for one in found)
            for task in running:
                task.cancel()

    run(story())


def test_the_only_router_renews_rarely_and_without_reading() -> None:
    async def story() -> None:
        api = OneLease()
        one = Leadership(api, "pod-a_1", Random(1), clock=lambda: WHEN)
        one.see(["pod-a"])
        async with running(one):
            await asyncio.sleep(1)
            api.calls.clear()
            for _ in range(600):
                await asyncio.sleep(1)
                assert one.holds
            assert set(api.calls) == {"replace"}
            assert len(api.calls) <= 10 * 3

    run(story())


@pytest.mark.parametrize("end", ["beside another", "alone"])
def test_who_held_it_alone_is_followed_as_soon_as_one_of_several(end: str) -> None:
    async def story() -> None:
        api = OneLease()
        first, second = found = routers(api, "pod-a_1", "pod-b_1")
        first.see(["pod-a"])
        async with asyncio.TaskGroup() as tasks:
            ends = tasks.create_task(first.run())
            await never_two(found, 70)
            if end == "beside another":
                first.see(["pod-a", "pod-b"])
                second.see(["pod-a", "pod-b"])
                await never_two(found, 1)
                assert api.found is not None
                assert api.found["spec"]["leaseDurationSeconds"] == limits.LEASE_S
            ends.cancel()
            running = tasks.create_task(second.run())
            if end != "beside another":
                second.see(["pod-b"])  # The process of the first ended with its Pod.
            await asyncio.sleep(limits.LEASE_S + 2 * limits.LEASE_RENEW_S)
            assert second.holds
            running.cancel()

    run(story())


def test_a_container_that_starts_again_holds_what_its_earlier_life_held() -> None:
    async def story() -> None:
        api = OneLease()
        first, again = routers(api, "pod-a_1", "pod-a_2")
        async with asyncio.TaskGroup() as tasks:
            for one in (first, again):
                one.see(["pod-a", "pod-b"])
                running = tasks.create_task(one.run())
                await asyncio.sleep(1)
                assert one.holds
                running.cancel()

    run(story())


def test_it_is_told_when_the_right_to_write_comes_and_goes() -> None:
    async def story() -> None:
        api, told = OneLease(), []
        changed: Callable[[], None] = lambda: told.append(one.holds)  # noqa: E731
        one = Leadership(api, "a", Random(1), changed, lambda: WHEN)
        async with running(one):
            await asyncio.sleep(1)
            assert told == [True]
            api.away = True
            await asyncio.sleep(30)
            assert told == [True, False]

    run(story())


def test_a_right_that_ran_out_unnoticed_is_told_when_it_is_back() -> None:
    async def story() -> None:
        api, told = OneLease(), []
        changed: Callable[[], None] = lambda: told.append(one.holds)  # noqa: E731
        one = Leadership(api, "a", Random(1), changed, lambda: WHEN)
        async with running(one):
            await asyncio.sleep(1)
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            loop.jump(60)  # As if something had held the loop.
            await asyncio.sleep(1)
            assert told == [True, False, True]

    run(story())


def test_a_right_that_ran_out_while_it_was_being_renewed_is_told_when_it_is_back() -> None:
    async def story() -> None:
        api, told = OneLease(), []
        changed: Callable[[], None] = lambda: told.append(one.holds)  # noqa: E731
        one = Leadership(api, "a", Random(1), changed, lambda: WHEN)
        async with running(one):
            await asyncio.sleep(1)
            assert one.holds
            api.away = True
            await asyncio.sleep(limits.LEASE_HELD_S - 4)
            api.away, api.takes_s = False, limits.LEASE_RENEW_S - 0.5
            await asyncio.sleep(4 - 0.5)
            held = [one.holds]  # A reader that sees this waits for the callback.
            await asyncio.sleep(limits.LEASE_RENEW_S)
            assert [*held, one.holds] == [False, True]
            assert told[-2:] == [False, True]

    run(story())


@pytest.mark.parametrize("hangs", [True, False])
def test_a_server_that_does_not_answer_is_told_until_it_does(hangs: bool) -> None:
    async def story() -> None:
        api = OneLease()
        told: list[bool] = []
        one = Leadership(api, "a", Random(1), clock=lambda: WHEN)
        one.follow_silence(lambda: told.append(one.silence is not None))
        loop = asyncio.get_running_loop()
        async with running(one):
            await asyncio.sleep(1)
            assert not told
            began = loop.time()
            api.away, api.hangs = not hangs, hangs
            one.see(["b"])
            await asyncio.sleep(3 * limits.LEASE_RENEW_S)
            assert one.silence is not None and one.silence.since >= began
            assert one.silence.since < began + limits.LEASE_RENEW_S + 1
            assert one.silence.fault.reason == ("Timeout" if hangs else "Unreachable")
            api.away = api.hangs = False
            await asyncio.sleep(2 * limits.LEASE_RENEW_S)
            assert one.holds
            assert told == [True, False], "once, not each time"

    run(story())


def test_a_lease_that_admission_refuses_is_no_missing_right() -> None:
    async def story() -> None:
        api = OneLease()
        api.forbidden = True
        one = Leadership(api, "a", Random(1), clock=lambda: WHEN)
        async with running(one):
            await asyncio.sleep(10)
            assert one.errors[0].source == f"Role/{ROUTER}"
            api.refusal = "leases is forbidden: exceeded quota: small, requested: 1, used: 1"
            await asyncio.sleep(10)
            (error,) = one.errors
            assert (error.code, error.source) == ("SW0432", f"Lease/{ROUTER}")
            assert "exceeded quota: small" in error.reason and "Raise the quota" in error.hint

    run(story())


def test_a_missing_right_is_a_finding_until_it_is_there() -> None:
    async def story() -> None:
        api = OneLease()
        api.forbidden = True
        told: list[bool] = []
        one = Leadership(api, "a", Random(1), lambda: told.append(one.holds), lambda: WHEN)
        async with running(one):
            await asyncio.sleep(30)
            (error,) = one.errors
            assert (error.code, error.source) == ("SW0432", f"Role/{ROUTER}")
            assert "leases" in error.hint
            assert told == [False]
            api.forbidden = False
            await asyncio.sleep(10)
            assert one.errors == ()
            assert one.holds is told[-1] is True

    run(story())
