"""Workloads of a namespace, by pods as the API server reports them."""

from typing import Any

import pytest

from router.callers.names import CallerName
from router.kubernetes.objects.objects import Object
from router.kubernetes.store.selections import pod as kept
from router.model import limits
from router.process.callers.namespace_names import NamespaceNames, nodes, present, workload
from tests.unit.callers.names import LOCAL, Clock

WEB = CallerName("workload", "deployment/web")
NODE = "192.168.1.10"
FINISHED = "2026-11-26T01:00:00Z"
FINISHED_UNIX = 1795654800.0


def pod(
    name: str = "web-7d4b9c-x2x1",
    *,
    kind: str = "ReplicaSet",
    owner: str = "web-7d4b9c",
    labels: dict[str, str] | None = None,
    addresses: tuple[str, ...] = ("10.0.0.5",),
    phase: str = "Running",
    ended: tuple[str, ...] = (),
    **spec: Any,
) -> Object:
    """A pod as the store keeps it."""
    owners = [{"kind": kind, "name": owner, "controller": True, "uid": "u"}] if kind else []
    running: list[dict[str, Any]] = [{"state": {"running": {"startedAt": FINISHED}}}]
    statuses = [{"state": {"terminated": {"finishedAt": one}}} for one in ended] or running
    return kept(
        {
            "kind": "Pod",
            "metadata": {
                "name": name,
                "uid": f"uid of {name}",
                "labels": {"pod-template-hash": "7d4b9c"} if labels is None else labels,
                "ownerReferences": [{"kind": "Other", "name": "no-controller"}, *owners],
            },
            "spec": {"containers": [{"name": "c"}], **spec},
            "status": {
                "phase": phase,
                "hostIP": NODE,
                "hostIPs": [{"ip": NODE}, {"ip": "fd00::a"}],
                "podIP": addresses[0] if addresses else "",
                "podIPs": [{"ip": address} for address in addresses],
                "containerStatuses": statuses,
            },
        }
    )


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (pod(), "deployment/web"),
        (pod(owner="a-b-7d4b9c"), "deployment/a-b"),
        (pod(labels={}), "replicaset/web-7d4b9c"),
        (pod(owner="by-hand"), "replicaset/by-hand"),
        (pod(owner="-7d4b9c-else"), "replicaset/-7d4b9c-else"),
        (pod(kind="StatefulSet", owner="db", labels={}), "statefulset/db"),
        (pod(kind="DaemonSet", owner="agent", labels={}), "daemonset/agent"),
        (pod(kind="Job", owner="import-29", labels={}), "job/import-29"),
        (pod(kind="Rollout", owner="shop"), "rollout/shop"),
        (pod(kind=""), "pod/web-7d4b9c-x2x1"),
    ],
)
def test_a_caller_is_what_made_its_pod(found: Object, name: str) -> None:
    assert workload(found) == CallerName("workload", name)


def test_a_pod_has_all_its_addresses() -> None:
    (found,) = present([pod(addresses=("10.0.0.5", "fd00::5"))]).values()
    assert found.addresses == ("10.0.0.5", "fd00::5") and not found.is_over


@pytest.mark.parametrize("found", [pod(hostNetwork=True), pod(addresses=())])
def test_a_pod_without_an_address_of_its_own_is_left_out(found: Object) -> None:
    assert present([found]) == {}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_finished_pod_that_keeps_its_address_has_it_no_more(phase: str) -> None:
    (found,) = present([pod(phase=phase)]).values()
    assert found.is_over and found.ended is None


def test_a_pod_whose_containers_have_ended_had_its_address_to_the_last_one() -> None:
    ended = ("2026-11-26T00:59:00Z", FINISHED)
    (found,) = present([pod(ended=ended)], behind_s=-FINISHED_UNIX).values()
    assert found.is_over and found.ended == -2.0, "clocks of nodes may be two seconds off"


def test_nodes_have_all_their_addresses() -> None:
    assert nodes([pod(), pod(hostNetwork=True)]) == {NODE, "fd00::a"}


class Scene:
    """A namespace whose API server speaks as the test says."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.heard = self.clock.now
        self.names = NamespaceNames(lambda: self.heard, self.clock, self.clock)

    def told(self, *pods: Object) -> None:
        """All pods now."""
        self.heard = self.clock.now
        self.names.look({str(number): one for number, one in enumerate(pods)})

    def until(self, seconds: float, *, hears: bool = True) -> None:
        """Time passes, with a look each second."""
        for _ in range(int(seconds)):
            self.clock.now += 1.0
            if hears:
                self.heard = self.clock.now
            self.names.settled_until()


def test_a_pod_is_named_when_nothing_can_be_on_its_way_that_says_otherwise() -> None:
    scene = Scene()
    scene.told(pod())
    scene.until(2)
    since, until = scene.clock.now, scene.clock.now + limits.CALLER_SLICE_S
    late_s = limits.CALLER_LATE_S + limits.CALLER_STALL_S + limits.CALLER_SLICE_S
    scene.until(late_s - 1)
    assert scene.names.settled_until() < until
    assert scene.names.owner("10.0.0.5", since, until) == CallerName("address", "10.0.0.5")
    scene.until(2)
    assert scene.names.settled_until() >= until
    assert scene.names.owner("10.0.0.5", since, until) == WEB


def test_while_the_server_is_silent_nothing_is_settled() -> None:
    scene = Scene()
    scene.told(pod())
    scene.until(20)
    settled = scene.names.settled_until()
    scene.until(5, hears=False)
    frozen = scene.names.settled_until()
    assert settled < frozen <= scene.heard - limits.CALLER_LATE_S
    scene.until(300, hears=False)
    assert scene.names.settled_until() == frozen


def test_the_first_word_after_a_silence_settles_nothing_yet() -> None:
    """More may follow: what gathered is read one by one."""
    scene = Scene()
    scene.told(pod())
    scene.until(20)
    scene.until(60, hears=False)
    settled = scene.names.settled_until()
    scene.until(1)
    assert scene.names.settled_until() == settled
    scene.until(int(limits.CALLER_STALL_S))
    assert scene.names.settled_until() > settled


def test_a_pod_that_ended_in_a_silence_had_its_address_before_it_at_most() -> None:
    scene = Scene()
    scene.told(pod())
    scene.until(30)
    last = scene.heard
    scene.until(60, hears=False)
    scene.told()
    scene.until(60)
    for since in range(int(last - limits.CALLER_LATE_S), int(last) + 60):
        found = scene.names.owner("10.0.0.5", float(since), since + 2.0)
        assert found == CallerName("address", "10.0.0.5"), since - last


def test_an_address_of_no_pod_is_an_address_and_that_of_a_node_says_so() -> None:
    scene = Scene()
    scene.told(pod(), pod("agent", hostNetwork=True, addresses=(NODE,)))
    scene.until(30)
    since = scene.clock.now - 20.0
    for host, kind in (("10.9.9.9", "address"), (NODE, "node"), ("fd00::a", "node")):
        assert scene.names.owner(host, since, since + 2.0) == CallerName(
            "node" if kind == "node" else "address", host
        )


def test_pods_are_never_known_at_once() -> None:
    assert Scene().names.at_once(LOCAL, LOCAL) is None
