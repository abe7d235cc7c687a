"""The rogue member itself: it is let in with a real token and gets requests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.egress import BODY, RogueEgress
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Network(tmp_path) as net:
        site = net.site("door")
        site.declare("shop", timeouts={"response": 1})
        net.start()
        until(lambda: site.service("shop") is not None, "shop is known")
        yield site


def test_a_member_by_its_own_code_is_let_in_and_serves(site: Site, tmp_path: Path) -> None:
    token = tmp_path / "member.token"
    site.ctl("token", "create", str(token), "--token-type", "cert")
    with RogueEgress(token, "serves") as rogue:
        rogue.take_service("shop", SHOP_PORT)
        until(lambda: fetch(site.address, SHOP_PORT).body == BODY, "the rogue serves")
        rogue.conduct = "stalls"
        assert fetch(site.address, SHOP_PORT).status == 504
        rogue.conduct = "garbage"
        assert fetch(site.address, SHOP_PORT).status == 502
        rogue.conduct = "serves"
        until(lambda: fetch(site.address, SHOP_PORT).body == BODY, "the rogue serves again")
    until(lambda: fetch(site.address, SHOP_PORT).status == 503, "its route is gone")
