"""Which pods are the targets of a connector."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest

from router.kubernetes.objects.objects import OtherNamespace, Snapshot
from router.kubernetes.services.adoption import adopt
from router.kubernetes.services.endpoint_slices import BOTH, Family
from router.kubernetes.targets.targets import Expanded, Expander
from router.model import limits
from router.model.specs import ConnectorSpec, Document, TargetSpec
from tests.unit.kubernetes.objects_made import (
    Made,
    connector,
    declared,
    endpoint,
    endpoints,
    pod,
    service,
    snapshot,
    targets,
    workload,
)

DEPLOYMENT = workload("Deployment", "shop")
TCP_80 = {"name": "http", "port": 80, "targetPort": "web"}


def expand(
    documents: Iterable[Document], view: Snapshot, families: Sequence[Family] = BOTH
) -> Expanded:
    return Expander(families).expand(documents, view)


def places(found: Expanded) -> list[str]:
    """``HOST:PORT,PORT`` of each usable one, ``HOST`` where the service's ports are meant."""
    return [
        _place(target)
        for target in targets(found.documents)
        if not target.unusable and not target.last_resort
    ]


def last_resorts(found: Expanded) -> dict[str, str]:
    """Why they are no more than that, by place."""
    return {_place(one): one.last_resort for one in targets(found.documents) if one.last_resort}


def unusable(found: Expanded) -> dict[str, str]:
    """Why the others are not, by place."""
    return {_place(one): one.unusable for one in targets(found.documents) if one.unusable}


def _place(target: TargetSpec) -> str:
    ports = target.ports or ((target.port,) if target.port is not None else ())
    return f"{target.host}:{','.join(map(str, ports))}" if ports else target.host


def codes(found: Expanded) -> list[str]:
    return [error.code for error in found.errors]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "DeploymentConfig"])
def test_the_ready_pods_of_a_workload_are_its_targets(kind: str) -> None:
    found = expand(
        [connector(f"{kind.lower()}/shop", 8080)],
        snapshot(
            workload(kind, "shop"),
            pod("shop-b", "10.0.0.2"),
            pod("shop-a", "10.0.0.1"),
            pod("other", "10.0.0.9", labels={"app": "other"}),
        ),
    )
    assert places(found) == ["10.0.0.1:8080", "10.0.0.2:8080"]
    assert [target.name for target in targets(found.documents)] == ["shop-a", "shop-b"]
    assert not found.errors


@pytest.mark.parametrize(
    "state",
    [
        pod("a", "10.0.0.1", ready=False),
        pod("a", "10.0.0.1", ready=False, deleted=True),
        pod("a", "10.0.0.1", phase="Succeeded"),
        pod("a", "10.0.0.1", phase="Succeeded", deleted=True),
        pod("a", "10.0.0.1", phase="Pending"),
        pod("a"),
        pod("a", "10.0.0.1", labels={"app": "shop", "spillway.dev/component": "router"}),
    ],
)
def test_a_pod_that_takes_no_requests_is_no_target(state: Made) -> None:
    found = expand([connector("deployment/shop", 80)], snapshot(DEPLOYMENT, state))
    assert places(found) == []
    assert not last_resorts(found)


LEAVING = pod("a", "10.0.0.1", deleted=True)


@pytest.mark.parametrize("others", [(), (pod("b", "10.0.0.2", ready=False),)])
def test_a_pod_that_was_told_to_end_is_a_last_resort_while_it_serves_and_no_other_does(
    others: tuple[Made, ...],
) -> None:
    found = expand([connector("deployment/shop", 80)], snapshot(DEPLOYMENT, LEAVING, *others))
    assert places(found) == []
    assert last_resorts(found) == {"10.0.0.1:80": "its pod is to end"}
    assert not found.errors


def test_a_pod_that_was_told_to_end_is_a_last_resort_beside_one_that_stays() -> None:
    """Whether that one can be reached is for the router to find out."""
    view = snapshot(DEPLOYMENT, LEAVING, pod("b", "10.0.0.2"))
    found = expand([connector("deployment/shop", 80)], view)
    assert places(found) == ["10.0.0.2:80"]
    assert list(last_resorts(found)) == ["10.0.0.1:80"]


