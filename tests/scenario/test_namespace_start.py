"""A router whose namespace cannot be asked yet: it waits, answers probes, and ends when told to."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenario.harness import ROOT, own_address
from tests.scenario.waiting import until

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: here, cluster: {server: "http://ADDRESS:6443"}}]
users: [{name: me, user: {token: t}}]
contexts: [{name: here, context: {cluster: here, user: me, namespace: west}}]
"""


class Waiting:
    """A router of a namespace whose API server was never started."""

    def __init__(self, directory: Path) -> None:
        kubeconfig = directory / "kubeconfig"
        kubeconfig.write_text(KUBECONFIG.replace("ADDRESS", own_address()))
        self.probes = f"{own_address()}:29091"
        words = ["-m", "router.process.main", "--site-dir", str(directory), "--namespace"]
        words += ["--kubeconfig", str(kubeconfig), "--probes", self.probes]
        self.process = subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env={**os.environ, "no_proxy": "*"},
            stderr=subprocess.PIPE,
        )

    def ask(self, path: str) -> int:
        """The status; 0: no process listens."""
        try:
            with urllib.request.urlopen(f"http://{self.probes}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    found = Waiting(tmp_path)
    until(lambda: found.ask("/healthz") == 200, "the probes are answered")
    yield found
    found.process.kill()
    found.process.communicate(timeout=10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_lives_is_not_ready_and_ends_in_order_when_told_to(
    waiting: Waiting, number: signal.Signals
) -> None:
    assert waiting.ask("/readyz") == 503
    waiting.process.send_signal(signal.SIGHUP)  # Asks for a new look; there is none yet.
    assert waiting.ask("/healthz") == 200
    waiting.process.send_signal(number)
    _, errors = waiting.process.communicate(timeout=10)
    assert waiting.process.returncode == 0
    assert b"Traceback" not in errors
