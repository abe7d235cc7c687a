"""Systems to measure: each with a port for each kind of traffic and path, and its processes."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from tests.bench.load import ROOT
from tests.bench.machine import free_ports

Kind = Literal["http", "tcp", "bulk", "iperf", "http2"]
"""What a door is for: `bulk` leads to our own source and sink, `iperf` to an iperf3 server."""
Path_ = Literal["L", "R"]

START_S = 15.0
STOP_S = 5.0
POLL_S = 0.02
OWN_WORKERS = 2
LARGE_BYTES = 2**20
LARGE_URL = f"/bytes/{LARGE_BYTES}"
UNIQUE_URL = "/unique"  # Each answer has a different head.


class System(msgspec.Struct, frozen=True):
    """``pids`` are the proxies alone, their children not listed; ports by kind and path."""

    name: str
    pids: tuple[int, ...]
    host: str
    ports: Mapping[tuple[Kind, Path_], int]


class Backends(msgspec.Struct, frozen=True):
    """Ports of the servers behind everything, on 127.0.0.1, by the door that leads there."""

    ports: Mapping[Kind, int]
    pids: tuple[int, ...]
    name: str


class StartError(Exception):
    """Something the benchmark needs did not start; the text says what."""


class Processes:
    """Every process the benchmark starts itself, ended by `end`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, command: Sequence[str], *, wait_for: Sequence[int]) -> int:
        """Start ``command``, wait until ``wait_for`` answer on 127.0.0.1; its pid."""
        log_path = self.directory / f"process-{len(self._started)}.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        self._started.append(process)
        deadline = time.monotonic() + START_S
        for port in wait_for:
            while not answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise StartError(f"{' '.join(command)}\n{log_path.read_text()}")
                time.sleep(POLL_S)
        return process.pid

    def server(self, *words: str, wait_for: Sequence[int]) -> int:
        """Start one of `servers`."""
        return self.start([sys.executable, "-m", "tests.bench.servers", *words], wait_for=wait_for)

    def end(self) -> None:
        """Terminate all, last first; kill what does not go."""
        for process in reversed(self._started):
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        for process in self._started:
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def answers(port: int) -> bool:
    """Whether a process accepts connections on 127.0.0.1 at ``port``."""
    try:
        with socket.create_connection(("127.0.0.1", port), 0.5):
            return True
    except OSError:
        return False


NGINX_BACKEND = """
worker_processes 1; daemon off; pid {directory}/backend.pid; error_log stderr crit;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 300; sendfile on;
  client_body_temp_path {directory}/backend; proxy_temp_path {directory}/backend;
  fastcgi_temp_path {directory}/backend; uwsgi_temp_path {directory}/backend;
  scgi_temp_path {directory}/backend;
  server {{
    listen 127.0.0.1:{http} backlog=4096; listen 127.0.0.1:{http2} http2 backlog=4096;
    location / {{ return 200 "{body}"; }}
    location = {unique} {{ add_header X-Request-Id $request_id; return 200 "{body}"; }}
    location = {large} {{ alias {directory}/large; }}
  }}
}}
"""


def start_backends(processes: Processes) -> Backends:
    """nginx where it is installed, else our own HTTP server; the bulk server; iperf3 if it is."""
    http, http2, bulk, iperf = free_ports(4)
    ports: dict[Kind, int] = {"http": http, "tcp": http, "bulk": bulk}
    if shutil.which("nginx"):
        directory = processes.directory
        (directory / "large").write_bytes(bytes(LARGE_BYTES))
        path = directory / "backend.conf"
        places = {"directory": directory, "http": http, "http2": http2}
        answers_ = {"body": "x" * 1024, "unique": UNIQUE_URL, "large": LARGE_URL}
        path.write_text(NGINX_BACKEND.format(**places, **answers_))
        command = ["nginx", "-e", "stderr", "-c", str(path)]
        pids = [processes.start(command, wait_for=[http])]
        ports["http2"] = http2
        name = "nginx, 1 worker"
    else:
        words = ("http", "backend", str(http))
        pids = [processes.server(*words, wait_for=[http]) for _ in range(OWN_WORKERS)]
        name = f"asyncio and httptools, {OWN_WORKERS} processes"
    pids.append(processes.server("bulk", str(bulk), wait_for=[bulk]))
    if shutil.which("iperf3"):
        command = ["iperf3", "--server", "--bind", "127.0.0.1", "--port", str(iperf)]
        pids.append(processes.start(command, wait_for=[iperf]))
        ports["iperf"] = iperf
    return Backends(ports, tuple(pids), name)
