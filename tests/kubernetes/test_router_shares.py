"""Routers of one site that cannot reach each other, as behind a NetworkPolicy that forbids it."""

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from router.kubernetes.objects import names
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.routers import Router, soon
from tests.kubernetes.test_reach import READY, Serve, cluster, pod, serve
from tests.scenario.harness import own_address

__all__ = ["cluster", "serve"]

HELD = {"finalizers": ["tests/held"]}
DOCUMENTS = """
apiVersion: spillway/v1
kind: Service
name: shop
spec: {protocol: http, ports: [80]}
---
apiVersion: spillway/v1
kind: Connector
name: shop
spec: {service: shop, capacity: 6, workload: pods/app=shop, targetPorts: [8080]}
"""
SECOND_INNER_PORT = 1025
Begin = Callable[[str, str], Router]


def router_pod(cluster: Cluster, name: str, address: str) -> None:
    """A ready Pod of a router, which stays listed after its deletion."""
    marked = {"labels": {names.COMPONENT_LABEL: names.COMPONENT_ROUTER}, **HELD}
    spec = {"containers": [{"name": "router", "image": "router"}]}
    cluster.create("Pod", name, "west", metadata=marked, spec=spec)
    told: dict[str, Any] = READY | {"podIP": address, "podIPs": [{"ip": address}]}
    told |= {"containerStatuses": [{"name": "router", "state": {"running": {}}}]}
    cluster.patch("Pod", name, {"status": told}, "west", "status")


@pytest.fixture
def begin(cluster: Cluster, serve: Serve, tmp_path: Path) -> Iterator[Begin]:
    """Starts a router of site ``west``; its Pod says that it is at the address."""
    cluster.create("Namespace", "west")
    data = {"name": "west", "ingress": "loadbalancer"}
    cluster.create("ConfigMap", names.SITE_CONFIGMAP, "west", data=data)
    labels = {names.DOCUMENTS_LABEL: names.DOCUMENTS}
    cluster.create(
        "ConfigMap",
        "shop",
        "west",
        metadata={"labels": labels},
        data={"shop.yaml": DOCUMENTS},
    )
    pod(cluster, "shop-1", serve("shop-1", "", 8080)[0], {})
    routers: dict[str, Router] = {}

    def started(name: str, shown_at: str) -> Router:
        address = own_address()
        router_pod(cluster, name, shown_at or address)
        place = tmp_path / name
        bounds = {"SHARES_UNHEARD_S": 1.0, "START_LISTENS_S": 1.0, "ROUTER_ABSENT_S": 1.0}
        made = Router(cluster, "west", place, address=address, bounds=bounds, pod=name)
        routers[name] = made
        return made.serves()

    yield started
    for name, router in routers.items():
        router.stop()
        if cluster.get("Pod", name, "west"):  # Else the namespace of a real cluster stays.
            cluster.patch("Pod", name, {"metadata": {"finalizers": None}}, "west")


def capacity(router: Router) -> int | None:
    """What the router may use itself, as far as it knows no other one."""
    (service,) = router.get("services")
    found: int | None = service["sites"][0]["capacity"]
    return found


def targets(router: Router) -> int:
    (service,) = router.get("services")
    return len(service["targets"])


def test_routers_that_reach_each_other_divide_and_miss_nobody(begin: Begin) -> None:
    one, other = begin("r-1", ""), begin("r-2", "")
    for router in (one, other):
        soon(lambda router=router: router.get("status")["replicas"] == 2, "linked", one, other)  # type: ignore[misc]
        soon(lambda router=router: capacity(router) == 6, "all is used", one, other)  # type: ignore[misc]
        soon(lambda router=router: "SW0678" not in router.codes(), "none is missed", one, other)  # type: ignore[misc]


def test_a_router_whose_pod_is_not_ready_is_named_by_the_others(
    cluster: Cluster, begin: Begin
) -> None:
    one, other = begin("r-1", ""), begin("r-2", "")
    for asked, missed in ((one, "r-2"), (other, "r-1")):
        soon(lambda asked=asked: asked.get("status")["replicas"] == 2, "linked", one, other)  # type: ignore[misc]

        def named(asked: Router = asked, missed: str = missed) -> bool:
            told = f"The router of pod {missed} does not serve since 2026-11-28 20:00:00 UTC: its"
            return any(told in note["message"] for note in asked.get("status")["notes"])

        assert not named()
        since = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-28T20:00:00Z"}
        cluster.patch("Pod", missed, {"status": {"conditions": [since]}}, "west", "status")
        soon(named, "status names it", one, other)
        ready = since | {"status": "True"}
        cluster.patch("Pod", missed, {"status": {"conditions": [ready]}}, "west", "status")
        soon(lambda named=named: not named(), "it serves again", one, other)  # type: ignore[misc]


