"""Memory of this process: its use, its limit, and the guard that enforces it."""

from router.model.events import Tell
from router.net.epoll import EpollNetwork
from router.node.memory_guard import MemoryGuard, MemoryUse
from router.node.site_router import SiteRouter
from router.process.memory import (
    MappedLimits,
    ResidentMemory,
    SocketMemory,
    memory_limit,
    socket_statistics,
    trimmer,
)


class ProcessMemory:
    """One of ``count`` processes that share the memory of the machine, or of its cgroup."""

    def __init__(self, network: EpollNetwork, router: SiteRouter, count: int, tell: Tell) -> None:
        self._network, self._router, self._count = network, router, count
        self._most_bytes = memory_limit() // count
        self._resident, self._mapped = ResidentMemory(), MappedLimits()
        self._sockets = SocketMemory(socket_statistics())
        self.guard = MemoryGuard(
            network, self._most_bytes, self._use, router.relief, tell, trimmer()
        )

    def limit(self, stated_bytes: int) -> None:
        """Let all processes together have at most ``stated_bytes``; 0: the available memory."""
        most_bytes = stated_bytes // self._count or self._most_bytes
        self.guard.set_limit(
            min(self._most_bytes, most_bytes), is_stated=most_bytes < self._most_bytes
        )
        self._router.links.set_buffered_mark(self.guard.buffered_mark_bytes)

    def _use(self) -> MemoryUse:
        router = self._router
        held_bytes = router.links.buffered_bytes + router.forwarder.memory.held_bytes
        used = self._resident.read()
        return MemoryUse(
            used[1],
            held_bytes + self._network.unsent_bytes,
            self._sockets.read_bytes() // self._count,
            self._mapped.most_bytes(used),
        )

    def close(self) -> None:
        """Stop watching."""
        self.guard.close()
        self._resident.close()
        self._sockets.close()
