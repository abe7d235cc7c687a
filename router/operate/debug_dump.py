"""A dump of this process for a maintainer: versions, stacks, routing data. No secrets."""

import asyncio
import contextlib
import faulthandler
import gc
import os
import platform
import signal
import ssl
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import msgspec

from router.admin.endpoints.debug import DebugView, LsaPart, RouteView
from router.model import limits
from router.node.site_router import SiteRouter
from router.routing.core import RoutingCore
from router.routing.table import RouteTable

STACKS_FILE = "stacks.txt"
_PACKAGES = ("aiohttp", "uvloop", "msgspec", "cryptography", "PyYAML", "httptools", "h2", "hpack")


@contextlib.contextmanager
def stacks_on_signal(run: Path) -> Iterator[Callable[[], None]]:
    """At SIGUSR2 write each thread's stack to `run/stacks.txt`, even when the loop hangs.

    The signal handler is written in C: it needs neither the loop nor the interpreter's lock. Yields
    a function that opens the file again.
    """
    path = run / STACKS_FILE
    try:
        descriptor = _stacks_file(path, os.O_TRUNC)
    except OSError:  # A full disk keeps no router from starting.
        yield lambda: None
        return

    def reopen() -> None:
        with contextlib.suppress(OSError):
            again = _stacks_file(path)
            os.dup2(again, descriptor, inheritable=False)
            os.close(again)

    try:
        faulthandler.register(signal.SIGUSR2, file=descriptor, all_threads=True)
        yield reopen
    finally:
        faulthandler.unregister(signal.SIGUSR2)
        os.close(descriptor)


def _stacks_file(path: Path, more: int = 0) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | more
    return os.open(path, flags, 0o600)


class DebugDump:
    """Reads the process and ``router`` when asked."""

    __slots__ = ("_lag_s", "_resident_bytes", "_router")

    def __init__(
        self, router: SiteRouter, lag_s: Callable[[], float], resident_bytes: Callable[[], int]
    ) -> None:
        self._router, self._lag_s, self._resident_bytes = router, lag_s, resident_bytes

    def look(self) -> DebugView:
        """Take the dump, in the loop's thread."""
        router = self._router
        table = router.routing.table
        return DebugView(
            router=router.identity.router,
            process=os.getpid(),
            python=sys.version.split()[0],
            openssl=ssl.OPENSSL_VERSION,
            kernel=platform.release(),
            loop=type(asyncio.get_running_loop()).__module__.partition(".")[0],
            packages=dict(_packages()),
            loop_lag_s=self._lag_s(),
            resident_bytes=self._resident_bytes(),
            descriptors=_descriptors(),
            collections=tuple(one["collections"] for one in gc.get_stats()),
            stacks=_stacks(),
            tasks=tuple(sorted(task.get_name() for task in asyncio.all_tasks()))[
                : limits.DEBUG_ROWS_MAX
            ],
            limits=_limits(),
            table_generation=table.generation,
            routes=_routes(table),
            candidates=_candidates(table),
            database=self._database(),
        )

    def _database(self) -> tuple[LsaPart, ...]:
        routing = self._router.routing
        if not isinstance(routing, RoutingCore):
            return ()
        parts = routing.database()[: limits.DEBUG_ROWS_MAX]
        return msgspec.convert(parts, tuple[LsaPart, ...], from_attributes=True)


def _packages() -> Iterator[tuple[str, str]]:
    # It reads mail and zip archives: a megabyte that only this dump needs.
    from importlib import metadata

    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            yield name, metadata.version(name)


def _descriptors() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return -1


def _stacks() -> dict[str, tuple[str, ...]]:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return {
        f"{names.get(ident, 'thread')}-{ident}": tuple(_places(frame))
        for ident, frame in sys._current_frames().items()
    }


def _places(frame: FrameType) -> Iterator[str]:
    summary = traceback.StackSummary.extract(traceback.walk_stack(frame), lookup_lines=False)
    for place in summary:
        yield f"{place.filename}:{place.lineno} {place.name}"


def _limits() -> dict[str, float]:
    return {
        name: value
        for name, value in vars(limits).items()
        if name.isupper() and isinstance(value, int | float)
    }


def _routes(table: RouteTable) -> tuple[RouteView, ...]:
    routes = list(table.sites.values())[: limits.DEBUG_ROWS_MAX]
    return msgspec.convert(routes, tuple[RouteView, ...], from_attributes=True)


def _candidates(table: RouteTable) -> dict[str, tuple[str, ...]]:
    found = list(table.candidates.items())[: limits.DEBUG_ROWS_MAX]
    return {
        f"{key.name}:{key.port}": tuple(
            f"{one.site_name} cost {one.path_cost}, {one.targets_ready} ready, "
            f"capacity {one.capacity}{', draining' if one.draining else ''}"
            f"{f', unused: {one.unused}' if one.unused else ''}"
            for one in candidates
        )
        for key, candidates in found
    }
