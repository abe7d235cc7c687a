"""Links over the simulated network: delay, silent cuts, frozen hosts, arbitrary pieces."""

from random import Random

import pytest

from router.link.links import ALPN, Links
from router.link.ports import OpenRequest
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.model import limits
from router.net.ports import Tls
from router.net.simulated.internet import SimulatedInternet
from tests.unit.link.lanes import Recorder, Sender
from tests.unit.link.routers import FakeIdentity, Owner

WEST, EAST = "10.0.0.1", "10.0.0.2"


class Site:
    def __init__(self, internet: SimulatedInternet, ip: str, name: str) -> None:
        self.network = internet.host(ip)
        self.identity = FakeIdentity(name)
        self.owner = Owner()
        self.tls = Tls(None, b"leaf of " + name.encode(), (ALPN,))
        rng = Random(name)
        self.links = Links(self.network, self.identity, self.owner, rng=rng)
        accept = self.links.acceptor(lambda: self.tls.certificate)
        self.network.listen(ip, 55671, accept, tls=self.tls)


def joined(internet: SimulatedInternet) -> tuple[Site, Site]:
    west, east = Site(internet, WEST, "west"), Site(internet, EAST, "east")
    west.links.set_links({"east": OutgoingSpec(endpoints=((EAST, 55671),), tls=west.tls)})
    internet.run_until(internet.now + 2.0)
    assert [line.state for line in east.links.status()] == ["up"]
    return west, east


def opened(internet: SimulatedInternet, west: Site, east: Site, handler: Recorder) -> None:
    request = OpenRequest((east.identity.router,), "web", 80, "tcp", west.identity.site)
    stream = west.links.open_stream(request, handler)
    assert stream is not None
    handler.stream = stream
    internet.run_until(internet.now + 0.2)
    assert handler.names == ["accepted"]


@pytest.mark.parametrize("seed", range(3))
def test_bulk_over_a_long_way_arrives_whole_and_is_not_held_up_by_the_window(seed: int) -> None:
    internet = SimulatedInternet(seed, delay_s=0.02, buffer_bytes=4 * limits.MIB)
    west, east = joined(internet)
    sender = Sender(Random(seed).randbytes(8 * limits.MIB))
    opened(internet, west, east, sender)
    began = internet.now
    sender.go()
    seen = east.owner.recorders[0]
    internet.run_while(lambda: "ended" not in seen.names, limit_s=120.0)
    assert bytes(seen.data) == sender.total
    # With the initial window of 64 KiB a round trip, 40 ms, this would take 5 s.
    assert internet.now - began < 2.0
    rtt_s = west.links.status()[0].rtt_s
    assert rtt_s is not None and rtt_s == pytest.approx(0.04, rel=0.5)


def test_a_silent_cut_is_found_and_the_link_comes_back_when_it_heals() -> None:
    internet = SimulatedInternet(5)
    west, east = joined(internet)
    handler = Recorder()
    opened(internet, west, east, handler)
    internet.cut(WEST, EAST)
    began = internet.now
    internet.run_while(lambda: not handler.losses, limit_s=10.0)
    assert internet.now - began <= limits.CONTROL_DEAD_AFTER_S + limits.PING_INTERVAL_S + 0.1
    assert handler.losses == ["link-lost"]
    internet.run_until(internet.now + 5.0)
    assert west.links.adjacent == east.links.adjacent == {}
    internet.heal(WEST, EAST)
    internet.run_until(internet.now + limits.RECONNECT_MAX_S + 1.0)
    assert [line.state for line in west.links.status()] == ["up"]
    assert [line.name for line in east.links.status()] == ["west"]


NOTICED_S = limits.CONTROL_DEAD_AFTER_S + limits.LIVENESS_TICK_S


@pytest.mark.parametrize("cut", ["both ways", "to the acceptor", "to the dialer"])
@pytest.mark.parametrize("up_first", ["west", "east"])
@pytest.mark.parametrize("later_s", [0.0, 0.07, 0.12, 0.3, 1.2, 3.0, 4.4, 7.15])
@pytest.mark.parametrize("delay_s", [0.001, 0.03])
def test_each_end_notices_a_cut_in_time_from_its_first_moment_on(
    cut: str, up_first: str, later_s: float, delay_s: float
) -> None:
    internet = SimulatedInternet(8, delay_s=delay_s)
    west, east = sites = Site(internet, WEST, "west"), Site(internet, EAST, "east")
    west.links.set_links({"east": OutgoingSpec(endpoints=((EAST, 55671),), tls=west.tls)})
    first = west if up_first == "west" else east
    internet.run_while(lambda: not first.owner.named("up"), limit_s=10.0)
    internet.run_until(internet.now + later_s)
    if cut == "both ways":
        internet.cut(WEST, EAST)
    elif cut == "to the acceptor":
        internet.cut_one_way(WEST, EAST)
    else:
        internet.cut_one_way(EAST, WEST)
    up = [site for site in sites if site.owner.named("up")]
    began = internet.now
    internet.run_while(lambda: not all(site.owner.named("down") for site in up), limit_s=20.0)
    assert internet.now - began <= NOTICED_S + 2 * delay_s


def test_silence_amid_bulk_is_noticed_in_time_too() -> None:
    internet = SimulatedInternet(9, delay_s=0.01)
    west, east = joined(internet)
    sender = Sender(Random(9).randbytes(64 * limits.MIB))
    opened(internet, west, east, sender)
    sender.go()
    internet.run_until(internet.now + 0.2)
    assert "ended" not in east.owner.recorders[0].names
    internet.cut(WEST, EAST)
    began = internet.now
    ends = west.owner, east.owner
    internet.run_while(lambda: not all(owner.named("down") for owner in ends), limit_s=20.0)
    assert internet.now - began <= NOTICED_S + 0.02


def test_a_host_that_freezes_briefly_keeps_its_links() -> None:
    internet = SimulatedInternet(6)
    west, east = joined(internet)
    internet.run_until(internet.now + 0.74)  # Since the last exchange, which was at the second.
    internet.freeze(EAST)
    internet.run_until(internet.now + 2.0)
    internet.thaw(EAST)
    internet.run_until(internet.now + 20.0)
    assert west.owner.named("down") == east.owner.named("down") == []


def test_a_killed_router_costs_its_streams_and_its_successor_is_joined() -> None:
    internet = SimulatedInternet(7)
    west, east = joined(internet)
    handler = Recorder()
    opened(internet, west, east, handler)
    internet.kill(EAST)
    internet.run_until(internet.now + 1.0)
    assert handler.losses == ["link-lost"]
    again = Site(internet, EAST, "east")
    internet.run_until(internet.now + limits.RECONNECT_MAX_S)
    assert [line.state for line in west.links.status()] == ["up"]
    assert again.owner.named("up") == [("up", "west", 1)]
