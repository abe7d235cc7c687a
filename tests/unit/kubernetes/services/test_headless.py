"""Pods with names, at the site of their StatefulSet and at others."""

import copy
from typing import Any

from router.kubernetes.objects.picture import NamespacePicture, RequestedService, SiteOptions
from router.kubernetes.services.endpoint_slices import MANAGER_LABEL
from router.kubernetes.services.headless import SERVICE_NAME_LABEL, pods, with_pods
from router.kubernetes.services.services import Memory, ServicePlan, plan, restore
from router.kubernetes.targets.targets import Expander
from router.model.specs import ConnectorSpec, Document, ServiceSpec
from tests.unit.kubernetes.cluster import Cluster, users_service
from tests.unit.kubernetes.kept import seen
from tests.unit.kubernetes.objects_made import pod

SOURCE = "StatefulSet/db"
WISH = RequestedService(address="pg", source=SOURCE, stateful_set="db")


def stateful_set(replicas: int, **spec: Any) -> dict[str, Any]:
    return {
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {"replicas": replicas, **spec},
    }


def picture(replicas: int) -> NamespacePicture:
    documents = (
        Document("Service", "pg", ServiceSpec(ports=(5432,)), SOURCE),
        Document(
            "Connector",
            "pg",
            ConnectorSpec(service="pg", workload="statefulset/db", capacity=7),
            SOURCE,
        ),
    )
    given = NamespacePicture(documents=documents, wishes={"pg": WISH})
    return with_pods(given, seen("shop", {"StatefulSet": {"db": stateful_set(replicas)}}))


def declared(found: NamespacePicture) -> dict[str, ServiceSpec]:
    return {d.name: d.spec for d in found.documents if isinstance(d.spec, ServiceSpec)}


def settled(
    cluster: Cluster, found: NamespacePicture, *, here: bool, may_name_pods: bool | None = True
) -> ServicePlan:
    specs = declared(found)
    for _ in range(5):
        done = plan(
            cluster.snapshot(),
            SiteOptions(name="x"),
            found.wishes if here else {},
            specs,
            specs if here else (),
            Memory(began_at=0.0, declared=frozenset(("pg", "db-0", "db-1"))),
            0.0,
            may_name_pods=may_name_pods,
        )
        if not done.changes:
            return done
        for change in done.changes:
            cluster.carry_out(change)
    raise AssertionError("does not settle")


def test_each_pod_is_a_service_with_its_pod_as_target() -> None:
    found = picture(2)
    assert {name: spec.headless for name, spec in declared(found).items()} == {
        "pg": "pg",
        "db-0": "pg",
        "db-1": "pg",
    }
    connectors = {d.spec.service: d.spec for d in found.documents if d.kind == "Connector"}  # type: ignore[union-attr]
    assert connectors["db-1"] == ConnectorSpec(
        service="db-1",
        workload="pods/statefulset.kubernetes.io/pod-name=db-1",
        capacity=7,
    )
    assert not found.wishes["db-0"].consent


def test_pods_are_counted_from_where_the_ordinals_start() -> None:
    assert pods(stateful_set(2, ordinals={"start": 3})) == ("db-3", "db-4")
    assert pods(stateful_set(0)) == ()


def test_a_service_of_a_pods_name_that_somebody_declares_stays_theirs() -> None:
    own = Document("Service", "db-0", ServiceSpec(ports=(1,)), "ConfigMap/x")
    given = NamespacePicture(documents=(*picture(0).documents, own), wishes={"pg": WISH})
    objects = {"StatefulSet": {"db": stateful_set(1)}}
    assert declared(with_pods(given, seen("shop", objects)))["db-0"] == own.spec