@pytest.mark.parametrize("is_ready", [True, False])
def test_of_a_pod_that_ends_and_another_at_its_place_one_is_a_target(*, is_ready: bool) -> None:
    """As of two that have the network of their node, where one replaces the other."""
    view = snapshot(DEPLOYMENT, LEAVING, pod("b", "10.0.0.1", ready=is_ready))
    found = expand([connector("deployment/shop", 80)], view)
    assert places(found) == (["10.0.0.1:80"] if is_ready else [])
    assert list(last_resorts(found)) == ([] if is_ready else ["10.0.0.1:80"])
    assert not unusable(found)


@pytest.mark.parametrize(
    ("reasons", "why"),
    [
        (["CrashLoopBackOff"], ": CrashLoopBackOff"),
        ([None, "ImagePullBackOff"], ": ImagePullBackOff"),
        (["ContainerCreating"], ""),
        ([None], ""),
    ],
)
def test_a_pod_that_is_not_ready_says_what_its_container_waits_for(
    reasons: list[str | None], why: str
) -> None:
    ends = pod("a", "10.0.0.1", ready=False)
    ends["status"]["containerStatuses"] = [
        {"state": {"waiting": {"reason": one, "message": "back-off"}} if one else {"running": {}}}
        for one in reasons
    ]
    found = expand([connector("deployment/shop", 80)], snapshot(DEPLOYMENT, ends))
    assert unusable(found) == {"10.0.0.1:80": f"its pod is not ready{why}"}


def test_of_too_many_pods_those_that_are_to_end_count_the_least() -> None:
    most = limits.TARGETS_PER_CONNECTOR_MAX
    pods = [pod(f"p{one:05}", f"10.1.{one // 250}.{one % 250}") for one in range(most - 1)]
    ending = [pod(f"a{one}", f"10.2.0.{one}", deleted=True) for one in range(2)]
    waiting = pod("b", "10.3.0.1", ready=False)
    found = expand([connector("deployment/shop", 80)], snapshot(DEPLOYMENT, *pods, *ending))
    assert (len(places(found)), list(last_resorts(found))) == (most - 1, ["10.2.0.0:80"])
    assert not found.errors
    found = expand([connector("deployment/shop", 80)], snapshot(DEPLOYMENT, *ending, waiting))
    assert (list(last_resorts(found)), len(unusable(found))) == (["10.2.0.0:80", "10.2.0.1:80"], 1)


@pytest.mark.parametrize("phase", ["Running", "Pending"])
def test_a_pod_that_is_not_ready_is_a_target_that_may_not_be_used(phase: str) -> None:
    state = pod("a", "10.0.0.1", ready=False, phase=phase)
    found = expand([connector("deployment/shop", 80)], snapshot(DEPLOYMENT, state))
    assert unusable(found) == {"10.0.0.1:80": "its pod is not ready"}
    assert not found.errors


@pytest.mark.parametrize("others", [(), (pod("b", "10.0.0.2", deleted=True),)])
def test_pods_without_an_address_are_told_if_there_is_no_other(others: tuple[Made, ...]) -> None:
    found = expand([connector("deployment/shop", 80)], snapshot(DEPLOYMENT, pod("a"), *others))
    (error,) = found.errors
    assert error.code == "SW0434"
    assert error.reason == "Deployment shop has no pod with an address, and 1 without one"
    one_runs = snapshot(DEPLOYMENT, pod("a"), pod("c", "10.0.0.3"))
    assert not expand([connector("deployment/shop", 80)], one_runs).errors


def test_of_too_many_pods_those_that_are_ready_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TARGETS_PER_CONNECTOR_MAX", 1)
    states = pod("a", "10.0.0.1", ready=False), pod("b", "10.0.0.2")
    found = expand([connector("deployment/shop", 80)], snapshot(DEPLOYMENT, *states))
    assert places(found) == ["10.0.0.2:80"]
    assert not unusable(found)
    assert [error.code for error in found.errors] == ["SW0438"]


def test_pods_that_are_not_ready_count_where_that_is_wanted() -> None:
    state = pod("a", "10.0.0.1", ready=False, phase="Pending")
    found = expand([connector("deployment/shop", 80, not_ready=True)], snapshot(DEPLOYMENT, state))
    assert places(found) == ["10.0.0.1:80"]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_is_over_never_counts(phase: str) -> None:
    state = pod("a", "10.0.0.1", ready=False, phase=phase)
    found = expand([connector("deployment/shop", 80, not_ready=True)], snapshot(DEPLOYMENT, state))
    assert places(found) == []


