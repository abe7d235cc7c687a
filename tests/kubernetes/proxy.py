"""Services that carry connections, as kube-proxy and a load balancer do it.

A listener is at each cluster IP, load balancer address and node port. Connections go to the ready
endpoints in turn, or to ending ones if no other is ready. TCP only.
"""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Callable, Iterator
from typing import Final

from tests.doors import close_server
from tests.kubernetes.endpoints import SERVICE_NAME
from tests.kubernetes.resources import Json
from tests.kubernetes.storage import Change
from tests.kubernetes.world import World

PIECE_BYTES: Final = 64 * 1024
DIAL_TIMEOUT_S: Final = 5.0
Place = tuple[str, int]
Wanted = tuple[str, str, str]
"""namespace, Service, name of the port"""


class Proxy:
    """Listens where the Services of the cluster say; ``refused``: where it could not, and why."""

    def __init__(self, world: World, node_address: str) -> None:
        self._world, self._node_address = world, node_address
        self._servers: dict[Place, asyncio.Server] = {}
        self._targets: dict[Place, Wanted] = {}
        self._turns = itertools.count(random.randrange(1000))
        self._changed = asyncio.Event()
        self.refused: dict[Place, str] = {}

    async def run(self) -> None:
        """Until cancelled."""
        stop = self._world.store.listen(self._note)
        self._changed.set()
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._follow()
        finally:
            stop()
            for server in self._servers.values():
                await close_server(server)

    def _note(self, change: Change) -> None:
        if change.resource.kind == "Service":
            self._changed.set()

    async def _follow(self) -> None:
        wanted = dict(self._places())
        for place in [place for place in self._servers if place not in wanted]:
            await close_server(self._servers.pop(place))
        self._targets = wanted
        for place in wanted:
            if place not in self._servers:
                await self._listen(place)

    async def _listen(self, place: Place) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(place, reader, writer)

        try:
            self._servers[place] = await asyncio.start_server(serve, *place)
        except OSError as error:  # Not an address of this machine, or a low port without the right.
            self.refused[place] = str(error)

    def _places(self) -> Iterator[tuple[Place, Wanted]]:
        for service in self._world.all("Service"):
            spec, metadata = service["spec"], service["metadata"]
            if spec["type"] == "ExternalName":
                continue
            balancer = service.get("status", {}).get("loadBalancer") or {}
            addresses = [each.get("ip", "") for each in balancer.get("ingress") or []]
            if spec.get("clusterIP") != "None":
                addresses.append(spec["clusterIP"])
            for port in spec.get("ports") or []:
                wanted = (metadata["namespace"], metadata["name"], port.get("name", ""))
                for address in filter(None, addresses):
                    yield (address, port["port"]), wanted
                if port.get("nodePort"):
                    yield (self._node_address, port["nodePort"]), wanted

    def _endpoints(self, wanted: Wanted) -> list[Place]:
        """Those that are ready; without any those that end and still serve (KEP-1669)."""
        return self._found(wanted, _is_ready) or self._found(wanted, _still_serves)

    def _found(self, wanted: Wanted, is_meant: Callable[[Json], bool]) -> list[Place]:
        namespace, name, port_name = wanted
        found: list[Place] = []
        for each in self._world.all("EndpointSlice", namespace):
            if (each["metadata"].get("labels") or {}).get(SERVICE_NAME) != name:
                continue
            for port in each.get("ports") or []:
                if port.get("name", "") == port_name:
                    found += [(address, port["port"]) for address in _meant(each, is_meant)]
        return found

    async def _serve(
        self, place: Place, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection; reset at once when no endpoint takes it, as a real one refuses."""
        with contextlib.closing(writer), contextlib.suppress(OSError, TimeoutError):
            found = self._endpoints(self._targets[place]) if place in self._targets else []
            if not found:
                writer.transport.abort()
                return
            async with asyncio.timeout(DIAL_TIMEOUT_S):
                chosen = found[next(self._turns) % len(found)]
                inner_reader, inner_writer = await asyncio.open_connection(*chosen)
            with contextlib.closing(inner_writer):  # Also when the cluster ends meanwhile.
                async with asyncio.TaskGroup() as group:
                    group.create_task(_copy(reader, inner_writer, writer))
                    group.create_task(_copy(inner_reader, writer, inner_writer))


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: asyncio.StreamWriter
) -> None:
    """Bytes until the end, then the half close; a reset is passed on both ways."""
    try:
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()
        back.transport.abort()


def _meant(found: Json, is_meant: Callable[[Json], bool]) -> list[str]:
    return [
        address
        for endpoint in found.get("endpoints") or []
        if is_meant(endpoint.get("conditions") or {})
        for address in endpoint["addresses"]
    ]


def _is_ready(conditions: Json) -> bool:
    return bool(conditions.get("ready", True))


def _still_serves(conditions: Json) -> bool:
    return bool(conditions.get("terminating")) and bool(conditions.get("serving", True))
