"""One of two targets is slow, on a real router: it is passed over, and `why` names it."""

from typing import Any

import pytest

from tests.scenario.clients import Load
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

QUICK_S, SLOW_S = 0.02, 0.3
PER_S = 50.0
COUNTED = 150


def verdicts(site: Site) -> dict[int, Any]:
    """By the target's port."""
    found = site.json("why", "shop")["targets"]
    return {int(one["target"].rpartition(":")[2]): one["verdict"] for one in found}


def test_a_slow_target_is_passed_over_and_named(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with Network(tmp_path_factory.mktemp("choice")) as net:
        near = net.site("near")
        quick, slow = net.http("quick", QUICK_S), net.http("slow", SLOW_S)
        near.declare("shop")
        near.connect("shop", quick, slow, capacity=20)
        net.start()
        net.ready("shop", {"near": 2})
        with Load([(near.address, SHOP_PORT)], PER_S) as load:
            until(lambda: verdicts(near).get(slow.port) == "hot", "the slow one is hot")
            # It may be well for a moment, by one answer.
            until(lambda: "others answer sooner" in near.ctl("why", "shop").out, "why says so")

            def is_passed_over() -> bool:
                quick.forget()
                slow.forget()
                until(lambda: len(quick.seen) >= COUNTED, "requests go on")
                return len(slow.seen) <= 0.05 * COUNTED

            until(is_passed_over, "hardly any request goes to it", 30.0)
        assert not load.failed
