"""YAML as users of Skupper v1 write it (images aside)."""

from tests.kubernetes.places import Place
from tests.kubernetes.resources import Json
from tests.scenario.waiting import until

SITE = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: skupper-site
data:
  name: {name}
  cluster-local: "false"
  console: "true"
  console-authentication: internal
  console-password: "rubble"
  console-user: "rubble"
  edge: "false"
  ingress: loadbalancer
  router-console: "false"
  service-controller: "true"
  service-sync: "true"
"""
SHOP = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  annotations:
    skupper.io/proxy: "http"
    skupper.io/port: "80:8080"
    skupper.io/address: "{address}"
{further}
  labels:
    app: {name}
spec:
  replicas: {replicas}
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      terminationGracePeriodSeconds: 30
      containers:
      - name: main
        image: example/shop:1
        ports:
        - containerPort: 8080
"""
REQUEST = """
apiVersion: v1
kind: Secret
metadata:
  labels:
    skupper.io/type: connection-token-request
  name: {name}
"""


def site(name: str) -> str:
    return SITE.format(name=name)


def shop(name: str, address: str = "shop", *, replicas: int = 1, capacity: int = 0) -> str:
    """A Deployment that is exposed as ``address``; ``capacity`` 0: none configured."""
    further = f'    spillway.dev/capacity: "{capacity}"' if capacity else ""
    return SHOP.format(name=name, address=address, replicas=replicas, further=further)


def filled(place: Place, name: str) -> Json:
    """The token Secret that a request in ``place`` became."""

    def look() -> Json | None:
        found = place.get("Secret", name)
        return found if found and "tls.crt" in (found.get("data") or {}) else None

    found = until(look, f"request {name} is filled", 30.0)
    assert found is not None
    return found
