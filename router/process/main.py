"""`spillway-router`: the command line, and the event loop of one router."""

import argparse
import contextlib
import logging
import os
import sys
import time
from pathlib import Path
from shlex import quote

from certs.errors import CertError
from certs.files import sweep_temporaries
from router import __version__
from router.model import limits
from router.model.addresses import split
from router.model.errors import ConfigError, RouterError
from router.model.specs import SiteSpec
from router.model.wording.system_errors import step_after, text_of
from router.node.parts import Part
from router.operate.debug_dump import stacks_on_signal
from router.process.lifecycle import serve
from router.process.logs import Logs, logging_to
from router.process.startup import Place, SiteLock, open_store, run_loop, site_lock
from router.process.stores import Namespace
from router.process.worker_starts import command as worker_command
from router.process.worker_starts import end_previous_workers, room_for, worker_count

log = logging.getLogger("router.process")

PROBES_VARIABLE = "SPILLWAY_PROBES"
WORKERS_VARIABLE = "SPILLWAY_WORKERS"


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop. Exit code 0 after a drained stop, 1 if it cannot start."""
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
        if not directory.is_dir():
            made_by = (
                f"mkdir -p -m 0700 {quote(str(directory))}" if namespace else "sitectl init NAME"
            )
            raise RouterError(
                f"--site-dir {directory}: there is no such directory. Make it: {made_by}"
            )
        run.mkdir(mode=0o700, exist_ok=True)
        with (
            site_lock(run / "lock") as lock,
            logging_to(
                run / "router.log" if options.log == "file" else None, options.log_level
            ) as logs,
        ):
            sweep_temporaries(directory, time.time())  # Left by processes that crashed.
            with stacks_on_signal(run) as reopen_stacks:
                logs.reopen_with(reopen_stacks)
                return run_loop(lambda: _serve(options, logs, namespace, lock))
    except (RouterError, CertError, OSError) as error:
        step = step_after(error) if isinstance(error, OSError) else ""
        print(f"spillway-router: {text_of(error)}{step and f'. {step}'}", file=sys.stderr)
        return 1


def command_line() -> argparse.ArgumentParser:
    """The arguments of `spillway-router`."""
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
        help="where /healthz, /readyz, /metrics and demand are served to anyone "
        f"[env: {PROBES_VARIABLE}]",
    )
    parser.add_argument(
        "--workers",
        type=worker_count,
        metavar="N",
        default=os.environ.get(WORKERS_VARIABLE) or None,
        help="processes that share the work; auto: one for each core; not with --namespace "
        f"[env: {WORKERS_VARIABLE}]",
    )
    parser.add_argument(
        "--ephemeral",
        action="store_true",
        help="the site ends with this process: as it stops, other sites hear that it was deleted",
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def place(text: str) -> Place:
    """``[IP]:PORT`` or a bare port; without an IP all of the host's addresses."""
    host, port = split(text)
    if not 1 <= port <= 65_535:
        raise ValueError(text)
    return host, port


def workers_wanted(options: argparse.Namespace, site: SiteSpec) -> int:
    """The number of workers. Raises ConfigError if only one is possible."""
    wanted = options.workers if options.workers is not None else site.workers
    count = worker_count(str(wanted))
    if count == 1:
        return 1
    why, hint = "", ""
    if options.namespace is not None:
        why = "in a namespace a site has several routers, not workers"
        hint = "sitectl update --routers N"
    elif site.router_mode == "edge":
        why, hint = "an edge router is one process", "Use --workers 1, or routerMode: interior"
    elif site.peers:
        why = "a site with peers has several routers, each of one process"
        hint = "Use --workers 1, or remove the peers: sitectl update --peer none"
    elif count > room_for(site.memory_limit_bytes):
        least = limits.WORKER_MEMORY_MIN_BYTES // limits.MIB
        why = f"{count} workers need {least} MiB of memory each, which is not there"
        hint = "Use --workers auto, or raise the memory limit: of the site, service or container"
    if why:
        raise ConfigError("spillway-router", "--workers", why, hint=hint)
    return count


async def _serve(
    options: argparse.Namespace, logs: Logs, namespace: Namespace | None, lock: SiteLock
) -> int:
    directory: Path = options.site_dir
    async with contextlib.AsyncExitStack() as stack:
        store = await open_store(
            stack, directory, namespace, options.probes, ephemeral=options.ephemeral
        )
        if store is None:
            log.info("told to stop before it served")
            return 0
        reading = store.load()
        part = Part(count=workers_wanted(options, reading.wanted.site))
        end_previous_workers(directory / "run", part.count)
        command = worker_command(directory, part.count, options.log, options.log_level)
        return await serve(
            directory,
            logs,
            store,
            reading,
            lock,
            options.probes,
            part,
            command,
            counts_by_document=options.workers is None,
        )


if __name__ == "__main__":
    sys.exit(main())