def test_another_site_answers_for_each_pod_below_the_headless_name() -> None:
    cluster = Cluster()
    found = settled(cluster, picture(2), here=False)
    assert cluster.service("pg")["spec"]["clusterIP"] == "None"
    assert "selector" not in cluster.service("pg")["spec"]
    slices = cluster.objects["EndpointSlice"]
    assert {s["addressType"] for s in slices.values()} == {"IPv4", "IPv6"}
    v4 = slices["pg-spillway-ipv4"]
    assert {e["hostname"]: e["addresses"] for e in v4["endpoints"]} == {
        name: [cluster.service(name)["spec"]["clusterIP"]] for name in ("db-0", "db-1")
    }
    assert v4["ports"] == [{"name": "port5432", "port": 5432, "protocol": "TCP"}]
    assert v4["metadata"]["labels"][SERVICE_NAME_LABEL] == "pg"
    assert v4["metadata"]["ownerReferences"][0]["uid"] == cluster.service("pg")["metadata"]["uid"]
    assert sorted(key.name for key in found.inner_ports) == ["db-0", "db-1"]


def test_scaling_follows_and_withdrawing_leaves_nothing() -> None:
    cluster = Cluster()
    settled(cluster, picture(2), here=False)
    settled(cluster, picture(1), here=False)
    assert sorted(cluster.objects["Service"]) == ["db-0", "pg"]
    assert len(cluster.objects["EndpointSlice"]["pg-spillway-ipv4"]["endpoints"]) == 1
    settled(cluster, NamespacePicture(), here=False)
    assert not cluster.objects["Service"] and not cluster.objects["EndpointSlice"]


def test_slices_of_others_stay_whatever_their_names_and_services() -> None:
    cluster = Cluster()
    for name, service in (("pg-spillway-ipv4", "pg"), ("web-x7", "web"), ("pg-1", "pg")):
        marked = {SERVICE_NAME_LABEL: service, MANAGER_LABEL: "somebody"}
        metadata = {"name": name, "labels": marked}
        cluster.put(
            {"kind": "EndpointSlice", "metadata": metadata, "addressType": "IPv4", "endpoints": []}
        )
    before = copy.deepcopy(cluster.objects["EndpointSlice"])
    settled(cluster, picture(2), here=False)
    assert cluster.objects["EndpointSlice"].keys() - before.keys() == {"pg-spillway-ipv6"}
    settled(cluster, NamespacePicture(), here=False)
    assert cluster.objects["EndpointSlice"] == before


def test_where_the_pods_run_their_own_headless_service_is_not_touched() -> None:
    cluster = Cluster()
    users = copy.deepcopy(cluster.put(users_service("pg", 5432, clusterIP="None")))
    found = settled(cluster, picture(2), here=True)
    assert cluster.service("pg") == users and not cluster.objects["EndpointSlice"]
    assert not found.findings
    assert {"db-0", "db-1"} <= cluster.objects["Service"].keys()


def test_pods_of_another_site_are_added_to_the_headless_service_that_is_here() -> None:
    cluster = Cluster()
    cluster.put(users_service("pg", 5432, clusterIP="None"))
    here = picture(1)
    far = Document("Service", "far-0", ServiceSpec(ports=(5432,), headless="pg"), "far")
    both = NamespacePicture(documents=(*here.documents, far), wishes=here.wishes)
    specs = declared(both)
    for _ in range(4):
        local = set(specs) - {"far-0"}
        memory = Memory(began_at=0.0)
        options = SiteOptions(name="x")
        done = plan(cluster.snapshot(), options, both.wishes, specs, local, memory, 0.0)
        for change in done.changes:
            cluster.carry_out(change)
    assert not done.changes
    (only,) = cluster.objects["EndpointSlice"]["pg-spillway-ipv4"]["endpoints"]
    assert only["hostname"] == "far-0"
    changes, _ = restore(cluster.snapshot())
    for change in changes:
        cluster.carry_out(change)
    assert sorted(cluster.objects["Service"]) == ["pg"] and not cluster.objects["EndpointSlice"]


