"""The demo's clients: HTTP requests at a given rate, and TCP connections held open."""

import asyncio
import time
from collections.abc import Callable

import aiohttp
import msgspec

REQUEST_TIMEOUT_S = 10.0
POLL_S = 0.2


class Phase(msgspec.Struct, frozen=True):
    """``rate`` requests a second for ``seconds``, beside ``connections`` TCP connections."""

    name: str
    seconds: float
    rate: float
    connections: int


class RequestOutcome(msgspec.Struct, frozen=True):
    """The outcome of one request. ``site`` empty: lost, ``error`` says how.

    ``late_s``: the delay of the client's start or of the target's answer, whichever is longer. No
    router causes either: other programs on this machine do.
    """

    phase: str
    began: float
    ended: float
    site: str
    in_hand: int = 0
    error: str = ""
    late_s: float = 0.0


class Held(msgspec.Struct, frozen=True):
    """One TCP connection of a phase: where it was served and how many answers it got."""

    phase: str
    site: str
    answers: int
    error: str = ""


Tell = Callable[[RequestOutcome], None]


async def requests(url: str, phases: list[Phase], tell: Tell) -> None:
    """Open loop: each request begins at its time, however long others take."""
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
        asyncio.TaskGroup() as tasks,
    ):
        due = time.monotonic()
        for phase in phases:
            for _ in range(round(phase.seconds * phase.rate)):
                await asyncio.sleep(due - time.monotonic())
                tasks.create_task(_one(session, url, phase.name, due, tell))
                due += 1 / phase.rate


async def _one(
    session: aiohttp.ClientSession, url: str, phase: str, due: float, tell: Tell
) -> None:
    began = time.monotonic()
    late_s = began - due
    site, in_hand, error = "", 0, ""
    try:
        async with session.get(url) as response:
            await response.read()
            if response.status == 200:
                site = response.headers["X-Served-By"]
                in_hand = int(response.headers["X-In-Hand"])
                late_s = max(late_s, float(response.headers["X-Late"]))
            else:
                error = f"status {response.status} {response.headers.get('Spillway-Error', '')}"
    except (aiohttp.ClientError, TimeoutError, OSError) as failure:
        error = f"{type(failure).__name__}: {failure}"
    tell(RequestOutcome(phase, began, time.monotonic(), site, in_hand, error, late_s))


async def connections(
    host: str, port: int, phases: list[Phase], tell: Callable[[Held], None]
) -> None:
    """Per phase, hold its connections open, one after the other, each asking all the while."""
    for phase in phases:
        ends = time.monotonic() + phase.seconds
        async with asyncio.TaskGroup() as tasks:
            for _ in range(phase.connections):
                tasks.create_task(_hold(host, port, phase.name, ends, tell))
                await asyncio.sleep(POLL_S / 4)
            await asyncio.sleep(max(0.0, ends - time.monotonic()))


async def _hold(
    host: str, port: int, phase: str, ends: float, tell: Callable[[Held], None]
) -> None:
    site, answers, error = "", 0, ""
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
        while time.monotonic() < ends - POLL_S:
            writer.write(b"*2\r\n$3\r\nGET\r\n$4\r\nsite\r\n")
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                await reader.readuntil(b"\r\n")
                site = (await reader.readuntil(b"\r\n")).strip().decode()
            answers += 1
            await asyncio.sleep(POLL_S)
        writer.close()
        await writer.wait_closed()
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as failure:
        error = f"{type(failure).__name__}: {failure}"
    tell(Held(phase, site, answers, error))
