"""Worker 1, 2 … of a router: a process with the whole data path, started and led by the first one.

It has its own listeners, links and share of every capacity. The first worker's commands come over
its standard input, a socket. When that ends, the first worker is gone: this one takes nothing new,
and ends after its last request.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from pathlib import Path

import msgspec
from msgspec.structs import replace

from certs.errors import CertError
from router.admin.server import serving
from router.model import limits
from router.model.errors import RouterError
from router.model.ticks import pause_s
from router.model.wording.system_errors import text_of
from router.node.parts import Part
from router.process import open_files
from router.process.lifecycle import drain
from router.process.logs import Logs, logging_to
from router.process.opened_store import DirectoryStore
from router.process.router_process import RouterProcess
from router.process.run_folder import RunFolder, make_folder
from router.process.startup import WORKER_RUNS, SiteLock, run_loop, site_lock
from router.workers.worker_messages import (
    Ask,
    Follow,
    FromWorker,
    Holding,
    Leave,
    MessageTooLong,
    Question,
    ReadAgain,
    Rebalance,
    Reopen,
    ServicePlace,
    Stop,
    ToWorker,
    WorkerAnswer,
    WorkerCut,
    WorkerDoor,
    WorkerFailed,
    heard,
    words,
)

log = logging.getLogger("router.process")

_DOOR_LOOK_S = 0.02


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop. Exit code 0 after a drained stop, 1 if it cannot start."""
    parser = argparse.ArgumentParser(description="Started by spillway-router --workers.")
    parser.add_argument("--site-dir", type=Path, required=True)
    parser.add_argument("--index", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--links", type=int, required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--log-level", required=True)
    options = parser.parse_args(arguments)
    part = Part(index=options.index, count=options.count)
    directory: Path = options.site_dir
    run = part.run(directory)
    line = _line(os.dup(0))  # Stays open, whatever happens to the original.
    try:
        make_folder(directory, run)
        with (
            # A worker that outlived the first one still has its share.
            site_lock(run / "lock", WORKER_RUNS) as lock,
            logging_to(
                run / "router.log" if options.log == "file" else None, options.log_level
            ) as logs,
        ):
            return run_loop(lambda: _serve(directory, logs, lock, part, options.links))
    except (RouterError, CertError, OSError) as error:
        reason = text_of(error)
        print(f"spillway-router, worker {part.index}: {reason}", file=sys.stderr)
        with contextlib.suppress(OSError):  # The first worker is gone, so no process reports it.
            line.send(words(WorkerFailed(reason)))
        return 1
    finally:
        line.close()


async def _serve(directory: Path, logs: Logs, lock: SiteLock, part: Part, links: int) -> int:
    store = DirectoryStore(directory)
    process = RouterProcess(directory, logs, store, store.load(), part)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, process.stop)
    # A terminal signals all workers; the first one decides. The same for SIGHUP.
    for number in (signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, lambda: None)
    link = _Lead(process, *await asyncio.open_connection(sock=_line(0)))
    given = _line(links)
    loop.add_reader(links, lambda: _take(given, process))
    admin = serving(
        process.view,
        process.record.events,
        part.run(directory) / "admin.sock",
        parts=process.insight.api_parts(),
        failed=process.own_faults.happened,
    )
    async with admin as admin_socket, asyncio.TaskGroup() as tasks:
        ending = [
            tasks.create_task(work)
            for work in (
                link.run(),
                link.tell_door(),
                store.watch(lambda wanted, _: process.reapply(wanted, [])),
                process.lag.run(),
                process.callers.run(),
                admin_socket.run(),
                RunFolder(directory, lock, process.hang_up).run(),
            )
        ]
        process.serving.set()
        log.info("serving", extra={"site": process.router.identity.name})
        await process.stopping.wait()
        log.info("draining")
        loop.remove_reader(links)
        await drain(process)
        for task in ending:
            task.cancel()
        await link.tell_cut()
    process.close()
    log.info("stopped")
    return 0


