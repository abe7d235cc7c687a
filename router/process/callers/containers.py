"""Addresses of containers in podman's networks, looked up while clients come from there."""

import asyncio
import contextlib
import ipaddress
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from math import inf
from typing import Final

import msgspec

from router.callers.names import CallerName
from router.callers.tenures import AddressBook, AddressHolder
from router.model.unreadable import UNREADABLE_JSON

log = logging.getLogger("router.process")

EVERY_S: Final = 10.0
ANSWER_S: Final = 20.0


class Containers:
    """`run` asks podman, if installed, as long as ``wanted`` says that a connection waits for a
    name.

    Times are those of ``now``, a clock that is never set.
    """

    def __init__(
        self,
        program: str | None = None,
        now: Callable[[], float] = time.monotonic,
        unix: Callable[[], float] = time.time,
    ) -> None:
        """``program``: podman; empty: not installed; None: look for it."""
        self._program = shutil.which("podman") if program is None else program
        self._now, self._unix = now, unix
        self._book = AddressBook()
        self.known_until = -inf if self._program else inf
        """Addresses are known up to this time; infinite: there are no containers."""

    def owner(self, host: str, since: float, until: float) -> CallerName | None:
        """The container that had the address all that time; None: none, or several."""
        return self._book.owner(host, since, until)

    async def run(self, wanted: Callable[[], bool]) -> None:
        """Ask until canceled."""
        while self._program:
            if wanted():
                await self.ask()
            await asyncio.sleep(EVERY_S)

    async def ask(self) -> None:
        """Ask podman once; without its answer, nothing becomes known."""
        if not self._program:
            return
        began, behind_s = self._now(), self._now() - self._unix()
        try:
            ids = (await _output(self._program, "ps", "--quiet", "--no-trunc")).decode().split()
            told = await _output(self._program, "container", "inspect", *ids) if ids else b"[]"
            found = present(told, behind_s)
        except (OSError, TimeoutError, *UNREADABLE_JSON) as error:
            log.debug("podman tells nothing of its containers: %s", error)
            return
        # A container that is gone was there when last seen, and others may have come and gone
        # since.
        self._book.see(found, began, self.known_until)
        self.known_until = began


async def _output(program: str, *words: str) -> bytes:
    """The output of ``program``. OSError: it fails. TimeoutError: it hung, and was killed."""
    process = await asyncio.create_subprocess_exec(
        program,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
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
    return told


class _Network(msgspec.Struct, rename="pascal"):
    ip_address: str = msgspec.field(default="", name="IPAddress")
    ip6_address: str = msgspec.field(default="", name="GlobalIPv6Address")


class _Settings(_Network):
    networks: dict[str, _Network] | None = None


class _State(msgspec.Struct, rename="pascal"):
    started_at: str = ""


class _Container(msgspec.Struct, rename="pascal"):
    """One item printed by `podman container inspect`."""

    id: str
    name: str
    state: _State = msgspec.field(default_factory=_State)
    network_settings: _Settings = msgspec.field(default_factory=_Settings)


def present(inspected: bytes, behind_s: float = 0.0) -> Mapping[str, AddressHolder]:
    """Running containers with an address, from the output of `podman container inspect`. Pure.

    ``behind_s``: our clock minus Unix time. msgspec.DecodeError: the output is something else. A
    container that was restarted counts as another: it had no address meanwhile.
    """
    found: dict[str, AddressHolder] = {}
    for one in msgspec.json.decode(inspected, type=list[_Container]):
        settings = one.network_settings
        networks: list[_Network] = [settings, *(settings.networks or {}).values()]
        addresses = {
            address for network in networks for address in (network.ip_address, network.ip6_address)
        }
        named = tuple(sorted(filter(_is_address, addresses)))
        began = _unix_of(one.state.started_at)
        if named and began is not None:
            uid = f"{one.id} {one.state.started_at}"
            found[uid] = AddressHolder(
                uid=uid,
                name=CallerName("container", one.name),
                since=began + behind_s,
                addresses=named,
            )
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _unix_of(text: str) -> float | None:
    """Seconds of ``2026-11-26T01:02:03.123456789Z``, as in RFC 3339; None: not a time."""
    whole, _, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    zone = rest.removeprefix(digits)
    try:
        began = datetime.fromisoformat(f"{whole}{zone}".replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None
    return began + float(f"0.{digits or 0}")
