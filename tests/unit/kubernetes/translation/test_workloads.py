"""Annotated workloads, as Skupper's documentation shows them."""

from typing import Any

import pytest

from router.kubernetes.objects.picture import NamespacePicture
from router.model.specs import ConnectorSpec, PolicySpec, ServiceSpec, SitePolicySpec
from tests.unit.kubernetes.namespace_objects import (
    connectors_of,
    documents,
    picture,
    service,
    services_of,
    specs_of,
    told,
    workload,
)


def test_an_annotated_deployment_is_a_service_with_its_pods_as_targets() -> None:
    found = picture(workload("backend", 8080, proxy="tcp"))
    assert services_of(found) == {"backend": ServiceSpec(protocol="tcp", ports=(8080,))}
    assert connectors_of(found) == {
        "backend-deployment-backend": ConnectorSpec(
            service="backend", workload="deployment/backend", target_ports=(8080,)
        )
    }
    wish = found.wishes["backend"]
    assert (wish.source, wish.consent, wish.is_made) == ("Deployment/backend", True, True)
    assert found.errors == ()
    assert {d.source for d in found.documents} == {"Deployment/backend"}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "DeploymentConfig"])
def test_each_kind_of_workload_counts(kind: str) -> None:
    found = picture(workload("backend", 8080, kind=kind, proxy="http", address="api"))
    (connector,) = connectors_of(found).values()
    assert connector.workload == f"{kind.lower()}/backend"
    assert list(services_of(found)) == ["api"]
    assert found.errors == ()


@pytest.mark.parametrize(
    ("text", "ports", "targets"),
    [
        ("8080", (8080,), (8080,)),
        ("80:8080", (80,), (8080,)),
        ("8080,9090", (8080, 9090), (8080, 9090)),
        ("80:8080,443:8443", (80, 443), (8080, 8443)),
        (" 80 : 8080 , 443:https ", (80, 443), (8080, "https")),
    ],
)
def test_ports_are_read_as_skupper_writes_them(
    text: str, ports: tuple[int, ...], targets: tuple[int | str, ...]
) -> None:
    found = picture(workload("backend", 1, proxy="tcp", port=text))
    assert services_of(found)["backend"].ports == ports
    assert connectors_of(found)["backend-deployment-backend"].target_ports == targets


@pytest.mark.parametrize("text", ["", "x", "0", "65536", "80:", ":80", "80,80", "80:80:80", "-1"])
def test_a_bad_port_exposes_nothing_and_names_the_annotation(text: str) -> None:
    found = picture(workload("backend", proxy="tcp", port=text))
    assert found.documents == ()
    assert told(found) == [("SW0410", "Deployment/backend", "[skupper.io/port]")]
    assert found.errors[0].hint


def test_http_without_a_port_is_port_80() -> None:
    found = picture(workload("web", proxy="http"))
    assert services_of(found)["web"].ports == (80,)
    assert connectors_of(found)["web-deployment-web"].target_ports == (80,)


def test_ports_are_those_of_the_first_container_that_has_tcp_ports() -> None:
    shop = workload("shop", proxy="tcp")
    shop["spec"]["template"]["spec"]["containers"] = [
        {"name": "none"},
        {"name": "dns", "ports": [{"containerPort": 53, "protocol": "UDP"}]},
        {"name": "app", "ports": [{"containerPort": 8080}, {"containerPort": 8443}]},
        {"name": "proxy", "ports": [{"containerPort": 15001}]},
    ]
    assert services_of(picture(shop))["shop"].ports == (8080, 8443)


def test_ports_of_a_stateful_set_are_those_of_its_service() -> None:
    db = workload("db", 9999, kind="StatefulSet", spec={"serviceName": "db-pods"}, proxy="tcp")
    found = picture(db, service("db-pods", {"port": 5432, "targetPort": "pg"}))
    assert services_of(found) == {"db": ServiceSpec(protocol="tcp", ports=(5432,))}
    assert connectors_of(found)["db-statefulset-db"].target_ports == ("pg",)


