"""Routers beside applications, run by the very words that `sitectl sidecar` writes into a pod."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sitectl.site.admin import Admin
from tests.scenario.clients import fetch
from tests.scenario.harness import ROOT, SHOP_PORT, Network, Site, own_address
from tests.scenario.waiting import until

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: front, namespace: west}
spec:
  selector: {matchLabels: {app: front}}
  template:
    metadata: {labels: {app: front}}
    spec: {containers: [{name: app, image: app}]}
"""


class Pod:
    """The sidecar of one pod, its volumes in ``directory``, on separate loopback addresses."""

    def __init__(self, name: str, directory: Path, container: dict[str, Any], token: Path) -> None:
        self.name, self.state = name, directory
        self.places = {}
        words: list[str] = []
        for word in container["args"]:
            service, equals, _ = word.partition("=")
            if equals:
                self.places[service] = own_address()
                word = f"{service}={self.places[service]}:auto"
            words.append(str(token) if word.startswith("/etc/") else word)
        self._probes = f"{own_address()}:29090"
        self._started = container["startupProbe"]["httpGet"]["path"]
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SITECTL")}
        stated = {one["name"]: one["value"] for one in container["env"] if "value" in one}
        volumes = {"SITECTL_STATE": str(directory), "HOME": str(directory)}
        pod = {
            "SITECTL_SITE": name,
            "SPILLWAY_PROBES": self._probes,
            "KUBERNETES_SERVICE_HOST": "x",
        }
        self._environment = {**kept, **stated, **volumes, **pod}
        self._words = words
        self.process = self.run()

    def run(self) -> subprocess.Popen[bytes]:
        """Start the container."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sitectl", *self._words],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return self.process

    def started(self) -> str:
        """What the startup probe hears: empty, when it succeeds."""
        try:
            with urllib.request.urlopen(f"http://{self._probes}{self._started}", timeout=5):
                return ""
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError as error:
            return str(error)

    def waits(self) -> bool:
        """Whether the application is held back because services are not there yet."""
        return "not listening yet" in self.started()

    def starts(self) -> bool:
        """Whether the application may start."""
        return self.started() == ""

    def id(self) -> str:
        """The site's id."""
        admin = Admin(self.state / self.name / "run" / "admin.sock", self.name)
        return str(admin.get("/api/v1/status")["id"])

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture
def pods() -> Iterator[list[Pod]]:
    """Pods that are ended with the test."""
    made: list[Pod] = []
    yield made
    for pod in made:
        pod.process.kill()
        pod.process.wait()


def container_of(hub: Site, token: Path, path: Path) -> dict[str, Any]:
    """The sidecar that `sitectl sidecar` makes for two services."""
    path.write_text(DEPLOYMENT)
    words = ("--service", f"shop:{SHOP_PORT}", "--service", "api", "--token", str(token))
    printed = list(yaml.safe_load_all(hub.ctl("sidecar", "-f", str(path), *words).out))
    assert [found["kind"] for found in printed] == ["Secret", "Deployment"]
    container: dict[str, Any] = printed[1]["spec"]["template"]["spec"]["initContainers"][0]
    return container


def test_pods_of_one_token_call_services_that_share_a_port_each_by_a_key_of_its_own(
    net: Network, tmp_path: Path, pods: list[Pod]
) -> None:
    hub = net.site("hub")
    for service in ("shop", "api"):
        hub.declare(service)
        hub.connect(service, net.http(service))
    hub.document("Listener", "api", {"service": "api", "listen": "none"})
    token = net.token(hub, "--token-type", "cert")
    container = container_of(hub, token, tmp_path / "front.yaml")
    pods += [
        Pod(name, tmp_path / name, container, token) for name in ("front-5d9c-a", "front-5d9c-b")
    ]
    for pod in pods:
        until(pod.waits, "it waits for its services")
    net.start(hub)
    for pod in pods:
        until(pod.starts, f"{pod.name} lets its application start")
        for service in ("shop", "api"):
            assert fetch(pod.places[service], SHOP_PORT).site == service
    assert pods[0].id() != pods[1].id()

    before = pods[0].id()
    pods[0].process.kill()
    pods[0].process.wait()
    pods[0].run()
    until(pods[0].starts, "the container that was restarted starts")
    assert pods[0].id() == before, "its key is in the pod's volume"
    assert [pod.stop() for pod in pods] == [0, 0]
