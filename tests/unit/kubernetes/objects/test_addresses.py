"""Where tokens say that a site is reached, by its kind of ingress."""

from typing import Any

import msgspec
import pytest

from router.kubernetes.objects.addresses import ENDPOINTS_MAX, Addresses, addresses, link_host
from router.kubernetes.objects.picture import SiteOptions
from tests.unit.kubernetes.namespace_objects import picture, site, site_of

NAMESPACE = "west"


def service(*given: dict[str, str], ports: Any = None) -> dict[str, Any]:
    return {
        "kind": "Service",
        "spec": {"ports": ports or [{"name": "links", "port": 55671, "nodePort": 30671}]},
        "status": {"loadBalancer": {"ingress": list(given)} if given else {}},
    }


def found(ingress: str, service: Any = None, exposed: Any = None, **further: Any) -> Addresses:
    options = SiteOptions(name="w", ingress=ingress, **further)
    return addresses(options, NAMESPACE, service, exposed)


def test_without_ingress_links_come_from_within_the_cluster_and_no_domain_is_assumed() -> None:
    assert found("none") == Addresses((("spillway-router.west", 55671),), is_local=True)


def test_a_site_without_ingress_listens_for_links_of_its_cluster_and_an_edge_for_none() -> None:
    for data, listens in (({"ingress": "none"}, True), ({"router-mode": "edge"}, False)):
        _, spec = site_of(picture(site(**data)))
        assert (spec.ingress != "none") is listens


def test_an_edge_site_accepts_none_at_all() -> None:
    answer = found("none", router_mode="edge")
    assert answer.endpoints == () and "edge" in answer.waiting and answer.hint


def test_a_load_balancer_is_waited_for_and_then_every_address_of_it_counts() -> None:
    assert "no address of a load balancer yet" in found("loadbalancer", service()).waiting
    given = service({"hostname": "lb.example"}, {"ip": "203.0.113.7"}, {"ip": "2001:db8::7"}, {})
    assert found("loadbalancer", given).endpoints == (
        ("lb.example", 55671),
        ("203.0.113.7", 55671),
        ("2001:db8::7", 55671),
    )
    many = service(*({"ip": f"203.0.113.{n}"} for n in range(30)))
    assert len(found("loadbalancer", many).endpoints) == ENDPOINTS_MAX


def test_a_link_service_that_is_missing_is_to_be_made_again_whatever_the_ingress() -> None:
    for missing in (found("loadbalancer"), found("nodeport", ingress_host="10.0.0.7")):
        assert missing.waiting == "there is no Service/spillway-router"
        assert "sitectl update" in missing.hint


def test_a_host_stated_beside_a_load_balancer_comes_first_and_is_not_waited_with() -> None:
    stated = found("loadbalancer", service({"ip": "10.0.0.7"}), ingress_host="nat.example:443")
    assert stated.endpoints == (("nat.example", 443), ("10.0.0.7", 55671))
    assert found("loadbalancer", service(), ingress_host="nat.example").endpoints == (
        ("nat.example", 55671),
    )


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("node.example", ("node.example", 30671)),
        ("node.example:31000", ("node.example", 31000)),
        ("[2001:db8::1]:31000", ("2001:db8::1", 31000)),
        ("2001:db8::1", ("2001:db8::1", 30671)),
    ],
)
def test_a_node_port_takes_the_stated_host(host: str, expected: tuple[str, int]) -> None:
    assert found("nodeport", service(), ingress_host=host).endpoints == (expected,)


def test_a_node_port_needs_a_host_and_a_port() -> None:
    assert "ingress-host is not given" in found("nodeport", service()).waiting
    pending = service(ports=[{"port": 55671}])
    assert "no node port yet" in found("nodeport", pending, ingress_host="n").waiting


def test_the_host_for_routers_goes_before_the_general_one() -> None:
    answer = found("nodeport", service(), ingress_host="a.example", router_ingress_host="b.example")
    assert answer.endpoints[0][0] == "b.example"


def test_a_route_gives_the_host_that_was_admitted() -> None:
    route: dict[str, Any] = {"spec": {"host": "wanted.example"}, "status": {}}
    assert found("route", exposed=route).endpoints == (("wanted.example", 443),)
    admitted = {"type": "Admitted", "status": "True"}
    route["status"]["ingress"] = [{"host": "given.example", "conditions": [admitted]}]
    assert found("route", exposed=route).endpoints == (("given.example", 443),)
    refused = {"type": "Admitted", "status": "False", "message": "host is taken"}
    route["status"]["ingress"] = [{"host": "given.example", "conditions": [refused]}]
    assert "host is taken" in found("route", exposed=route).waiting
    assert "no host yet" in found("route", exposed={"spec": {}}).waiting
    assert "there is no Route" in found("route").waiting


@pytest.mark.parametrize("kind", ["ingress", "nginx-ingress-v1", "contour-http-proxy"])
def test_an_ingress_that_passes_tls_through_is_reached_by_a_host_of_the_namespace(
    kind: str,
) -> None:
    answer = found(kind, ingress_host="apps.example")
    assert answer.endpoints == (("spillway.west.apps.example", 443),)
    assert "ingress-host is not given" in found(kind).waiting
    made = {"spec": {"rules": [{"host": "links.example"}]}}
    assert found(kind, exposed=made, ingress_host="apps.example:8443").endpoints == (
        ("links.example", 8443),
    )


def test_two_namespaces_of_one_domain_have_two_hosts() -> None:
    options = SiteOptions(name="w", ingress="ingress", ingress_host="apps.example")
    assert link_host(options, "a") != link_host(options, "b")
    assert link_host(msgspec.structs.replace(options, ingress_host=""), "a") == ""


@pytest.mark.parametrize(
    "odd", [None, [], "x", {"spec": "x"}, {"spec": {"ports": "x"}}, {"status": []}]
)
def test_objects_of_any_shape_are_only_waited_for(odd: Any) -> None:
    for kind in ("loadbalancer", "nodeport", "route", "ingress"):
        answer = found(kind, odd, odd)
        assert answer.endpoints == () and answer.waiting and answer.hint