@pytest.mark.parametrize("headless", [{}, {"headless": "true"}])
def test_ports_of_a_stateful_set_are_not_those_of_the_service_that_a_router_made_of_it(
    headless: dict[str, str],
) -> None:
    db = workload(
        "db", 5432, kind="StatefulSet", spec={"serviceName": "db"}, proxy="tcp", **headless
    )
    made = service("db", {"port": 5432, "targetPort": 1024})
    made["metadata"]["labels"]["spillway.dev/service"] = "db"
    (connector,) = connectors_of(picture(db, made)).values()
    assert connector.target_ports == (5432,)


def test_a_headless_stateful_set_is_named_as_its_service_and_asks_for_names_of_pods() -> None:
    spec = {"serviceName": "db-pods"}
    db = workload("db", 5432, kind="StatefulSet", spec=spec, proxy="tcp", headless="true")
    found = picture(db)
    assert list(services_of(found)) == ["db-pods"]
    assert found.wishes["db-pods"].stateful_set == "db"


def test_headless_without_a_service_name_is_told_and_the_rest_holds() -> None:
    db = workload("db", 5432, kind="StatefulSet", proxy="tcp", headless="true")
    found = picture(db)
    assert told(found) == [("SW0409", "StatefulSet/db", "[skupper.io/headless]")]
    assert found.wishes["db"].stateful_set == ""


def test_resources_of_proxy_pods_have_no_effect() -> None:
    spec = {"serviceName": "db"}
    db = workload(
        "db", 5432, kind="StatefulSet", spec=spec, proxy="tcp", headless="true", cpu_request="1"
    )
    found = picture(db)
    assert told(found) == [("SW0409", "StatefulSet/db", "[skupper.io/cpu-request]")]
    assert found.errors[0].severity == "warning"


@pytest.mark.parametrize("text", ["", "udp", "HTTP", "amqp"])
def test_a_protocol_that_does_not_exist_is_named(text: str) -> None:
    found = picture(workload("backend", 8080, proxy=text))
    assert found.documents == ()
    assert told(found) == [("SW0408", "Deployment/backend", "[skupper.io/proxy]")]


@pytest.mark.parametrize("text", ["Shop", "shop.example", "a_b", "x" * 64, "-a"])
def test_an_address_that_is_no_dns_label_is_named(text: str) -> None:
    found = picture(workload("backend", 8080, proxy="tcp", address=text))
    assert found.documents == ()
    assert told(found) == [("SW0408", "Deployment/backend", "[skupper.io/address]")]
    assert text[:30] in found.errors[0].reason


def test_labels_and_annotations_for_the_service_are_kept() -> None:
    found = picture(
        workload(
            "web",
            80,
            proxy="http",
            service_labels="tier=web,app.kubernetes.io/name=web",
            service_annotations="a.example/x=1\\,2,b.example/y=",
        )
    )
    wish = found.wishes["web"]
    assert wish.labels == {"tier": "web", "app.kubernetes.io/name": "web"}
    assert wish.annotations == {"a.example/x": "1,2", "b.example/y": ""}


def test_no_annotation_makes_a_generated_service_a_service_of_its_own() -> None:
    notes = "skupper.io/proxy=http,spillway.dev/migrated=true,helm.sh/chart=x,ok.example/y=1"
    found = picture(workload("web", 80, proxy="http", service_annotations=notes))
    assert found.wishes["web"].annotations == {"ok.example/y": "1"}


def test_ingress_never_makes_no_service_here() -> None:
    assert not picture(workload("web", 80, proxy="http", ingress="Never")).wishes["web"].is_made
    assert picture(workload("web", 80, proxy="http", ingress="Always")).wishes["web"].is_made
    bad = picture(workload("web", 80, proxy="http", ingress="never"))
    assert bad.wishes["web"].is_made
    assert told(bad) == [("SW0408", "Deployment/web", "[skupper.io/ingress]")]


def test_tls_counts_for_http_too() -> None:
    found = picture(workload("web", 80, proxy="http", tls_cert="web-cert", tls_trust="web-ca"))
    assert services_of(found)["web"].tls_cert == "web-cert"
    assert connectors_of(found)["web-deployment-web"].tls_trust == "web-ca"
    assert found.errors == ()


