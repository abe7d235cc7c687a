"""A member that falsifies every field of its LSA gets no request of an owned service."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.hostile.liar import Liar, Lies, Victim, Words, rejoined
from tests.scenario.granting import be_strict, share_with_all
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.test_owned_names import knows, name_of
from tests.scenario.test_sharing import id_of, router_of
from tests.scenario.waiting import until

REQUESTS = 10_000
CLIENTS = 4
"""At each site."""
BETWEEN_REQUESTS_S = 0.025
"""Of one client: `REQUESTS` last about as long as all lies, instead of three times as many."""
LIES_MIXED = 40
BETWEEN_LIES_S = 0.2
"""A router reads each part of what a site says 5 times a second, and no more."""
ANSWER_S = 30.0


class Honest:
    """Alpha owns shop and has its targets; beta and gamma have clients. Mallory is the nearest to
    both, by its cost."""

    def __init__(self, net: Network, *, strict: bool) -> None:
        self.alpha, self.beta, self.gamma = (net.site(n) for n in ("alpha", "beta", "gamma"))
        self.sites = (self.alpha, self.beta, self.gamma)
        for site in self.sites:
            share_with_all(site)
            if strict:
                be_strict(site)
        self.alpha.declare("shop")
        self.alpha.connect("shop", net.http("alpha"), capacity=100)
        net.link(self.beta, self.alpha, 10)
        net.link(self.gamma, self.alpha, 10)
        net.link(self.gamma, self.beta, 1)
        net.start()
        net.see_each_other()
        net.ready("shop", {"alpha": 1})
        for site in self.sites:
            until(partial(knows, site), f"{site.name} knows the owner for good")
        self.token = net.token(self.gamma, "--token-type", "cert")
        ids = id_of(self.alpha), router_of(self.alpha)
        self.victim = Victim(*ids, "alpha", "shop", SHOP_PORT)

    def owner_stays(self) -> None:
        for site in self.sites:
            found = name_of(site, "shop")
            assert (found["declared_by"], found["owners"]) == ("alpha", ["alpha"]), site.name

    def hears(self, verdict: str) -> bool:
        """Whether beta and gamma know of targets at mallory, and say so of them."""
        return all(
            any(
                one["site"] == "mallory" and verdict in one["reason"]
                for one in site.json("why", "shop")["candidates"]
            )
            for site in (self.beta, self.gamma)
        )


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Honest]:
    with Network(tmp_path) as net:
        yield Honest(net, strict=True)


@pytest.fixture
def open_to_all(tmp_path: Path) -> Iterator[Honest]:
    with Network(tmp_path) as net:
        yield Honest(net, strict=False)


def lie(honest: Honest, liar: Liar, lies: Lies, rng: random.Random) -> Liar:
    """Every field by itself, then mixtures; who owns the name stays after each."""
    told: list[tuple[str, Words]] = list(lies.each())
    told += [("a mixture", lies.mixed(rng)) for _ in range(LIES_MIXED)]
    joined = 0
    for field, words in told:
        before = liar
        liar = rejoined(liar, honest.token)
        joined += liar is not before
        liar.tell(words)
        time.sleep(BETWEEN_LIES_S)
        try:
            honest.owner_stays()
        except AssertionError as error:
            raise AssertionError(f"after {field}: {words}") from error
    print(f"{len(told)} lies, {joined} links lost by them")
    return liar


def test_no_request_of_an_owned_service_is_diverted_in_strict_mode(
    strict: Honest,
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    liar = Liar(strict.token)
    lies = Lies(liar, strict.victim)
    liar.tell(lies.plain)
    until(partial(strict.hears, "not-approved"), "all hear of its targets")
    over = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(lambda: asyncio.run(answers([s.address for s in strict.sites], over)))
        try:
            liar = lie(strict, liar, lies, random.Random(seed))
        finally:
            over.set()
        found = asking.result()
    print(f"{found.total()} requests: {dict(found)}")
    liar = rejoined(liar, strict.token)
    liar.tell(lies.plain)
    until(partial(strict.hears, "not-approved"), "all hear of its targets to the end")
    liar.leave()
    assert found.total() >= REQUESTS
    assert found == {"200 alpha": found.total()}
    assert not liar.opened


def test_no_lie_makes_a_member_the_owner_in_open_mode(open_to_all: Honest) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    liar = Liar(open_to_all.token)
    lies = Lies(liar, open_to_all.victim)
    lie(open_to_all, liar, lies, random.Random(seed)).leave()


async def answers(hosts: Sequence[str], over: threading.Event) -> Counter[str]:
    """What became of `REQUESTS` requests or more, until ``over``, on connections that are kept."""
    found: Counter[str] = Counter()

    def goes_on() -> bool:
        return found.total() < REQUESTS or not over.is_set()

    async def client(host: str) -> None:
        while goes_on():
            reader, writer = await asyncio.open_connection(host, SHOP_PORT)
            with closing(writer):
                stays = True
                while stays and goes_on():
                    try:
                        async with asyncio.timeout(ANSWER_S):
                            answer, stays = await ask(reader, writer)
                    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                        answer, stays = repr(error), False
                    found[answer] += 1
                    await asyncio.sleep(BETWEEN_REQUESTS_S)

    async with asyncio.TaskGroup() as tasks:
        for host in hosts:
            for _ in range(CLIENTS):
                tasks.create_task(client(host))
    return found


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, bool]:
    """Status and body of an answer, and whether the connection stays."""
    writer.write(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length:")[2].split("\r\n")[0])
    body = (await reader.readexactly(length)).decode().strip()
    return f"{head.split(' ')[1]} {body}", "connection: close" not in head