@pytest.mark.parametrize(
    ("conditions", "serves"),
    [
        ({"ready": False, "serving": True, "terminating": True}, True),
        ({"ready": False, "serving": False, "terminating": True}, False),
        ({"ready": False, "terminating": True}, False),  # As ready says.
        ({"ready": False, "serving": None, "terminating": True}, False),
    ],
)
def test_an_endpoint_that_ends_is_a_last_resort_while_it_serves(
    conditions: dict[str, Any], serves: bool
) -> None:
    ending = endpoint("10.0.0.1", **conditions)
    found = expand(
        [connector("service/shop", not_ready=True)],
        snapshot(service("shop", TCP_80), endpoints("s", "shop", ending, ports={"http": 8080})),
    )
    assert places(found) == []
    assert list(last_resorts(found)) == (["10.0.0.1:8080"] if serves else [])


def test_ports_by_name_follow_each_pod() -> None:
    found = expand(
        [connector("deployment/shop", "web", 9000)],
        snapshot(
            DEPLOYMENT,
            pod("a", "10.0.0.1", ports={"web": 8080}),
            pod("b", "10.0.0.2", ports={"web": 8081}),
        ),
    )
    assert places(found) == ["10.0.0.1:8080,9000", "10.0.0.2:8081,9000"]


def test_a_port_name_that_no_pod_has_is_told_with_those_it_has() -> None:
    found = expand(
        [connector("deployment/shop", "wbe")],
        snapshot(DEPLOYMENT, pod("a", "10.0.0.1", ports={"web": 8080, "": 9})),
    )
    (error,) = found.errors
    assert (error.code, error.source, error.path) == (
        "SW0435",
        "ConfigMap/shop",
        "$.spec.targetPorts",
    )
    assert "'wbe'" in error.reason
    assert "8080 (web), 9 (without a name)" in error.hint


@pytest.mark.parametrize(
    ("notes", "of_pods", "place"),
    [
        ({}, {}, "spec.template.spec.containers"),
        ({"skupper.io/proxy": "http"}, {}, "spec.template.spec.containers"),
        ({"skupper.io/port": "80:wbe"}, {}, "metadata.annotations[skupper.io/port]"),
        (
            {},
            {"skupper.io/port": "80:wbe"},
            "spec.template.metadata.annotations[skupper.io/port]",
        ),
    ],
)
def test_a_fault_of_an_annotated_workload_is_where_it_is_written(
    notes: dict[str, str], of_pods: dict[str, str], place: str
) -> None:
    found = copy.deepcopy(DEPLOYMENT)
    found["metadata"]["annotations"] = notes
    found["spec"].setdefault("template", {})["metadata"] = {"annotations": of_pods}
    asked = msgspec.structs.replace(connector("deployment/shop", "wbe"), source="Deployment/shop")
    done = expand([asked], snapshot(found, pod("a", "10.0.0.1", ports={"web": 8080})))
    (error,) = done.errors
    assert (error.code, error.path) == ("SW0435", place)


@pytest.mark.parametrize(("target", "place"), [("http", "spec.ports"), (None, "spec.selector")])
def test_a_fault_of_an_annotated_service_without_such_an_annotation_is_in_its_spec(
    target: str | None, place: str
) -> None:
    pods = [pod("a", "10.0.0.1", ports={"web": 8080})] if target else []
    found = service(
        "shop", {"name": "http", "port": 80, "targetPort": "wbe"}, selector={"app": "shop"}
    )
    made = msgspec.structs.replace(connector("deployment/shop", "wbe"), source="Service/shop")
    (error,) = expand([made], snapshot(DEPLOYMENT, found, *pods)).errors
    assert error.path == place


@pytest.mark.parametrize(
    ("ports", "containers", "place"),
    [
        ((80,), {"": 8080}, "10.0.0.1:8080"),
        ((80,), {}, "10.0.0.1:80"),
        ((8080,), {"": 8080, "admin": 9000}, "10.0.0.1:8080"),
        ((80, 81), {"a": 8080, "b": 8081}, "10.0.0.1:8080,8081"),
    ],
)
def test_without_target_ports_what_the_containers_declare_counts_if_it_fits(
    ports: tuple[int, ...], containers: dict[str, int], place: str
) -> None:
    found = expand(
        [declared(*ports), connector("deployment/shop")],
        snapshot(DEPLOYMENT, pod("a", "10.0.0.1", ports=containers)),
    )
    assert places(found) == [place]