def test_our_own_settings_are_read() -> None:
    found = picture(
        workload("web", 80, proxy="http", own_capacity="10", own_policy="balanced", own_queue="0")
    )
    assert services_of(found)["web"] == ServiceSpec(
        protocol="http", ports=(80,), policy=PolicySpec(name="balanced"), queue=0
    )
    assert connectors_of(found)["web-deployment-web"].capacity == 10


@pytest.mark.parametrize(
    ("key", "text"),
    [("capacity", "0"), ("capacity", "5/m"), ("policy", "sprd"), ("queue", "-1")],
)
def test_a_wrong_setting_of_ours_is_left_out_and_the_service_stays(key: str, text: str) -> None:
    web = workload("web", 80, proxy="http")
    web["metadata"]["annotations"][f"spillway.dev/{key}"] = text
    found = picture(web)
    assert services_of(found)["web"] == ServiceSpec(protocol="http", ports=(80,))
    assert connectors_of(found)["web-deployment-web"].capacity is None
    assert told(found) == [("SW0408", "Deployment/web", f"[spillway.dev/{key}]")]


@pytest.mark.parametrize("weights", ["a=2,b=1", " a = 2 , b = 1 "])
def test_weights_of_split_are_an_annotation_of_their_own(weights: str) -> None:
    found = picture(workload("web", 80, proxy="http", own_policy="split", own_weights=weights))
    assert services_of(found)["web"].policy == PolicySpec("split", {"a": 2, "b": 1})
    assert told(found) == []


@pytest.mark.parametrize("policy", ["fill", "spread"])
def test_the_mark_to_spill_at_is_one_too(policy: str) -> None:
    web = workload("web", 80, proxy="http", own_policy=policy)
    web["metadata"]["annotations"]["spillway.dev/spill-at"] = "80%"
    found = picture(web)
    assert services_of(found)["web"].policy.spill_at == 0.8
    assert told(found) == []


def test_what_a_site_lends_is_an_annotation() -> None:
    web = workload("web", 80, proxy="http", own_capacity="10")
    web["metadata"]["annotations"] |= {
        "spillway.dev/reserve-for-own": "30%",
        "spillway.dev/max-share": "40%",
    }
    found = picture(web)
    (policy,) = specs_of(found, "Policy").values()
    assert (policy.service, policy.reserve_for_own, policy.max_share) == ("web", 0.3, 0.4)
    assert told(found) == []


@pytest.mark.parametrize(
    ("key", "text"),
    [("reserve-for-own", "100%"), ("reserve-for-own", "30"), ("max-share", "0%")],
)
def test_what_leaves_nothing_to_others_is_left_out_and_noted(key: str, text: str) -> None:
    web = workload("web", 80, proxy="http")
    web["metadata"]["annotations"][f"spillway.dev/{key}"] = text
    found = picture(web)
    assert not specs_of(found, "Policy")
    assert told(found) == [("SW0408", "Deployment/web", f"[spillway.dev/{key}]")]


@pytest.mark.parametrize(("policy", "text"), [("fill", "100%"), ("fill", "8"), ("failover", "80%")])
def test_a_mark_that_means_nothing_is_left_out_and_noted(policy: str, text: str) -> None:
    web = workload("web", 80, proxy="http", own_policy=policy)
    web["metadata"]["annotations"]["spillway.dev/spill-at"] = text
    found = picture(web)
    assert services_of(found)["web"].policy.spill_at is None
    assert told(found) == [("SW0408", "Deployment/web", "[spillway.dev/spill-at]")]


@pytest.mark.parametrize(
    ("notes", "at"),
    [
        ({"own_policy": "split"}, "policy"),
        ({"own_policy": "split", "own_weights": "a=50%,b=40%"}, "weights"),
        ({"own_policy": "split", "own_weights": "a"}, "weights"),
        ({"own_weights": "a=1"}, "weights"),
    ],
)
def test_a_policy_and_weights_that_do_not_fit_are_fill_and_noted_once(
    notes: dict[str, Any], at: str
) -> None:
    found = picture(workload("web", 80, proxy="http", **notes))
    assert services_of(found)["web"].policy == PolicySpec()
    assert told(found) == [("SW0408", "Deployment/web", f"[spillway.dev/{at}]")]


