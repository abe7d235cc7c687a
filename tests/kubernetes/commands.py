"""`sitectl` and `kubectl` on a cluster, as a person types them."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tests import needs
from tests.kubernetes import images
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.rbac import ADMIN, User
from tests.programs import GO_THAT_ENDS
from tests.scenario import forking
from tests.scenario.started import Started

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60.0
_NOT_PASSED_ON = ("KUBECONFIG", "SITECTL_PLATFORM", "SITECTL_SITE", "SITECTL_STATE")


class Commands:
    """Command lines for one namespace, as ``user``; ``state`` is home to files that they make."""

    def __init__(
        self, cluster: Cluster, namespace: str, state: Path, user: User = ADMIN, name: str = "admin"
    ) -> None:
        self.cluster, self.namespace, self.state = cluster, namespace, state
        kubeconfig = cluster.kubeconfig(namespace, user, name)
        state.mkdir(parents=True, exist_ok=True)
        kept = {key: value for key, value in os.environ.items() if key not in _NOT_PASSED_ON}
        self.environment: Mapping[str, str] = {
            **kept,
            "KUBECONFIG": str(kubeconfig),
            "HOME": str(state),
            "PYTHONPATH": str(ROOT),
            "SITECTL_PLATFORM": "kubernetes",
            "SITECTL_STATE": str(state / "sites"),
        }

    def __call__(
        self, *words: str, stdin: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """The outcome of one command line of `sitectl`."""
        if not forking.PYTHON.suits():
            return self._run([sys.executable, "-m", "sitectl", *words], stdin, environment)
        variables = {**self.environment, **environment}
        done = forking.sitectl(words, stdin, self.state, variables, TIMEOUT_S)
        return subprocess.CompletedProcess(["sitectl", *words], *done)

    def killed(self, lines: int, *words: str) -> None:
        """Have `sitectl` killed as soon as it said so many lines."""
        with Started(words, self.state, self.environment) as running:
            for _ in range(lines):
                if not running.stdout.readline():
                    break

    def ok(self, *words: str, stdin: str | None = None) -> str:
        """Its output; it must end with exit 0."""
        done = self(*words, stdin=stdin)
        said = f"exit {done.returncode}: {done.stdout}{done.stderr}"
        assert done.returncode == 0, f"{' '.join(words)}: {said}"
        return done.stdout

    def json(self, *words: str) -> Any:
        """``item`` or ``items`` of its output with -o json."""
        envelope = json.loads(self.ok(*words, "-o", "json"))
        return envelope["item"] if "item" in envelope else envelope["items"]

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """What `kubectl` prints; it must end with exit 0."""
        needs.programs("kubectl")
        done = self._run(["kubectl", *words], stdin, {})
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The outcome of any command line."""
        return self._run(list(words), None, {})

    def objects(self, kind: str) -> set[str]:
        """Names of all objects of a kind in the namespace."""
        return {found["metadata"]["name"] for found in self.cluster.list(kind, self.namespace)}

    def _run(
        self, words: list[str], stdin: str | None, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            cwd=self.state,
            env={**self.environment, **GO_THAT_ENDS, **environment},
            check=False,
        )


_ROUTER = """
import os, sys
os.environ["SPILLWAY_BIND_IP"] = os.environ["POD_IP"]
port = os.environ.get("SPILLWAY_PROBES", ":9090").rpartition(":")[2]
os.environ["SPILLWAY_PROBES"] = os.environ["POD_IP"] + ":" + port
os.execv(sys.executable, [sys.executable, "-m", "sitectl", *sys.argv[1:]])
"""
"""All pods share this machine's addresses: each keeps to its own, as in a network namespace."""
ROUTER_IMAGE = msgspec.structs.replace(images.SPILLWAY, entrypoint=(sys.executable, "-c", _ROUTER))
IMAGES = {"*spillway/router*": ROUTER_IMAGE}
