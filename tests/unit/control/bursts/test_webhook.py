"""Webhooks whose receivers, names and answers are hostile: an outcome, in time, in bounds."""

import asyncio
import re
import socket
import tracemalloc
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import msgspec
import pytest

from router.control.bursts import Firing, HookOutcome, webhook
from router.documents.templates import NAMES, NUMBERS
from router.model.bursts import BurstState, WebhookSpec
from tests.doors import close_server
from tests.unit.net.certificates import server_tls

VALUES = dict.fromkeys(NAMES, "x") | dict.fromkeys(NUMBERS, "1")
FIRING = Firing(id="id-1", event="saturated", is_test=False, values=VALUES)


async def endless_body() -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n"
    while True:
        yield bytes(65_536)


async def endless_headers() -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        yield b"a: b\r\n" * 1_000


async def one_byte_at_a_time() -> AsyncIterator[bytes]:
    for byte in b"HTTP/1.1 200 OK\r\n" * 1_000:
        yield bytes([byte])
        await asyncio.sleep(0.05)


async def garbage() -> AsyncIterator[bytes]:
    yield b"\x16\x03\x01\x00\xff" * 100


async def redirect() -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"


async def control_characters() -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 400 Bad\r\nContent-Length: 14\r\n\r\n\x1b[2Jwiped\r\n\x00\xff"


async def nothing() -> AsyncIterator[bytes]:
    yield b""


def answered(pieces: Callable[[], AsyncIterator[bytes]], timeout_s: float = 5.0) -> HookOutcome:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            async for piece in pieces():
                writer.write(piece)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # The caller has gone.
        finally:
            writer.close()

    async def play() -> HookOutcome:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        spec = WebhookSpec(url=f"http://127.0.0.1:{port}/", timeout_s=timeout_s, tries=1)
        async with asyncio.timeout(10.0):
            outcome = await webhook.post(spec, FIRING, b"secret", Random(1))
        await close_server(server)
        return outcome

    return asyncio.run(play())


@pytest.mark.parametrize(
    ("pieces", "ok", "said"),
    [
        (endless_body, True, "HTTP 200"),
        (endless_headers, False, "no valid answer: "),
        (one_byte_at_a_time, False, "no answer in time"),
        (garbage, False, "no valid answer: Bad status line"),
        (redirect, False, "HTTP 302"),
        (control_characters, False, "HTTP 400: ?[2Jwiped ?"),
        (nothing, False, "no answer: Server disconnected"),
    ],
)
def test_whatever_is_answered_is_an_outcome_of_one_line_in_bounds(
    pieces: Callable[[], AsyncIterator[bytes]], ok: bool, said: str
) -> None:
    tracemalloc.start()
    outcome = answered(pieces, 0.5 if pieces is one_byte_at_a_time else 5.0)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert outcome.ok == ok
    assert outcome.text.startswith(said)
    assert outcome.text.isprintable()
    assert len(outcome.text) < 400
    assert most_bytes < 8_000_000


@pytest.mark.parametrize(("event", "flag"), [("saturated", ""), ("calm", " --calm")])
def test_a_receiver_that_is_gone_is_named_with_the_reason_and_the_next_step(
    event: BurstState, flag: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # It does not listen.
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        spec = WebhookSpec(url=f"http://{at}/", timeout_s=5.0, tries=1)
        values = {**VALUES, "burst": "wake"}
        firing = msgspec.structs.replace(FIRING, event=event, values=values)
        outcome = asyncio.run(webhook.post(spec, firing, b"", Random(1)))
    assert outcome.text == f"no answer: {at}: Connection refused, after 1 try"
    assert outcome.hint == f"Look at the receiver, then: sitectl burst test wake{flag}"


def test_a_certificate_that_no_authority_signed_is_refused_and_named() -> None:
    async def play() -> HookOutcome:
        server = await asyncio.start_server(
            lambda reader, writer: None, "127.0.0.1", 0, ssl=server_tls().context
        )
        port = server.sockets[0].getsockname()[1]
        spec = WebhookSpec(url=f"https://127.0.0.1:{port}/", timeout_s=5.0, tries=1)
        outcome = await webhook.post(spec, FIRING, b"", Random(1))
        await close_server(server)
        return outcome

    outcome = asyncio.run(play())
    assert re.match(r"no answer: 127\.0\.0\.1:\d+: .*certificate verify failed", outcome.text)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("metadata.example.com", "169.254.169.254 is link-local"),
        ("0xa9fea9fe", "169.254.169.254 is link-local"),
        ("2852039166", "not a canonical IPv4 address"),
    ],
)
def test_a_name_of_a_link_local_address_is_not_called(
    host: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))

    async def told(*_: object, **__: object) -> Any:
        return [found]

    async def play() -> HookOutcome:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", told)
        spec = WebhookSpec(url=f"http://{host}/", timeout_s=0.5, tries=1)
        return await webhook.post(spec, FIRING, b"", Random(1))

    outcome = asyncio.run(play())
    assert not outcome.ok
    assert said in outcome.text
