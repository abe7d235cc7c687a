"""A member that sends small control messages as fast as its link carries them."""

import time
from pathlib import Path

from tests.hostile import wire
from tests.hostile.member import Member
from tests.hostile.test_lsa_flood import flooding
from tests.hostile.test_swarm import cpu_s
from tests.scenario.clients import Load
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import until

BURST_S, FLOOD_S = 2.0, 4.0
CPU_SHARE_MAX = 0.12
"""Twice the measured share, with requests and all; it was 0.2."""


def test_acknowledgements_at_link_speed_cost_a_small_share_of_a_core(
    net: Network, tmp_path: Path
) -> None:
    room = net.site("room")
    room.declare("shop")
    room.connect("shop", net.http("room"))
    net.start()
    net.ready("shop", {"room": 1})
    token = tmp_path / "member.token"
    room.ctl("token", "create", str(token), "--token-type", "cert")
    with Member(token) as rogue:
        router, _ = rogue.neighbour
        began = time.monotonic()
        with flooding(rogue, wire.control("ack", router, 0, 1, 1)):
            until(lambda: time.monotonic() > began + BURST_S, "the burst was read")
            began, cpu = time.monotonic(), cpu_s(room)
            with Load([(room.address, SHOP_PORT)], 10) as load:
                until(lambda: time.monotonic() > began + FLOOD_S, "some seconds have passed")
            share = (cpu_s(room) - cpu) / (time.monotonic() - began)
        print(f"{share:.3f} of a core")
        assert share < CPU_SHARE_MAX
        assert load.answers and not load.failed
        assert not rogue.closed.is_set(), "its link stays, and is slow"
