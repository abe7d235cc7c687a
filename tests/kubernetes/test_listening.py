"""A server that goes leaves no connection behind, however far that one was."""

import asyncio
import contextlib
import gc
import socket
import ssl
import warnings
from pathlib import Path

import pytest

from tests.kubernetes.listening import Listener
from tests.kubernetes.pki import Pki


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    return Pki(tmp_path, "127.0.0.1").server_context


def dialed(port: int) -> socket.socket:
    found = socket.create_connection(("127.0.0.1", port))
    found.settimeout(5.0)
    return found


@pytest.mark.parametrize("turns", range(4))
def test_whom_it_has_just_accepted_is_cut_when_it_closes(
    context: ssl.SSLContext, turns: int
) -> None:
    async def run() -> None:
        listener = Listener(("127.0.0.1", 0), context, asyncio.Protocol)
        silent = dialed(listener.port)
        for _ in range(turns):
            await asyncio.sleep(0)
        await listener.close()
        await asyncio.sleep(0)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.to_thread(silent.recv, 1) == b""
        silent.close()

    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        asyncio.run(run())
        gc.collect()
    assert leaked == []
