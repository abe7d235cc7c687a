"""Mixed load over three real sites whose links fail, and a verdict on the state afterwards.

``python -m tests.scenario.soaking --seconds 1800 --seed 1`` (``make soak``): HTTP/1.1, HTTP/2, TCP,
clients that leave and that stay, targets that break off. Every few seconds a link is reset, falls
silent or refuses connections; the seed decides which, when and for how long. After a warm-up, half
as long and at most 15 minutes, the routers rest: that is the start. Exit code 1 unless every check
of `soak_verdict` holds.
"""

import argparse
import asyncio
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import uvloop
from rich.console import Console
from rich.table import Table

from router.model import limits
from tests.bench import machine
from tests.scenario.churn_peers import Clients
from tests.scenario.churning import Place
from tests.scenario.h2_downloads import DownloadTarget, downloads
from tests.scenario.harness import ROOT, Network, Site, own_address
from tests.scenario.link_faults import FaultyRelay
from tests.scenario.soak_verdict import Check, Resting, verdict

NAMES = ("east", "middle", "west")
PORT = 21_600
AT_ONCE, PAUSE_S = 12, 0.1
STAYING = 100  # Connections of each entry that live for long, whatever happens to links.
STAY_S = (2.0, 45.0)
HTTP2_AT_ONCE, HTTP2_PAUSE_S = 4, 0.2
HTTP2_SIZES = (100, 20_000, 200_000)
FAULT_EVERY_S, FAULT_S = (4.0, 12.0), (0.5, 6.0)
SAMPLE_S = 1.0
# Bounded stores fill first: histories of 15 minutes, the journal, the free lists of Python (tuples
# by their length, 2,000 of each). What grows after that is what the verdict is about.
WARM_SHARE, WARM_S = 0.5, (10.0, limits.HISTORY_S)
REST_S = 60.0
ENDLESS = 10**9


class Soak:
    """Three sites in a triangle; targets at each, clients at the first and at the last."""

    def __init__(self, stack: ExitStack, state: Path, seed: int) -> None:
        self._chance = random.Random(seed)
        self._seed = seed
        self.net = stack.enter_context(Network(state))
        self.sites = [self.net.site(name) for name in NAMES]
        self.relays: list[FaultyRelay] = []
        self.faults: list[str] = []
        self.errors: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self._targets = _targets(stack, self.net.target_address)
        self._ports = self._declare(stack)
        doors = {site.name: stack.enter_context(_door(self.net, site)) for site in self.sites[1:]}
        for dialer, acceptor in ((0, 1), (1, 2), (0, 2)):
            relay = doors[self.sites[acceptor].name]
            self.net.link(self.sites[dialer], self.sites[acceptor], token="cert")
            if relay not in self.relays:
                self.relays.append(relay)
        self.net.start()
        self.net.see_each_other()
        for name, site in self._services():
            self.net.ready(name, {site.name: 1})

    def _services(self) -> Iterator[tuple[str, Site]]:
        for protocol in ("tcp", "http", "http2"):
            for site in self.sites:
                yield f"{protocol}-{site.name}", site

    def _declare(self, stack: ExitStack) -> dict[str, list[int]]:
        ports: dict[str, list[int]] = {}
        for number, (name, site) in enumerate(self._services()):
            protocol = name.partition("-")[0]
            ports.setdefault(protocol, []).append(PORT + number)
            self.sites[0].declare(name, PORT + number, protocol=protocol)
            target: Place | DownloadTarget
            if protocol == "http2":
                target = DownloadTarget(self.net.background, name, self.net.target_address)
                stack.callback(target.stop)
            else:
                target = self._targets[protocol]
            # Targets break off on demand, which is no reason to put them out.
            site.connect(name, target, capacity=200, health={"ejectAfter": 0})
        return ports

    def run(self, seconds: float, *, samples: dict[str, list[int]] | None = None) -> None:
        """Load and faults for so long."""
        done = threading.Event()
        chance = random.Random(self._chance.randrange(2**32))
        threads = [
            threading.Thread(target=self._fail_links, args=(done, chance)),
            threading.Thread(target=self._sample, args=(done, samples)),
            *(threading.Thread(target=self._download, args=(done, n)) for n in (0, 2)),
        ]
        for thread in threads:
            thread.start()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._load(seconds))
        finally:
            done.set()
            for thread in threads:
                thread.join()

    async def _load(self, seconds: float) -> None:
        crowds = [
            Clients(
                self._chance.randrange(2**32),
                self.sites[number].address,
                self._ports["tcp"],
                self._ports["http"],
                pause_s=PAUSE_S,
            )
            for number in (0, 2)
        ]
        until_s = time.monotonic() + seconds
        async with asyncio.TaskGroup() as tasks:
            for number, crowd in zip((0, 2), crowds, strict=True):
                tasks.create_task(crowd.run(ENDLESS, AT_ONCE))
                for _ in range(STAYING):
                    seed = self._chance.randrange(2**32)
                    tasks.create_task(self._stay(random.Random(seed), number, until_s))
            await asyncio.sleep(seconds)
            for crowd in crowds:
                crowd.stop()
        for crowd in crowds:
            self.counts += crowd.counts
            self.errors.update(wrong.split(" at port")[0] for wrong in crowd.wrong)

    async def _stay(self, chance: random.Random, number: int, until_s: float) -> None:
        """TCP connections that say little and stay, or read a long answer slowly."""
        while (left_s := until_s - time.monotonic()) > 0:
            stay_s = min(left_s, chance.uniform(*STAY_S))
            words = chance.choice((b"stay 0\n", b"answer 200000\n"))
            with contextlib.suppress(OSError, TimeoutError):
                reader, writer = await asyncio.open_connection(
                    self.sites[number].address, chance.choice(self._ports["tcp"]), limit=4_096
                )
                try:
                    writer.write(words)
                    async with asyncio.timeout(stay_s):
                        await _read_slowly(reader)
                finally:
                    writer.close()
            self.counts["staying"] += 1
            await asyncio.sleep(0.2)

    def _download(self, done: threading.Event, number: int) -> None:
        chance = random.Random(self._seed + number)
        while not done.wait(HTTP2_PAUSE_S):
            port, size = chance.choice(self._ports["http2"]), chance.choice(HTTP2_SIZES)
            end = chance.choice(("end", "node", "torn"))
            path = f"/{end}/{size + 1_000}"
            try:
                downloads(self.sites[number].address, port, path, HTTP2_AT_ONCE)
                self.counts["http2"] += HTTP2_AT_ONCE
            except (OSError, AssertionError, TimeoutError):
                self.counts["http2, broken off"] += HTTP2_AT_ONCE

    def _fail_links(self, done: threading.Event, chance: random.Random) -> None:
        while not done.wait(chance.uniform(*FAULT_EVERY_S)):
            relay = chance.choice(self.relays)
            seconds = chance.uniform(*FAULT_S)
            self.faults.append(relay.fail(chance, seconds))
            done.wait(seconds)
            relay.heal()

    def _sample(self, done: threading.Event, samples: dict[str, list[int]] | None) -> None:
        while samples is not None and not done.wait(SAMPLE_S):
            for site in self.sites:
                samples.setdefault(site.name, []).append(machine.rss_bytes([site.note_pid()]))

    def rest(self) -> dict[str, Resting]:
        """After `REST_S` without load."""
        self.net.see_each_other()
        time.sleep(REST_S)
        return {site.name: resting(site) for site in self.sites}