def _line(descriptor: int) -> socket.socket:
    """A line to the first worker."""
    line = socket.socket(fileno=descriptor)
    line.setblocking(False)
    return line


def _take(given: socket.socket, process: RouterProcess) -> None:
    """Adopt a link that the first worker accepted for this one."""
    try:
        data, descriptors, _, _ = socket.recv_fds(given, 1, 1)
    except BlockingIOError:
        return
    if not data:
        asyncio.get_running_loop().remove_reader(given.fileno())
    for descriptor in descriptors:
        process.network.adopt(socket.socket(fileno=descriptor))


class _Lead:
    """Follows the first worker."""

    def __init__(
        self, process: RouterProcess, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process, self._reader, self._writer = process, reader, writer
        self._answering = process.insight.answering(process.record.events)
        self._follow_places(frozenset())

    async def run(self) -> None:
        """Follow until the connection ends."""
        decoder = msgspec.msgpack.Decoder(ToWorker)
        try:
            while True:
                await self._follow(await heard(self._reader, decoder))
        except (EOFError, OSError):
            if not self._process.stopping.is_set():
                log.warning("the first worker is gone")
                self._process.router.links.departure.because_crashed()
            self._process.begin_drain()
        except (msgspec.MsgspecError, MessageTooLong) as error:
            log.error("the first worker is not understood, this one ends: %s", error)
            self._process.begin_drain()

    def _follow_places(self, places: frozenset[ServicePlace]) -> None:
        self._process.router.forwarder.follow_listeners(
            lambda key, where: ServicePlace(key, *where) in places
        )

    async def _follow(self, message: ToWorker) -> None:
        process = self._process
        match message:
            case Follow(siblings=siblings, places=places):
                self._follow_places(places)
                process.dial_siblings(siblings)
            case Ask(number=number, question=question):
                await self._answer(number, question)
            case ReadAgain():
                process.read_again()
            case Reopen():
                process.hang_up()
            case Holding(service=service, wake=wake, has_hook=has_hook):
                process.router.forwarder.ports.wakes.set(service, wake, has_hook)
            case Rebalance(key=key, terms=terms):
                process.router.forwarder.moves.begin(key, terms)
            case Leave():
                process.leave()
            case Stop(at_once=at_once):
                process.router.links.departure.with_whole_site()
                process.begin_drain()
                if at_once:
                    process.aborting.set()

    async def _answer(self, number: int, question: Question | None) -> None:
        process = self._process
        links = sum(line.state != "down" for line in process.router.links.status())
        listeners = process.router.forwarder.listeners
        how = WorkerAnswer(
            number,
            process.view.ready(),
            links,
            clients_wait=open_files.why_clients_wait(process.network, listeners),
            why_no_dial=process.network.why_no_dial,
            full_ports=tuple(listeners.full_ports().items()),
            refused_clients=tuple(process.router.readings.refused_clients.items()),
        )
        try:
            if question is not None:
                async for told in self._answering.told(question):
                    self._say(replace(how, told=told, more=True))
        except MessageTooLong as error:
            log.error("the first worker is not told what it asks, %r: %s", question, error)
        self._say(how)

    async def tell_door(self) -> None:
        """Report the door as soon as there is one."""
        told, loop = "", asyncio.get_running_loop()
        while True:
            door = self._process.router.doors.inner_address
            if door != told:
                told = door
                self._say(WorkerDoor(door))
            await asyncio.sleep(pause_s(loop.time(), 1.0 if told else _DOOR_LOOK_S))

    async def tell_cut(self) -> None:
        """Report the requests that are cut now, if any, and wait until other workers have: what
        this one serves for their clients ends with it."""
        if not self._process.router.forwarder.under_way():
            return
        if under_way := self._process.under_way:
            self._say(WorkerCut(under_way))
        await asyncio.sleep(limits.WORKER_COUNTS_S)

    def _say(self, message: FromWorker) -> None:
        if not self._writer.is_closing():  # The first worker may be gone.
            self._writer.write(words(message))


if __name__ == "__main__":
    sys.exit(main())
