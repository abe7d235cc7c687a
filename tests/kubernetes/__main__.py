"""The cluster of the tests, standing until Ctrl-C, for kubectl and sitectl.

Prints what a shell needs. Everything that it starts ends with it.
"""

import argparse
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Final

import yaml

from tests.kubernetes import places
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.images import Image

_AGNHOST: Final = """
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
IMAGES: Final = {
    **places.IMAGES,
    "*agnhost*": Image(commands={"/agnhost": (sys.executable, "-c", _AGNHOST)}),
}
"""agnhost answers every path (``/hostname``) with the pod's name; ``?2.5`` after 2.5 seconds."""


def kubeconfig(cluster: Cluster, namespaces: list[str]) -> Path:
    """A kubeconfig of an administrator with a context for each namespace; the first is current."""
    path = cluster.kubeconfig(namespaces[0])
    found = yaml.safe_load(path.read_text())
    (first,) = found["contexts"]
    found["contexts"] = [
        {"name": each, "context": {**first["context"], "namespace": each}} for each in namespaces
    ]
    found["current-context"] = namespaces[0]
    path.write_text(yaml.safe_dump(found))
    return path


def main() -> None:
    """Start, say how to use it, wait."""
    parser = argparse.ArgumentParser(prog="python -m tests.kubernetes", description=__doc__)
    parser.add_argument("namespaces", nargs="*", default=["west", "east"], metavar="NAMESPACE")
    parser.add_argument(
        "--openshift", action="store_true", help="with Routes and DeploymentConfigs"
    )
    parser.add_argument(
        "--state", type=Path, help="directory for certificates, pods and their logs"
    )
    chosen = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # A blocked signal would be so in pods, too.
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="spillway-cluster-") as temporary:
        state = (chosen.state or Path(temporary)).resolve()
        state.mkdir(parents=True, exist_ok=True)
        with Cluster(state, images=IMAGES, openshift=chosen.openshift, proxy=True) as cluster:
            for each in chosen.namespaces:
                cluster.create("Namespace", each)
            print(f"export KUBECONFIG={kubeconfig(cluster, chosen.namespaces)}")
            print(f"# contexts {', '.join(chosen.namespaces)}; logs of pods in {state}/pods")
            print("# Ctrl-C ends the cluster and everything in it.", flush=True)
            stop.wait()


if __name__ == "__main__":
    main()
