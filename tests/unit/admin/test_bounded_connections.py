"""Clients that are slow, gone, many or greedy: bounded in time and memory, for each door."""

import asyncio
import contextlib
import errno
import socket
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from router.admin.admin_socket import bind
from router.admin.connection_slots import ConnectionSlots, know
from router.admin.connections import answering, application
from router.admin.server import bind_tcp
from router.model import limits
from tests.scenario.harness import own_address
from tests.unit.admin.test_connections import LAST, Handlers, served, statuses, tell


def test_a_refusal_arrives_though_the_body_that_nobody_reads_is_long(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path, Handlers()) as connect:
            reader, writer = await connect()
            writer.write(b"POST /length HTTP/1.1\r\nHost: s\r\nAuthorization: no\r\n")
            writer.write(b"Content-Length: 100000000\r\n\r\n" + b"x" * 1_000_000)
            assert statuses(await reader.readuntil(b"\r\n\r\nno")) == [401]
            writer.write(b"x" * 1_000_000)
            assert await reader.read() == b""

    asyncio.run(story())


def test_a_body_that_is_not_asked_for_is_not_read_ahead(tmp_path: Path) -> None:
    """While its handler does something else the client is held back, at a few reads."""

    async def story() -> None:
        handlers = Handlers()
        async with served(tmp_path, handlers) as connect:
            _, writer = await connect()
            writer.write(b"GET /slow HTTP/1.1\r\nHost: s\r\nContent-Length: 50000000\r\n\r\n")
            await handlers.began.wait()
            writer.write(b"x" * 20_000_000)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await writer.drain()
            writer.transport.abort()
            handlers.go_on.set()

    asyncio.run(story())


def test_a_client_that_leaves_ends_what_is_streamed_to_it(tmp_path: Path) -> None:
    async def story() -> None:
        handlers = Handlers()
        async with served(tmp_path, handlers) as connect:
            reader, writer = await connect()
            writer.write(b"GET /stream HTTP/1.1\r\nHost: s\r\n\r\n")
            await reader.readuntil(b"one\r\n")
            writer.close()
            handlers.go_on.set()
            await handlers.ended.wait()

    asyncio.run(story())


def test_a_client_that_does_not_read_holds_its_writer_back(tmp_path: Path) -> None:
    async def story() -> None:
        handlers = Handlers()
        handlers.go_on.set()
        async with served(tmp_path, handlers) as connect:
            _, writer = await connect()
            writer.write(b"GET /stream HTTP/1.1\r\nHost: s\r\n\r\n")
            await handlers.began.wait()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await handlers.ended.wait()
            writer.transport.abort()
            await handlers.ended.wait()

    asyncio.run(story())


def test_who_sends_no_whole_request_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ADMIN_IDLE_S", 0.1)
    assert tell(tmp_path) == b""
    assert tell(tmp_path, b"GET /hello HTTP/1.1\r\nHos") == b""
    assert statuses(tell(tmp_path, b"GET /hello HTTP/1.1\r\nHost: s\r\n\r\n")) == [200]
    assert tell(tmp_path, b"POST /length HTTP/1.1\r\nHost: s\r\nContent-Length: 9\r\n\r\nx") == b""


def test_a_stop_waits_for_answers_for_a_moment_and_not_for_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ADMIN_SHUTDOWN_S", 0.3)

    async def story() -> None:
        slow, streams = Handlers(), Handlers()
        async with served(tmp_path, slow):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            writer.write(b"GET /slow HTTP/1.1\r\nHost: s\r\n\r\n")
            await slow.began.wait()
            asyncio.get_running_loop().call_later(0.05, slow.go_on.set)
        assert (await reader.read()).endswith(b"at last")
        writer.close()
        async with served(tmp_path, streams) as connect:
            _, writer = await connect()
            writer.write(b"GET /stream HTTP/1.1\r\nHost: s\r\n\r\n")
            await streams.began.wait()
        assert streams.ended.is_set()

    asyncio.run(story())


def test_a_crowd_of_requests_takes_turns_with_what_else_is_done(tmp_path: Path) -> None:
    many = 2_000
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def story() -> bytes:
        async with served(tmp_path, Handlers()) as connect:
            reader, writer = await connect()
            writer.write(b"GET /hello HTTP/1.1\r\nHost: s\r\n\r\n" * many + LAST)
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(other())
                heard = await reader.read()
                task.cancel()
            return heard

    assert statuses(asyncio.run(story())) == [200] * (many + 1)
    assert turns >= many


def test_a_body_that_does_not_come_behind_another_request_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ADMIN_IDLE_S", 0.1)
    request = b"GET /hello HTTP/1.1\r\nHost: s\r\n\r\n"
    heard = tell(
        tmp_path, request + b"POST /length HTTP/1.1\r\nHost: s\r\nContent-Length: 9\r\n\r\nx"
    )
    assert statuses(heard) == [200]


@pytest.mark.parametrize("ends", [b"", b"Connection: close\r\n"])
def test_the_places_of_clients_that_never_read_are_free_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bytes
) -> None:
    """However much of an answer is on its way."""
    monkeypatch.setattr(limits, "ADMIN_IDLE_S", 0.2)

    async def story() -> None:
        async with served(tmp_path, Handlers()) as connect:
            for size in range(150_000, 390_000, 30_000):
                _, writer = await connect()
                writer.write(b"GET /big/%d HTTP/1.1\r\nHost: s\r\n%b\r\n" % (size, ends))
                cast(asyncio.Transport, writer.transport).pause_reading()
            heard = b""
            while not heard:
                await asyncio.sleep(0.05)
                reader, writer = await connect()
                with contextlib.suppress(OSError):
                    writer.write(LAST)
                    heard = await reader.read()
            assert statuses(heard) == [200]

    asyncio.run(story())