async def _read_slowly(reader: asyncio.StreamReader) -> None:
    """Until the other side ends."""
    data = await reader.read(1_000)
    while data:
        await asyncio.sleep(0.2)
        data = await reader.read(1_000)


@contextlib.contextmanager
def _door(net: Network, acceptor: Site) -> Iterator[FaultyRelay]:
    """A relay that tokens of ``acceptor`` lead to from now on."""
    relay = FaultyRelay(net.background, own_address(), acceptor.address, acceptor.link_port)
    (document,) = (acceptor.directory / "config").glob("site-*.yaml")
    text = document.read_text()
    document.write_text(text.replace(acceptor.link_door, f"{relay.address}:{relay.port}"))
    try:
        yield relay
    finally:
        relay.close()


def _targets(stack: ExitStack, address: str) -> dict[str, Place]:
    words = [sys.executable, "-m", "tests.scenario.churn_peers", address]
    pipe = subprocess.PIPE
    process = subprocess.Popen(words, stdin=pipe, stdout=pipe, cwd=ROOT, text=True)
    stack.callback(process.communicate)
    stack.callback(process.kill)
    assert process.stdout is not None
    tcp, http = map(int, process.stdout.readline().split())
    return {"tcp": Place(address, tcp), "http": Place(address, http)}


def resting(site: Site) -> Resting:
    """A router now."""
    debug = site.get("debug")
    return Resting(
        resident_bytes=debug["resident_bytes"],
        descriptors=debug["descriptors"],
        tasks=len(debug["tasks"]),
        in_flight=sum(each["in_flight"] for one in site.get("services") for each in one["sites"]),
        log_bytes=sum(path.stat().st_size for path in (site.directory / "run").glob("*.log*")),
    )


def soak(stack: ExitStack, state: Path, seconds: float, seed: int) -> tuple[Soak, list[Check]]:
    """One run."""
    scene = Soak(stack, state, seed)
    scene.run(max(WARM_S[0], min(WARM_S[1], WARM_SHARE * seconds)))
    start = scene.rest()
    faults = len(scene.faults)
    print(msgspec.json.encode(start).decode(), flush=True)
    samples: dict[str, list[int]] = {}
    scene.run(seconds, samples=samples)
    end = scene.rest()
    faults = len(scene.faults) - faults
    checks = [
        check
        for name in NAMES
        for check in verdict(name, start[name], samples[name], end[name], faults)
    ]
    return scene, checks


def show(checks: list[Check]) -> None:
    """One table."""
    table = Table(title="soak", title_justify="left")
    for column in ("router", "what", "seen", "bound", ""):
        table.add_column(column)
    for check in checks:
        words = (check.router, check.what, check.seen, check.bound)
        table.add_row(*words, "ok" if check.holds else "FAILS")
    Console(highlight=False, width=110).print(table)


def main() -> int:
    """By the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenario.soaking", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1_800.0, help="of load (1800)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    machine.raise_file_limit()
    with ExitStack() as stack:
        state = stack.enter_context(tempfile.TemporaryDirectory(prefix="spillway-soak-"))
        scene, checks = soak(stack, Path(state), given.seconds, given.seed)
        print(f"seed {given.seed}, {given.seconds:g} s, {len(scene.faults)} link faults")
        print(json.dumps(dict(sorted((scene.counts + scene.errors).items())), indent=1))
        show(checks)
    return 0 if all(check.holds for check in checks) else 1


if __name__ == "__main__":
    raise SystemExit(main())
