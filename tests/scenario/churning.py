"""Connections at full rate that end in any way, through routers that watch their own memory.

``python -m tests.scenario.churning --connections 100000`` (``make churn``): TCP and HTTP, to
targets at hand and over a link, with the debug build of Python's allocator and its development
mode. What must hold: whole answers where a client waited for one, no warning, and afterwards no
descriptor and no memory more than before.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import uvloop

from tests.bench import machine
from tests.scenario.churn_peers import Clients
from tests.scenario.harness import ROOT, Network, Site
from tests.scenario.waiting import until

ENVIRONMENT = {
    "PYTHONMALLOC": "debug",
    "PYTHONDEVMODE": "1",
    "PYTHONWARNINGS": "error::ResourceWarning",
}
MIB = 2**20
PORT = 21_500
AT_ONCE = 64
ROUNDS = 5
# Connections until pools, caches, histories and the allocator's arenas have their size.
WARM, WARM_SHARE = 20_000, 5
REST_S = 90.0  # A connection that is half closed may last a minute.
GROWN_MIB_MAX = 6.0
_SLOW = "Executing <"  # What asyncio's debug mode says of a busy machine.


class Place(NamedTuple):
    """A target's."""

    address: str
    port: int


class Churn:
    """Two sites; services with targets at the first, and at the second."""

    def __init__(self, net: Network, seed: int) -> None:
        self.entry, self.exit = net.site("entry"), net.site("exit")
        words = [sys.executable, "-m", "tests.scenario.churn_peers", net.target_address]
        pipe = subprocess.PIPE
        self._targets = subprocess.Popen(words, stdin=pipe, stdout=pipe, cwd=ROOT, text=True)
        assert self._targets.stdout is not None
        tcp, http = map(int, self._targets.stdout.readline().split())
        places = {"tcp": Place(net.target_address, tcp), "http": Place(net.target_address, http)}
        ports: dict[str, list[int]] = {"tcp": [], "http": []}
        for number, (name, protocol, site) in enumerate(
            (f"{protocol}-{site.name}", protocol, site)
            for protocol in places
            for site in (self.entry, self.exit)
        ):
            ports[protocol].append(PORT + number)
            self.entry.declare(name, PORT + number, protocol=protocol)
            # Its targets break off on demand, which is no reason to put them out.
            site.connect(name, places[protocol], health={"ejectAfter": 0})
        net.link(self.entry, self.exit, token="cert")
        self.stderr = net.state / "stderr"
        self.stderr.touch()
        catching = ("sh", "-c", f'exec "$@" 2>>{self.stderr}', "sh")
        for site in (self.exit, self.entry):  # Who is dialed first: a refusal would be a warning.
            site.run(ENVIRONMENT, catching)
        net.see_each_other()
        for protocol in places:
            net.ready(f"{protocol}-exit", {"exit": 1}, self.entry)
            net.ready(f"{protocol}-entry", {"entry": 1}, self.entry)
        self.pids = [site.note_pid() for site in (self.entry, self.exit)]
        self.clients = Clients(seed, self.entry.address, ports["tcp"], ports["http"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._targets.kill()
        self._targets.communicate()

    def run(self, connections: int) -> float:
        """Make so many; how many a second."""
        began = time.perf_counter()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self.clients.run(connections, AT_ONCE))
        return connections / (time.perf_counter() - began)

    def descriptors(self) -> int:
        """Of both routers."""
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.pids)

    def memory_mib(self) -> float:
        """Resident, both routers."""
        return machine.rss_bytes(self.pids) / MIB

    def calm(self) -> None:
        """Wait until nothing is in flight."""
        for site in (self.entry, self.exit):
            for service in site.get("services"):
                until(lambda s=site, n=service["name"]: s.rests(n), f"{service['name']} rests")  # type: ignore[misc]

    def complaints(self) -> Iterator[str]:
        """What the routers said on stderr and in their logs, and what clients found wrong."""
        yield from self.clients.wrong
        for line in self.stderr.read_text(errors="replace").splitlines():
            if _SLOW not in line:
                yield f"stderr: {line}"
        for site in (self.entry, self.exit):
            yield from (f"{site.name}: {line}" for line in warnings(site))


def warnings(site: Site) -> Iterator[str]:
    """Lines of the log that say more than what happened."""
    for text in (site.directory / "run" / "router.log").read_text().splitlines():
        line = json.loads(text)
        if line["level"] not in ("debug", "info") and _SLOW not in line["message"]:
            yield text


def churn(net: Network, connections: int, seed: int, *, warm: int, rounds: int) -> Churn:
    """AssertionError unless all holds."""
    with Churn(net, seed) as scene:
        before = scene.descriptors()
        scene.run(warm)
        scene.calm()
        begun_mib = after_mib = scene.memory_mib()
        for number in range(rounds):
            per_s = scene.run(connections // rounds)
            scene.calm()
            after_mib = scene.memory_mib()
            print(
                f"round {number + 1}: {connections // rounds} connections, {per_s:.0f}/s, "
                f"{scene.descriptors()} descriptors, {after_mib - begun_mib:+.1f} MiB",
                flush=True,
            )
        until(lambda: scene.descriptors() <= before, f"only {before} descriptors again", REST_S)
        complaints = list(scene.complaints())
        assert not complaints, f"{len(complaints)} complaints\n" + "\n".join(complaints[:40])
        assert after_mib - begun_mib <= GROWN_MIB_MAX, f"{after_mib - begun_mib:.1f} MiB more"
        return scene


def main() -> None:
    """By the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenario.churning", description=__doc__)
    parser.add_argument("--connections", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    machine.raise_file_limit()
    with (
        tempfile.TemporaryDirectory(prefix="spillway-churn-") as state,
        Network(Path(state)) as net,
    ):
        warm = max(WARM, given.connections // WARM_SHARE)
        scene = churn(net, given.connections, given.seed, warm=warm, rounds=ROUNDS)
        for name, count in sorted(scene.clients.counts.items()):
            print(f"{name:32s} {count}")


if __name__ == "__main__":
    main()