def test_a_label_selector_selects_pods() -> None:
    found = expand(
        [connector("pods/app=shop,tier in (web,api)", 80)],
        snapshot(
            pod("a", "10.0.0.1", labels={"app": "shop", "tier": "web"}),
            pod("b", "10.0.0.2", labels={"app": "shop", "tier": "db"}),
        ),
    )
    assert places(found) == ["10.0.0.1:80"]


def test_of_two_addresses_of_a_pod_one_that_the_site_reaches_counts() -> None:
    view = snapshot(DEPLOYMENT, pod("a", "10.0.0.1", "fd00::1"))
    documents = [connector("deployment/shop", 80)]
    assert places(expand(documents, view)) == ["10.0.0.1:80"]
    assert places(expand(documents, view, ("IPv6",))) == ["fd00::1:80"]


def test_capacity_comes_from_the_pod_else_from_the_workload() -> None:
    found = expand(
        [connector("deployment/shop", 80)],
        snapshot(
            workload("Deployment", "shop", capacity="10"),
            pod("a", "10.0.0.1", capacity="3"),
            pod("b", "10.0.0.2"),
        ),
    )
    assert [target.capacity for target in targets(found.documents)] == [3, None]
    spec = found.documents[0].spec
    assert isinstance(spec, ConnectorSpec)
    assert spec.capacity == 10


def test_capacity_auto_of_a_workload_and_a_stated_one_of_its_pod_hold_beside_each_other() -> None:
    found = expand(
        [connector("deployment/shop", 80)],
        snapshot(
            workload("Deployment", "shop", capacity="auto"),
            pod("a", "10.0.0.1", capacity="3"),
            pod("b", "10.0.0.2"),
        ),
    )
    assert [target.capacity for target in targets(found.documents)] == [3, None]
    spec = found.documents[0].spec
    assert isinstance(spec, ConnectorSpec)
    assert spec.capacity == "auto"


def test_what_the_connector_states_is_before_what_its_workload_states() -> None:
    found = expand(
        [connector("deployment/shop", 80, capacity=4)],
        snapshot(workload("Deployment", "shop", capacity="10"), pod("a", "10.0.0.1")),
    )
    spec = found.documents[0].spec
    assert isinstance(spec, ConnectorSpec)
    assert spec.capacity == 4


def test_a_capacity_that_cannot_be_used_is_told_at_the_pod_and_the_pod_still_counts() -> None:
    found = expand(
        [connector("deployment/shop", 80)],
        snapshot(DEPLOYMENT, pod("a", "10.0.0.1", capacity="lots")),
    )
    (error,) = found.errors
    assert (error.code, error.source) == ("SW0436", "Pod/a")
    assert error.path == "metadata.annotations[spillway.dev/capacity]"
    assert error.reason == "expected a capacity like 10, 15/s or auto, got 'lots'; it is left out"
    assert places(found) == ["10.0.0.1:80"]


def test_what_is_not_there_is_told_and_everything_else_goes_on() -> None:
    right = msgspec.structs.replace(connector("deployment/shop", 80), name="right")
    found = expand(
        [connector("deployment/shpo", 80), right], snapshot(DEPLOYMENT, pod("a", "10.0.0.1"))
    )
    (error,) = found.errors
    assert (error.code, error.path) == ("SW0433", "$.spec.workload")
    assert "There are shop" in error.hint
    spec = found.documents[1].spec
    assert isinstance(spec, ConnectorSpec)
    assert len(spec.targets) == 1


def test_a_selector_without_pods_is_a_problem_and_a_workload_scaled_to_0_a_note() -> None:
    documents = [connector("deployment/shop", 80)]
    assert codes(expand(documents, snapshot(DEPLOYMENT))) == ["SW0434"]
    (note,) = expand(documents, snapshot(workload("Deployment", "shop", replicas=0))).errors
    assert (note.source, note.path, note.severity) == ("Deployment/shop", "spec.replicas", "info")
    assert note.hint == "kubectl scale deployment/shop --replicas 1"


