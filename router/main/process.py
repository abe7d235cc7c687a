"""`spillway-router`: one router as a process. Reads a site directory, serves, drains, stops."""

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import random
import secrets
import signal
import socket
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from certs.errors import CertError
from certs.files import read_secret, sweep_temporaries, write_secret
from router import __version__
from router.admin.events import EventLog
from router.admin.ports import CommandFailed
from router.admin.server import serving
from router.control import Wanted
from router.main import problems
from router.main.bursting import Bursting
from router.main.gate import EventGate
from router.main.logs import Logs, logging_to
from router.main.memory import MemoryGuard, Use, memory_limit, resident_bytes, trimmer
from router.main.namespace_status import short
from router.main.seeing import ACCESS_LOG_FILE, Seeing, otel_tracer
from router.main.site_router import SiteRouter
from router.main.starting import Place, only_one, open_store
from router.main.state import FileKeeper
from router.main.stores import Namespace, Store
from router.main.systemd import keep_told, notify, reloading, status_line
from router.main.trust import SiteTrust
from router.main.views import OperatorView
from router.model import limits
from router.model.addresses import split
from router.model.bursts import BurstState
from router.model.errors import ConfigError, RouterError
from router.model.events import Event, Problem, Severity
from router.net.epoll import EpollNetwork
from router.net.loop_host import LoopHost
from router.net.sockets import clients_max

log = logging.getLogger("router.main")

