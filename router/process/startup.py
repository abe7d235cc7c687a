"""Before a router serves: ensure that it is the only one of its site, and wait for a wanted
state."""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Final, TextIO

from certs.errors import CertError
from certs.files import lock_within
from router.admin.server import serving_health
from router.model import limits
from router.model.built_types import build_types
from router.model.errors import RouterError
from router.model.lock_text import LOCK_TEXT_BYTES_MAX, lock_text, process_in, process_that_died
from router.process.event_loop import RouterLoop
from router.process.opened_store import opened
from router.process.stores import Namespace, Store

Place = tuple[str, int]
"""IP (empty: all addresses) and port."""
ROUTER_RUNS: Final = "the router of this site runs already (process {process}). Try: sitectl status"
WORKER_RUNS: Final = "the one before it, process {process}, still finishes its requests"
"""After the first worker was killed: the others outlive it until their requests have ended."""


class SiteLock:
    """The lock of a site, held by this process; the file has our process id until we end in order.

    ``died``: the process id of a previous holder that did not: it was killed or crashed, or its
    machine went down. None for the lock of a copied folder.
    """

    __slots__ = ("_file", "_taken", "died", "path")

    def __init__(self, path: Path, taken: str = ROUTER_RUNS) -> None:
        """Raises RouterError if another process has the lock: ``taken`` says which."""
        self.path, self._taken = path, taken
        self._file, self.died = _locked(path, taken)

    def renew(self) -> None:
        """Lock another file where ours was removed. Raises OSError or RouterError."""
        old = self._file
        self._file, _ = _locked(self.path, self._taken)
        old.close()

    def release(self, *, in_order: bool) -> None:
        """End holding the lock. Not ``in_order``: the next holder learns that we died."""
        if in_order:
            os.ftruncate(self._file.fileno(), 0)
        self._file.close()


@contextlib.contextmanager
def site_lock(path: Path, taken: str = ROUTER_RUNS) -> Iterator[SiteLock]:
    """Hold the site's lock; ``taken`` as in `SiteLock`."""
    lock = SiteLock(path, taken)
    in_order = False
    try:
        yield lock
        in_order = True
    except (RouterError, CertError, OSError):  # The caller reports why it ends.
        in_order = True
        raise
    finally:
        lock.release(in_order=in_order)


def _locked(path: Path, taken: str) -> tuple[TextIO, int | None]:
    """The lock file at ``path``, locked, and the process that died while it held the lock."""
    file = path.open("a+")
    try:
        lock_within(file.fileno(), limits.SITE_LOCK_WAIT_S)
    except BlockingIOError:
        file.seek(0)
        holder = process_in(file.read(LOCK_TEXT_BYTES_MAX))
        file.close()
        raise RouterError(taken.format(process=holder)) from None
    file.seek(0)
    inode = os.fstat(file.fileno()).st_ino
    died = process_that_died(file.read(LOCK_TEXT_BYTES_MAX), inode)
    # The lock counts; the number is for users, and a full disk may have no room for it.
    with contextlib.suppress(OSError):
        os.ftruncate(file.fileno(), 0)
        os.write(file.fileno(), lock_text(os.getpid(), inode).encode())
    return file, died


def run_loop(serving: Callable[[], Coroutine[None, None, int]]) -> int:
    """Run ``serving`` in the event loop of this process; the whole router runs in it."""
    build_types()
    gc.freeze()  # Modules and classes stay: no collection needs to inspect them.
    gc.set_threshold(limits.GC_AFTER_OBJECTS)
    with asyncio.Runner(loop_factory=RouterLoop) as runner:
        return runner.run(serving())


async def open_store(
    stack: contextlib.AsyncExitStack,
    directory: Path,
    namespace: Namespace | None,
    probes: Place | None,
    *,
    ephemeral: bool,
) -> Store | None:
    """The store, open for as long as ``stack``; None: told to stop before there was one.

    The wait for a namespace may be long: meanwhile the process answers health checks, is not ready,
    and handles signals, which would not end the first process of a container otherwise.
    """
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    patience = asyncio.timeout(None)

    def stop() -> None:
        if not told.is_set():
            told.set()
            patience.reschedule(loop.time())

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # Everything will be read anyway.
    try:
        async with patience, contextlib.AsyncExitStack() as meanwhile:
            if namespace is not None and probes is not None:
                await meanwhile.enter_async_context(serving_health(lambda: False, probes))
            store = await stack.enter_async_context(
                opened(directory, namespace, ephemeral=ephemeral)
            )
    except TimeoutError:
        if not patience.expired():
            raise
    return None if told.is_set() else store
