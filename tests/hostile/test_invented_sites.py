"""A member that invents sites, which have thousands of services: it stops no site and is named."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sitectl.base.failure import Failure
from tests.hostile.inventor import Inventor
from tests.hostile.scene import started_pair
from tests.hostile.test_swarm import held_bytes
from tests.scenario.clients import Load
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import until

Found = TypeVar("Found")
SITES, SERVICES = 60, 1_000
HELD_BYTES_MAX = 260 << 20
"""90 MiB at first; without a bound 640 after the second number, and no answer within 5 s."""
NAMED_S = 30.0


def answered(look: Callable[[], Found]) -> Callable[[], Found | None]:
    """None while the router is busy: on a machine with other work it takes the rest in at once."""

    def looked() -> Found | None:
        try:
            return look()
        except Failure:
            return None

    return looked


def test_a_member_that_invents_sites_with_thousands_of_services_stops_nobody(
    tmp_path: Path,
) -> None:
    with Network(tmp_path) as net:
        alpha, beta = started_pair(net)
        token = tmp_path / "member.token"
        alpha.quick("token", "create", str(token), "--token-type", "cert")
        places = [(alpha.address, SHOP_PORT), (beta.address, SHOP_PORT)]
        with Load(places, 10) as load, Inventor(token, SITES, SERVICES) as rogue:
            rogue.tell(1)
            until(lambda: "neighbor-over-budget" in alpha.log_tail(), "the event is there", NAMED_S)
            rogue.tell(2)
            named = until(
                answered(lambda: alpha.problems("SW0682")), "alpha names the member", NAMED_S
            )
            assert named and "mallory" in named[0]["message"], named
            beta.declare("books", 8_081)
            until(
                answered(lambda: alpha.service("books")),
                "what another one declares is known",
                NAMED_S,
            )
            answers = len(load.answers)
            until(lambda: len(load.answers) > answers + 20, "requests go on")
            held = {site.name: held_bytes(site) for site in (alpha, beta)}
            assert max(held.values()) < HELD_BYTES_MAX, held
            assert "neighbor-over-budget" not in beta.log_tail(), (
                "alpha passes on no more than it keeps"
            )
            assert not rogue.closed.is_set()
        assert not load.failed
