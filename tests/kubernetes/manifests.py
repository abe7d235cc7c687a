"""Objects that these tests apply."""

import os
from typing import Any

Json = dict[str, Any]
ECHO = "example.test/http-echo:1"
HOST = os.environ.get("SPILLWAY_TEST_IMAGE", "busybox:1.36")
"""Has a shell. Runs on real clusters too; here its programs are those of the machine."""


def pod_template(app: str, image: str = ECHO, **container: Any) -> Json:
    """A pod with one container, labeled ``app``."""
    found = {"name": "main", "image": image, **container}
    spec = {"terminationGracePeriodSeconds": 1, "containers": [found]}
    return {"metadata": {"labels": {"app": app}}, "spec": spec}


def sleeping(app: str) -> Json:
    """A pod that only waits; it ends at once when told to."""
    command = ["sh", "-c", "trap 'exit 0' TERM; echo begun; while :; do sleep 0.1; done"]
    return pod_template(app, HOST, command=command)


def pod(name: str, **container: Any) -> Json:
    """A pod without an owner."""
    template = pod_template(name, **container)
    template["metadata"]["name"] = name
    return {"apiVersion": "v1", "kind": "Pod", **template}


def workload(kind: str, name: str, template: Json, replicas: int = 1, **spec: Any) -> Json:
    """A Deployment, StatefulSet or ReplicaSet."""
    labels = template["metadata"]["labels"]
    found = {"selector": {"matchLabels": labels}, "template": template, **spec}
    if kind != "DaemonSet":
        found["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": found}


def service(name: str, app: str = "", *ports: Json, **spec: Any) -> Json:
    """A Service for pods labeled ``app``."""
    found: Json = {"ports": list(ports) or [{"port": 80, "targetPort": 8080}], **spec}
    if app:
        found["selector"] = {"app": app}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": found}


def config_map(name: str, data: Json | None = None, **metadata: Any) -> Json:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **metadata},
        "data": data or {},
    }
