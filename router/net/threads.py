"""Threads that start with the router and last: later work needs no other thread.

A container may have no process left for a thread at any time (``pids.max``, ``ulimit -u``), so a
router that starts has all the threads that it needs.
"""

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from router.model.errors import RouterError

_ResultT = TypeVar("_ResultT")
_Calls = SimpleQueue[Callable[[], None] | None]


class NoThread(RouterError):
    """The system starts no thread for ``name``. ``reason``: without the next step, ``hint``."""

    hint = (
        "Raise the limit on processes and threads (pids.max of the cgroup: TasksMax= of the unit, "
        "--pids-limit of the container; `ulimit -u`), or on mapped memory (`ulimit -v`)"
    )

    def __init__(self, name: str, error: RuntimeError) -> None:
        self.reason = f"no thread can be started for {name} ({error})"
        super().__init__(f"{self.reason}. {self.hint}")


def start_thread(run: Callable[[], None], name: str) -> threading.Thread:
    """A running daemon: a thread that hangs must not keep the process from ending. Raises
    NoThread."""
    thread = threading.Thread(target=run, name=name, daemon=True)
    with starting(name):
        thread.start()
    return thread


@contextlib.contextmanager
def starting(name: str) -> Iterator[None]:
    """The block starts the thread ``name``. Raises NoThread."""
    try:
        yield
    except RuntimeError as error:
        raise NoThread(name, error) from error


class Threads(ThreadPoolExecutor):
    """``count`` threads, all started at once; calls wait for a free one. Raises NoThread.

    asyncio accepts only a ThreadPoolExecutor as its default, whose own threads start later and
    hold up the end of the process.
    """

    def __init__(self, count: int, name: str) -> None:
        super().__init__(count)
        self._calls: _Calls = SimpleQueue()
        self._end = weakref.finalize(self, _end, self._calls, count)
        for _ in range(count):
            start_thread(partial(_run, self._calls), name)

    def submit(self, fn: Callable[..., _ResultT], /, *args: Any, **kwargs: Any) -> Future[_ResultT]:
        """The result to come."""
        future: Future[_ResultT] = Future()
        self._calls.put(partial(_carry_out, future, partial(fn, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads once all calls are done, and wait for none."""
        self._end()


def _end(calls: _Calls, count: int) -> None:
    for _ in range(count):
        calls.put(None)


def _run(calls: _Calls) -> None:
    while (call := calls.get()) is not None:
        call()
        del call  # Or its result would stay until the next call.


def _carry_out(future: Future[_ResultT], call: Callable[[], _ResultT]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:
        future.set_exception(error)
        del future  # Or the error would refer to itself by its traceback.
    else:
        future.set_result(result)
