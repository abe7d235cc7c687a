"""Many sites that dial one router: when it comes back, they do not all come at once."""

from collections import Counter

import pytest

from router.link.links import Links
from router.model import limits
from router.net.ports import DialFailure
from tests.unit.link.routers import Router
from tests.unit.link.wire import World

DIALERS = 200
BUCKET_S = 0.1


def crowd(world: World) -> tuple[Router, list[Router]]:
    """A router and all who are linked to it."""
    hub = Router(world, "hub")
    sites = [Router(world, f"site{number}") for number in range(DIALERS)]
    for site in sites:
        site.link("hub")
        world.settle()
    assert all(site.links.status()[0].state == "up" for site in sites)
    return hub, sites


def go_down(world: World, hub: Router, sites: list[Router]) -> None:
    for wire in list(world.wires):
        wire.break_()
    world.dial_failure = DialFailure("refused", "hub:1 refused the connection")
    world.settle()
    hub.links = Links(world, hub.identity, hub.owner, rng=world.rng)
    world.listen("hub", 1, hub.links.acceptor(lambda: hub.tls.certificate), tls=hub.tls)
    assert all(site.links.status()[0].state == "down" for site in sites)


@pytest.mark.parametrize(
    ("down_s", "all_back_s", "share_at_once"),
    [(2.0, 6.0, 0.2), (120.0, 6.0, 0.1), (600.0, limits.RECONNECT_MAX_S, 0.05)],
)
def test_two_hundred_sites_come_back_spread_out(
    down_s: float, all_back_s: float, share_at_once: float
) -> None:
    world = World(seed=7)
    hub, sites = crowd(world)
    go_down(world, hub, sites)
    world.advance(down_s)
    world.dial_failure = None
    begun, before = world.time, len(world.dials)
    back_at: dict[str, float] = {}
    while len(back_at) < DIALERS:
        world.advance(BUCKET_S)
        for site in sites:
            if site.name not in back_at and site.links.status()[0].state == "up":
                back_at[site.name] = world.time - begun
        assert world.time - begun <= all_back_s + BUCKET_S
    dialed = Counter(int((when - begun) / BUCKET_S) for when, _, _ in world.dials[before:])
    peak = max(dialed.values()) / 2  # A control lane and a data lane each.
    assert peak <= share_at_once * DIALERS
    assert peak < limits.LINK_HANDSHAKES_MAX
    in_order = sorted(back_at.values())
    print(f"down {down_s:g} s: half {in_order[99]:.1f} s, all {in_order[-1]:.1f} s, peak {peak:g}")