def test_a_router_that_serves_and_is_no_longer_linked_is_named_by_the_other(
    cluster: Cluster, begin: Begin
) -> None:
    one, other = begin("r-1", ""), begin("r-2", "")
    for router in (one, other):
        soon(lambda router=router: router.get("status")["replicas"] == 2, "linked", one, other)  # type: ignore[misc]
    found = cluster.get("Pod", "r-1", "west")
    assert found is not None
    elsewhere = own_address()  # Where the younger one now dials it, and nobody answers.
    for address, is_linked in ((elsewhere, False), (found["status"]["podIP"], True)):
        told = {"podIP": address, "podIPs": [{"ip": address}]}
        cluster.patch("Pod", "r-1", {"status": told}, "west", "status")
        for asked, missed in ((one, "r-2"), (other, "r-1")):

            def named(asked: Router = asked, missed: str = missed) -> bool:
                said = f"The router of pod {missed} is not linked to this one since "
                return any(said in note["message"] for note in asked.get("status")["notes"])

            expected = not is_linked
            soon(lambda named=named, expected=expected: named() is expected, "named", one, other)  # type: ignore[misc]


def test_what_only_one_router_finds_is_in_the_status_of_every_router(
    cluster: Cluster, begin: Begin
) -> None:
    one, other = begin("r-1", ""), begin("r-2", "")
    with socket.create_server((other.address, SECOND_INNER_PORT)):
        labels = {names.DOCUMENTS_LABEL: names.DOCUMENTS}
        till = {"till.yaml": DOCUMENTS.replace("shop", "till").partition("---")[0]}
        cluster.create("ConfigMap", "till", "west", metadata={"labels": labels}, data=till)

        def told(by: Router, begins: str) -> bool:
            problems = by.get("status")["problems"]
            return any(each["message"].startswith(begins) for each in problems)

        found = "Service till:80 has no listener here: "
        soon(lambda: told(other, found), "its port is taken", one, other)
        soon(lambda: told(one, f"Router r-2: {found}"), "the other one says so, too", one, other)
        assert not told(one, found) and not told(other, "Router ")
    soon(lambda: not told(one, "Router "), "the port is free", one, other)


def test_a_router_that_ends_whenever_it_starts_leaves_its_share_to_the_others(
    cluster: Cluster, begin: Begin
) -> None:
    one, other = begin("r-1", ""), begin("r-2", "")
    soon(lambda: one.get("status")["replicas"] == 2, "linked", one, other)
    soon(lambda: (capacity(one), capacity(other)) == (6, 6), "all is used", one, other)
    other.kill()
    # In whole seconds: it may be the second in which the next life began.
    late = (datetime.now(UTC) + timedelta(seconds=1)).isoformat(timespec="seconds")
    ended = {"terminated": {"exitCode": 137, "finishedAt": late}}
    container = {"name": "router", "restartCount": 3, "lastState": ended}
    container["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    since = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-28T20:00:00Z"}
    told = {"conditions": [since], "containerStatuses": [container]}
    cluster.patch("Pod", "r-2", {"status": told}, "west", "status")
    soon(lambda: one.get("status")["replicas"] == 1, "it is missed", one)
    soon(lambda: capacity(one) == 6, "the other uses all", one)
    (note,) = [one for one in one.get("status")["notes"] if one["code"] == "SW0684"]
    assert "CrashLoopBackOff" in note["message"]


def test_of_routers_that_do_not_reach_each_other_the_first_keeps_all_until_it_is_gone(
    cluster: Cluster, begin: Begin, serve: Serve
) -> None:
    one, other = begin("r-1", own_address()), begin("r-2", "")
    for router in (one, other):
        soon(lambda router=router: "SW0678" in router.codes(), "it is a problem", one, other)  # type: ignore[misc]

    def used() -> tuple[int | None, int | None]:
        return capacity(one), capacity(other)

    soon(lambda: used() == (6, 0), "the first uses all", one, other)
    cluster.delete("Pod", "r-1", "west")
    found = cluster.get("Pod", "r-1", "west")
    assert found is not None and found["metadata"]["deletionTimestamp"]
    pod(
        cluster, "shop-2", serve("shop-2", "", 8080)[0], {}
    )  # Heard of after the deletion: by the same watch.
    for router in (one, other):
        soon(lambda router=router: targets(router) == 2, "shop-2 counts", one, other)  # type: ignore[misc]
    soon(lambda: used() == (12, 0), "it uses the new target, too", one, other)
    cluster.patch("Pod", "r-1", {"metadata": {"finalizers": None}}, "west")
    soon(lambda: capacity(other) == 12, "the other has all once the Pod is gone", one, other)
    soon(lambda: "SW0678" not in other.codes(), "the problem is over", other)
