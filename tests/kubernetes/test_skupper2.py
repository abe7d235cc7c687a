"""YAML of Skupper v2 in namespaces of a cluster that has no such kinds, typed by their admins."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from router.kubernetes.objects import names
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import Commands
from tests.kubernetes.places import IMAGES, Place
from tests.kubernetes.resources import Json
from tests.kubernetes.test_sitectl_rights import NAMESPACE_ADMIN, as_user
from tests.scenario.waiting import until

SHOP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: backend}
spec:
  replicas: 2
  selector: {matchLabels: {app: backend}}
  template:
    metadata: {labels: {app: backend}}
    spec:
      containers:
        - {name: shop, image: example/shop, ports: [{containerPort: 8080}],
           env: [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]}
"""
EAST = """
apiVersion: skupper.io/v2alpha1
kind: Site
metadata: {name: east}
spec: {linkAccess: loadbalancer}
---
apiVersion: skupper.io/v2alpha1
kind: Connector
metadata: {name: backend}
spec: {routingKey: shop.v2/backend, selector: app=backend, port: 8080}
"""
WEST = """
apiVersion: skupper.io/v2alpha1
kind: Site
metadata: {name: west, namespace: west}
spec: {}
---
apiVersion: skupper.io/v2alpha1
kind: Listener
metadata: {name: backend, namespace: west}
spec: {routingKey: shop.v2/backend, host: storefront, port: 80}
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster without definitions of Skupper's kinds."""
    with Cluster(tmp_path / "cluster", images=IMAGES, proxy=True) as made:
        yield made


def in_config_map(text: str) -> Json:
    """A ConfigMap of documents, as ``kubectl create configmap --from-file`` and a label make it."""
    head = {"name": "from-v2", "labels": {names.DOCUMENTS_LABEL: names.DOCUMENTS}}
    data = {"v2.yaml": text}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": head, "data": data}


def site(cluster: Cluster, name: str) -> tuple[Place, Commands]:
    """A namespace with a site, made by its administrator, who has no right in the cluster."""
    place = Place(cluster, name)
    return place, as_user(cluster, f"admin-{name}", name, rules=NAMESPACE_ADMIN)


def test_the_yaml_of_v2_works_without_its_kinds_and_without_cluster_admin(
    cluster: Cluster, tmp_path: Path
) -> None:
    west, in_west = site(cluster, "west")
    east, in_east = site(cluster, "east")
    refused = in_west("apply", "-f", "-", stdin=WEST)
    assert "sitectl -n west init west --ingress none" in refused.stderr, refused.stderr
    in_west.ok("init", "west", "--ingress", "none")
    in_east.ok("init", "east", "--ingress", "loadbalancer")
    west.starts(), east.starts()
    token = tmp_path / "east.token"
    in_east.ok("token", "create", str(token))
    in_west.ok("link", "create", str(token), "--wait", "30")
    east.apply(SHOP)
    assert "connector backend created" in in_east.ok("apply", "-f", "-", stdin=EAST)
    assert "listener backend created" in in_west.ok("apply", "-f", "-", stdin=WEST)
    assert west.answers("storefront", "backend-")
    service = west.get("Service", "storefront")
    assert service is not None
    assert [port["name"] for port in service["spec"]["ports"]] == ["backend"]
    made = {found["metadata"]["name"] for found in cluster.list("Service", "east")}
    assert not any("k-" in name or name == "backend" for name in made), "only a Listener makes one"
    assert "shop.v2/backend" in in_west.ok("service", "status")
    assert "created" not in in_west.ok("apply", "-f", "-", stdin=WEST), "again changes nothing"
    elsewhere = in_east("apply", "-f", "-", stdin=WEST.replace("name: west,", "name: east,"))
    assert "the file is for namespace west, this is east" in elsewhere.stderr

    # The same YAML in a ConfigMap of theirs, which a GitOps tool may keep.
    for place, text in ((east, EAST), (west, WEST)):
        mapped = text.replace("shop.v2/backend", "again").replace("name: backend", "name: mapped")
        place.apply(in_config_map(mapped.replace("storefront", "by-map")))
    assert west.answers("by-map", "backend-")

    west.apply('{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mine"}, '
               '"spec": {"ports": [{"port": 80}], "selector": {"app": "mine"}}}')  # fmt: skip
    in_west.ok("apply", "-f", "-", stdin=WEST.replace("storefront", "mine"))
    until(lambda: "SW0420" in in_west("check").stdout, "a Service that exists is left alone")
    kept = west.get("Service", "mine")
    assert kept is not None and kept["spec"]["selector"] == {"app": "mine"}
    until(lambda: west.get("Service", "storefront") is None, "the Service of before is gone")


GRANT = """
apiVersion: skupper.io/v2alpha1
kind: AccessGrant
metadata: {name: for-west}
spec: {redemptionsAllowed: 1, expirationWindow: 30m}
"""
ATTACHED = """
apiVersion: skupper.io/v2alpha1
kind: AttachedConnector
metadata: {name: backend, namespace: WORKLOADS}
spec: {siteNamespace: east, selector: app=backend, port: 8080}
---
apiVersion: skupper.io/v2alpha1
kind: AttachedConnectorBinding
metadata: {name: backend, namespace: east}
spec: {connectorNamespace: WORKLOADS, routingKey: shop-east}
"""
SEVERAL = """
apiVersion: skupper.io/v2alpha1
kind: MultiKeyListener
metadata: {name: shop}
spec:
  host: storefront
  port: 80
  strategy: {priority: {routingKeys: [shop-none, shop-east]}}
"""


def test_grants_tokens_attached_connectors_and_several_keys_in_namespaces(
    cluster: Cluster, tmp_path: Path
) -> None:
    west, in_west = site(cluster, "west")
    east, in_east = site(cluster, "east")
    in_west.ok("init", "west", "--ingress", "none")
    in_east.ok("init", "east", "--ingress", "loadbalancer")
    west.starts(), east.starts()
    token = in_east.ok("apply", "-f", "-", stdin=GRANT)
    assert "kind: AccessToken" in token and "PRIVATE KEY" not in token
    assert in_east.ok("apply", "-f", "-", stdin=GRANT) == "accessgrant for-west unchanged\n"
    assert "secret for-west created" in in_west.ok("apply", "-f", "-", stdin=token)
    in_west.ok("link", "status", "for-west", "--wait", "30")
    assert "secret for-west unchanged" in in_west.ok("apply", "-f", "-", stdin=token)

    foreign = in_east.ok("apply", "-f", "-", stdin=ATTACHED.replace("WORKLOADS", "elsewhere"))
    assert "connector backend created" in foreign, "its router needs a Role there"
    east.apply(SHOP)
    assert "connector backend updated" in in_east.ok(
        "apply", "-f", "-", stdin=ATTACHED.replace("WORKLOADS", "east")
    )
    assert "listener shop created" in in_west.ok("apply", "-f", "-", stdin=SEVERAL)
    assert west.answers("storefront", "backend-")
    service = west.get("Service", "storefront")
    assert service is not None
    assert [port["name"] for port in service["spec"]["ports"]] == ["shop"]
