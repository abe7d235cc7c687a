"""One site of many routers that its owner made itself: it costs others a share of a core."""

import os
import resource
import time
from collections.abc import Sequence
from pathlib import Path

from tests.hostile.member import Member
from tests.hostile.scene import started_pair
from tests.hostile.wire import Frame
from tests.scenario.clients import Load
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import own_time, until

ROUTERS, NAMES, PORTS = 64, 1_000, 8
CHURN_S = 5.0
STATUS_S = 2.0
TELL_EVERY_S = 0.15
CPU_SHARE_MAX = 0.5  # All of it: TLS, reading and judging what the member sends, too.
HELD_BYTES_MAX = 250 << 20


class Swarm:
    """What the routers of ``rogue`` tell; each number is a new set of names."""

    def __init__(self, rogue: Member) -> None:
        self._rogue = rogue
        self._ids = [rogue.router, *(f"{number:016x}" for number in range(1, ROUTERS))]
        self._sequence = 0

    def tell(self, routers: Sequence[int] = range(ROUTERS)) -> int:
        """Send all LSAs of these routers again; return the bytes sent."""
        self._sequence += 1
        sent = 0
        for number in routers:
            frames = self._frames(number)
            sent += sum(len(frame.payload) for frame in frames)
            self._rogue.send(*frames)
        return sent

    def _frames(self, number: int) -> list[Frame]:
        who, life = self._ids[number], self._sequence
        names = [f"b{name}-{number}-{life % 2}" for name in range(NAMES)]
        declared = [
            {"name": name, "spec": {"ports": [30_000 + at]}, "declared_at_s": 0.0}
            for at, name in enumerate(names)
        ]
        offers = [
            {"name": name, "port": port, "targets_ready": 1, "capacity": 1}
            for name in names
            for port in range(1, PORTS + 1)
        ]
        bodies: list[list[object]] = [
            ["services", declared[at : at + 300], []] for at in range(0, NAMES, 300)
        ]
        bodies += [["services", [], offers[at : at + 400]] for at in range(0, len(offers), 400)]
        router, site = self._rogue.neighbour
        near = [[self._rogue.router, self._rogue.site, 1]]
        if number == 0:
            near = [[router, site, 1], *([one, self._rogue.site, 1] for one in self._ids[1:])]
        parts = [[part, life] for part in range(1, len(bodies) + 1)]
        head = ["topology", near, False, False, self._rogue.name, "rogue", parts]
        return [self._rogue.lsa(part, body, life, who) for part, body in enumerate(bodies, 1)] + [
            self._rogue.lsa(0, head, life, who)
        ]


def cpu_s(site: Site) -> float:
    """CPU time of its process."""
    fields = Path(f"/proc/{site.note_pid()}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def held_bytes(site: Site) -> int:
    """Memory of its process."""
    fields = Path(f"/proc/{site.note_pid()}/statm").read_text().split()
    return int(fields[1]) * resource.getpagesize()


def over_budget(site: Site) -> list[str]:
    problems = site.get("status")["problems"]
    return [one["message"] for one in problems if one["code"] == "SW0674"]


def test_a_member_of_many_routers_stops_nobody(tmp_path: Path) -> None:
    """It announces 64,000 services with 8 ports each, and then others, all the time."""
    with Network(tmp_path) as net:
        alpha, beta = started_pair(net)
        token = tmp_path / "member.token"
        alpha.quick("token", "create", str(token), "--token-type", "cert")
        with (
            Load([(alpha.address, SHOP_PORT), (beta.address, SHOP_PORT)], 20) as load,
            Member(token) as rogue,
        ):
            swarm = Swarm(rogue)
            swarm.tell()
            (named,) = until(lambda: over_budget(alpha), "alpha names the site")
            assert "more than 2,048 services" in named and "mallory" in named
            began = time.monotonic()
            spent = {site: cpu_s(site) for site in (alpha, beta)}
            number = 0
            while time.monotonic() < began + CHURN_S:
                for site in (alpha, beta):
                    swarm.tell([number % ROUTERS])
                    number += 1
                    asked = own_time()
                    assert "shop" in site.ctl("service", "status").out
                    assert own_time() - asked < STATUS_S
                    time.sleep(TELL_EVERY_S)
            took_s = time.monotonic() - began
            shares = {site.name: (cpu_s(site) - spent[site]) / took_s for site in spent}
            assert max(shares.values()) < CPU_SHARE_MAX, shares
            assert max(map(held_bytes, (alpha, beta))) < HELD_BYTES_MAX
            assert not rogue.closed.is_set()
    assert len(load.answers) > 20 and not load.failed