def test_a_kind_that_may_not_be_read_is_told_with_the_role() -> None:
    found = expand(
        [connector("deployment/shop", 80)], snapshot(missing=frozenset({"Deployment", "Pod"}))
    )
    assert codes(found) == ["SW0432"]
    assert "Role spillway-router" in found.errors[0].hint


# Services -----------------------------------------------------------------------------------


def test_a_service_stands_for_its_ready_endpoints() -> None:
    found = expand(
        [connector("service/shop")],
        snapshot(
            service("shop", TCP_80, selector={"app": "shop"}),
            pod("a", "10.0.0.1", capacity="7"),
            endpoints(
                "shop-1",
                "shop",
                endpoint("10.0.0.1", "a", ready=True, serving=True, terminating=False),
                endpoint("10.0.0.2", "b", ready=False),
                ports={"http": 8080},
            ),
            endpoints(
                "shop-2",
                "shop",
                endpoint("10.0.0.3", "c"),
                endpoint("10.0.0.4", "d", ready=False, serving=True, terminating=True),
                ports={"http": 8081},
            ),
        ),
    )
    assert places(found) == ["10.0.0.1:8080", "10.0.0.3:8081"]
    assert unusable(found) == {"10.0.0.2:8080": "its pod is not ready"}
    assert list(last_resorts(found)) == ["10.0.0.4:8081"]
    assert [target.capacity for target in targets(found.documents)] == [7, None, None, None]
    assert not found.errors


def test_an_endpoint_whose_pod_is_told_to_end_is_out_before_its_slice_says_so() -> None:
    found = expand(
        [connector("service/shop")],
        snapshot(
            service("shop", TCP_80, selector={"app": "shop"}),
            pod("a", "10.0.0.1", deleted=True),
            endpoints("shop-1", "shop", endpoint("10.0.0.1", "a", ready=True), ports={"http": 80}),
        ),
    )
    assert places(found) == []
    assert last_resorts(found) == {"10.0.0.1:80": "its pod is to end"}


def test_a_pod_in_slices_of_both_families_counts_once() -> None:
    view = snapshot(
        service("shop", TCP_80, selector={"app": "shop"}, ipFamilies=["IPv6", "IPv4"]),
        endpoints("shop-4", "shop", endpoint("10.0.0.1", "a"), ports={"http": 80}),
        endpoints("shop-6", "shop", endpoint("fd00::1", "a"), ports={"http": 80}, family="IPv6"),
    )
    documents = [connector("service/shop")]
    assert places(expand(documents, view)) == ["fd00::1:80"]
    assert places(expand(documents, view, ("IPv4",))) == ["10.0.0.1:80"]


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ((80,), "10.0.0.1:8080"),
        (("metrics",), "10.0.0.1:9102"),
        ((9090, 80), "10.0.0.1:9102,8080"),
        (("web",), "10.0.0.1:8080"),
        ((), "10.0.0.1:8080,9102"),
    ],
)
def test_ports_of_a_service_are_asked_by_number_or_name(
    asked: tuple[int | str, ...], place: str
) -> None:
    found = expand(
        [connector("service/shop", *asked)],
        snapshot(
            service("shop", TCP_80, {"name": "metrics", "port": 9090}, selector={"app": "shop"}),
            endpoints(
                "shop-1", "shop", endpoint("10.0.0.1"), ports={"http": 8080, "metrics": 9102}
            ),
        ),
    )
    assert places(found) == [place]


def test_a_port_that_the_service_lacks_is_told_with_those_it_has() -> None:
    view = snapshot(service("shop", TCP_80), endpoints("shop-1", "shop", endpoint("10.0.0.1")))
    for asked in (81, "htpt"):
        (error,) = expand([connector("service/shop", asked)], view).errors
        assert error.code == "SW0435"
        assert repr(asked) in error.reason
        assert "http (80)" in error.hint


def test_a_service_without_selector_stands_for_the_slices_somebody_made() -> None:
    found = expand(
        [connector("service/db")],
        snapshot(
            service("db", {"port": 5432}),
            endpoints("db-1", "db", endpoint("192.0.2.7"), ports={"": 5432}, managed_by="me"),
            endpoints("db-2", "db", endpoint("db.example.com"), family="FQDN", managed_by="me"),
        ),
    )
    assert places(found) == ["192.0.2.7:5432"]


