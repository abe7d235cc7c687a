"""The life of a router's process: it serves, drains and ends, in this order."""

import asyncio
import contextlib
import logging
import signal
from asyncio import Task
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from router import __version__
from router.admin.api import AdminApi
from router.admin.server import serving
from router.control import SourcesReading
from router.model import limits
from router.model.errors import RouterError
from router.node.parts import WHOLE, Part
from router.process.logs import Logs
from router.process.router_process import RouterProcess
from router.process.run_folder import RunFolder
from router.process.startup import Place, SiteLock
from router.process.stores import Store
from router.process.systemd import notify, report_to_systemd
from router.workers.workers import Workers

log = logging.getLogger("router.process")

ADMIN_CREDENTIAL_FILE = "admin.credential"


async def serve(
    directory: Path,
    logs: Logs,
    store: Store,
    reading: SourcesReading,
    lock: SiteLock,
    probes: Place | None,
    part: Part = WHOLE,
    worker_command: Sequence[str] = (),
    *,
    counts_by_document: bool = False,
) -> int:
    """Serve the wanted state of ``store``, ``reading`` at first, until told to stop. Returns 0.

    ``lock``: the site's, which we hold.
    """
    process = RouterProcess(
        directory, logs, store, reading, part, worker_command, counts_by_document=counts_by_document
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.stop)
    loop.add_signal_handler(signal.SIGHUP, process.hang_up)
    try:
        await process.accept_links()
    except RouterError:
        process.close()
        raise
    if lock.died is not None:
        process.record.found_dead(lock.died)  # Reported before this router's own findings.
    await process.console.prepare()
    parts = process.insight.api_parts()
    admin = serving(
        process.view,
        process.record.events,
        directory / "run" / "admin.sock",
        tcp=process.admin_address,
        credential=process.admin_credential(directory / "secrets" / ADMIN_CREDENTIAL_FILE),
        probes=probes,
        commanded=process.record.audit_log.commanded,
        failed=process.own_faults.happened,
        parts=parts,
    )
    async with admin as admin_socket, asyncio.TaskGroup() as tasks:
        until_draining = [
            tasks.create_task(store.watch(process.reapply)),
            tasks.create_task(process.burst_runner.run()),
            tasks.create_task(process.peers.run()),
            tasks.create_task(process.tokens.run()),
        ]
        api = AdminApi(
            process.view, process.record.events, parts=parts, failed=process.own_faults.happened
        )
        until_drained = [
            tasks.create_task(process.lag.run()),
            tasks.create_task(process.console.run(api)),
            tasks.create_task(process.callers.run()),
            tasks.create_task(admin_socket.run()),
            tasks.create_task(RunFolder(directory, lock, process.hang_up).run()),
        ]
        tasks.create_task(process.workers.run())
        process.serving.set()
        log.info("serving", extra={"site": process.router.identity.name})
        process.record.started(__version__)
        notify("READY=1")
        until_drained.append(tasks.create_task(report_to_systemd(process.line)))
        await process.stopping.wait()
        await _stopped(process, until_draining, until_drained)
    process.close()
    log.info("stopped")
    return 0


async def _stopped(
    process: RouterProcess,
    until_draining: Iterable[Task[None]],
    until_drained: Iterable[Task[None]],
) -> None:
    """Drain: this router's traffic first, then the other workers, then what this router reports
    for all. Record what had to be cut.
    """
    loop = asyncio.get_running_loop()
    stopped_at = loop.time()
    log.info("draining")
    process.record.draining()
    notify("STOPPING=1")
    for task in until_draining:
        task.cancel()
    await process.last_look()
    until = loop.time() + process.grace_s
    await _wait(process.router.drain_traffic, process, until)
    cut = process.under_way  # Before the workers end that serve some of these.
    await _ended(process.workers, process, until)
    if loop.time() < until and not process.aborting.is_set():  # Otherwise the rest is reset.
        await _wait(process.router.finish, process, until)
    for task in until_drained:
        task.cancel()
    process.record.cut(
        cut + process.workers.cut,
        loop.time() - stopped_at,
        at_once=process.aborting.is_set(),
    )


async def drain(process: RouterProcess) -> None:
    """Wait for requests in flight, for the grace period or until told to stop a second time."""
    await _wait(process.router.drain, process, asyncio.get_running_loop().time() + process.grace_s)


async def _wait(
    step: Callable[[Callable[[], None]], None], process: RouterProcess, until: float
) -> None:
    """Begin ``step`` of the shutdown; wait for it ``until`` then, or until told to stop a second
    time.
    """
    done = asyncio.Event()
    step(done.set)
    left_s = max(0.0, until - asyncio.get_running_loop().time())
    await _first_of(done, process.aborting, timeout_s=left_s)


async def _ended(workers: Workers, process: RouterProcess, until: float) -> None:
    """Wait for the other workers, which got the signal at the same time and have as long; after
    a second stop only for a moment, because one of them may hang."""
    left_s = max(0.0, until - asyncio.get_running_loop().time())
    await _first_of(workers.over, process.aborting, timeout_s=left_s)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limits.WORKER_ENDS_S):
            await workers.over.wait()
    workers.kill()


async def _first_of(*events: asyncio.Event, timeout_s: float) -> None:
    async with asyncio.TaskGroup() as tasks:
        waits = [tasks.create_task(event.wait()) for event in events]
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
