"""A member that declares other names at the ports of other sites' services."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.hostile.egress import BODY, RogueEgress
from tests.hostile.member import Offer
from tests.hostile.scene import started_pair
from tests.scenario.clients import Load, fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import stays, until


class Squatter(RogueEgress):
    """Takes requests of a service that it declares itself."""

    def squat(self, name: str, port: int) -> None:
        spec = {"protocol": "http", "ports": [port]}
        told = {"name": name, "spec": spec, "declared_at_s": 0.0}
        self._say([["services", [told], [Offer(name, port)]]], self.cost)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Site, Site]]:
    """Alpha with a service, which beta has no part in."""
    with Network(tmp_path) as net:
        alpha, beta = started_pair(net)
        until(lambda: "shop" in held(beta), "beta remembers its port")
        yield alpha, beta


def held(site: Site) -> str:
    """Which services ``site`` remembers the ports of."""
    file = site.directory / "listeners.json"
    return file.read_text() if file.exists() else ""


def problem(site: Site) -> str:
    """What ``site`` says about services of two sites at one port."""
    problems = site.get("status")["problems"]
    return " ".join(p["message"] for p in problems if p["code"] == "SW0321")


def test_a_member_takes_no_port_of_another_site_also_when_routers_restart(
    pair: tuple[Site, Site], tmp_path: Path
) -> None:
    alpha, beta = pair
    token = tmp_path / "member.token"
    alpha.quick("token", "create", str(token), "--token-type", "cert")
    with Squatter(token, "serves") as rogue:
        rogue.squat("aaa", SHOP_PORT)
        until(
            lambda: f"aaa:{SHOP_PORT}, the port of shop of alpha" in problem(beta),
            "beta tells of it",
            10,
        )
        until(lambda: "the port of shop of this site" in problem(alpha), "alpha does", 10)
        with Load([(beta.address, SHOP_PORT)], 20) as load:
            stays(lambda: not rogue.opened, "beta writes down what it knows", 2.0)
            beta.kill()
            until(beta.gone, "beta is gone")
            beta.start()
            until(lambda: "the port of shop" in problem(beta), "beta tells of it again", 20)
            until(lambda: fetch(beta.address, SHOP_PORT).status == 200, "shop is served", 20)
            stays(lambda: BODY not in [fetch(beta.address, SHOP_PORT).body], "by alpha", 2.0)
        assert BODY not in {answer.body for answer in load.answers}
        assert not rogue.opened
        alpha.ctl("revoke-access", "--link", "mallory")
        until(lambda: not problem(beta), "the member is out", 10)


def test_the_port_of_a_service_stays_free_for_it_while_its_site_is_away(
    pair: tuple[Site, Site], tmp_path: Path
) -> None:
    alpha, beta = pair
    token = tmp_path / "member.token"
    beta.quick("token", "create", str(token), "--token-type", "cert")
    alpha.kill()
    beta.kill()
    until(lambda: alpha.gone() and beta.gone(), "both are gone")
    forget_declarations(beta)
    beta.start()
    with Squatter(token, "serves") as rogue:
        rogue.squat("aaa", SHOP_PORT)
        until(lambda: "which is away" in problem(beta), "beta keeps the port free", 10)
        assert fetch(beta.address, SHOP_PORT).status == 0
        alpha.start()
        until(lambda: fetch(beta.address, SHOP_PORT).status == 200, "shop is served", 20)
        assert not rogue.opened
        for document in (alpha.directory / "config").glob("*shop*"):
            document.unlink()
        until(lambda: fetch(beta.address, SHOP_PORT).body == BODY, "its owner let it go", 30)


def forget_declarations(site: Site) -> None:
    """As if it had been down for longer than remembered declarations count."""
    file = site.directory / "state.json"
    file.write_bytes(msgspec.json.encode({**msgspec.json.decode(file.read_bytes()), "learnt": []}))
