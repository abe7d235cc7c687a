"""The loop of a router, on uvloop and on asyncio: its threads, and what may wait for what."""

import asyncio
import importlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from router.admin.server import bind_tcp
from router.model import limits
from router.process import event_loop

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a story in the loop of a router."""
    with monkeypatch.context() as patched:
        if request.param == "asyncio":
            patched.setitem(sys.modules, "uvloop", None)
        factory = importlib.reload(event_loop).RouterLoop
    assert request.param in str(factory.__mro__)

    def run(story: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(story)

    yield run
    importlib.reload(event_loop)


def no_thread(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_files_names_and_its_end_need_no_other_thread(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        monkeypatch.setattr(threading.Thread, "start", no_thread)
        assert await asyncio.to_thread(str, 5) == "5"
        found = await asyncio.get_running_loop().getaddrinfo("localhost", 80)
        assert ("127.0.0.1", 80) in [entry[4] for entry in found]

    run(story())


def test_names_do_not_wait_for_files_nor_files_for_names(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def hang(*_: object) -> list[object]:
        gate.wait(30.0)
        return []

    async def story() -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            for _ in range(limits.FILE_THREADS):
                tasks.create_task(asyncio.to_thread(hang))
            assert await loop.getaddrinfo("127.0.0.1", 80)
            gate.set()
        gate.clear()
        with monkeypatch.context() as patched:
            patched.setattr("socket.getaddrinfo", hang)
            async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
                for _ in range(limits.NAME_THREADS):
                    tasks.create_task(loop.getaddrinfo("shop.example", 80))
                await asyncio.sleep(0)
                assert await asyncio.to_thread(str, 5) == "5"
                gate.set()

    run(story())


@pytest.mark.parametrize("without", ["", "sys.modules['uvloop'] = None"])
def test_neither_a_name_server_nor_a_disk_that_hangs_holds_up_the_end(without: str) -> None:
    code = f"""
import asyncio, socket, sys, time
{without}
from router.process.event_loop import RouterLoop
socket.getaddrinfo = lambda *_: time.sleep(600)

async def story():
    for hanging in (
        asyncio.get_running_loop().getaddrinfo("shop.example", 80),
        asyncio.to_thread(time.sleep, 600),
    ):
        try:
            async with asyncio.timeout(0.1):
                await hanging
        except TimeoutError:
            print("given up")

with asyncio.Runner(loop_factory=RouterLoop) as runner:
    runner.run(story())
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "given up\n" * 2, "")


@pytest.mark.parametrize("without", ["", "sys.modules['uvloop'] = None"])
@pytest.mark.parametrize("threads", [0, limits.NAME_THREADS])
def test_a_loop_without_its_threads_leaves_nothing_behind_but_the_error(
    without: str, threads: int
) -> None:
    code = f"""
import sys, threading
{without}
from router.model.errors import RouterError
from router.process.event_loop import RouterLoop
start, left = threading.Thread.start, [None] * {threads}

def starts(thread):
    if not left:
        raise RuntimeError("can't start new thread")
    left.pop()
    start(thread)

threading.Thread.start = starts
try:
    RouterLoop()
except RouterError as error:
    print(str(error).partition(" (")[0])
"""
    words = [sys.executable, "-X", "dev", "-c", code]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60)
    group = "files" if threads else "names"
    told = f"no thread can be started for {group}\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, told, "")


def test_neither_addresses_nor_servers_start_other_threads(run: Run) -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        before = len(os.listdir("/proc/self/task"))
        host, _ = await loop.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST)
        assert host == "127.0.0.1"
        for place in (("127.0.0.1", 0), ("localhost", 0), ("", 0)):
            servers = await bind_tcp(asyncio.Protocol, place)
            for server in servers:
                address = server.sockets[0].getsockname()
                _, writer = await asyncio.open_connection(*address[:2])
                writer.close()
                server.close()
            assert servers
        assert len(os.listdir("/proc/self/task")) == before

    run(story())
