"""The one thread in which a site's documents are read."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_ResultT = TypeVar("_ResultT")


class NoThread(Exception):
    """The system starts no thread now, as in a container without a process left."""


class FileThread:
    """Started by the first work and kept: later work needs no other thread, and waits for its
    turn.
    """

    def __init__(self) -> None:
        self._pool = _new_pool()

    async def run(self, work: Callable[[], _ResultT]) -> _ResultT:
        """The result of ``work``, which is done even if the caller is canceled. NoThread."""
        try:
            done = asyncio.get_running_loop().run_in_executor(self._pool, work)
        except RuntimeError as error:
            # The pool kept the work, and would do it for no caller once it has a thread.
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = _new_pool()
            raise NoThread(str(error)) from error
        return await done


def _new_pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "config")
