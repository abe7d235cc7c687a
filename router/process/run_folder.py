"""The folder of a router's lock, log and admin socket, which is made again when it was removed."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

from router.model import limits
from router.model.errors import RouterError
from router.model.ticks import pause_s
from router.process.startup import SiteLock

log = logging.getLogger("router.process")


def make_folder(directory: Path, folder: Path) -> None:
    """Make ``folder`` below the site in ``directory``. Raises `OSError` if the site is gone: it was
    removed, and stays so."""
    place = directory
    for part in folder.relative_to(directory).parts:
        place /= part
        place.mkdir(mode=0o700, exist_ok=True)


class RunFolder:
    """The folder of ``lock`` below the site in ``directory``. ``reopen`` opens its files again; the
    admin socket is `admin.admin_socket`'s."""

    __slots__ = ("_directory", "_inode", "_lock", "_reopen")

    def __init__(self, directory: Path, lock: SiteLock, reopen: Callable[[], None]) -> None:
        self._directory, self._lock, self._reopen = directory, lock, reopen
        self._inode = directory.stat().st_ino

    async def run(self) -> None:
        """Make the folder again, and lock it, whenever the lock file is gone.

        A lock file that another process put there stays: it may be of a router that has this
        directory now. A site that was removed or moved away stays so.
        """
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(pause_s(loop.time(), limits.RUN_FOLDER_CHECK_S))
            with contextlib.suppress(OSError, RouterError):
                self._check()

    def _check(self) -> None:
        if os.path.lexists(self._lock.path) or self._directory.stat().st_ino != self._inode:
            return
        folder = self._lock.path.parent
        make_folder(self._directory, folder)
        self._lock.renew()
        self._reopen()
        log.warning("the lock in %s, or all of the folder, was removed and is made again", folder)
