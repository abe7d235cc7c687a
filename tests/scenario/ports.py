"""Ports for what must listen on every address, where an address of our own does not help."""

import contextlib
import os
import socket
from collections.abc import Iterator

_FIRST, _COUNT = 21_000, 4_000  # Below those that the kernel takes for clients.
_APART = 1_300  # What a process of a test run may need, and those beside it do not try first.


def free_ports() -> Iterator[str]:
    """Ports that are free on every address, each once."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    start = worker * _APART + os.getpid() % _APART
    for number in range(_COUNT):
        port = _FIRST + (start + number) % _COUNT
        with contextlib.closing(socket.socket()) as door:
            try:
                door.bind(("0.0.0.0", port))
            except OSError:
                continue
        yield str(port)
