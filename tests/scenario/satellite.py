"""A way between two hosts that is long and loses packets, in user space: no kernel module needed.

here (10.78.0.1) -- delay each way, loss, perhaps silence -- there (10.78.0.2)
"""

import fcntl
import heapq
import itertools
import os
import random
import select
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from tests import needs

HERE, THERE = "10.78.0.1", "10.78.0.2"
_TUN, _SET_NAME = "/dev/net/tun", 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_PACKET_BYTES_MAX = 65_535
_numbers = itertools.count()


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"


class Satellite:
    """Moves packets between two devices in a thread. ``loss`` may be changed meanwhile."""

    def __init__(self, names: Sequence[str], *, one_way_s: float, loss: float, seed: int) -> None:
        self.loss = loss
        self.sent = self.lost = 0
        self._names = names
        self._one_way_s = one_way_s
        self._random = random.Random(seed)
        self._devices = [_device(f"{name}t") for name in names]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def start(self) -> None:
        """Put the devices into their namespaces and carry packets."""
        for name, address in zip(self._names, (HERE, THERE), strict=True):
            _run("ip", "link", "set", f"{name}t", "netns", name)
            inside = ("ip", "netns", "exec", name, "ip")
            _run(*inside, "addr", "add", f"{address}/24", "dev", f"{name}t")
            _run(*inside, "link", "set", f"{name}t", "up", "mtu", "1400")
            _run(*inside, "link", "set", "lo", "up")
        self._thread.start()

    def stop(self) -> None:
        """Carry no more."""
        self._done.set()
        self._thread.join()
        for device in self._devices:
            os.close(device)

    def _carry(self) -> None:
        number = itertools.count()
        waiting: list[tuple[float, int, int, bytes]] = []
        other = dict(zip(self._devices, reversed(self._devices), strict=True))
        while not self._done.is_set():
            pause_s = max(0.0, waiting[0][0] - time.monotonic()) if waiting else 0.05
            ready, _, _ = select.select(self._devices, [], [], min(pause_s, 0.05))
            now = time.monotonic()
            for device in ready:
                packet = os.read(device, _PACKET_BYTES_MAX)
                self.sent += 1
                if self._random.random() < self.loss:
                    self.lost += 1
                    continue
                due = now + self._one_way_s
                heapq.heappush(waiting, (due, next(number), other[device], packet))
            while waiting and waiting[0][0] <= now:
                _, _, device, packet = heapq.heappop(waiting)
                os.write(device, packet)


def _device(name: str) -> int:
    opened = os.open(_TUN, os.O_RDWR)
    fcntl.ioctl(opened, _SET_NAME, struct.pack("16sH14x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return opened


@contextmanager
def satellite(
    *, one_way_s: float = 0.3, loss: float = 0.25, seed: int = 1
) -> Iterator[tuple[Satellite, tuple[str, ...], tuple[str, ...]]]:
    """The way, and the words before a command that runs here, or there."""
    needs.root("make network namespaces")
    needs.programs("ip")
    if not os.path.exists(_TUN):
        needs.lacking("/dev/net/tun, which makes a slow network")
    number = next(_numbers)
    names = [f"st{os.getpid() % 100_000}{number}{letter}" for letter in "ab"]
    with ExitStack() as stack:
        for name in names:
            _run("ip", "netns", "add", name)
            stack.callback(_run, "ip", "netns", "del", name)
        made = Satellite(names, one_way_s=one_way_s, loss=loss, seed=seed)
        made.start()
        stack.callback(made.stop)
        here, there = (("ip", "netns", "exec", name) for name in names)
        yield made, here, there