def test_a_headless_service_without_ports_is_reached_at_those_asked_for() -> None:
    found = expand(
        [connector("service/db", 5432)],
        snapshot(
            service("db", selector={"app": "db"}, clusterIP="None"),
            endpoints("db-1", "db", endpoint("10.0.0.1"), ports=None) | {"ports": None},
        ),
    )
    assert places(found) == ["10.0.0.1:5432"]


@pytest.mark.parametrize(
    "ports",
    [
        [],
        [{"name": "metrics", "port": 9102}],
        [{"name": "http", "port": 8080, "protocol": "UDP"}],
    ],
)
def test_a_service_whose_pods_lack_its_target_port_is_not_called_at_another_one(
    ports: list[Made],
) -> None:
    """The controller of Kubernetes leaves such ports out of its slices."""
    found = expand(
        [connector("service/shop")],
        snapshot(
            service("shop", TCP_80, selector={"app": "shop"}),
            endpoints("shop-1", "shop", endpoint("10.0.0.1")) | {"ports": ports},
        ),
    )
    assert not places(found) and not unusable(found)
    (error,) = found.errors
    assert error.code == "SW0435"
    assert error.reason == "no endpoint of Service shop has its port http (targetPort web)"


def test_an_external_name_is_a_host() -> None:
    external = service("db", {"port": 5432}, type="ExternalName", externalName="db.example.com")
    assert places(expand([connector("service/db")], snapshot(external))) == ["db.example.com:5432"]
    bare = service("db", type="ExternalName", externalName="db.example.com")
    assert places(expand([connector("service/db")], snapshot(bare))) == ["db.example.com"]


def test_a_service_of_another_namespace_is_its_name_without_the_cluster_domain() -> None:
    found = expand([connector("service/db.data", 5432)], snapshot())
    assert places(found) == ["db.data.svc:5432"]
    assert codes(expand([connector("service/db.data", "sql")], snapshot())) == ["SW0435"]


def test_a_service_of_the_own_namespace_may_be_named_in_full() -> None:
    found = expand(
        [connector("service/shop.web")],
        snapshot(
            service("shop", TCP_80),
            endpoints("shop-1", "shop", endpoint("10.0.0.1"), ports={"http": 80}),
        ),
    )
    assert places(found) == ["10.0.0.1:80"]


def test_an_adopted_service_stands_for_what_was_behind_it_before() -> None:
    before = service("shop", TCP_80, selector={"app": "shop"})
    router = pod("r", "10.0.0.9", labels={"spillway.dev/component": "router"})
    found = expand(
        [connector("service/shop", 80)],
        snapshot(
            dict(adopt(before, {80: 1024}, "shop", is_asked=True)),
            router,
            pod("a", "10.0.0.1", ports={"web": 8080}),
            endpoints("shop-1", "shop", endpoint("10.0.0.9", "r", ready=True), ports={"http": 1}),
        ),
    )
    assert places(found) == ["10.0.0.1:8080"]
    assert not found.errors


def test_an_adopted_service_whose_selector_fits_no_pod_names_it() -> None:
    """The object itself has the selector of the routers by now."""
    before = service("shop", TCP_80, selector={"app": "shpo", "tier": "web"})
    made = dict(adopt(before, {80: 1024}, "shop", is_asked=True))
    found = expand([connector("service/shop", 80)], snapshot(made, pod("a", "10.0.0.1")))
    (error,) = found.errors
    assert error.reason == "Service shop with selector app=shpo,tier=web selects no pod"


def test_an_adopted_service_that_publishes_pods_that_are_not_ready_still_does() -> None:
    before = service("shop", TCP_80, selector={"app": "shop"}, publishNotReadyAddresses=True)
    found = expand(
        [connector("service/shop", 80)],
        snapshot(
            dict(adopt(before, {80: 1024}, "shop", is_asked=True)),
            pod("a", "10.0.0.1", ports={"web": 8080}, ready=False),
        ),
    )
    assert places(found) == ["10.0.0.1:8080"]


def test_an_adopted_service_without_selector_stands_for_slices_made_by_hand() -> None:
    before = service("db", {"name": "sql", "port": 5432})
    found = expand(
        [connector("service/db")],
        snapshot(
            dict(adopt(before, {5432: 1024}, "db", is_asked=True)),
            endpoints("db-mine", "db", endpoint("192.0.2.7"), ports={"sql": 5432}, managed_by="me"),
            endpoints("db-auto", "db", endpoint("10.0.0.9", "r"), ports={"sql": 1024}),
            pod("r", "10.0.0.9", labels={"spillway.dev/component": "router"}),
        ),
    )
    assert places(found) == ["192.0.2.7:5432"]


