"""YAML as Skupper's documentation publishes it, through the YAML parser."""

from typing import Any

import yaml

from router.kubernetes.objects.picture import NamespacePicture
from router.model.specs import ConnectorSpec, LinkSpec, ServiceSpec
from tests.unit.kubernetes.namespace_objects import (
    connectors_of,
    picture,
    services_of,
    site_of,
    told,
)

SITE = """
apiVersion: v1
data:
  cluster-local: "false"
  console: "true"
  console-authentication: internal
  console-password: "rubble"
  console-user: "barney"
  edge: "false"
  name: site-example
  router-console: "true"
  service-controller: "true"
  service-sync: "true"
kind: ConfigMap
metadata:
  name: skupper-site
"""
REQUEST = """
apiVersion: v1
kind: Secret
metadata:
  labels:
    skupper.io/type: connection-token-request
  name: secret-name
"""
TOKEN = """
apiVersion: v1
kind: Secret
metadata:
  annotations:
    edge-host: skupper-edge.example.com
    edge-port: "443"
    inter-router-host: skupper-inter-router.example.com
    inter-router-port: "443"
    skupper.io/generated-by: 00f6fe35-ff84-46fb-b6ec-63b1dd2a7a56
    skupper.io/cost: "2"
  labels:
    skupper.io/type: connection-token
  name: west
type: Opaque
data:
  ca.crt: Y2E=
  tls.crt: Y3J0
  tls.key: a2V5
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: hello-world-backend
  annotations:
    skupper.io/proxy: http
    skupper.io/port: "8080"
  labels:
    app: hello-world-backend
spec:
  selector:
    matchLabels:
      app: hello-world-backend
  template:
    metadata:
      labels:
        app: hello-world-backend
    spec:
      containers:
        - name: hello-world-backend
          image: quay.io/skupper/hello-world-backend
          ports:
            - containerPort: 8080
"""
STATEFUL_SET = """
apiVersion: v1
kind: Service
metadata:
  name: mongo
spec:
  clusterIP: None
  ports: [{name: mongo, port: 27017, protocol: TCP, targetPort: 27017}]
  selector: {app: mongo}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: mongo-a
  annotations:
    skupper.io/proxy: tcp
    skupper.io/headless: "true"
spec:
  serviceName: mongo
  replicas: 2
  selector: {matchLabels: {app: mongo}}
  template:
    metadata: {labels: {app: mongo}}
    spec: {containers: [{name: mongo, image: mongo}]}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: backend
  annotations:
    skupper.io/address: remote-backend
    skupper.io/proxy: http
    skupper.io/target: backend
    skupper.io/service-labels: team=a,tier=backend
spec:
  ports: [{port: 80, targetPort: http}]
  selector: {app: backend}
"""


def seen(*texts: str) -> NamespacePicture:
    objects: list[Any] = [found for text in texts for found in yaml.safe_load_all(text)]
    return picture(*objects)


def test_the_declarative_site() -> None:
    found = seen(SITE)
    name, spec = site_of(found)
    assert (name, spec.router_mode, spec.service_sync) == ("site-example", "interior", True)
    assert found.options is not None
    assert (found.options.console, found.options.console_user) == (True, "barney")
    assert told(found) == [("SW0407", "ConfigMap/skupper-site", "data.router-console")]


def test_objects_of_one_flow_mean_the_same_in_any_order_of_arrival() -> None:
    texts = [SITE, TOKEN, DEPLOYMENT, REQUEST]
    whole = seen(*texts)
    assert seen(*reversed(texts)).documents == whole.documents
    assert services_of(whole) == {
        "hello-world-backend": ServiceSpec(protocol="http", ports=(8080,))
    }
    assert whole.requests == ("secret-name",)
    assert list(whole.tokens) == ["west"]
    without_site = seen(TOKEN, DEPLOYMENT, REQUEST)
    assert without_site.documents == whole.documents[1:]


def test_the_token_is_a_link_with_its_cost() -> None:
    (link,) = (d for d in seen(TOKEN).documents if d.kind == "Link")
    assert (link.name, link.spec) == ("west", LinkSpec(cost=2))


def test_the_headless_stateful_set() -> None:
    found = seen(STATEFUL_SET)
    assert services_of(found) == {"mongo": ServiceSpec(protocol="tcp", ports=(27017,))}
    assert connectors_of(found) == {
        "mongo-statefulset-mongo-a": ConnectorSpec(
            service="mongo", workload="statefulset/mongo-a", target_ports=(27017,)
        )
    }
    assert found.wishes["mongo"].stateful_set == "mongo-a"
    assert found.errors == ()


def test_the_service_with_another_address() -> None:
    found = seen(SERVICE)
    assert connectors_of(found)["remote-backend-service-backend"].workload == "service/backend"
    assert found.wishes["remote-backend"].labels == {"team": "a", "tier": "backend"}
    assert list(found.wishes) == ["remote-backend"]
    assert found.errors == ()
