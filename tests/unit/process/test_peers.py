"""Which link ports of other routers of the site are dialed."""

import asyncio
from typing import Any

import pytest

from router.documents import Wanted
from router.model import limits
from router.model.specs import SiteSpec
from router.process.peers import Peers, is_own_address, names_of, to_dial
from tests.unit.virtual_loop import run, running


def site(*peers: str, **fields: Any) -> SiteSpec:
    return SiteSpec(peers=peers, **fields)


def nowhere(address: str) -> bool:
    return False


def test_an_address_stands_for_itself_and_a_name_for_all_its_addresses() -> None:
    spec = site("10.0.0.1:55671", "west.example:1000", "other.example:2")
    found = {"west.example": ("10.0.0.3", "fd00::1")}
    assert to_dial(spec, found, nowhere) == (
        "10.0.0.1:55671",
        "10.0.0.3:1000",
        "[fd00::1]:1000",
    )
    assert names_of(spec.peers) == ["other.example", "west.example"]


def test_its_own_link_port_is_not_dialed_but_another_one_at_the_same_address_is() -> None:
    peers = ("10.0.0.1:55671", "10.0.0.2:55671", "10.0.0.1:55672")
    assert to_dial(site(*peers, ingress_bind_ip="10.0.0.1"), {}, nowhere) == (
        "10.0.0.1:55672",
        "10.0.0.2:55671",
    )
    assert to_dial(site(*peers), {}, lambda address: address == "10.0.0.2") == (
        "10.0.0.1:55671",
        "10.0.0.1:55672",
    )


def test_no_more_are_dialed_than_allowed() -> None:
    many = {"west.example": [f"10.0.1.{n}" for n in range(limits.PEERS_MAX + 1)]}
    assert len(to_dial(site("west.example:1"), many, nowhere)) == limits.PEERS_MAX


def test_this_host_has_its_loopback_address_and_not_one_for_documentation() -> None:
    assert is_own_address("127.0.0.1")
    assert not is_own_address("192.0.2.1")


def test_a_name_is_resolved_and_what_is_wanted_follows() -> None:
    async def story() -> None:
        changed = asyncio.Event()
        peers = Peers(changed.set)
        wanted = Wanted(name="west", site=site("localhost:1", ingress_bind_ip="10.9.9.9"))
        assert peers.found(wanted).siblings == ()
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(peers.run())
            await changed.wait()
            running.cancel()
        assert "127.0.0.1:1" in peers.found(wanted).siblings

    asyncio.run(story())


def test_an_edge_has_no_siblings_and_a_site_without_peers_is_as_it_was() -> None:
    async def story() -> None:
        peers = Peers(lambda: None)
        edge = Wanted(name="w", site=site("10.0.0.1:1", router_mode="edge"))
        assert peers.found(edge) is edge
        alone = Wanted(name="w", site=site())
        assert peers.found(alone) is alone

    asyncio.run(story())


def test_peers_that_change_while_names_are_resolved_are_resolved_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[float, str]] = []

    async def answer(name: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append((asyncio.get_running_loop().time(), name))
        await asyncio.sleep(1.0)
        return [(0, 0, 0, "", ("192.0.2.1", 0))]

    async def story() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answer)
        peers = Peers(lambda: None)
        peers.found(Wanted(name="west", site=site("one.example:1")))
        async with running(peers):
            await asyncio.sleep(0.5)
            peers.found(Wanted(name="west", site=site("two.example:1")))
            await asyncio.sleep(1.0)

    run(story())
    assert asked == [(0.0, "one.example"), (1.0, "two.example")]