def test_any_field_of_the_documents_can_be_set_as_yaml() -> None:
    found = picture(
        workload(
            "web",
            80,
            proxy="http",
            own_queue="7",
            own_service_spec="{affinity: {by: client}, halfClose: serve, timeouts: {connect: 2s}}",
            own_connector_spec="health:\n  path: /ready\n",
        )
    )
    spec = services_of(found)["web"]
    assert (spec.queue, spec.timeouts.connect_s, spec.ports) == (7, 2.0, (80,))
    assert spec.affinity is not None and spec.affinity.by == "client"
    assert spec.half_close == "serve"
    assert connectors_of(found)["web-deployment-web"].health.path == "/ready"
    assert found.errors == ()


@pytest.mark.parametrize(
    "text", ["ports: [1]", "queue: many", "quue: 1", "- 1", "a: b: c", "requestId: Host", "{", "1"]
)
def test_fields_that_cannot_be_used_are_named_and_left_out_whole(text: str) -> None:
    found = picture(workload("web", 80, proxy="http", own_service_spec=text))
    assert services_of(found)["web"] == ServiceSpec(protocol="http", ports=(80,))
    assert told(found)[0] == ("SW0408", "Deployment/web", "[spillway.dev/service-spec]")


def test_a_slip_of_the_pen_in_an_annotation_is_named() -> None:
    found = picture(workload("web", 80, proxy="http", adress="shop"))
    assert told(found) == [("SW0409", "Deployment/web", "[skupper.io/adress]")]
    assert found.errors[0].hint == "Did you mean 'skupper.io/address'?"


def test_the_switch_is_missing() -> None:
    found = picture(workload("web", 80, port="8080"))
    assert told(found) == [("SW0409", "Deployment/web", "[skupper.io/port]")]
    assert found.documents == ()


def test_annotations_of_pods_expose_nothing_and_that_is_told() -> None:
    web = workload("web", 80)
    web["spec"]["template"]["metadata"] = {"annotations": {"skupper.io/proxy": "http"}}
    path = "spec.template.metadata.annotations[skupper.io/proxy]"
    assert told(picture(web)) == [("SW0409", "Deployment/web", path)]
    web["metadata"]["annotations"]["skupper.io/proxy"] = "http"
    assert picture(web).errors == ()


def test_an_object_that_is_being_deleted_is_gone() -> None:
    web = workload("web", 80, proxy="http")
    web["metadata"]["deletionTimestamp"] = "2024-01-02T00:00:00Z"
    assert picture(web).documents == ()


def test_two_objects_of_one_address_are_both_targets() -> None:
    found = picture(
        workload("blue", 80, proxy="http", address="shop", at="2024-02-01T00:00:00Z"),
        workload("green", 80, proxy="http", address="shop", port="80:9000"),
    )
    assert list(connectors_of(found)) == ["shop-deployment-green", "shop-deployment-blue"]
    assert found.wishes["shop"].source == "Deployment/green"
    assert found.errors == ()


def test_of_two_that_contradict_the_older_counts() -> None:
    found = picture(
        workload("blue", 80, proxy="http", address="shop", at="2024-02-01T00:00:00Z"),
        workload("green", 80, proxy="tcp", address="shop", at="2024-01-01T00:00:00Z"),
    )
    assert services_of(found) == {"shop": ServiceSpec(protocol="tcp", ports=(80,))}
    assert list(connectors_of(found)) == ["shop-deployment-green"]
    assert told(found) == [("SW0411", "Deployment/blue", "[skupper.io/address]")]
    assert "Deployment/green" in found.errors[0].reason


def test_ports_follow_the_order_of_the_object_that_counts() -> None:
    found = picture(
        workload("a", proxy="tcp", address="shop", port="80:8080,443:8443"),
        workload("b", proxy="tcp", address="shop", port="443:9443,80:9080"),
    )
    assert connectors_of(found)["shop-deployment-b"].target_ports == (9080, 9443)