def test_who_streams_to_a_client_that_asked_for_the_head_hears_that_it_has_gone(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        handlers = Handlers()
        async with served(tmp_path, handlers) as connect:
            reader, writer = await connect()
            writer.write(b"HEAD /stream HTTP/1.1\r\nHost: s\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.05)
            handlers.go_on.set()
            await handlers.ended.wait()

    asyncio.run(story())


def test_a_fault_while_an_answer_is_sent_ends_its_connection_only(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path, Handlers()) as connect:
            reader, writer = await connect()
            writer.write(b"GET /unsendable HTTP/1.1\r\nHost: s\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            reader, writer = await connect()
            writer.write(LAST)
            assert statuses(await reader.read()) == [200]

    asyncio.run(story())


def test_what_a_client_sends_ahead_of_its_answers_is_bounded(tmp_path: Path) -> None:
    """While it waits for one answer it is held back, at a few reads; then all are answered."""

    async def story() -> None:
        handlers = Handlers()
        async with served(tmp_path, handlers) as connect:
            reader, writer = await connect()
            field = b"X: %b\r\n" % (b"x" * 8_000)
            ahead = b"GET /hello HTTP/1.1\r\nHost: s\r\n" + field * 4 + b"\r\n"
            many = 100
            writer.write(b"GET /slow HTTP/1.1\r\nHost: s\r\n\r\n")
            await handlers.began.wait()
            writer.write(ahead * many + LAST)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await writer.drain()
            left = cast(asyncio.Transport, writer.transport).get_write_buffer_size()
            assert left > (many // 2) * len(ahead), "most of it waits at the client"
            handlers.go_on.set()
            assert statuses(await reader.read()) == [200] * (many + 2)

    asyncio.run(story())


def test_on_a_door_for_strangers_who_has_shown_the_credential_stays(tmp_path: Path) -> None:
    async def hello(request: web.Request) -> web.Response:
        know(request)
        return web.Response(text="hello ")

    async def story() -> None:
        app = application()
        app.router.add_get("/hello", hello)
        async with asyncio.timeout(20), answering(app, ConnectionSlots(4)) as admit:
            listener = await bind(admit, tmp_path / "s")
            reader, known = await asyncio.open_unix_connection(tmp_path / "s")
            known.write(LAST.replace(b"Connection: close\r\n", b""))
            await reader.readuntil(b"hello ")
            strangers = [await asyncio.open_unix_connection(tmp_path / "s") for _ in range(10)]
            assert await strangers[0][0].read() == b"", "the oldest gave way"
            known.write(LAST)
            assert statuses(await reader.read()) == [200]
            for _, writer in (*strangers, (reader, known)):
                writer.close()
            listener.close()

    asyncio.run(story())


def test_on_the_door_for_probes_a_crowd_from_one_address_gives_way() -> None:
    """A kubelet that asks now and then is not ended by a pod that connects all the time."""

    async def story() -> None:
        place, crowd_at, kubelet_at = own_address(), own_address(), own_address()
        async with (
            asyncio.timeout(20),
            answering(Handlers().application(), ConnectionSlots(4)) as admit,
        ):
            (listener,) = await bind_tcp(admit, (place, 0))
            port = listener.sockets[0].getsockname()[1]

            async def connect(source: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
                return await asyncio.open_connection(place, port, local_addr=(source, 0))

            reader, kubelet = await connect(kubelet_at)
            crowd = [await connect(crowd_at) for _ in range(20)]
            with contextlib.suppress(ConnectionError):
                assert await crowd[0][0].read() == b"", "the oldest of the crowd gave way"
            kubelet.write(LAST)
            assert statuses(await reader.read()) == [200]
            for _, writer in (*crowd, (reader, kubelet)):
                writer.close()
            listener.close()

    asyncio.run(story())


def test_where_the_kernel_has_no_ipv6_all_addresses_are_those_of_ipv4(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    created = socket.create_server

    def create(address: Any, *, family: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return created(address, family=family)

    async def story() -> None:
        monkeypatch.setattr(socket, "create_server", create)
        (server,) = await bind_tcp(asyncio.Protocol, ("", 0))
        assert server.sockets[0].family == socket.AF_INET
        server.close()

    asyncio.run(story())


def test_where_all_are_known_the_newest_is_turned_away(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            asyncio.timeout(20),
            answering(Handlers().application(), ConnectionSlots(2, trusts_all=True)) as admit,
        ):
            listener = await bind(admit, tmp_path / "s")
            first, second, third = [
                await asyncio.open_unix_connection(tmp_path / "s") for _ in range(3)
            ]
            assert await third[0].read() == b""
            first[1].write(LAST)
            assert statuses(await first[0].read()) == [200]
            for _, writer in (first, second, third):
                writer.close()
            listener.close()

    asyncio.run(story())


def test_the_doors_serve_on_uvloop_too(tmp_path: Path) -> None:
    async def story() -> bytes:
        async with served(tmp_path, Handlers()) as connect:
            reader, writer = await connect()
            writer.write(b"GET /big/1000000 HTTP/1.1\r\nHost: s\r\n\r\n" + LAST)
            assert statuses(await reader.read()) == [200, 200]
            reader, writer = await connect()
            writer.write(b"nonsense\r\n\r\n")
            return await reader.read()

    with asyncio.Runner(loop_factory=pytest.importorskip("uvloop").new_event_loop) as runner:
        assert statuses(runner.run(story())) == [400]
