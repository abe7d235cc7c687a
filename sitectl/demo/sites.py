"""Three sites as processes, made and joined with the same commands a user would type."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

SITECTL = (sys.executable, "-m", "sitectl")
COMMAND_TIMEOUT_S = 60.0
WAIT_S = 30.0
ROOT = Path(__file__).resolve().parents[2]


class DemoSite(msgspec.Struct, frozen=True):
    """A site of the demo: its loopback address, its targets and their capacity."""

    name: str
    address: str
    link_port: int
    http_ports: tuple[int, ...]
    tcp_port: int
    capacity: int  # Of each HTTP target.
    connections: int  # Of the TCP target.


class DemoError(Exception):
    """Something the demo needs did not work; the text says what."""


def free_ports(count: int) -> list[int]:
    """Ports that are free on every loopback address right now."""
    doors = []
    try:
        for _ in range(count):
            door = socket.socket()
            door.bind(("0.0.0.0", 0))
            doors.append(door)
        return [door.getsockname()[1] for door in doors]
    finally:
        for door in doors:
            door.close()


class DemoNetwork:
    """The sites' state directory and every process the demo started; ends them all."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._servers: list[subprocess.Popen[bytes]] = []
        self._started: list[str] = []

    def sitectl(self, site: str, *words: str, quiet: bool = True) -> str:
        """Run one command for ``site``; its output. Raises DemoError with the output."""
        line = f"sitectl --site {site} {' '.join(words)}"
        if not quiet:
            print(f"  $ {line}", flush=True)
        done = subprocess.run(
            [*SITECTL, "--state", str(self.state), "--platform", "process", "--site", site, *words],
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1"},
        )
        if done.returncode:
            raise DemoError(f"{line}\n{done.stdout}{done.stderr}")
        return done.stdout

    def json(self, site: str, *words: str) -> Any:
        """The parsed ``-o json`` answer of a command."""
        return json.loads(self.sitectl(site, *words, "-o", "json"))

    def serve(self, *words: str, wait_for: Sequence[int]) -> None:
        """Start a server of ours and wait until its ports answer."""
        self._spawn([sys.executable, "-m", "sitectl.demo.backends", *words], wait_for)

    def _spawn(self, command: list[str], wait_for: Sequence[int]) -> None:
        server = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._servers.append(server)
        deadline = time.monotonic() + WAIT_S
        for port in wait_for:
            while not _answers(port):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise DemoError(f"{' '.join(command)} does not answer on port {port}")
                time.sleep(0.05)

    def serve_tcp(self, site: DemoSite) -> str:
        """A Redis that knows its site's name, or the demo's own server; says which."""
        redis = shutil.which("redis-server")
        if redis is None:
            self.serve("tcp", site.name, str(site.tcp_port), wait_for=[site.tcp_port])
            return "the demo's own server"
        port = str(site.tcp_port)
        words = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._spawn([redis, *words, "--dir", str(self.state)], [site.tcp_port])
        with socket.create_connection(("127.0.0.1", site.tcp_port), WAIT_S) as door:
            door.sendall(b"SET site %s\r\n" % site.name.encode())
            if not door.recv(64).startswith(b"+OK"):
                raise DemoError("Redis did not take its site's name")
        return "Redis"

    def start(self, site: DemoSite, *, console: bool = False) -> None:
        """Make the site and start its router; ``console``: with one for this machine's users."""
        self.sitectl(
            site.name,
            *("init", site.name, "--bind-ip", site.address),
            *("--ingress-bind-ip", "127.0.0.1", "--bind-port", str(site.link_port)),
            *("--ingress-host", f"127.0.0.1:{site.link_port}"),
            *(("--enable-console", "--console-auth", "unsecured") if console else ()),
        )
        self._started.append(site.name)
        self.sitectl(site.name, "start")

    def link(self, dialer: DemoSite, acceptor: DemoSite, cost: int) -> None:
        """Join two sites with a claim token, one use."""
        token = self.state / f"{acceptor.name}-for-{dialer.name}.yaml"
        self.sitectl(acceptor.name, "token", "create", str(token), quiet=False)
        self.sitectl(
            dialer.name, "link", "create", str(token), "--cost", str(cost), "--wait", "30",
            quiet=False,
        )  # fmt: skip

    def wait_ready(self, site: str, service: str, sites: int, targets: int) -> None:
        """Until ``site`` sees ``targets`` ready targets of ``service`` on ``sites`` sites."""
        deadline = time.monotonic() + WAIT_S
        while True:
            item = self.json(site, "service", "status", service)["items"]
            seen = [s for entry in item for s in entry["sites"] if s["targets_ready"]]
            if len(seen) == sites and sum(s["targets_ready"] for s in seen) == targets:
                return
            if time.monotonic() > deadline:
                raise DemoError(f"{site} does not see all targets of {service}: {item}")
            time.sleep(0.2)

    def end(self) -> None:
        """Stop the routers, then the servers; one that does not stop keeps no other from it."""
        for name in reversed(self._started):
            try:
                self.sitectl(name, "stop")
            except (DemoError, subprocess.TimeoutExpired) as error:
                print(f"Left running: {error}")
        for server in self._servers:
            server.terminate()
        for server in self._servers:
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 0.5):
            return True
    except OSError:
        return False
