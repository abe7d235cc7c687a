"""From the loss of the site that serves to the first request served elsewhere."""

import asyncio
import os
import signal
import time

import msgspec

from tests.bench.machine import free_ports
from tests.bench.samples import Sample
from tests.bench.spillway import ENTRY, EXIT, FAILOVER, HOST, SPARE, Sites
from tests.bench.systems import Processes

EVERY_S = 0.005
CALM_S = 0.5
AFTER_S = 0.3
GIVE_UP_S = 15.0
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
READ_BYTES = 64 * 1024


class Served(msgspec.Struct, frozen=True):
    """One request's end; ``site`` empty: it was lost."""

    at: float
    site: str


def prepare(sites: Sites, processes: Processes) -> int:
    """A third site and a service at the exit and there; the service's port at the entry."""
    sites.add_spare()
    targets = dict(zip((EXIT, SPARE), free_ports(2), strict=True))
    for site, port in targets.items():
        processes.server("http", site, str(port), wait_for=[port])
    return sites.service(FAILOVER, "http", targets)


def sample(sites: Sites, port: int, how: signal.Signals) -> Sample:
    """Kill (SIGKILL) or silence (SIGSTOP) the exit under a request every 5 ms; bring it back.

    A silent site is one whose machine vanished: nothing closes its connections.
    """
    pid = sites.pid(EXIT)
    elapsed_s, lost = asyncio.run(_watch(port, pid, how))
    if how == signal.SIGSTOP:
        os.kill(pid, signal.SIGCONT)
    else:
        sites.network.sitectl(EXIT, "start")
    sites.network.wait_ready(ENTRY, FAILOVER, 2, 2)
    return Sample({"ms": 1000 * elapsed_s, "lost": lost}, 0.0)


async def _watch(port: int, pid: int, how: signal.Signals) -> tuple[float, int]:
    """Seconds until the spare site served, and how many requests got no good answer."""
    ends: list[Served] = []
    asked = 0
    began = time.perf_counter()
    struck = 0.0
    async with asyncio.timeout(GIVE_UP_S), asyncio.TaskGroup() as tasks:
        while True:
            now = time.perf_counter()
            if not struck and now - began > CALM_S:
                os.kill(pid, how)
                struck = time.perf_counter()
            elsewhere = [end.at for end in ends if end.site == SPARE and end.at > struck > 0]
            if elsewhere and now - elsewhere[0] > AFTER_S:
                break
            asked += 1
            tasks.create_task(_ask(port, ends))
            await asyncio.sleep(EVERY_S)
    return elsewhere[0] - struck, sum(not end.site for end in ends)


async def _ask(port: int, ends: list[Served]) -> None:
    site = ""
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(REQUEST)
        head, found, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        if found and head.startswith(b"HTTP/1.1 200"):
            site = body.rstrip(b".").decode()
        writer.close()
    except OSError:
        site = ""  # Lost: it is counted below.
    ends.append(Served(time.perf_counter(), site))
