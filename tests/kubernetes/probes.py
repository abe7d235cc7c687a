"""Probes: startup, liveness and readiness of one container."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from tests.kubernetes.resources import Json

Run = Callable[[list[str], float], Awaitable[bool]]
"""Whether a command in the container succeeds in time."""


async def holds(probe: Json, address: str, ports: dict[str, int], run: Run) -> bool:
    """The outcome of one probe."""
    timeout_s = float(probe["timeoutSeconds"])
    if "exec" in probe:
        return await run(probe["exec"]["command"], timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            if "httpGet" in probe:
                return await _http(probe["httpGet"], address, ports)
            target = probe["tcpSocket"]
            await _close(await _open(target.get("host") or address, target["port"], ports))
            return True
    except (OSError, TimeoutError, ValueError, EOFError):
        return False


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _open(host: str, port: Any, ports: dict[str, int], tls: bool = False) -> Streams:
    context = None
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    number = port if isinstance(port, int) else ports[port]
    return await asyncio.open_connection(host, number, ssl=context)


async def _close(streams: Streams) -> None:
    streams[1].close()
    with contextlib.suppress(OSError):
        await streams[1].wait_closed()


async def _http(get: Json, address: str, ports: dict[str, int]) -> bool:
    host = get.get("host") or address
    streams = await _open(host, get["port"], ports, get.get("scheme") == "HTTPS")
    try:
        headers = {"Host": host, "User-Agent": "kube-probe/1.32", "Connection": "close"}
        headers |= {each["name"]: each["value"] for each in get.get("httpHeaders") or []}
        lines = [f"GET {get.get('path', '/')} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        streams[1].write(("\r\n".join(lines) + "\r\n\r\n").encode())
        status = (await streams[0].readline()).split()
        return len(status) > 1 and 200 <= int(status[1]) < 400  # Empty: it broke off.
    finally:
        await _close(streams)


class Prober:
    """Runs one probe of a running container; reports when its outcome changes.

    Periods pass ``speed`` times as fast as configured, so that tests do not wait. A probe that
    ``kills`` still fails only after its configured time: a busy machine starts programs slowly.
    """

    def __init__(
        self, probe: Json, speed: float, check: Callable[[], Awaitable[bool]], *, kills: bool
    ) -> None:
        self._probe, self._speed, self._check = probe, speed, check
        self._patience = speed if kills else 1.0

    async def run(self, on_change: Callable[[bool], None], began: float) -> None:
        """Until cancelled: ``on_change`` with each new outcome, thresholds applied.

        ``began``: when the container did, by the loop's time. Its initial delay counts from then
        for every probe, also for one that a startup probe held back.
        """
        begins = began + self._probe.get("initialDelaySeconds", 0) / self._speed
        await asyncio.sleep(begins - asyncio.get_running_loop().time())
        last: bool | None = None
        streak, before = 0, None
        while True:
            outcome = await self._check()
            streak = streak + 1 if outcome == before else 1
            before = outcome
            needed = self._probe["successThreshold"]
            if not outcome:
                needed = self._probe["failureThreshold"] * self._patience
            if streak >= needed and outcome != last:
                last = outcome
                on_change(outcome)
            await asyncio.sleep(self._probe["periodSeconds"] / self._speed)
