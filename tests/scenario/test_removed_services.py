"""Connections that outlive their service: counted, named, and counted again when it is back."""

import contextlib
from functools import partial
from typing import Any

from tests.scenario.backends import TcpTarget
from tests.scenario.clients import ask, connected
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until


def notes(site: Site) -> list[str]:
    found: list[dict[str, Any]] = site.get("status")["notes"]
    return [one["message"] for one in found if one["code"] == "SW0332"]


def tells(site: Site, told: list[str]) -> bool:
    return notes(site) == told


def has_protocol(site: Site, protocol: str) -> bool:
    found: bool = site.service("db")["protocol"] == protocol
    return found


def database(net: Network) -> tuple[Site, Site, TcpTarget]:
    """Two sites, and the target of the first, which has two places; `far` has nine."""
    near, far = net.site("near"), net.site("far")
    here, there = net.tcp("near"), net.tcp("far")
    near.declare("db", protocol="tcp")
    near.connect("db", here, capacity=2)
    far.connect("db", there, capacity=9)
    net.link(near, far, 5)
    net.start()
    net.see_each_other()
    net.ready("db", {"near": 1, "far": 1})
    return near, far, here


def test_connections_of_a_deleted_service_are_told_and_hold_its_slots_when_it_is_back(
    net: Network,
) -> None:
    near, _, here = database(net)
    files = {path: path.read_text() for path in (near.directory / "config").glob("own-*-db*")}
    with contextlib.ExitStack() as clients:
        doors = [clients.enter_context(connected(near.address, SHOP_PORT)) for _ in range(3)]
        assert [ask(door, "name") for door in doors] == ["near", "near", "far"]
        for path in files:
            path.unlink()
        told = f"Service db:{SHOP_PORT} was removed, and 3 connections or requests of it go on: "
        until(lambda: notes(near) == [f"{told}2 here, 1 at far."], "status names them")
        assert "WARNING  SW0332  Service db" in near.ctl("check", code=3).out
        metric = f'spillway_removed_in_flight{{port="{SHOP_PORT}",service="db",site='
        until(lambda: f'{metric}"near"}} 2.0' in near.metrics(), "metrics count those here")
        assert f'{metric}"far"}} 1.0' in near.metrics()
        assert "SW0332 Service db" in near.ctl("top", "--once").out
        assert [ask(door, "name") for door in doors] == ["near", "near", "far"]

        for path, text in files.items():
            path.write_text(text)
        net.ready("db", {"near": 1, "far": 1})
        assert notes(near) == []
        until(lambda: near.in_flight("db") == {"near": 2, "far": 1}, "they are counted again")
        fourth = clients.enter_context(connected(near.address, SHOP_PORT))
        assert ask(fourth, "name") == "far"
        for path in files:
            path.unlink()
        until(lambda: notes(near), "they are named again")
    until(lambda: not notes(near), "they are over")
    assert here.in_hand_max == 2


def test_connections_at_a_site_that_no_longer_offers_the_service_are_in_its_row(
    net: Network,
) -> None:
    near, far, _ = database(net)
    (connector,) = far.directory.glob("config/own-connector-db*")
    with contextlib.ExitStack() as clients:
        doors = [clients.enter_context(connected(near.address, SHOP_PORT)) for _ in range(3)]
        assert [ask(door, "name") for door in doors] == ["near", "near", "far"]
        connector.unlink()

        def row() -> Any:
            rows = near.json("why", "db")["candidates"]
            return next(one for one in rows if one["site"] == "far")

        until(lambda: row()["verdict"] == "no-target", "far does not offer it any more")
        assert row()["in_flight"] == 1
        assert ask(doors[2], "name") == "far"
    until(lambda: row()["in_flight"] == 0, "the client has gone")


def test_the_command_that_changes_the_protocol_says_what_open_connections_do(net: Network) -> None:
    site, target = net.site("near"), net.tcp("near")
    site.start()
    site.ctl("service", "create", "db", str(SHOP_PORT), "--protocol", "tcp")
    bound = ("service", "bind", "db", "host", target.address, "--target-port", str(target.port))
    site.ctl(*bound)
    net.ready("db", {"near": 1})
    with connected(site.address, SHOP_PORT) as door:
        assert ask(door, "name") == "near"
        said = site.ctl("service", "set", "db", "--protocol", "http").out
        assert "Connections that are open go on as tcp until either side closes them" in said
        assert "new ones are http" in said
        until(lambda: notes(site), "status counts them")
        assert "1 connection that began as tcp goes on." in notes(site)[0]
        assert ask(door, "name") == "near"
        again = site.ctl("service", "set", "db", "--protocol", "http").out
        assert "unchanged" in again and "go on" not in again
    until(lambda: not notes(site), "it is over")


def test_connections_of_before_a_change_of_protocol_are_counted(net: Network) -> None:
    near, far, here = database(net)

    def is_counted() -> bool:
        lines = near.metrics().splitlines()
        metric = f'spillway_clients_in_flight{{port="{SHOP_PORT}",service="db",site='
        return (
            near.in_flight("db") == {"near": 2, "far": 1}
            and f'{metric}"near"}} 2.0' in lines
            and f'{metric}"far"}} 1.0' in lines
        )

    with contextlib.ExitStack() as clients:
        doors = [clients.enter_context(connected(near.address, SHOP_PORT)) for _ in range(3)]
        assert [ask(door, "name") for door in doors] == ["near", "near", "far"]
        until(is_counted, "they are counted")
        for protocol in ("http", "tcp"):
            near.declare("db", protocol=protocol)
            for site in (near, far):
                until(partial(has_protocol, site, protocol), f"it is {protocol} at {site.name}")
            former = (
                f"Service db:{SHOP_PORT} is http now, and 3 connections that began as tcp go on."
            )
            told = [former] if protocol == "http" else []
            until(partial(tells, near, told), "status tells of them while they are of before")
            assert notes(far) == []
            until(is_counted, f"they are counted as {protocol}")
            assert "1 open at far" in near.ctl("top", "--once").out
            assert [ask(door, "name") for door in doors] == ["near", "near", "far"]
        fourth = clients.enter_context(connected(near.address, SHOP_PORT))
        assert ask(fourth, "name") == "far"
    net.at_rest("db")
    assert here.in_hand_max == 2
