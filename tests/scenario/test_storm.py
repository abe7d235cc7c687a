"""Everything goes wrong at once, by a seed; afterwards each counter is where it was (N1, N4-N6)."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenario.backends import HttpTarget, abort
from tests.scenario.clients import burst, by_site, fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

SLOTS = 4
CLIENTS, ROUNDS = 40, 12
SEEDS = (1, 2, 3)


class Storm:
    """Three sites in a row with few slots each."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.sites = [net.site(name) for name in ("left", "middle", "right")]
        self.targets: list[HttpTarget] = [net.http(site.name, 0.005) for site in self.sites]
        left, middle, right = self.sites
        left.declare("shop", queueWait="300ms")
        for site, target in zip(self.sites, self.targets, strict=True):
            # Its targets break off on demand, which is no reason to put them out.
            site.connect("shop", target, capacity=SLOTS, health={"ejectAfter": 0})
        net.link(left, middle, 1, token="cert")
        net.link(right, middle, 1, token="cert")
        net.start()
        net.ready("shop", {"left": 1, "middle": 1, "right": 1})
        net.see_each_other()


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    """The three sites, once for all seeds."""
    with Network(tmp_path_factory.mktemp("storm")) as net:
        yield Storm(net)


@pytest.mark.parametrize("seed", SEEDS)
def test_after_any_storm_no_slot_is_lost_and_no_post_ran_twice(storm: Storm, seed: int) -> None:
    for target in storm.targets:
        target.forget()
    posted = asyncio.run(rage(storm, seed))
    storm.net.at_rest("shop")
    for site in storm.sites:
        until(lambda: resources(site)[0] == 0, f"no stream is left at {site.name}")  # noqa: B023
    seen = Counter(
        seen.body for target in storm.targets for seen in target.seen if seen.method == "POST"
    )
    assert not [body for body, times in seen.items() if times > 1], "a POST ran twice"
    assert set(seen) <= posted
    for site in storm.sites:
        answers = burst(site.address, SHOP_PORT, 3 * SLOTS, at_once=3)
        assert dict(by_site(answers)) == {site.name: 3 * SLOTS}
        site.until_well()


def test_storms_leave_no_descriptors_behind(storm: Storm) -> None:
    before = [resources(site)[1] for site in storm.sites]
    asyncio.run(rage(storm, 99))
    storm.net.at_rest("shop")
    for site, count in zip(storm.sites, before, strict=True):
        # Idle connections to targets live on for a while.
        until(lambda: resources(site)[1] <= count + 2, f"descriptors of {site.name}")  # noqa: B023
    assert fetch(storm.sites[0].address, SHOP_PORT).status == 200


def resources(site: Site) -> tuple[int, int]:
    """Streams and descriptors of a router."""
    streams = int(float(metric(site, "spillway_streams")))
    return streams, len(list(Path(f"/proc/{site.note_pid()}/fd").iterdir()))


def metric(site: Site, name: str) -> str:
    """One metric without labels."""
    lines = site.metrics().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name} "))


async def rage(storm: Storm, seed: int) -> set[bytes]:
    """Clients of all kinds at all sites; the bodies of all POSTs that were begun."""
    rng = random.Random(seed)
    posted: set[bytes] = set()
    await asyncio.gather(
        *(client(storm, random.Random(rng.random()), posted) for _ in range(CLIENTS))
    )
    return posted


async def client(storm: Storm, rng: random.Random, posted: set[bytes]) -> None:
    for _ in range(ROUNDS):
        site = rng.choice(storm.sites)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(10):
                await one(site, rng, posted)


async def one(site: Site, rng: random.Random, posted: set[bytes]) -> None:
    """One client that does something right or wrong, and leaves somehow."""
    reader, writer = await asyncio.open_connection(site.address, SHOP_PORT)
    body = rng.randbytes(rng.choice((16, 5_000, 90_000)))
    path = rng.choice(("/", "/reset", "/part/100000", "/bytes/300000", "/chunked/50000", "/echo"))
    method = rng.choice(("GET", "POST", "POST"))
    head = f"{method} {path} HTTP/1.1\r\nHost: shop\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head.encode() + body
    if method == "POST":
        posted.add(body)
    cut = rng.choice((len(request), len(request), len(request), rng.randrange(len(request))))
    try:
        writer.write(request[:cut])
        await writer.drain()
        how = rng.choice(("whole", "whole", "peek", "leave", "half"))
        if cut < len(request):
            await asyncio.sleep(rng.random() * 0.02)
        elif how == "whole":
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(rng.random() * 0.02)
        elif how == "peek":
            await reader.read(1)
        elif how == "half":
            writer.write_eof()
            await reader.read(100_000)
    finally:
        if rng.random() < 0.7:
            abort(writer)
        else:
            writer.close()
