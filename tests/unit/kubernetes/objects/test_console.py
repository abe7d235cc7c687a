"""Where browsers find the console of a namespace, and the objects that lead there."""

from typing import Any

import pytest

from router.kubernetes.manifests.console import console_objects
from router.kubernetes.objects.console import console_url
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.picture import SiteOptions
from router.kubernetes.translation.site_config import SiteDefaults, read


def made(openshift: bool = False, **options: Any) -> dict[str, Any]:
    site = SiteOptions(name="west", **{"console": True, **options})
    return {one["kind"]: one for one in console_objects(site, "west", openshift=openshift)}


def test_without_a_console_nothing_leads_to_one() -> None:
    assert made(console=False) == {}


@pytest.mark.parametrize(
    ("stated", "kind"),
    [("loadbalancer", "LoadBalancer"), ("nodeport", "NodePort"), ("none", "ClusterIP")],
)
def test_its_service_is_of_the_kind_of_its_own_ingress(stated: str, kind: str) -> None:
    objects = made(ingress="route", console_ingress=stated)
    assert list(objects) == ["Service"]
    service = objects["Service"]
    assert service["metadata"]["name"] == "spillway-console"
    assert service["spec"]["type"] == kind
    assert service["spec"]["ports"][0]["port"] == 8010
    assert "sessionAffinity" not in service["spec"]
    several = made(ingress="none", routers=2)["Service"]["spec"]
    assert (several["type"], several["sessionAffinity"]) == ("ClusterIP", "ClientIP")


def test_a_route_and_an_ingress_pass_tls_through() -> None:
    route = made(openshift=True, ingress="route")["Route"]["spec"]
    assert route["tls"]["termination"] == "passthrough" and "host" not in route
    ingress = made(ingress="nginx-ingress-v1", ingress_host="x.org")["Ingress"]
    assert ingress["spec"]["rules"][0]["host"] == "spillway-console.west.x.org"
    notes = ingress["metadata"]["annotations"]
    assert notes["nginx.ingress.kubernetes.io/ssl-passthrough"] == "true"


def url(options: dict[str, Any], service: Any = None, exposed: Any = None) -> str:
    return console_url(SiteOptions(name="west", console=True, **options), "west", service, exposed)


def test_its_address_is_that_of_what_leads_there() -> None:
    balanced = {"status": {"loadBalancer": {"ingress": [{"ip": "2001:db8::7"}]}}}
    assert url({"ingress": "loadbalancer"}, balanced) == "https://[2001:db8::7]:8010/"
    assert url({"ingress": "loadbalancer"}) == "https://spillway-console.west:8010/"
    route = {"status": {"ingress": [{"host": "c.apps.x.org"}]}}
    assert url({"ingress": "route"}, None, route) == "https://c.apps.x.org/"
    assert url({"ingress": "route"}, None, {"spec": {}}) == "https://spillway-console.west:8010/"
    by_node = {"spec": {"ports": [{"port": 8010, "nodePort": 30123}]}}
    stated = {"ingress": "nodeport", "ingress_host": "node1"}
    assert url(stated, by_node) == "https://node1:30123/"
    assert url({"ingress": "ingress", "ingress_host": "x.org"}) == (
        "https://spillway-console.west.x.org/"
    )


@pytest.mark.parametrize("bind_ip", ["0.0.0.0", "::"])
def test_the_site_document_has_a_console_with_a_login(bind_ip: str) -> None:
    found = {
        "metadata": {"name": "skupper-site"},
        "data": {"console": "true", "console-authentication": "unsecured"},
    }
    noted = ObjectFindings("ConfigMap/skupper-site")
    _, document = read(found, "west", SiteDefaults(bind_ip=bind_ip), noted)
    console = getattr(document.spec, "console", None)
    assert console is not None and console.auth == "internal"
    assert console.bind in ("0.0.0.0:8010", "[::]:8010")
    assert "spillway-console.west.svc" in console.hosts
    assert [error.code for error in noted.errors] == ["SW0407"]
    _, without = read({**found, "data": {}}, "west", SiteDefaults(), noted)
    assert getattr(without.spec, "console", 1) is None