def test_a_headless_name_is_not_given_to_a_service_that_is_not_headless() -> None:
    cluster = Cluster()
    users = copy.deepcopy(cluster.put(users_service("pg", 5432)))
    found = settled(cluster, picture(1), here=True)
    assert [error.code for error in found.findings] == ["SW0421"]
    assert cluster.service("pg") == users


def test_a_plain_service_that_becomes_headless_is_made_anew() -> None:
    cluster = Cluster()
    plain = NamespacePicture(
        documents=(Document("Service", "pg", ServiceSpec(ports=(5432,)), "far"),)
    )
    settled(cluster, plain, here=False)
    assert cluster.service("pg")["spec"]["clusterIP"] != "None"
    settled(cluster, picture(1), here=False)
    assert cluster.service("pg")["spec"]["clusterIP"] == "None"


def test_without_the_right_to_name_pods_the_address_leads_to_any_of_them() -> None:
    cluster = Cluster()
    found = settled(cluster, picture(2), here=False, may_name_pods=False)
    assert [(error.code, error.source) for error in found.findings] == [("SW0428", "Service/pg")]
    assert "spillway-router-headless" in found.findings[0].hint
    assert cluster.service("pg")["spec"]["clusterIP"] != "None"
    assert not cluster.objects["EndpointSlice"]
    assert sorted(key.name for key in found.inner_ports) == ["db-0", "db-1", "pg"]
    settled(cluster, picture(2), here=False)
    assert cluster.service("pg")["spec"]["clusterIP"] == "None"


def test_without_the_right_nothing_is_missing_where_the_pods_run() -> None:
    cluster = Cluster()
    cluster.put(users_service("pg", 5432, clusterIP="None"))
    assert not settled(cluster, picture(2), here=True, may_name_pods=False).findings


def test_until_the_rights_are_known_a_headless_address_stays_as_it_is() -> None:
    cluster = Cluster()
    settled(cluster, picture(1), here=False, may_name_pods=None)
    assert sorted(cluster.objects["Service"]) == ["db-0"]
    settled(cluster, picture(1), here=False)
    before = copy.deepcopy(cluster.objects)
    settled(cluster, picture(1), here=False, may_name_pods=None)
    assert cluster.objects == before


def test_the_target_of_a_pods_service_is_that_pod() -> None:
    objects = {
        "StatefulSet": {"db": stateful_set(2)},
        "Pod": {
            name: pod(
                name,
                f"10.0.0.{index}",
                labels={"app": "db", "statefulset.kubernetes.io/pod-name": name},
                ports={"": 5432},
            )
            for index, name in enumerate(("db-0", "db-1"), start=1)
        },
    }
    found = Expander().expand(picture(2).documents, seen("shop", objects))
    targets = {
        document.spec.service: [target.host for target in document.spec.targets]
        for document in found.documents
        if isinstance(document.spec, ConnectorSpec)
    }
    assert targets["db-0"] == ["10.0.0.1"] and targets["db-1"] == ["10.0.0.2"]


def test_pods_whose_names_no_site_would_take_are_no_services_and_the_others_are() -> None:
    long = "d" * 61
    wish = RequestedService(address="pg", source=f"StatefulSet/{long}", stateful_set=long)
    head = Document("Service", "pg", ServiceSpec(ports=(5432,)), wish.source)
    large = {**stateful_set(12), "metadata": {"name": long}}
    given = NamespacePicture(documents=(head,), wishes={"pg": wish})
    found = with_pods(given, seen("shop", {"StatefulSet": {long: large}}))
    assert set(declared(found)) == {"pg", *(f"{long}-{number}" for number in range(10))}
    assert [(e.source, e.path) for e in found.errors] == [(wish.source, "metadata.name")]
    negative = stateful_set(3, ordinals={"start": -1})
    objects = {"StatefulSet": {"db": negative}}
    given = NamespacePicture(documents=(head,), wishes={"pg": WISH})
    names = set(declared(with_pods(given, seen("shop", objects))))
    assert names <= {"pg", "db--1", "db-0", "db-1"}
