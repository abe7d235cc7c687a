"""Clients of these tests: kubectl as a user runs it, and plain HTTP."""

import json
import os
import ssl
import subprocess
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
from lightkube import KubeConfig

from tests import needs
from tests.kubernetes.cluster import Cluster
from tests.programs import GO_THAT_ENDS

TIMEOUT_S: Final = 60.0


def raw(cluster: Cluster, timeout_s: float = 10.0) -> httpx2.Client:
    """A plain HTTP client with an administrator's token."""
    config = KubeConfig.from_file(cluster.kubeconfig()).get()
    assert config is not None and config.user is not None
    return httpx2.Client(
        base_url=cluster.url,
        headers={"Authorization": f"Bearer {config.user.token}"},
        verify=ssl.create_default_context(cafile=cluster.pki.ca_path),
        timeout=timeout_s,
    )


class Done(msgspec.Struct, frozen=True):
    """A command that ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its output, parsed."""
        return json.loads(self.out)


class Kubectl:
    """Runs kubectl with a kubeconfig of the test's own."""

    def __init__(self, kubeconfig: Path, home: Path, namespace: str = "default") -> None:
        self.kubeconfig, self.namespace = kubeconfig, namespace
        self._home = home

    def __call__(self, *words: str, given: str | dict[str, Any] = "", code: int | None = 0) -> Done:
        """Run it; AssertionError unless it exits with ``code`` (None: any)."""
        needs.programs("kubectl")
        text = given if isinstance(given, str) else json.dumps(given)
        ended = subprocess.run(
            ["kubectl", "--namespace", self.namespace, *words],
            capture_output=True,
            text=True,
            input=text,
            timeout=TIMEOUT_S,
            env={
                **GO_THAT_ENDS,
                "PATH": os.environ.get("PATH", ""),
                "HOME": str(self._home),  # Its cache of discovery is the test's own.
                "KUBECONFIG": str(self.kubeconfig),
            },
        )
        shown = f"kubectl {' '.join(words)}: exit {ended.returncode}"
        assert code is None or ended.returncode == code, f"{shown}\n{ended.stdout}{ended.stderr}"
        return Done(ended.returncode, ended.stdout, ended.stderr)

    def apply(self, *objects: dict[str, Any], flags: tuple[str, ...] = ()) -> Done:
        """``kubectl apply -f -`` of objects."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self("apply", *flags, "-f", "-", given=items)

    def get(self, *words: str) -> Any:
        """``kubectl get … -o json``, parsed."""
        return self("get", *words, "-o", "json").json()
