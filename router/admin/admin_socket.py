"""The unix socket of the API, whose file is made again when it was removed."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

from router.model import limits
from router.model.ticks import pause_s

log = logging.getLogger("router.admin")


class AdminSocket:
    """Owns one socket file, of mode 0600."""

    __slots__ = ("_accept", "_inode", "_path", "_server")

    def __init__(self, accept: Callable[[], asyncio.BaseProtocol], path: Path) -> None:
        self._accept, self._path = accept, path
        self._server: asyncio.Server | None = None
        self._inode = 0

    async def open(self) -> None:
        """Listen; the stale file of a dead router is replaced. Raises OSError."""
        self._has(await bind(self._accept, self._path))

    async def run(self) -> None:
        """Listen again, on connections that come later, whenever the file is gone.

        A file that another process put there stays: it may be of a router that has this
        directory now.
        """
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(pause_s(loop.time(), limits.ADMIN_SOCKET_CHECK_S))
            if _inode_of(self._path):
                continue
            with contextlib.suppress(OSError):  # The directory is gone, or another file is there.
                made = await _server(self._accept, self._path)
                if self._server is not None:
                    self._server.close()
                self._has(made)
                log.warning("the admin socket was removed and is made again")

    def close(self) -> None:
        """Listen no more, and remove the file if it is still ours."""
        if self._server is not None:
            self._server.close()
        if self._inode and _inode_of(self._path) == self._inode:
            self._path.unlink(missing_ok=True)

    def _has(self, server: asyncio.Server) -> None:
        self._server, self._inode = server, _inode_of(self._path)


async def bind(accept: Callable[[], asyncio.BaseProtocol], path: Path) -> asyncio.Server:
    """Listen at ``path``, in place of any file there. Raises OSError."""
    path.unlink(missing_ok=True)  # noqa: ASYNC240 - one local file, once.
    return await _server(accept, path)


async def _server(accept: Callable[[], asyncio.BaseProtocol], path: Path) -> asyncio.Server:
    """Listen where no file may be. Bind through the directory's descriptor: a socket's own path may
    have only 107 bytes. asyncio, too, reads the file by that path."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fchmod(listener.fileno(), 0o600)  # The file's mode from the moment it exists.
            listener.bind(f"/proc/self/fd/{directory}/{path.name}")
            return await asyncio.get_running_loop().create_unix_server(accept, sock=listener)
        finally:
            os.close(directory)
    except BaseException:
        listener.close()
        raise


def _inode_of(path: Path) -> int:
    """0: there is no such file."""
    try:
        return os.lstat(path).st_ino
    except FileNotFoundError:
        return 0
    except OSError:
        return -1  # There may be one.
