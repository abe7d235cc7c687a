"""The coffee shop of examples/coffee-shop, its own programs and a real PostgreSQL.

Orders come one after another, so the broker decides how many are under way at once at the baristas.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenario.clients import fetch
from tests.scenario.gateways import Gateway
from tests.scenario.harness import ROOT, SHOP_PORT, Network, Site
from tests.scenario.postgres import USER, Postgres, psql
from tests.scenario.waiting import until

PROGRAMS = ROOT / "examples" / "coffee-shop"
WEB, COUNTER, BARISTA, BROKER, DB, KITCHEN = range(SHOP_PORT + 60, SHOP_PORT + 66)
BREWERS = SHOP_PORT + 120
COOKS = SHOP_PORT + 150
OWN = 40  # The programs' own ports lie this far above those of the services.
ORDERS = 100
SLOTS = 3  # Each barista's.
CONSUMERS = 30
BREW_S = "0.4"


class Place:
    """Where a program listens."""

    def __init__(self, address: str, port: int) -> None:
        self.address, self.port = address, port

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class Shop:
    """``onprem`` has the shop, ``cloud`` makers only, ``gate`` the database's host."""

    def __init__(self, net: Network, server: Postgres) -> None:
        self.net, self.server = net, server
        self.onprem, self.cloud = net.site("onprem"), net.site("cloud")
        net.link(self.onprem, self.cloud, 5)
        self.server.begin()
        for service, port in (("web", WEB), ("counter", COUNTER)):
            self.onprem.declare(service, port)
            self.onprem.connect(service, self.own(port))
        for service, port in (("barista", BARISTA), ("kitchen", KITCHEN)):
            self.onprem.declare(service, port, queue=50, queueWait="20s")
        self.baristas: dict[str, list[Place]] = {"onprem": [], "cloud": []}
        self.kitchens: dict[str, Place] = {}
        for site in (self.onprem, self.cloud):
            self.hire(site, 1)
            self.cook(site)
        net.start()
        self.gate = Gateway(net, "gate", self.onprem)
        self.gate.bind("postgres", self.server.address, DB)
        net.ready("postgres", {"gate": 1}, self.onprem)
        for service in ("barista", "kitchen"):
            net.ready(service, {"onprem": 1, "cloud": 1}, self.onprem)
        at = self.onprem.address
        self.broker = Place(net.target_address, BROKER)
        counter, brokers = f"http://{at}:{COUNTER}", f"http://{self.broker}"
        makers = (f"http://{at}:{port}" for port in (BARISTA, KITCHEN))
        self.run("broker", self.broker, *makers, counter, CONSUMERS)
        until(lambda: self.server.answers(), "PostgreSQL answers")
        self.run("counter", self.own(COUNTER), brokers, f"{USER}@{at}:{DB}")
        self.run("web", self.own(WEB), counter)
        net.ready("web", {"onprem": 1}, self.onprem)
        net.ready("counter", {"onprem": 1}, self.onprem)

    def own(self, port: int) -> Place:
        """Where the program behind a service listens."""
        return Place(self.net.target_address, port + OWN)

    def run(self, program: str, *words: object) -> None:
        """Start a program as the README says."""
        self.net.background_process(
            [sys.executable, str(PROGRAMS / f"{program}.py"), *map(str, words)]
        )

    def hire(self, site: Site, count: int) -> None:
        """So many more baristas at a site."""
        hired = sum(map(len, self.baristas.values()))
        places = [Place(self.net.target_address, BREWERS + hired + n) for n in range(count)]
        program = (sys.executable, str(PROGRAMS / "barista.py"))
        self.net.background_process(
            ["env", f"BREW_S={BREW_S}", *program, site.name, *map(str, places)]
        )
        site.connect("barista", *places, capacity=SLOTS)
        self.baristas[site.name] += places

    def cook(self, site: Site) -> None:
        """The kitchen of a site: the same program, as the README says."""
        place = Place(self.net.target_address, COOKS + len(self.kitchens))
        program = (sys.executable, str(PROGRAMS / "barista.py"))
        self.net.background_process(
            ["env", f"BREW_S={BREW_S}", *program, f"{site.name}-kitchen", str(place)]
        )
        site.connect("kitchen", place, capacity=SLOTS)
        self.kitchens[site.name] = place

    def order(self, count: int, items: tuple[str, ...] = ("latte", "tea")) -> None:
        """Orders, one after another, each accepted."""
        for number in range(count):
            body = json.dumps({"item": items[number % len(items)]}).encode()
            answer = fetch(self.onprem.address, WEB, "/order", "POST", body=body)
            assert answer.status == 202, (answer.status, answer.body, answer.error)

    def brewed(self, *, food: bool = False) -> Counter[str]:
        """How many drinks each site brewed for orders that are done, as PostgreSQL has it."""
        rows = psql(
            self.server.address,
            DB,
            "select split_part(barista, '-', 1), count(*) from orders"
            f" where barista is not null and {'' if food else 'not '}item = 'croissant' group by 1",
        )
        return Counter({line.split("|")[0]: int(line.split("|")[1]) for line in rows.splitlines()})

    def look(self, place: Place) -> Any:
        """What a program says of itself."""
        return json.loads(fetch(place.address, place.port).body)

    def finished(self) -> bool:
        """Whether the broker has worked off all; AssertionError when an order failed."""
        said = self.look(self.broker)
        assert said["failed"] == []
        return bool(said["unfinished"] == 0)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Once for all tests of this file, which go on from each other's orders."""
    with (
        Network(tmp_path_factory.mktemp("coffee")) as net,
        Postgres(net.target_address, DB) as server,
    ):
        yield Shop(net, server)