LAG_PROBE_S = 0.5
ADMIN_CREDENTIAL_FILE = "admin.credential"
PROBES_VARIABLE = "SPILLWAY_PROBES"
LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop. Exit 0 after a drained stop, 1 when it cannot start."""
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
            return _run_loop(directory, logs, namespace, options.probes)
    except (RouterError, CertError, OSError) as error:
        print(f"spillway-router: {error}", file=sys.stderr)
        return 1


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


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Process:
    """The router, its journal and what signals and commands do to it."""

    def __init__(self, directory: Path, logs: Logs, store: Store) -> None:
        loop = asyncio.get_running_loop()
        self._logs = logs
        self.events = EventLog()
        self._gate = EventGate()
        self.store = store
        reading = store.load()
        self._told: frozenset[str] = frozenset()
        self.grace_s = reading.wanted.site.drain_grace_s
        admin = reading.wanted.site.admin
        self.admin_address = split(admin) if admin else None
        self._trust = SiteTrust(directory, self.tell, kept=store.kept)
        keeper = self._keeper = FileKeeper(directory / "state.json", self._state_unsaved)
        self.network = EpollNetwork(LoopHost(loop))
        self.router = SiteRouter(
            self.network,
            self._trust.identity(keeper.router_id, reading.wanted.name),
            self._trust,
            keeper,
            self._trust,
            epoch=keeper.next_epoch(),
            boot_nonce=secrets.token_bytes(8),
            version=__version__,
            rng=random.SystemRandom(),  # Links draw nonces and secrets from it.
            tell=self.tell,
            is_edge=reading.wanted.site.router_mode == "edge",
            service_ttl_s=reading.wanted.site.service_sync_site_ttl_s,
            connections_max=clients_max(),
            place=f"{socket.gethostname()}, process {os.getpid()}",
            restored=self._trust.restored_at,
        )
        self._memory_max = memory_limit()
        self.memory = MemoryGuard(
            self.network,
            self._memory_max,
            self._memory_use,
            self.router,
            self.tell,
            trimmer(),
        )
        self.network.on_tls_rejected = self.router.tls_rejected
        self._trust.start(
            self.network,
            self.router.refresh_links,
            self.router.open_link_door,
            self.router.links.drop,
            self.router.links.retry_all,
        )
        store.tell_of_secrets(self.router.refresh_links, self._trust.reload)
        self._loop = loop
        self.seeing = Seeing(
            self.router.forwarder.observing,
            directory / "run" / ACCESS_LOG_FILE if logs.is_file else None,
            self.network.now,
            otel_tracer(reading.wanted.name, __version__),
            self._access_log_lost,
            random.Random(),
        )
        self.bursting = Bursting(
            reading.wanted.name,
            store.burst_place,
            self.router.forwarder.totals_of,
            self.tell,
            self.network.now,
            lambda: secrets.token_hex(8),
        )
        self.view = OperatorView(
            self.router,
            self.network,
            self.memory,
            self._trust.certificate_expiries,
            self.order,
            self.seeing,
            self._host_problems,
            self.bursting,
        )
        self._keep_trying()
        self.router.follow_declarations(store.declared)
        store.attach(self.router.listens_at, lambda: short(self.view.status(), self.view.links()))
        self.stopping = asyncio.Event()
        self.aborting = asyncio.Event()
        self.apply(reading.wanted, list(reading.errors))
        if self.router.link_listener_error:
            raise RouterError(self.router.link_listener_error)

    def admin_credential(self, path: Path) -> str:
        """What a client of the admin API over TCP must show; made once. Empty: no TCP wanted."""
        if self.admin_address is None:
            return ""
        try:
            return read_secret(path).decode("ascii").strip()
        except FileNotFoundError:
            credential = secrets.token_urlsafe(32)
            write_secret(path, credential.encode() + b"\n", replace=False)
            return credential

    def tell(
        self, severity: Severity, code: str, subject: str, message: str, hint: str = ""
    ) -> None:
        """Journal and log one event, unless there were too many like it."""
        event = Event(
            at=_utc_now(),
            severity=severity,
            code=code,
            subject=subject,
            message=message,
            hint=hint,
        )
        passed = self._gate.let_through(event, time.monotonic())
        if passed is None:
            return
        self.events.add(passed)
        text = passed.message if subject in passed.message else f"{subject}: {passed.message}"
        log.log(LEVELS[severity], "%s", text, extra={"code": code})

    def _memory_use(self) -> Use:
        held_bytes = self.router.links.buffered_bytes + self.router.forwarder.held_bytes
        return Use(resident_bytes(), held_bytes + self.network.unsent_bytes)

    def _state_unsaved(self, reason: str) -> None:
        self.tell(
            "error",
            "state-unsaved",
            "state",
            f"What this router must remember could not be written: {reason}.",
            "Free space on that disk and check its permissions; serving goes on",
        )

    def _keep_trying(self) -> None:
        """A disk that was full has space again some time."""
        self.network.call_at(self.network.now() + limits.STATE_RETRY_S, self._keep_trying)
        if self._keeper.retry():
            self.tell("info", "state-saved", "state", "What must be remembered is written again.")

    def _host_problems(self) -> tuple[Problem, ...]:
        return (
            *self._trust.problems(),
            *problems.of_disk(self._keeper.trouble, self._logs.trouble),
        )

    def apply(self, wanted: Wanted, errors: list[ConfigError]) -> None:
        """What the store read."""
        for error in errors:
            if str(error) not in self._told:
                message = error.message.removeprefix(error.source).lstrip(": ")
                self.tell(error.severity, error.code, error.source, message, error.hint)
        self._told = frozenset(map(str, errors))
        self.grace_s = wanted.site.drain_grace_s
        stated_bytes = wanted.site.memory_limit_bytes or self._memory_max
        self.memory.set_limit(
            min(self._memory_max, stated_bytes), is_stated=stated_bytes < self._memory_max
        )
        self.router.links.set_buffered_mark(self.memory.buffered_mark_bytes)
        self.router.apply(wanted, errors)
        self.seeing.apply(wanted.site)
        self.bursting.apply(wanted.bursts)

    def reapply(self, wanted: Wanted, errors: list[ConfigError]) -> None:
        """As `apply`, while serving: a fault of ours must not end what is being served."""
        try:
            self.apply(wanted, errors)
        except Exception:  # The owner of the watch; what was applied before stays.
            log.exception("the new configuration could not be applied")

    async def last_look(self) -> None:
        """Read once more: what was deleted right before the end is withdrawn now or never."""
        reading = await self.store.last()
        self.reapply(reading.wanted, [])

    def order(self, name: str, arguments: Mapping[str, str]) -> str | None:
        """A command of the admin API; None: no such command."""
        if name == "stop":
            self.stop()
            return "Draining."
        if name == "reload":
            self.store.poke()
            self._trust.reload()
            return "Reading everything again."
        if name == "revoke" and arguments.keys() == {"site"}:
            try:
                self._trust.revoke(arguments["site"])
            except (CertError, OSError) as error:
                raise CommandFailed(f"cannot revoke {arguments['site']}: {error}") from error
            return f"Revoked {arguments['site']}; its sessions are closed."
        if name == "burst-test" and arguments.keys() == {"burst", "event"}:
            for event in get_args(BurstState):
                if arguments["event"] == event:
                    return self.bursting.test(arguments["burst"], event)
        return None

    def stop(self) -> None:
        """Drain; a second call aborts."""
        if self.stopping.is_set():
            self.aborting.set()
        self.stopping.set()

    def _access_log_lost(self, reason: str) -> None:
        """Told by the writing thread; after the loop's end nobody is left to hear it."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(
                self.tell,
                "warning",
                "access-log-lost",
                "access log",
                f"Lines of the access log could not be written: {reason}.",
                "Free space on that disk and check its permissions; serving goes on",
            )

    def hang_up(self) -> None:
        """SIGHUP: the log files anew, and everything read again."""
        self._logs.reopen()
        self.seeing.reopen()
        reloading(self._read_again)

    def _read_again(self) -> None:
        self.order("reload", {})

    def line(self) -> str:
        """How it goes, for `systemctl status`."""
        return status_line(self.view.status(), self.view.links())