def test_a_document_comes_before_an_annotation() -> None:
    text = "apiVersion: spillway/v1\nkind: Service\nname: web\n"
    text += "spec: {protocol: http, ports: [80], queue: 3}\n"
    found = picture(workload("web", 80, proxy="http"), documents("own", text))
    assert services_of(found)["web"].queue == 3
    assert list(connectors_of(found)) == ["web-deployment-web"]
    assert found.errors == ()
    other = picture(workload("web", 81, proxy="http"), documents("own", text))
    assert told(other) == [("SW0411", "Deployment/web", "[skupper.io/address]")]
    assert connectors_of(other) == {}


def test_names_of_connectors_stay_names() -> None:
    long = "x" * 63
    found = picture(workload(long, 80, proxy="http"), workload("a.b", 80, proxy="tcp", address="c"))
    names = list(connectors_of(found))
    assert all(len(name) <= 63 for name in names)
    assert "c-deployment-a-b" in names


@pytest.mark.parametrize("key", ["skupper.io/proxi", "spillway.dev/proxy", "skupper.io/Proxy"])
def test_a_mistyped_switch_is_answered_with_the_right_one(key: str) -> None:
    found = workload("backend", 8080)
    found["metadata"]["annotations"] = {key: "http"}
    (error,) = picture(found).errors
    assert (error.code, error.severity) == ("SW0409", "warning")
    assert error.hint == "Did you mean 'skupper.io/proxy'?"


def test_annotations_of_others_that_expose_nothing_are_not_judged() -> None:
    found = workload("backend", 8080)
    found["metadata"]["annotations"] = {"spillway.dev/version": "1", "example.com/proxi": "http"}
    assert picture(found).errors == ()


def rated(**notes: str) -> NamespacePicture:
    web = workload("web", 80, proxy="http")
    for key, text in notes.items():
        web["metadata"]["annotations"][f"spillway.dev/{key.replace('_', '-')}"] = text
    return picture(web)


def test_rates_of_pods_and_caps_of_the_site_are_annotations_too() -> None:
    found = rated(capacity="15/s", resume="10/s", window="30s")
    connector = connectors_of(found)["web-deployment-web"]
    assert (connector.capacity, connector.resume, connector.window_s) == ("15/s", "10/s", 30.0)
    assert specs_of(found, "Policy") == {}
    found = rated(capacity="auto", site_capacity="15/s", resume="10/s", spill="all")
    connector = connectors_of(found)["web-deployment-web"]
    assert (connector.capacity, connector.resume) == ("auto", "")
    assert specs_of(found, "Policy") == {
        "web": SitePolicySpec(service="web", site_capacity="15/s", resume="10/s", spill="all")
    }
    assert told(found) == []


def test_with_whom_a_service_is_shared_is_an_annotation_too() -> None:
    found = rated(export_to="east, w*", import_from="none")
    assert specs_of(found, "Policy") == {
        "web": SitePolicySpec(service="web", export_to=("east", "w*"), import_from=())
    }
    assert told(found) == []
    found = rated(export_to="all", site_capacity="10")
    assert specs_of(found, "Policy") == {"web": SitePolicySpec(service="web", site_capacity=10)}


def test_a_rule_that_cannot_be_read_shares_with_nobody() -> None:
    found = rated(export_to="East Coast")
    assert specs_of(found, "Policy") == {"web": SitePolicySpec(service="web", export_to=())}
    assert told(found) == [("SW0408", "Deployment/web", "[spillway.dev/export-to]")]


@pytest.mark.parametrize(
    ("notes", "wrong"),
    [
        ({"resume": "10/s"}, "resume"),
        ({"capacity": "5/s", "resume": "10/s"}, "resume"),
        ({"site_capacity": "0.1/s", "window": "2s"}, "window"),
        ({"site_capacity": "5/s", "window": "2h"}, "window"),
        ({"site_capacity": "5", "spill": "all"}, "spill"),
        ({"site_capacity": "auto"}, "site-capacity"),
    ],
)
def test_what_does_not_fit_a_rate_is_left_out_and_named(notes: dict[str, str], wrong: str) -> None:
    found = rated(**notes)
    assert services_of(found)["web"] == ServiceSpec(protocol="http", ports=(80,))
    assert told(found) == [("SW0408", "Deployment/web", f"[spillway.dev/{wrong}]")]
