"""Clients of one service at one site: users, or backends there that call another service."""

from collections.abc import Callable

from simulator.runs.clients import Clients
from simulator.runs.measure import RunRecord, SimulatedRequest, key_of
from simulator.runs.world import World


class SimulatedCallers:
    """The clients are created when the first asks, and again after their site was killed."""

    __slots__ = ("_clients", "_keeps", "_key", "_record", "_site", "_timeout_s", "service", "site")

    def __init__(
        self,
        world: World,
        record: RunRecord,
        site: str,
        service: str,
        *,
        keeps: bool,
        timeout_s: float,
    ) -> None:
        self.site, self.service = site, service
        self._keeps, self._timeout_s = keeps, timeout_s
        self._site = world.sites[site]
        self._key = key_of(world.names, service)
        self._clients: Clients | None = None
        self._record = record

    @property
    def alive(self) -> bool:
        """Whether their host is alive."""
        return self._site.alive

    def ask(self, request: SimulatedRequest, done: Callable[[], None] | None) -> None:
        """A client asks now."""
        network = self._site.network
        if self._clients is None or self._clients.network is not network:
            self._clients = Clients(
                network,
                self._key.port,
                self._keeps,
                self._note_room,
                timeout_s=self._timeout_s,
                dialed=self._note_connection,
            )
        self._clients.ask(request, done)

    def _note_connection(self) -> None:
        place = self.site, self.service
        self._record.connections[place] = self._record.connections.get(place, 0) + 1

    def _note_room(self, request: SimulatedRequest) -> None:
        load = self._site.router.readings.load_of(self._key)
        request.free = None if load.capacity is None else load.capacity - load.used
        if request.free is not None and load.rate is not None:
            request.free = min(request.free, load.rate.permits)
