"""A member claims a million slots: no more of the honest capacity is ejected for that."""

import time
from pathlib import Path

from tests.hostile.egress import RogueEgress
from tests.scenario.clients import Load
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

PER_S = 40
SETTLES_S, FAILING_S = 10.0, 20.0
FAILED_SHARE_MAX = 0.02


def token_of(site: Site, path: Path) -> Path:
    site.ctl("token", "create", str(path), "--token-type", "cert")
    return path


def test_a_near_member_with_huge_claims_cannot_remain_the_last_one_in_use(
    tmp_path: Path,
) -> None:
    """It refuses as full until the honest site has failed, and fails from then on."""
    with Network(tmp_path) as net:
        door = net.site("door")
        door.declare("shop")
        net.start()
        with (
            RogueEgress(token_of(door, tmp_path / "honest.token"), "serves", "honest") as honest,
            RogueEgress(token_of(door, tmp_path / "liar.token"), "busy", "liar") as liar,
        ):
            honest.take_service("shop", SHOP_PORT, 50, cost=10)
            liar.take_service("shop", SHOP_PORT, 1_000_000)
            until(lambda: len(door.service("shop")["sites"]) >= 2, "both are offered")
            with Load([(door.address, SHOP_PORT)], PER_S, at_once=500) as load:
                until(lambda: sum(one.status == 200 for one in load.answers) > PER_S, "it serves")
                honest.conduct = "torn"
                until(lambda: "honest" in failing(door), "the honest site fails")
                honest.conduct, liar.conduct, since = "serves", "torn", time.monotonic()
                until(lambda: time.monotonic() > since + FAILING_S, "time passes", 2 * FAILING_S)
                answers = [one for one in load.answers if one.began >= since + SETTLES_S]
            failed = [one for one in answers if one.status != 200]
            print(f"{len(failed)} of {len(answers)} failed")
            assert len(answers) > PER_S * (FAILING_S - SETTLES_S) / 2
            assert len(failed) <= max(2, FAILED_SHARE_MAX * len(answers)), failed
            assert "liar" in failing(door)


def failing(door: Site) -> set[str]:
    """The sites that `status` says requests fail at."""
    notes = door.get("status")["notes"]
    return {one["message"].split()[0] for one in notes if one["code"] == "SW0334"}
