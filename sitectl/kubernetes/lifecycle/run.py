"""`run`: be the router of a namespace, in a pod or from here."""

import os
import sys

from sitectl.base import output
from sitectl.base.options import Settings
from sitectl.kubernetes.door import site_directory
from sitectl.kubernetes.site import open_cluster
from sitectl.runtimes.process import is_supervised, router_environment
from sitectl.site.places import state_dir


def run(settings: Settings) -> None:
    """Become the router of the namespace, in a pod or from here."""
    namespace = settings.namespace or os.environ.get("POD_NAMESPACE")
    if namespace is None:
        namespace = open_cluster(settings).namespace
    directory = site_directory(namespace, state_dir(settings))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-P", "-m", "router.process.main"),
        *("--namespace", namespace, "--site-dir", str(directory)),
    ]
    if settings.kubeconfig:
        command += ["--kubeconfig", settings.kubeconfig]
    if settings.context:
        command += ["--context", settings.context]
    if is_supervised():
        command += ["--log", "stdout"]
    else:
        output.note(f"router of namespace {namespace} runs until Ctrl-C, log {directory}/run")
    sys.stdout.flush()
    os.execve(command[0], command, router_environment())
