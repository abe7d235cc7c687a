"""Who types docs/kubernetes-skupper-v2.md gets a site, a link and targets of two namespaces."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes import skupper2_kinds
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.images import ROOT
from tests.kubernetes.standing import kubeconfig, stand
from tests.scenario import forking
from tests.scenario.waiting import until

PAGE = (ROOT / "docs/kubernetes-skupper-v2.md").read_text("utf-8")
PORT = 8080  # Where pods of the tests answer, instead of a database's.


def blocks(title: str, language: str) -> list[str]:
    """The blocks of one language below a heading of the page."""
    section = re.split(rf"^##+ {re.escape(title)}$", PAGE, flags=re.MULTILINE)[1]
    section = re.split(r"^##+ ", section, maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


class Shell:
    """A person at ``home``, which has the product's ``deploy`` in it."""

    def __init__(self, cluster: Cluster, home: Path) -> None:
        home.mkdir()
        (home / "deploy").symlink_to(ROOT / "deploy")
        self._home = home
        path = f"{forking.PYTHON.commands(home)}:{os.environ['PATH']}"
        self._environment = os.environ | {"PATH": path, "KUBECONFIG": str(kubeconfig(cluster))}

    def types(self, script: str) -> str:
        """Run ``script``, which must succeed; return its output."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self._home,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with stand(tmp_path / "cluster", ("shop", "east", "west", "workloads")) as made:
        made.define(*skupper2_kinds.KINDS)
        yield made


def message(cluster: Cluster, kind: str, name: str, namespace: str) -> str:
    return str(skupper2_kinds.status(cluster, kind, name, namespace).get("message", ""))


def database(shell: Shell, namespace: str) -> None:
    """Pods of ``app=db`` that answer HTTP with their name."""
    shell.types(f"kubectl -n {namespace} create deployment db --image agnhost --port {PORT}")


@pytest.mark.programs("kubectl")
def test_the_page_makes_a_site_with_targets_here_and_in_another_namespace(
    cluster: Cluster, tmp_path: Path
) -> None:
    shell = Shell(cluster, tmp_path / "home")
    role, make = blocks("Start", "sh")
    shell.types(role)
    assert "listener.skupper.io/database" in shell.types(
        make.replace("port: 5432}\nEOF", f"port: {PORT}}}\nEOF")
    )
    database(shell, "shop")
    for kind, name in (("Site", "west"), ("Connector", "db"), ("Listener", "database")):
        until(
            lambda kind=kind, name=name: message(cluster, kind, name, "shop").startswith("OK"),  # type: ignore[misc]
            f"{kind} {name} is ready",
            30.0,
        )

    def answered() -> str:
        service = cluster.get("Service", "database", "shop")
        if service is None:
            return ""
        url = f"http://{service['spec']['clusterIP']}:5432/"
        return shell.types(f"curl -s -m 5 {url} || true")

    until(lambda: answered().startswith("db-"), "clients reach the pod by the Service", 20.0)

    shell.types("kubectl -n shop delete connector db")
    database(shell, "workloads")
    rights, pair = blocks("Pods of another namespace", "yaml")
    shell.types(f"kubectl apply -f - <<'EOF'\n{rights}EOF")
    shell.types(f"kubectl apply -f - <<'EOF'\n{pair.replace('port: 5432', f'port: {PORT}')}EOF")
    for kind, namespace in (
        ("AttachedConnector", "workloads"),
        ("AttachedConnectorBinding", "shop"),
    ):
        until(
            lambda kind=kind, namespace=namespace: message(cluster, kind, "db", namespace) == "OK",  # type: ignore[misc]
            f"{kind} is ready",
            30.0,
        )
    there = {one["metadata"]["name"] for one in cluster.list("Pod", "workloads")}
    until(lambda: answered() in there, "clients reach the pod of the other namespace", 20.0)


@pytest.mark.programs("kubectl")
def test_the_page_makes_a_site_of_a_site_alone_and_links_by_a_grant(
    cluster: Cluster, tmp_path: Path
) -> None:
    shell = Shell(cluster, tmp_path / "home")
    shell.types(blocks("Start", "sh")[0])
    for script in blocks("A Site alone", "sh"):
        shell.types(script)
    shell.types("sitectl -n west init west --ingress none")
    for script in blocks("Access grants and tokens", "sh"):
        shell.types(script)
    until(
        lambda: message(cluster, "AccessToken", "to-east", "west") == "OK", "it is redeemed", 30.0
    )
    until(lambda: message(cluster, "Link", "to-east", "west") == "OK", "the link is up", 30.0)
