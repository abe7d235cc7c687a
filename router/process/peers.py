"""The other routers of a site on hosts: the present addresses of their configured names.

A name means all of its addresses and is resolved repeatedly, so that routers may come and go behind
it. This router's own addresses are left out: all routers may have the same list.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address

import msgspec

from router.documents import Wanted
from router.model import limits
from router.model.addresses import join, split
from router.model.specs import SiteSpec

ANY = ("0.0.0.0", "::")


class Peers:
    """Adds the addresses of a site's peers to the wanted state; calls ``changed`` when they change.

    A name that cannot be resolved keeps its previous addresses.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._site: SiteSpec | None = None
        self._found: dict[str, tuple[str, ...]] = {}
        self._renewed = asyncio.Event()

    def found(self, wanted: Wanted) -> Wanted:
        """``wanted`` with the known link ports of its peers, for dialing."""
        if self._site is None or self._site.peers != wanted.site.peers:
            self._renewed.set()
        self._site = wanted.site
        if not wanted.site.peers or wanted.site.router_mode == "edge":
            return wanted
        dialed = to_dial(wanted.site, self._found, is_own_address)
        return msgspec.structs.replace(wanted, siblings=(*wanted.siblings, *dialed))

    async def run(self) -> None:
        """Resolve until canceled."""
        loop = asyncio.get_running_loop()
        while True:
            self._renewed.clear()
            names = names_of(self._site.peers) if self._site is not None else []
            found: dict[str, tuple[str, ...]] = {}
            for name in names:
                found[name] = await _resolved(loop, name) or self._found.get(name, ())
            if found != self._found:
                self._found = found
                self._changed()
            try:
                async with asyncio.timeout(limits.PEERS_RESOLVE_S):
                    await self._renewed.wait()
            except TimeoutError:
                continue


def names_of(peers: Iterable[str]) -> list[str]:
    """The hosts among ``peers`` that are names."""
    return sorted({host for host, _ in map(split, peers) if not _is_address(host)})


def to_dial(
    site: SiteSpec, found: Mapping[str, Sequence[str]], is_own: Callable[[str], bool]
) -> tuple[str, ...]:
    """Link ports of the other routers; ``found``: addresses of names, ``is_own``: whether of this
    host.
    """
    dialed: set[str] = set()
    for host, port in map(split, site.peers):
        for address in found.get(host, ()) if not _is_address(host) else (host,):
            is_here = site.ingress_bind_ip == address or (
                site.ingress_bind_ip in ANY and is_own(address)
            )
            if not (is_here and port == site.bind_port):
                dialed.add(join(address, port))
    return tuple(sorted(dialed)[: limits.PEERS_MAX])


def is_own_address(address: str) -> bool:
    """Whether this host has ``address``, so that it can bind it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


async def _resolved(loop: asyncio.AbstractEventLoop, name: str) -> tuple[str, ...]:
    try:
        async with asyncio.timeout(limits.PEERS_ANSWER_S):
            infos = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        return ()
    return tuple(sorted({str(info[4][0]) for info in infos}))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
