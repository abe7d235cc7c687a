"""Callers of a directory site: units, containers and users of this host, and addresses.

A client on this host is known by its socket. A client in a podman network has its own address,
which `containers` looks up. Of any other client only the address is known.
"""

import time
from collections.abc import Callable

from router.callers.names import CallerName
from router.model.limits import CALLER_QUERIES_PER_S
from router.net.ports import Address
from router.process.callers.containers import Containers
from router.process.callers.control_groups import ControlGroups, user_name
from router.process.callers.socket_owners import SocketOwners


class HostNames:
    """`CallerNames` of a host."""

    def __init__(self, containers: Containers, now: Callable[[], float] = time.monotonic) -> None:
        self._owners = SocketOwners()
        self._groups = ControlGroups(now)
        self._containers = containers
        self._now = now
        self._second, self._asked = 0, 0

    def at_once(self, peer: Address, local: Address) -> CallerName | None:
        """The caller by its socket, if that is on this host."""
        if not (peer.host == local.host or peer.host.startswith("127.") or peer.host == "::1"):
            return None
        if not self._may_ask():
            return None
        owner = self._owners.owner((peer.host, peer.port), (local.host, local.port))
        if owner is None:
            return None
        found = self._groups.name(owner.control_group) if owner.control_group else None
        return found or CallerName("user", user_name(owner.uid))

    def _may_ask(self) -> bool:
        second = int(self._now())
        if second != self._second:
            self._second, self._asked = second, 0
        self._asked += 1
        return self._asked <= CALLER_QUERIES_PER_S

    def settled_until(self) -> float:
        """When podman last answered; without podman, addresses never change owners."""
        return self._containers.known_until

    def owner(self, host: str, since: float, until: float) -> CallerName:
        """A container of podman's networks, else the address."""
        known = until <= self.settled_until()
        found = self._containers.owner(host, since, until) if known else None
        return found or CallerName("address", host)

    async def run(self, wanted: Callable[[], bool]) -> None:
        """Ask podman while connections wait for a name, until canceled."""
        await self._containers.run(wanted)

    def close(self) -> None:
        """Stop asking the kernel."""
        self._owners.close()