async def _serve(
    directory: Path, logs: Logs, namespace: Namespace | None, probes: Place | None
) -> int:
    async with contextlib.AsyncExitStack() as stack:
        store = await open_store(stack, directory, namespace, probes)
        if store is None:
            log.info("told to stop before it served")
            return 0
        return await _serve_wanted(directory, logs, store, probes)


async def _serve_wanted(directory: Path, logs: Logs, store: Store, probes: Place | None) -> int:
    process = _Process(directory, logs, store)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.stop)
    loop.add_signal_handler(signal.SIGHUP, process.hang_up)
    admin = serving(
        process.view,
        process.events,
        directory / "run" / "admin.sock",
        tcp=process.admin_address,
        credential=process.admin_credential(directory / "secrets" / ADMIN_CREDENTIAL_FILE),
        probes=probes,
    )
    async with admin, asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(store.watch(process.reapply))
        probing = tasks.create_task(_probe_lag(process.view))
        bursting = tasks.create_task(process.bursting.run())
        process.view.serving = True
        log.info("serving", extra={"site": process.router.identity.name})
        notify("READY=1")
        telling = tasks.create_task(keep_told(process.line))
        await process.stopping.wait()
        log.info("draining")
        notify("STOPPING=1")
        watching.cancel()
        bursting.cancel()
        await process.last_look()
        await _drain(process)
        probing.cancel()
        telling.cancel()
    process.memory.close()
    process.router.close()
    process.network.close()
    process.seeing.close()
    log.info("stopped")
    return 0


async def _drain(process: _Process) -> None:
    """Wait for what is under way, for the grace period or until told a second time."""
    drained = asyncio.Event()
    process.router.drain(drained.set)
    async with asyncio.TaskGroup() as tasks:
        waits = [tasks.create_task(event.wait()) for event in (drained, process.aborting)]
        await asyncio.wait(waits, timeout=process.grace_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


async def _probe_lag(view: OperatorView) -> None:
    """Measure how late the loop wakes."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_PROBE_S
        await asyncio.sleep(LAG_PROBE_S)
        view.loop_lag_s = max(0.0, loop.time() - due)


if __name__ == "__main__":
    sys.exit(main())