def check_the_burst(shop: Shop) -> None:
    """A hundred orders: brewed once each, local baristas full and never over, the rest away."""
    before = shop.brewed()
    shop.order(ORDERS)
    until(shop.finished, "all orders are brewed", 30.0)
    now = shop.brewed()
    new = {site: now[site] - before[site] for site in shop.baristas}
    assert sum(new.values()) == ORDERS
    said = {s: [shop.look(place) for place in places] for s, places in shop.baristas.items()}
    assert {s: sum(one["brewed"] for one in at) for s, at in said.items()} == now
    assert all(one["at_most"] <= SLOTS for at in said.values() for one in at)
    assert all(one["at_most"] == SLOTS for one in said["onprem"]), "each local slot was used"
    assert new["cloud"] >= ORDERS // 10, "the overflow went to the second site"
    shop.net.at_rest("barista", shop.onprem, shop.cloud)


def check_the_return(shop: Shop) -> None:
    """One order at a time stays at its own site."""
    away = shop.brewed()["cloud"]
    for _ in range(3):
        shop.order(1)
        until(shop.finished, "it is brewed")
    assert shop.brewed()["cloud"] == away


def test_a_hundred_orders_one_after_another_overflow_and_the_next_ones_stay(shop: Shop) -> None:
    check_the_burst(shop)
    check_the_return(shop)


def test_the_same_with_three_local_and_ten_remote_replicas(shop: Shop) -> None:
    shop.hire(shop.onprem, 2)
    shop.hire(shop.cloud, 9)
    shop.net.ready("barista", {"onprem": 3, "cloud": 10}, shop.onprem)
    check_the_burst(shop)
    check_the_return(shop)


def test_food_is_the_kitchens_which_overflow_at_the_same_time_as_the_baristas(shop: Shop) -> None:
    drinks = shop.brewed().total()
    shop.order(60, ("croissant", "latte"))
    until(shop.finished, "all orders are made", 30.0)
    made = shop.brewed(food=True)
    assert made.total() == 30
    assert shop.brewed().total() == drinks + 30
    said = {site: shop.look(place) for site, place in shop.kitchens.items()}
    assert {site: one["brewed"] for site, one in said.items()} == made
    assert all(one["at_most"] <= SLOTS for one in said.values())
    assert said["onprem"]["at_most"] == SLOTS, "each local slot was used"
    assert made["cloud"] >= 3, "the overflow went to the second site"
    shop.net.at_rest("kitchen", shop.onprem, shop.cloud)


def test_every_order_is_in_the_database_behind_the_gateway_once(shop: Shop) -> None:
    counted = psql(shop.server.address, DB, "select count(*), count(distinct id) from orders")
    total, distinct = map(int, counted.split("|"))
    shop.order(1)
    assert total == distinct
    answer = fetch(shop.onprem.address, COUNTER, "/orders")
    assert len(json.loads(answer.body)) == total + 1
