"""Two routers of one site on hosts: found by their peers, sharing all slots, either one enough."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from tests.scenario.backends import HttpTarget
from tests.scenario.clients import Load
from tests.scenario.harness import SHOP_PORT, Network, Site, own_address
from tests.scenario.test_backup import passphrase, saved
from tests.scenario.waiting import WAIT_S, stays, until

CAPACITY = 4
SERVICE_S = 0.2
WAITING = 5
LINE_PORT = SHOP_PORT + 1


class Pair:
    """West by two routers, each with a separate target, and east, which both dial."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.second = Site("west", net.state / "host-2", own_address())
        self.first = net.site("west", "--peer", self.second.link_door)
        self.east = net.site("east")
        self.targets = [net.http(f"west-{number}", SERVICE_S) for number in range(2)]
        self.first.declare("shop", queue=100, queueWait="10s")
        net.link(self.first, self.east)
        net.start()
        net.see_each_other()
        self._restore(saved(self.first), self.first.address)
        for router, target in zip((self.first, self.second), self.targets, strict=True):
            router.connect("shop", target, capacity=CAPACITY)
        net.sites.append(self.second)
        self.second.start()

    def _restore(self, file: object, original: str) -> None:
        """With the addresses of the two the other way around."""
        secret = passphrase(self.net.state)
        words = ("restore", str(file), "--as-replica", "--passphrase-file", secret)
        told = self.second.ctl(*words).err
        assert "--peer" in told
        assert "must not run" not in told
        document = self.second.directory / "config" / "site-west.yaml"
        own, text = self.second.address, document.read_text()
        swapped = text.replace(own, "@").replace(original, own).replace("@", original)
        document.write_text(swapped)

    def are_joined(self) -> bool:
        """Each knows the other, and of both targets."""
        return all(
            router.get("status")["replicas"] == 2 and router.ready_targets("shop") == {"west": 2}
            for router in (self.first, self.second)
        )

    def busiest(self) -> int:
        return max(target.in_hand_max for target in self.targets)

    def busy_s(self) -> float:
        """Seconds that requests were in hand at either target, each counted for itself."""
        return sum(target.busy_s() for target in self.targets)


@pytest.fixture
def pair(net: Network) -> Iterator[Pair]:
    made = Pair(net)
    until(made.are_joined, "the two routers of west have found each other")
    yield made


def served(targets: list[HttpTarget]) -> int:
    return sum(len(target.seen) for target in targets)


def test_two_routers_found_by_peers_are_one_site_with_all_slots(pair: Pair) -> None:
    east = pair.east
    until(lambda: east.ready_targets("shop") == {"west": 2}, "east knows of both targets")
    (west,) = (site for site in east.service("shop")["sites"] if site["site"] == "west")
    assert west["capacity"] == 2 * CAPACITY
    assert sorted(site["name"] for site in east.get("network")) == ["east", "west"]
    for site in (pair.first, pair.second, east):
        site.until_well()
    for ingress in (pair.first, pair.second, east):
        with Load([(ingress.address, SHOP_PORT)], 2.5 * CAPACITY / SERVICE_S) as load:
            until(lambda: len(load.answers) > 2 * CAPACITY, "it is under way")
            before, began = pair.busy_s(), time.monotonic()
            stays(lambda: pair.busiest() <= CAPACITY, "no target has more than is stated", 4.0)
            share = (pair.busy_s() - before) / (time.monotonic() - began) / (2 * CAPACITY)
            print(f"{ingress.name} {ingress.address}: {share:.1%} of the slots busy")
        assert share >= 0.85, share
        assert not load.failed


def test_when_one_of_two_routers_is_killed_the_other_serves(pair: Pair) -> None:
    first, second = pair.first, pair.second
    with Load([(first.address, SHOP_PORT)], 1.5 * CAPACITY / SERVICE_S) as load:
        until(lambda: served(pair.targets[1:]) > 10, "the second one serves clients of the first")
        second.kill()
        until(lambda: first.get("status")["replicas"] == 1, "it is seen to be gone")
        count = len(load.answers)
        until(lambda: len(load.answers) > count + 20, "clients are served on")
    assert len(load.failed) <= CAPACITY
    missed = f"The router {second.link_door} of this site is not linked since "
    until(lambda: missed in first.ctl("status").out, "status names it", 2 * WAIT_S)
    assert missed in " ".join(first.ctl("check", code=3).out.split())
    second.start()
    until(pair.are_joined, "it is back")
    assert missed not in first.ctl("status").out
    assert pair.busiest() <= CAPACITY
    for site in (first, second, pair.east):
        site.until_well("SW0401", "SW0665")


def test_a_site_is_drained_once_all_of_its_routers_are(pair: Pair) -> None:
    first, second = pair.first, pair.second

    def drains() -> bool:
        (west,) = (site for site in first.service("shop")["sites"] if site["local"])
        return bool(west["draining"])

    first.quick("site", "drain")
    until(lambda: first.service("shop")["takes"] == 0, "its part is drained")
    until(lambda: first.ready_targets("shop") == {"west": 1}, "the other router serves")
    stays(lambda: not drains(), "the site takes what the other router does", 1.0)
    assert "drained" not in first.ctl("top", "--once").out
    second.quick("site", "drain")
    until(drains, "neither takes anything new")
    until(lambda: "drained" in first.ctl("top", "--once").out, "so says top")


def test_tcp_connections_beyond_the_share_of_one_router_go_to_the_other(pair: Pair) -> None:
    for number, router in enumerate((pair.first, pair.second)):
        router.connect("line", pair.net.tcp(f"line-{number}"), capacity=2)
    pair.first.declare("line", LINE_PORT, protocol="tcp", queue=0)
    until(lambda: pair.first.offers("line", {"west": 2}), "both targets are known")
    with contextlib.ExitStack() as stack:
        place = (pair.first.address, LINE_PORT)
        lines = [stack.enter_context(socket.create_connection(place, 5)) for _ in range(4)]
        for line in lines:
            line.settimeout(5)
            line.sendall(b"name\n")
            assert line.recv(5), "each is served"
        until(lambda: pair.first.in_flight("line") == {"west": 4}, "all slots are in use")
        assert pair.first.service("line")["overflow_total"] == 0


def test_each_of_two_routers_shows_what_waits_for_a_slot_of_either(pair: Pair) -> None:
    for target in pair.targets:
        target.hold()
    with contextlib.ExitStack() as stack:
        for _ in range(2 * CAPACITY + WAITING):
            line = stack.enter_context(
                socket.create_connection((pair.second.address, SHOP_PORT), 5)
            )
            line.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")

        def shown() -> list[int]:
            return [
                row["waiting"]
                for router in (pair.first, pair.second)
                for rows in (router.service("shop")["sites"], router.get("why/shop")["candidates"])
                for row in rows
                if row["site"] == "west"
            ]

        until(lambda: shown() == [WAITING] * 4, "all of them show what waits")
        for target in pair.targets:
            target.release()
