"""The cluster of the tests, standing until Ctrl-C, for kubectl and sitectl.

Prints what a shell needs. Everything that it starts ends with it.
"""

import argparse
import signal
import tempfile
import threading
from pathlib import Path

from tests.kubernetes.standing import NAMESPACES, kubeconfig, stand


def main() -> None:
    """Start, say how to use it, wait."""
    parser = argparse.ArgumentParser(prog="python -m tests.kubernetes", description=__doc__)
    parser.add_argument("namespaces", nargs="*", default=NAMESPACES, metavar="NAMESPACE")
    parser.add_argument("--openshift", action="store_true", help="with Routes, DeploymentConfigs")
    parser.add_argument("--state", type=Path, help="directory for certificates, pods, their logs")
    chosen = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # A blocked signal would be so in pods, too.
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="spillway-cluster-") as temporary:
        state = (chosen.state or Path(temporary)).resolve()
        state.mkdir(parents=True, exist_ok=True)
        with stand(state, tuple(chosen.namespaces), openshift=chosen.openshift) as cluster:
            print(f"export KUBECONFIG={kubeconfig(cluster)}")
            print(f"# contexts {', '.join(chosen.namespaces)}; logs of pods below {state}/pods")
            print("# Ctrl-C ends the cluster and everything in it.", flush=True)
            stop.wait()


if __name__ == "__main__":
    main()
