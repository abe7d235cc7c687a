"""Putting load on a port: requests, bulk bytes, connections that only stay."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

Direction = Literal["up", "down"]

CONNECT_S = 5.0
CHUNK_BYTES = 256 * 1024
SETTLE_S = 1.0
SOURCES = 8
WRK_SCRIPT = Path(__file__).with_name("wrk.lua")
ROOT = Path(__file__).resolve().parent.parent.parent


class Load(msgspec.Struct, frozen=True):
    """What a load generator saw."""

    requests: float
    errors: float
    seconds: float
    p50_ms: float
    p99_ms: float


class LoadError(Exception):
    """The load generator did not work; the text says why."""


def requests(host: str, port: int, connections: int, seconds: float, *, close: bool) -> Load:
    """GET / over ``connections`` keep-alive connections, or one connection each with ``close``.

    By wrk where it is installed, else by `client`.
    """
    if shutil.which("wrk"):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
        command += ["-s", str(WRK_SCRIPT)] + (["-H", "Connection: close"] if close else [])
        command.append(f"http://{host}:{port}/")
    else:
        command = [sys.executable, "-m", "tests.bench.client", host, str(port)]
        command += [str(connections), str(seconds)] + (["close"] if close else [])
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, cwd=ROOT)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise LoadError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return msgspec.json.decode(lines[-1], type=Load)


def bulk(host: str, port: int, direction: Direction, seconds: float) -> tuple[int, float]:
    """Bytes that one connection carried to its end, and the seconds it took."""
    buffer = bytearray(CHUNK_BYTES)
    with socket.create_connection((host, port), CONNECT_S) as connection:
        began = time.perf_counter()
        ends = began + seconds
        if direction == "up":
            connection.sendall(b"u")
            while time.perf_counter() < ends:
                connection.sendall(buffer)
            connection.shutdown(socket.SHUT_WR)
            arrived = connection.makefile("rb").read(8)
            return int.from_bytes(arrived, "big"), time.perf_counter() - began
        connection.sendall(b"d")
        total = 0
        while time.perf_counter() < ends:
            size = connection.recv_into(buffer)
            if not size:
                raise LoadError(f"{host}:{port} ended within a stream that has no end")
            total += size
        return total, time.perf_counter() - began


@contextlib.contextmanager
def held(host: str, port: int, count: int) -> Iterator[None]:
    """``count`` connections, open and silent, from several addresses: one may have only so many."""
    with contextlib.ExitStack() as stack:
        for number in range(count):
            source = (f"127.78.0.{1 + number % SOURCES}", 0)
            stack.enter_context(
                socket.create_connection((host, port), CONNECT_S, source_address=source)
            )
        time.sleep(SETTLE_S)
        yield
