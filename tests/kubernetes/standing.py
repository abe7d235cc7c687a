"""A cluster for a person (`python -m tests.kubernetes`): namespaces, contexts, an image to try."""

import sys
from pathlib import Path
from typing import Final

import yaml

from tests.kubernetes import places
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.images import Image

NAMESPACES: Final = ("west", "east")
_ADMIN: Final = "CLUSTER_KUBECONFIG"

_NETEXEC: Final = """
import http.server, os, socketserver, time, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(float(urllib.parse.urlsplit(self.path).query or 0))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["HOSTNAME"].encode())
    def log_message(self, *words):
        print(self.command, self.path, flush=True)
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
Server((os.environ["POD_IP"], 8080), Handler).serve_forever()
"""
_CURL: Final = """
import os, pathlib, subprocess, sys, urllib.parse, urllib.request
url = urllib.parse.urlsplit(sys.argv[-1])
own = pathlib.Path(os.environ["KUBERNETES_SERVICEACCOUNT_DIR"], "namespace").read_text()
name, _, rest = url.hostname.partition(".")
kubectl = ["kubectl", "--kubeconfig", os.environ["CLUSTER_KUBECONFIG"]]
where = ["--namespace", rest.partition(".")[0] or own, "get", "service", name]
asked = [*kubectl, *where, "-o", "jsonpath={.spec.clusterIP}"]
address = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout
there = url._replace(netloc=f"{address}:{url.port or 80}").geturl()
wanted = urllib.request.Request(there, headers={"Host": url.netloc})
print(urllib.request.urlopen(wanted, timeout=10).read().decode())
"""
"""The cluster has no DNS: this one asks the API server where a Service is."""


def stand(
    state: Path, namespaces: tuple[str, ...] = NAMESPACES, *, openshift: bool = False
) -> Cluster:
    """Start it. `kubeconfig` says where its users look."""
    images = {**places.IMAGES, "*agnhost*": agnhost(_kubeconfig_path(state))}
    cluster = Cluster(state, images=images, openshift=openshift, proxy=True)
    _write_kubeconfig(cluster, namespaces)
    for each in namespaces:
        cluster.create("Namespace", each)
    return cluster


def agnhost(kubeconfig: Path) -> Image:
    """Answers HTTP on 8080 with the name of its pod; its `curl` asks by ``kubeconfig``."""
    return Image(
        cmd=("/agnhost", "pause"),
        commands={
            "/agnhost": (sys.executable, "-c", _NETEXEC),
            "curl": (sys.executable, "-c", _CURL),
        },
        env={_ADMIN: str(kubeconfig)},
    )


def kubeconfig(cluster: Cluster) -> Path:
    """An administrator's, with a context for each namespace; the first is current."""
    return _kubeconfig_path(cluster.state)


def _kubeconfig_path(state: Path) -> Path:
    return state / "kubeconfig.yaml"


def _write_kubeconfig(cluster: Cluster, namespaces: tuple[str, ...]) -> None:
    found = yaml.safe_load(cluster.kubeconfig(namespaces[0]).read_text())
    (first,) = found["contexts"]
    found["contexts"] = [
        {"name": each, "context": {**first["context"], "namespace": each}} for each in namespaces
    ]
    found["current-context"] = namespaces[0]
    kubeconfig(cluster).write_text(yaml.safe_dump(found))