@pytest.mark.parametrize("name", ["pay.bank", "pay.bank.svc", "pay.bank.svc.corp.example"])
def test_the_name_of_a_service_elsewhere_may_be_whole(name: str) -> None:
    found = expand([connector(f"service/{name}", 80)], snapshot())
    assert places(found) == ["pay.bank.svc:80"]
    own = expand(
        [connector(f"service/{name.replace('bank', 'web')}", 80)],
        snapshot(
            service("pay", TCP_80),
            endpoints("pay-1", "pay", endpoint("10.0.0.1"), ports={"http": 8080}),
        ),
    )
    assert places(own) == ["10.0.0.1:8080"]


@pytest.mark.parametrize("host", ["shop", "shop.web", "shop.web.svc.corp.example."])
def test_another_name_for_a_service_that_leads_to_the_routers_is_never_called(host: str) -> None:
    alias = service("alias", type="ExternalName", externalName=host)
    led = service("shop", TCP_80, selector={"spillway.dev/component": "router"})
    documents = [connector("service/alias", 80)]
    assert places(expand(documents, snapshot(alias))) == [f"{host}:80"]
    expander = Expander()
    expander.expand(documents, snapshot(alias))
    found = expander.expand(documents, snapshot(alias, led))  # Made after it was bound.
    assert places(found) == []
    assert codes(found) == ["SW0437"]


def test_a_service_that_leads_to_the_routers_is_told_and_never_called() -> None:
    found = expand(
        [connector("service/shop")],
        snapshot(
            service("shop", TCP_80, selector={"spillway.dev/component": "router"}),
            endpoints("shop-1", "shop", endpoint("10.0.0.9", "r"), ports={"http": 1024}),
        ),
    )
    assert places(found) == []
    assert codes(found) == ["SW0437"]


def test_slices_that_lead_to_the_routers_are_no_targets() -> None:
    found = expand(
        [connector("service/db")],
        snapshot(
            service("db", {"port": 80}, selector={"app": "db"}, clusterIP="None"),
            endpoints("db-ours", "db", endpoint("10.96.0.7"), managed_by="spillway"),
            endpoints("db-1", "db", endpoint("10.0.0.1")),
        ),
    )
    assert places(found) == ["10.0.0.1:8080"]


@pytest.mark.parametrize(
    ("selector", "step"),
    [({"app": "shop"}, "Check its selector"), (None, "write its EndpointSlices")],
)
def test_a_service_without_any_endpoint_is_told(selector: dict[str, str] | None, step: str) -> None:
    made = service("shop", TCP_80, selector=selector)
    (error,) = expand([connector("service/shop")], snapshot(made)).errors
    assert error.code == "SW0434"
    assert step in error.hint


def test_services_are_followed_by_their_pods_where_slices_may_not_be_read() -> None:
    found = expand(
        [connector("service/shop")],
        snapshot(
            service("shop", TCP_80, selector={"app": "shop"}),
            pod("a", "10.0.0.1", ports={"web": 8080}),
            missing=frozenset({"EndpointSlice"}),
        ),
    )
    assert places(found) == ["10.0.0.1:8080"]


def test_an_endpoint_that_is_a_router_is_no_target_whoever_listed_it() -> None:
    router = pod("r", "10.0.0.9", labels={"spillway.dev/component": "router"})
    found = expand(
        [connector("service/db")],
        snapshot(
            service("db", {"port": 5432}),
            router,
            endpoints("db-1", "db", endpoint("10.0.0.9", "r"), managed_by="me"),
            endpoints("db-2", "db", endpoint("10.0.0.1", "a"), managed_by="me"),
        ),
    )
    assert places(found) == ["10.0.0.1:8080"]


LEADS_HERE = {"spillway.dev/component": "router"}


