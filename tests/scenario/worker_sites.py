"""A site whose router is several processes, and clients that come to one of them."""

import contextlib
import http.client
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.scenario.backends import HttpTarget
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import stays, until

CAPACITY = 8
SERVICE_S = 0.2
PINNED_ROUNDS = 200
BUSY_MIN = 0.95  # Of the slots, where enough clients wait for them.
Ends = tuple[tuple[str, int], tuple[str, int]]


def workers(site: Site) -> list[Any]:
    return list(site.get("status")["workers"])


def are_ready(site: Site, count: int) -> bool:
    found = workers(site)
    return len(found) == count and all(one["ready"] for one in found)


def pids(site: Site) -> list[int]:
    """Of the workers, as they are known here; those of a container number themselves."""
    told = [one["process"] for one in workers(site)]
    first = site.admin.process_id()
    if first in (None, told[0]):
        return told
    here = {number: pid for pid, number in _inner_numbers(os.readlink(f"/proc/{first}/ns/pid"))}
    return [here[number] for number in told]


def _inner_numbers(space: str) -> Iterator[tuple[int, int]]:
    """Processes of a name space: as they are known here, and as they know themselves."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # It ended since it was listed.
            if os.readlink(process / "ns" / "pid") == space:
                status = (process / "status").read_text()
                line = next(one for one in status.splitlines() if one.startswith("NSpid:"))
                yield int(process.name), int(line.split()[-1])


def pid_of(site: Site, index: int) -> int:
    return pids(site)[index]


@contextlib.contextmanager
def hung(pid: int) -> Iterator[None]:
    """The process is stopped, unless it is ended meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def place_of(name: tuple[str, int]) -> str:
    """As `/proc/net/tcp` writes it."""
    return f"{int.from_bytes(socket.inet_aton(name[0]), sys.byteorder):08X}:{name[1]:04X}"


def accepted(lines: Sequence[socket.socket], pids: list[int]) -> list[int]:
    """Which of the processes accepted the other end of each; empty: one is not accepted yet."""
    found: list[int] = []
    for holder in held_by([(line.getpeername(), line.getsockname()) for line in lines], pids):
        if holder is None:
            return []
        found.append(holder)
    return found


def held_by(ends: Sequence[Ends], pids: Sequence[int]) -> list[int | None]:
    """Which of the processes has each connection, named by its own end and the other one."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {(row[1], row[2]): row[9] for row in rows}
    holders: dict[str, int] = {}
    for pid in pids:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # Closed since it was listed.
                holders[os.readlink(fd)] = pid
    places = [(place_of(own), place_of(other)) for own, other in ends]
    return [holders.get(f"socket:[{inodes.get(place)}]") for place in places]


def owner(line: socket.socket, pids: list[int]) -> int | None:
    """Which of the processes accepted the other end of ``line``."""
    return next(iter(accepted([line], pids)), None)


def pinned(site: Site, index: int, count: int) -> list[http.client.HTTPConnection]:
    """Connections that worker ``index`` accepted, found together: none is idle for long."""
    known = pids(site)
    found: list[http.client.HTTPConnection] = []
    for _ in range(PINNED_ROUNDS):
        lines = [
            http.client.HTTPConnection(site.address, SHOP_PORT, timeout=30)
            for _ in range(2 * (count - len(found)))
        ]
        for line in lines:
            line.connect()
        sockets = [line.sock for line in lines]
        at = until(partial(accepted, sockets, known), "they are accepted")
        for line, pid in zip(lines, at, strict=True):
            if pid == known[index] and len(found) < count:
                found.append(line)
            else:
                line.close()
        if len(found) == count:
            return found
    raise AssertionError("the kernel gives that worker nothing")


class Pinned:
    """Each of the connections sends request after request."""

    def __init__(self, lines: list[http.client.HTTPConnection]) -> None:
        self.statuses: list[int] = []
        self.failed: list[str] = []
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(line,)) for line in lines]

    def _run(self, line: http.client.HTTPConnection) -> None:
        try:
            while not self._ends.is_set():
                line.request("GET", "/")
                answer = line.getresponse()
                answer.read()
                self.statuses.append(answer.status)
        except (OSError, http.client.HTTPException) as error:
            self.failed.append(f"{type(error).__name__}: {error}")
        finally:
            line.close()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()


def site_of_workers(net: Network) -> Site:
    """West, of two of them."""
    site = net.site("west")
    site.environment["SPILLWAY_WORKERS"] = "2"
    site.declare("shop", queue=200, queueWait="20s")
    return site


def serve(net: Network, site: Site, service_s: float = SERVICE_S) -> HttpTarget:
    target = net.http("target", service_s)
    site.connect("shop", target, capacity=CAPACITY)
    net.start()
    until(lambda: are_ready(site, 2), "both workers serve")
    until(lambda: site.offers("shop", {"west": 1}), "the service is there")
    until(lambda: owners(site) == 2, "both accept clients")
    return target


def owners(site: Site) -> int:
    """How many of the workers accept clients, by ten connections."""
    known = pids(site)
    lines = [socket.create_connection((site.address, SHOP_PORT)) for _ in range(10)]
    time.sleep(0.05)
    found = {owner(line, known) for line in lines}
    for line in lines:
        line.close()
    return len(found - {None})


def busy_share(target: HttpTarget, for_s: float) -> float:
    """The share of its configured slots that the target had in hand; it must never have more.

    Of a few times ``for_s`` the first in which it is nearly all, else the most: while the machine
    gives us no time no slot is used.
    """
    most = 0.0
    for _ in range(3):
        before, began = target.busy_s(), time.monotonic()
        stays(lambda: target.in_hand_max <= CAPACITY, "never more than is stated", for_s)
        most = max(most, (target.busy_s() - before) / (time.monotonic() - began) / CAPACITY)
        if most >= BUSY_MIN:
            break
    return most
