"""A member that declares more ports than any host has descriptors."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.hostile.member import Member
from tests.scenario.clients import Load, by_site
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.test_hostile_process import descriptors
from tests.scenario.test_listener_budgets import (
    has_no_listener_of,
    listeners_of,
    start,
    unlistened,
)
from tests.scenario.waiting import own_time, until

SERVICES, PORTS_EACH = 20, 1_000
LISTENERS_PER_SITE = 64
STATUS_S, RECOVERY_S = 2.0, 5.0


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Site, Site]]:
    """Alpha with targets of a service, beta without, each with 1,024 descriptors."""
    with Network(tmp_path) as net:
        alpha, beta = net.site("alpha"), net.site("beta")
        net.link(beta, alpha, 1)
        alpha.declare("shop")
        alpha.connect("shop", net.http("alpha"), capacity=50)
        for site in (alpha, beta):
            start(site, 1_024)
        net.see_each_other()
        net.ready("shop", {"alpha": 1})
        yield alpha, beta


def test_twenty_thousand_ports_of_one_lsa_cost_sixty_four_listeners(
    pair: tuple[Site, Site], tmp_path: Path
) -> None:
    alpha, beta = pair
    token = tmp_path / "member.token"
    alpha.quick("token", "create", str(token), "--token-type", "cert")
    before = descriptors(alpha.note_pid())
    many = {
        f"bulk-{number}": range(21_000 + number * PORTS_EACH, 21_000 + (number + 1) * PORTS_EACH)
        for number in range(SERVICES)
    }
    with (
        Load([(alpha.address, SHOP_PORT), (beta.address, SHOP_PORT)], 20) as load,
        Member(token) as rogue,
    ):
        rogue.declare(many)
        for site in pair:
            until(partial(reports_all_ports, site), f"{site.name} reports all ports")
            assert listeners_of(site, "bulk-") == LISTENERS_PER_SITE
            began = own_time()
            site.ctl("status", code=3)
            assert own_time() - began < STATUS_S
        alpha.ctl("revoke-access", "--link", "mallory")
        for site in pair:
            gone = partial(has_no_listener_of, site, "bulk-")
            until(gone, f"{site.name} is rid of it", RECOVERY_S)
        count = len(load.answers)
        until(lambda: len(load.answers) > count + 50, "the load goes on")
    assert by_site(load.failed) == {}
    assert descriptors(alpha.note_pid()) < before + 20


def reports_all_ports(site: Site) -> bool:
    """Whether ``site`` names the member and each port of it that has no listener."""
    return sum(unlistened(site, "mallory")) == SERVICES * PORTS_EACH - LISTENERS_PER_SITE
