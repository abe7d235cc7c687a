"""The socket file of the API, and what happens to it while the router runs."""

import asyncio
import errno
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from router.admin.events import EventLog
from router.admin.server import serving
from router.model import limits
from tests.unit.admin.test_api import FakeRouter, asked


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(limits, "ADMIN_SOCKET_CHECK_S", 0.01)
    return tmp_path / "admin.sock"


@asynccontextmanager
async def watched(path: Path) -> AsyncIterator[None]:
    async with (
        asyncio.timeout(30),
        serving(FakeRouter(), EventLog(), path) as door,
        asyncio.TaskGroup() as tasks,
    ):
        running = tasks.create_task(door.run())
        yield
        running.cancel()


def file_of(path: Path) -> tuple[int, int]:
    """Inode and mode; 0: there is none."""
    if not path.exists():
        return 0, 0
    found = path.stat()
    return found.st_ino, stat.S_IMODE(found.st_mode)


def remove(path: Path) -> None:
    path.unlink()


def move(path: Path, to: Path) -> None:
    path.rename(to)


async def checks(count: int) -> None:
    """Until the router has looked at its file ``count`` times."""
    await asyncio.sleep(count * limits.ADMIN_SOCKET_CHECK_S)


async def until_there(path: Path) -> int:
    """The mode of the file."""
    while not (mode := file_of(path)[1]):
        await checks(1)
    return mode


def test_a_socket_file_that_is_removed_is_made_again_for_its_owner_alone(path: Path) -> None:
    async def story() -> None:
        async with watched(path):
            for _ in range(2):
                reader, writer = await asyncio.open_unix_connection(path)
                remove(path)
                assert await until_there(path) == 0o600
                assert (await asked(path)).startswith(b"HTTP/1.1 200 OK")
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n")
                assert (await reader.read()).startswith(b"HTTP/1.1 200 OK"), "it was open before"
                writer.close()

    before = os.umask(0)
    try:
        asyncio.run(story())
    finally:
        os.umask(before)
    assert not path.exists()


def test_the_file_of_another_process_stays_while_it_runs(path: Path) -> None:
    async def story() -> None:
        async with watched(path):
            remove(path)
            async with await asyncio.start_unix_server(lambda *_: None, path):
                theirs = file_of(path)
                await checks(10)
                assert file_of(path) == theirs

    asyncio.run(story())


def test_attempts_without_a_free_descriptor_leave_none_open(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def none_is_free(*_: object) -> socket.socket:
        tried.append(len(os.listdir("/proc/self/fd")))
        raise OSError(errno.EMFILE, "Too many open files")

    async def story() -> None:
        async with watched(path):
            with monkeypatch.context() as without:
                without.setattr(socket, "socket", none_is_free)
                remove(path)
                while len(tried) < 3:
                    await checks(1)
            assert len(set(tried)) == 1
            await until_there(path)

    asyncio.run(story())


def test_a_router_that_ends_leaves_the_file_of_another_one(path: Path) -> None:
    async def story() -> None:
        async with watched(path):
            remove(path)
            path.touch()  # noqa: ASYNC240

    asyncio.run(story())
    assert path.exists()


def test_a_directory_that_was_moved_away_gets_its_socket_when_it_is_back(path: Path) -> None:
    aside = path.parent.with_name("aside")

    async def story() -> None:
        async with watched(path):
            remove(path)
            move(path.parent, aside)
            await checks(5)
            move(aside, path.parent)
            await until_there(path)
            assert (await asked(path)).startswith(b"HTTP/1.1 200 OK")

    asyncio.run(story())
