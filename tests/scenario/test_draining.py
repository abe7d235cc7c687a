"""Links that are deleted and transit sites that stop, with requests under way through them."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenario.backends import HttpTarget
from tests.scenario.clients import fetch, sending
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import stays, until


class Line:
    """``near`` reaches the target at ``far`` through ``middle`` only."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.near, self.middle, self.far = (net.site(name) for name in ("near", "middle", "far"))
        self.target: HttpTarget = net.http("far")
        self.near.declare("shop")
        self.far.connect("shop", self.target, capacity=10)
        net.link(self.near, self.middle, token="cert")
        net.link(self.middle, self.far, token="cert")
        net.start()
        net.ready("shop", {"far": 1})
        net.see_each_other()

    def link(self, site: Site, name: str) -> Any:
        """State and streams of a link; None: there is none."""
        line = site.link(name)
        return line and (line["state"], line["streams"])


@pytest.fixture
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """The line, afresh for each test: each of them ends a part of it."""
    with Network(tmp_path_factory.mktemp("line")) as net:
        yield Line(net)


def test_a_deleted_link_is_draining_until_what_is_under_way_has_finished(line: Line) -> None:
    line.target.hold()
    pending = sending(line.near.address, SHOP_PORT, 2, method="POST")
    until(lambda: line.target.in_hand == 2, "two requests are under way")
    said = line.middle.ctl("link", "delete", "far")
    assert "finishes" in said.err
    until(lambda: line.link(line.middle, "far") == ("draining", 2), "it drains here")
    until(lambda: line.link(line.far, "middle") == ("draining", 2), "it drains there")
    until(lambda: not line.near.reaches({"far"}), "nothing new goes that way", 2.0)
    late = fetch(line.near.address, SHOP_PORT)
    assert (late.status, late.code) == (503, "no-route")
    line.target.release()
    assert [answer.status for answer in pending.result()] == [200, 200]
    until(lambda: line.link(line.middle, "far") is None, "it is gone here", 2.0)
    until(lambda: line.link(line.far, "middle") is None, "it is gone there", 2.0)
    assert len(line.target.seen) == 2


def test_requests_in_transit_finish_at_a_site_that_stops(line: Line) -> None:
    line.target.hold()
    pending = sending(line.near.address, SHOP_PORT, 3, method="POST")
    until(lambda: line.target.in_hand == 3, "three requests are under way")
    line.middle.signal(signal.SIGTERM)
    until(lambda: not line.near.reaches({"far"}), "nothing new goes that way", 2.0)
    assert line.link(line.near, "middle") == ("draining", 3)
    stays(lambda: not line.middle.gone(), "it waits for what passes through", 0.5)
    line.target.release()
    assert [answer.status for answer in pending.result()] == [200] * 3
    until(line.middle.gone, "it ends", 3.0)
    line.middle.start()
    line.net.ready("shop", {"far": 1})
    assert fetch(line.near.address, SHOP_PORT).site == "far"


def test_a_neighbour_whose_access_is_revoked_is_cut_at_once(line: Line) -> None:
    line.target.hold()
    pending = sending(line.near.address, SHOP_PORT, 2, method="POST")
    until(lambda: line.target.in_hand == 2, "two requests are under way")
    said = line.far.ctl("link", "delete", "middle")
    assert "what was under way is cut" in said.out
    until(lambda: line.far.link("middle") is None, "it is gone", 1.0)
    assert [answer.status for answer in pending.result()] == [502, 502]
    line.target.release()
