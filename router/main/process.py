"""`spillway-router`: the command line, and the loop that one router runs in."""

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import sys
import time
from pathlib import Path

from certs.errors import CertError
from certs.files import sweep_temporaries
from router import __version__
from router.main.debugging import stacks_on_signal
from router.main.logs import Logs, logging_to
from router.main.running import serve
from router.main.starting import Place, only_one, open_store
from router.main.stores import Namespace
from router.model import limits
from router.model.addresses import split
from router.model.errors import RouterError

log = logging.getLogger("router.main")

PROBES_VARIABLE = "SPILLWAY_PROBES"


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop. Exit 0 after a drained stop, 1 when it cannot start."""
    parser = command_line()
    options = parser.parse_args(arguments)
    directory: Path = options.site_dir
    namespace = None
    if options.namespace is not None:
        namespace = Namespace(
            name=options.namespace, kubeconfig=options.kubeconfig, context=options.context
        )
    elif options.kubeconfig or options.context:
        parser.error("--kubeconfig and --context need --namespace")
    run = directory / "run"
    try:
        run.mkdir(mode=0o700, exist_ok=True)
        with (
            only_one(run / "lock"),
            logging_to(
                run / "router.log" if options.log == "file" else None, options.log_level
            ) as logs,
        ):
            sweep_temporaries(directory, time.time())  # Of those that a crash ended.
            with stacks_on_signal(run):
                return _run_loop(directory, logs, namespace, options.probes)
    except (RouterError, CertError, OSError) as error:
        print(f"spillway-router: {error}", file=sys.stderr)
        return 1


def command_line() -> argparse.ArgumentParser:
    """What `spillway-router` may be told."""
    parser = argparse.ArgumentParser(
        prog="spillway-router",
        description="The router of one site, in the foreground.",
        epilog="examples: spillway-router --site-dir ~/.local/share/spillway/west | "
        "spillway-router --namespace --site-dir /var/lib/spillway (in a pod) | "
        "spillway-router --namespace shop --context dev --site-dir /tmp/shop",
    )
    parser.add_argument(
        "--site-dir",
        type=Path,
        required=True,
        help="made by `sitectl init`; with --namespace a directory for this process, may be empty",
    )
    parser.add_argument(
        "--namespace",
        nargs="?",
        const="",
        help="the site is this Kubernetes namespace (without a value: that of the pod or context)",
    )
    parser.add_argument("--kubeconfig", help="instead of the pod's service account or KUBECONFIG")
    parser.add_argument("--context", help="of the kubeconfig")
    parser.add_argument("--log", choices=("file", "stdout"), default="file")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning"))
    parser.add_argument(
        "--probes",
        type=place,
        metavar="[IP]:PORT",
        default=os.environ.get(PROBES_VARIABLE) or None,
        help="where /healthz, /readyz, /metrics and demand are told to anyone "
        f"[env: {PROBES_VARIABLE}]",
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def place(text: str) -> Place:
    """``[IP]:PORT`` or a bare port; without an IP all of the host's addresses."""
    host, port = split(text)
    if not 1 <= port <= 65_535:
        raise ValueError(text)
    return host, port


def _run_loop(
    directory: Path, logs: Logs, namespace: Namespace | None, probes: Place | None
) -> int:
    try:
        import uvloop
    except ImportError:  # Not built for this machine; asyncio passes the same tests.
        factory = None
    else:
        factory = uvloop.new_event_loop
    gc.freeze()  # Modules and classes stay: no collection need look at them.
    gc.set_threshold(limits.GC_AFTER_OBJECTS)
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_serve(directory, logs, namespace, probes))


async def _serve(
    directory: Path, logs: Logs, namespace: Namespace | None, probes: Place | None
) -> int:
    async with contextlib.AsyncExitStack() as stack:
        store = await open_store(stack, directory, namespace, probes)
        if store is None:
            log.info("told to stop before it served")
            return 0
        return await serve(directory, logs, store, probes)


if __name__ == "__main__":
    sys.exit(main())
