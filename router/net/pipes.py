"""Kernel pipes, through which bytes go from one socket to another without passing through us."""

import fcntl
import os
from collections.abc import Callable

from router.model.limits import PIPE_BYTES, PIPES_MAX

READ_END, WRITE_END = 0, 1

KernelPipe = tuple[int, int]

CAN_SPLICE = hasattr(os, "splice")
"""True on Linux."""
if CAN_SPLICE:
    FLAGS = os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE


def splice(source: int, sink: int, size_bytes: int) -> int:
    """Move at most ``size_bytes``, where one end is a pipe's; 0: the source has ended."""
    return os.splice(source, sink, size_bytes, flags=FLAGS)


class Pipes:
    """A pool of pipes, opened on demand. A pipe is taken only while bytes are in it.

    So one serves all connections whose peers keep up; a slow one holds a pipe until that is empty.
    With none left, or no descriptors or memory for one, bytes are read and written as usual.
    """

    __slots__ = ("_empty", "_has_room", "_open")

    def __init__(self, has_room: Callable[[], bool]) -> None:
        """``has_room``: whether there are descriptors for another pipe."""
        self._has_room = has_room
        self._empty: list[KernelPipe] = []
        self._open = 0

    def take(self) -> KernelPipe | None:
        """An empty pipe; None: there is none now."""
        if self._empty:
            return self._empty.pop()
        if self._open >= PIPES_MAX or not self._has_room():
            return None
        try:
            pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.fcntl(pipe[WRITE_END], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:  # This user's share of pipe memory is used up: one-page pipes are no gain.
            _close(pipe)
            return None
        self._open += 1
        return pipe

    def give(self, pipe: KernelPipe) -> None:
        """Take back an empty pipe."""
        self._empty.append(pipe)

    def drop(self, pipe: KernelPipe) -> None:
        """Take back a pipe with bytes in it, which are lost."""
        self._open -= 1
        _close(pipe)

    def close(self) -> None:
        while self._empty:
            self.drop(self._empty.pop())


def _close(pipe: KernelPipe) -> None:
    for end in pipe:
        os.close(end)
