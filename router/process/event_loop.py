"""The event loop of a router: uvloop's, else asyncio's, with threads that start with it.

Neither would survive a moment without a thread to start: libuv aborts the process at a look-up, and
asyncio starts one more thread to end the others.
"""

import socket
from functools import partial
from typing import Any

from router.model import limits
from router.model.errors import RouterError
from router.net.threads import Threads

try:
    from uvloop import Loop as _Loop
except ImportError:  # Not built for this machine; asyncio passes the same tests.
    from asyncio import SelectorEventLoop as _Loop  # type: ignore[assignment]


class RouterLoop(_Loop):
    """Names have separate threads: a silent name server must not hold up files, nor a disk names.

    Raises RouterError if not all threads can be started.
    """

    def __init__(self) -> None:
        super().__init__()
        try:
            self._names = Threads(limits.NAME_THREADS, "names")
            self.set_default_executor(Threads(limits.FILE_THREADS, "files"))
        except RouterError:
            self.close()
            raise

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """As `socket.getaddrinfo`."""
        look_up = partial(socket.getaddrinfo, host, port, family, type, proto, flags)
        return await self.run_in_executor(self._names, look_up)

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        """As `socket.getnameinfo`."""
        return await self.run_in_executor(self._names, socket.getnameinfo, sockaddr, flags)

    async def shutdown_default_executor(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - asyncio's signature.
    ) -> None:
        """Nothing to do: its threads end with the process, and a hanging disk must not hold it."""
