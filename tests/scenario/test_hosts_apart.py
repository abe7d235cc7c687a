"""Sites on separate hosts: NAT that forgets, names that change, a family that is broken."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenario.harness import LINK_PORT, Network
from tests.scenario.namespaces import (
    NOWHERE,
    NOWHERE_6,
    OUTSIDE,
    OUTSIDE_6,
    SECOND,
    Wires,
    wires,
)
from tests.scenario.waiting import own_time, until

NAME = "west.test"
BACK_WITHIN_S = 10.0


class Apart:
    """``west`` outside, where links are accepted, and ``east`` behind NAT."""

    def __init__(self, net: Network, between: Wires) -> None:
        self.net, self.wires = net, between
        self.west = net.planned("west")
        self.west.quick("init", "west", "--ingress-bind-ip", "::", "--bind-port", str(LINK_PORT))
        self.east = net.planned("east")
        self.east.quick("init", "east", "--ingress", "none")
        self.west.run({}, between.outside.prefix)
        self.east.run({}, between.inside.prefix)

    def link(self, *hosts: str) -> None:
        """Link east to west by a token that says to dial ``hosts``."""
        flags = [word for host in hosts for word in ("--ingress-host", host)]
        token = self.net.token(self.west, *flags)
        self.east.quick("link", "create", str(token), "--name", "west")

    def is_up(self) -> bool:
        """Whether the link is."""
        return self.east.is_up("west")

    def since(self) -> str:
        """When the link came up."""
        return str(self.east.link("west")["since"])

    def was_cut(self, since: str) -> bool:
        """Whether the link that came up then has gone, and be it that it is back."""
        return not self.is_up() or self.since() != since


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    """Both routers run, no link yet."""
    with wires(tmp_path) as between, Network(tmp_path / "state") as net:
        (tmp_path / "state").mkdir()
        yield Apart(net, between)


def test_a_link_behind_nat_that_forgot_it_comes_back_by_itself(apart: Apart) -> None:
    apart.link(OUTSIDE)
    until(apart.is_up, "the link is up")
    before = apart.since()
    began = own_time()
    apart.wires.forget_connections()
    until(lambda: apart.was_cut(before), "it is missed")
    missed_s = own_time() - began
    until(apart.is_up, "the link is up again", BACK_WITHIN_S)
    assert missed_s < 4.0, "silence is noticed within 3 s and a tick"


def test_a_link_over_ipv6_alone_and_one_whose_first_host_is_dead(apart: Apart) -> None:
    apart.link(f"[{OUTSIDE_6}]")
    until(apart.is_up, "the link over IPv6 is up")
    apart.east.quick("link", "delete", "west")
    apart.link(NOWHERE, f"{SECOND}:{LINK_PORT}")
    until(apart.is_up, "the link by its second host is up", 20.0)


def test_a_name_with_a_broken_family_is_reached_by_the_other(apart: Apart) -> None:
    apart.wires.inside.knows({NAME: (NOWHERE_6, OUTSIDE)})
    apart.link(NAME)
    until(apart.is_up, "the link is up by IPv4", 20.0)
    before = apart.since()
    apart.wires.inside.knows({NAME: (OUTSIDE_6, NOWHERE)})
    apart.wires.remove_address(OUTSIDE)
    until(lambda: apart.was_cut(before), "the old way is gone")
    until(apart.is_up, "the link is up by IPv6", 20.0)


def test_a_link_and_a_target_follow_their_names_to_another_address(apart: Apart) -> None:
    server = ("-m", "http.server", "--bind", "0.0.0.0", "20090")
    apart.net.background_process([*apart.wires.outside.prefix, sys.executable, *server])
    apart.wires.inside.knows({NAME: (OUTSIDE,)})
    apart.east.declare("shop")
    apart.east.document(
        "Connector", "shop", {"service": "shop", "targets": [{"host": NAME, "port": 20090}]}
    )
    apart.link(NAME)
    until(apart.is_up, "the link is up")
    until(lambda: apart.east.ready_targets("shop").get("east") == 1, "the target is ready")
    apart.wires.remove_address(OUTSIDE)
    until(lambda: not apart.is_up(), "the link is down")
    until(lambda: apart.east.ready_targets("shop").get("east") == 0, "the target is out")
    apart.wires.inside.knows({})
    apart.wires.inside.knows({NAME: (SECOND,)})
    until(apart.is_up, "the link is up at the new address", 20.0)
    until(lambda: apart.east.ready_targets("shop").get("east") == 1, "the target is back")


def test_a_name_that_means_nothing_for_a_while_is_said_and_does_not_cut_what_is_up(
    apart: Apart,
) -> None:
    apart.link(NAME)
    error = until(lambda: apart.east.link_error("west"), "the error is told")
    assert "the name cannot be resolved" in error
    apart.wires.inside.knows({NAME: (OUTSIDE,)})
    until(apart.is_up, "the link is up", 20.0)
    before = apart.since()
    apart.wires.inside.knows({})
    apart.wires.forget_connections()
    until(lambda: apart.was_cut(before), "the link is down")
    until(apart.is_up, "the link is up at the last known address", 20.0)
