"""Addresses of containers in podman's networks, asked of podman while clients come from there."""

import asyncio
import contextlib
import ipaddress
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from router.callers.names import CallerName
from router.callers.tenures import AddressBook, Present

log = logging.getLogger("router.process")

EVERY_S: Final = 10.0
ANSWER_S: Final = 20.0
OUTPUT_BYTES_MAX: Final = 16 * 1024 * 1024


class Containers:
    """`run` asks podman, where there is one, as long as ``wanted`` says that somebody waits."""

    def __init__(self, program: str | None = None, unix: Callable[[], float] = time.time) -> None:
        self._program = shutil.which("podman") if program is None else program
        self._unix = unix
        self._book = AddressBook()
        self.asked_at = float("inf") if not self._program else 0.0
        """Unix seconds up to when all is known; infinite: there are no containers to know."""

    def owner(self, host: str, since: float, until: float) -> CallerName | None:
        """The container that had the address all that time; None: none, or several."""
        return self._book.owner(host, since, until)

    async def run(self, wanted: Callable[[], bool]) -> None:
        """Until cancelled."""
        while self._program:
            await asyncio.sleep(EVERY_S)
            if wanted():
                await self._look(self._program)

    async def _look(self, program: str) -> None:
        began = self._unix()
        try:
            ids = (await _output(program, "ps", "--quiet", "--no-trunc")).split()
            told = await _output(program, "container", "inspect", *ids) if ids else "[]"
            self._book.see(present(msgspec.json.decode(told)), began)
        except (OSError, TimeoutError, msgspec.DecodeError) as error:
            log.debug("podman tells nothing of its containers: %s", error)
        self.asked_at = began


async def _output(program: str, *words: str) -> str:
    """What it prints. OSError: it fails. TimeoutError: it hangs, and was ended."""
    process = await asyncio.create_subprocess_exec(
        program,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=OUTPUT_BYTES_MAX,
    )
    try:
        async with asyncio.timeout(ANSWER_S):
            told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        raise OSError(f"{program} {words[0]} ended with {process.returncode}")
    return told.decode("utf-8", "replace")


def present(inspected: Any) -> Mapping[str, Present]:
    """Running containers with an address, of what `podman container inspect` prints. Pure."""
    found: dict[str, Present] = {}
    for one in inspected if isinstance(inspected, list) else ():
        settings = one.get("NetworkSettings") or {}
        networks = [settings, *(settings.get("Networks") or {}).values()]
        addresses = {
            str(network.get(key) or "")
            for network in networks
            for key in ("IPAddress", "GlobalIPv6Address")
        }
        named = tuple(sorted(address for address in addresses if _is_address(address)))
        name, began = str(one.get("Name", "")), (one.get("State") or {}).get("StartedAt", "")
        if named and name:
            found[str(one.get("Id", name))] = Present(
                uid=str(one.get("Id", name)),
                name=CallerName("container", name),
                since=_unix_of(str(began)),
                addresses=named,
            )
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _unix_of(text: str) -> float:
    """Seconds of ``2026-11-26T01:02:03.123456789Z``; 0: it is none."""
    whole, _, rest = text.partition(".")
    zone = rest.lstrip("0123456789") or ("Z" if not rest else "")
    try:
        return datetime.fromisoformat(whole + zone.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
