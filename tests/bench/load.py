"""Putting load on a port: requests, bulk bytes, connections that only stay."""

import contextlib
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import msgspec

Direction = Literal["up", "down"]

CONNECT_S = 5.0
CHUNK_BYTES = 256 * 1024
SETTLE_S = 1.0
SOURCES = 8
IPERF_TRIES, IPERF_AGAIN_S = 5, 0.2
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


def requests(
    host: str,
    port: int,
    connections: int,
    seconds: float,
    *,
    url: str = "/",
    close: bool = False,
    unique: bool = False,
) -> Load:
    """GET ``url`` over ``connections`` keep-alive connections, or one connection each (``close``).

    ``unique``: each request has a header field that no other has. Uses wrk where it is installed,
    else `client`, which knows neither ``url`` nor ``unique``.
    """
    if shutil.which("wrk"):
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
        command += ["-s", str(WRK_SCRIPT)] + (["-H", "Connection: close"] if close else [])
        command.append(f"http://{host}:{port}{url}")
        command += ["--", secrets.token_hex(8)] if unique else []
    else:
        command = [sys.executable, "-m", "tests.bench.client", host, str(port)]
        command += [str(connections), str(seconds)] + (["close"] if close else [])
    return msgspec.json.decode(_output(command, seconds).splitlines()[-1], type=Load)


def http2_requests(
    host: str, port: int, connections: int, streams: int, seconds: float
) -> tuple[float, float]:
    """Requests answered with 2xx, and failed ones, by h2load with prior knowledge."""
    command = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-D{max(1, round(seconds))}"]
    text = _output([*command, f"http://{host}:{port}/"], seconds)
    good = re.search(r"^status codes: ([0-9]+) 2xx", text, re.MULTILINE)
    bad = re.search(r"([0-9]+) failed, ([0-9]+) errored, ([0-9]+) timeout", text)
    if good is None or bad is None:
        raise LoadError(f"{' '.join(command)}\n{text}")
    return float(good[1]), float(sum(map(int, bad.groups())))


def _output(command: Sequence[str], seconds: float, *, strict: bool = True) -> str:
    """What ``command`` prints; LoadError: nothing, or if ``strict`` that it failed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, cwd=ROOT)
    if (strict and done.returncode) or not done.stdout:
        raise LoadError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def iperf(host: str, port: int, direction: Direction, seconds: float) -> tuple[int, float]:
    """Bytes that one stream of iperf3 carried to its end, and the seconds it took."""
    command = ["iperf3", "--json", "--client", host, "--port", str(port), "--time"]
    command += [f"{max(1, round(seconds))}"] + (["--reverse"] if direction == "down" else [])
    for _ in range(IPERF_TRIES):  # Its server takes one client at a time, a health check included.
        answer = msgspec.json.decode(_output(command, seconds, strict=False))
        if arrived := answer.get("end", {}).get("sum_received"):
            return int(arrived["bytes"]), float(arrived["seconds"])
        time.sleep(IPERF_AGAIN_S)
    raise LoadError(f"{' '.join(command)}\n{answer.get('error', 'it says nothing')}")


def bulk(host: str, port: int, direction: Direction, seconds: float) -> tuple[int, float]:
    """Bytes that one connection carried to its end, and the seconds it took."""
    if direction == "down":
        with stream(host, port) as connection:
            began = time.perf_counter()
            return drained(connection, lambda: time.perf_counter() - began > seconds)
    buffer = bytearray(CHUNK_BYTES)
    with socket.create_connection((host, port), CONNECT_S) as connection:
        began = time.perf_counter()
        connection.sendall(b"u")
        while time.perf_counter() - began < seconds:
            connection.sendall(buffer)
        connection.shutdown(socket.SHUT_WR)
        arrived = connection.makefile("rb").read(8)
        return int.from_bytes(arrived, "big"), time.perf_counter() - began


def stream(host: str, port: int, rate: int = 0) -> socket.socket:
    """A connection on which the bulk server sends ``rate`` bytes a second; 0: all it takes."""
    connection = socket.create_connection((host, port), CONNECT_S)
    connection.sendall(b"d" + rate.to_bytes(8, "big"))
    return connection


def drained(connection: socket.socket, is_over: Callable[[], bool]) -> tuple[int, float]:
    """Bytes that came until ``is_over``, and the seconds it took."""
    buffer = bytearray(CHUNK_BYTES)
    began = time.perf_counter()
    total = 0
    while not is_over():
        size = connection.recv_into(buffer)
        if not size:
            raise LoadError("the bulk server ended a stream that has no end")
        total += size
    return total, time.perf_counter() - began


@contextlib.contextmanager
def streaming(host: str, port: int, rate: int = 0) -> Iterator[None]:
    """One bulk stream towards us, for as long as the block runs."""
    over = threading.Event()
    connection = stream(host, port, rate)
    with connection, ThreadPoolExecutor(1) as reader:
        reading = reader.submit(drained, connection, over.is_set)
        try:
            yield
        finally:
            over.set()
            reading.result()


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