@pytest.mark.parametrize(
    "host", ["shop", "shop.web", "shop.web.svc", "shop.web.svc.cluster.local."]
)
def test_a_host_that_is_a_service_of_the_routers_is_told_and_never_called(host: str) -> None:
    targets = (TargetSpec(host=host, port=80), TargetSpec(host="10.0.0.9", port=80))
    spec = ConnectorSpec(service="shop", targets=targets)
    documents = [Document("Connector", "shop-here", spec, "ConfigMap/own[a.yaml]")]
    here = snapshot(service("shop", TCP_80, selector=LEADS_HERE))
    found = expand(documents, here)
    assert (places(found), codes(found)) == (["10.0.0.9:80"], ["SW0437"])
    assert found.errors[0].path == "$.spec.targets"
    before = expand(documents, snapshot(service("shop", TCP_80, selector={"app": "shop"})))
    assert (len(places(before)), codes(before)) == (2, [])


@pytest.mark.parametrize(
    "host", ["shop.other", "shop.web.example", "shop.example.com", "db-0.shop"]
)
def test_a_host_elsewhere_is_called_whatever_its_first_name_is(host: str) -> None:
    spec = ConnectorSpec(service="shop", targets=(TargetSpec(host=host, port=80),))
    documents = [Document("Connector", "shop-here", spec, "ConfigMap/own[a.yaml]")]
    found = expand(documents, snapshot(service("shop", TCP_80, selector=LEADS_HERE)))
    assert (places(found), codes(found)) == ([f"{host}:80"], [])


def test_an_external_name_that_is_a_service_of_the_routers_is_told_and_never_called() -> None:
    external = service("out", TCP_80, type="ExternalName", externalName="shop.web.svc")
    here = snapshot(external, service("shop", TCP_80, selector=LEADS_HERE))
    found = expand([connector("service/out")], here)
    assert (places(found), codes(found)) == ([], ["SW0437"])


# Pods of another namespace.


def beside(*pods: Made, refused: str = "") -> OtherNamespace:
    by_name = {one["metadata"]["name"]: one for one in pods}
    return OtherNamespace({} if refused else {"Pod": by_name}, {"Pod": refused} if refused else {})


def elsewhere(namespace: str = "work") -> Document:
    made = connector("pods/app=shop", 8080)
    assert isinstance(made.spec, ConnectorSpec)
    return msgspec.structs.replace(
        made, spec=msgspec.structs.replace(made.spec, namespace=namespace)
    )


def test_pods_of_another_namespace_are_followed_and_those_here_left_out() -> None:
    expander, here = Expander(), snapshot(pod("shop-a", "10.0.0.1"))
    assert places(expander.expand([elsewhere()], here)) == [], "nothing is known of it yet"
    there = beside(pod("shop-b", "10.0.0.2"), pod("x", "10.0.0.3", labels={"app": "x"}))
    found = expander.expand([elsewhere()], msgspec.structs.replace(here, others={"work": there}))
    assert (places(found), codes(found)) == (["10.0.0.2:8080"], [])
    there = beside(pod("shop-b", "10.0.0.2"), pod("shop-c", "10.0.0.4"))
    found = expander.expand([elsewhere()], msgspec.structs.replace(here, others={"work": there}))
    assert places(found) == ["10.0.0.2:8080", "10.0.0.4:8080"]
    empty = msgspec.structs.replace(here, others={"work": beside()})
    found = expander.expand([elsewhere()], empty)
    assert (places(found), codes(found)) == ([], ["SW0434"])
    assert places(expander.expand([elsewhere("")], empty)) == ["10.0.0.1:8080"]
    assert places(expander.expand([elsewhere(here.namespace)], empty)) == ["10.0.0.1:8080"]


def test_pods_of_another_namespace_that_may_not_be_read_name_the_rule() -> None:
    here = msgspec.structs.replace(snapshot(), others={"work": beside(refused="forbidden")})
    found = expand([elsewhere()], here)
    assert codes(found) == ["SW0432"]
    hint = found.errors[0].hint
    assert 'In namespace work add to Role spillway-attached {apiGroups: [""]' in hint
    assert 'resources: ["pods"], verbs: ["get", "list", "watch"]}' in hint


def test_a_connector_to_a_namespace_that_is_one_too_many_says_so() -> None:
    there = OtherNamespace({}, is_left_out=True)
    found = expand([elsewhere()], msgspec.structs.replace(snapshot(), others={"work": there}))
    assert codes(found) == ["SW0438"]
    assert "namespace work is not followed" in found.errors[0].reason
    assert "NAME.work" in found.errors[0].hint
