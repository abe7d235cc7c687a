"""`service drain` and `site drain`: a share of the capacity, or nothing new; no request is lost."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from tests.scenario.clients import fetch, sending
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

SLOTS = 10
NEAR = "near"


class Pair:
    """``near`` has the clients and 10 slots, ``far`` at cost 1 a hundred."""

    def __init__(self, net: Network) -> None:
        self.near, self.far = net.site("near"), net.site("far")
        self.targets = {name: net.http(name, 0.002) for name in ("near", "far")}
        self.near.declare("shop")
        self.near.connect("shop", self.targets["near"], capacity=SLOTS)
        self.far.connect("shop", self.targets["far"], capacity=100)
        net.link(self.near, self.far)
        net.start()
        net.ready("shop", {"near": 1, "far": 1})

    def shares(self, requests: int = 20) -> Counter[str]:
        return Counter(fetch(self.near.address, SHOP_PORT).site for _ in range(requests))

    def codes(self) -> set[str]:
        notes = self.near.get("status")["notes"]
        return {note["code"] for note in notes}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Network(tmp_path_factory.mktemp("drained")) as net:
        yield Pair(net)


def test_a_share_of_the_slots_is_taken_and_the_rest_goes_elsewhere(pair: Pair) -> None:
    near = pair.near
    near.quick("service", "drain", "shop", "--to", "30%")
    until(lambda: near.service("shop")["takes"] == 0.3, "it is known")
    assert "SW0353" in pair.codes()
    assert "Drained: takes 30%" in near.ctl("service", "status", "shop").out
    assert "; it is drained to 30% of its capacity" in near.ctl("why", "shop").out
    for target in pair.targets.values():
        target.hold()
    waiting = sending(near.address, SHOP_PORT, SLOTS)
    until(lambda: near.in_flight("shop") == {"near": 3, "far": 7}, "3 are here")
    for target in pair.targets.values():
        target.release()
    assert Counter(one.site for one in waiting.result()) == {"near": 3, "far": 7}
    near.quick("service", "drain", "shop", "--to", "100%")
    until(lambda: near.service("shop")["takes"] == 1.0, "all is taken again")
    assert "SW0353" not in pair.codes() and pair.shares() == {"near": 20}
    assert "drained" not in near.ctl("why", "shop").out


def test_other_sites_and_this_one_show_that_it_drains(pair: Pair) -> None:
    def drains(site: Site) -> bool:
        (found,) = [one["draining"] for one in site.service("shop")["sites"] if one["site"] == NEAR]
        return bool(found)

    def takes(site: Site) -> bool:
        return not drains(site) and site.ready_targets("shop") == {NEAR: 1, "far": 1}

    for words in (("service", "drain", "shop"), ("site", "drain")):
        pair.near.quick(*words)
        for site in (pair.near, pair.far):
            until(partial(drains, site), f"{site.name} shows that {NEAR} drains")
        row = next(
            line
            for line in pair.far.ctl("service", "status", "shop").out.splitlines()
            if line.strip().startswith(f"{NEAR} ")
        )
        assert row.split()[-1] == "yes"
        why = {one["site"]: one for one in pair.far.json("why", "shop")["candidates"]}
        assert why[NEAR]["verdict"] == "draining"
        pair.near.quick(*words, "--to", "100%")
        for site in (pair.near, pair.far):
            until(partial(takes, site), f"{site.name} shows that {NEAR} takes all")


def test_where_every_site_is_drained_the_next_step_ends_that_here(pair: Pair) -> None:
    for site in (pair.near, pair.far):
        site.quick("service", "drain", "shop")

    def next_step() -> str:
        return "".join(one["hint"] for one in pair.near.problems("SW0309"))

    command = "sitectl service drain shop --to 100%"
    try:
        until(lambda: f"To take all of it here: {command}" in next_step(), "it is named")
        (problem,) = pair.near.problems("SW0309")
        assert "this site is drained of it and takes nothing new; far drains" in problem["message"]
    finally:
        for site in (pair.near, pair.far):
            site.quick("service", "drain", "shop", "--to", "100%")
    until(lambda: pair.near.ready_targets("shop") == {NEAR: 1, "far": 1}, "all take all again")


def test_nothing_new_is_taken_what_is_under_way_ends_and_no_surface_calls_it_a_fault(
    pair: Pair,
) -> None:
    near, target = pair.near, pair.targets["near"]
    target.hold()
    waiting = sending(near.address, SHOP_PORT, 2)
    until(lambda: near.in_flight("shop")["near"] == 2, "two are under way")
    near.quick("site", "drain")
    until(lambda: near.service("shop")["takes"] == 0, "it is known")
    assert pair.shares() == {"far": 20}
    target.release()
    assert {one.status for one in waiting.result()} == {200}
    status = near.json("status")
    assert [problem["code"] for problem in status["problems"]] == []
    assert "SW0353" in pair.codes()
    why = {one["site"]: one["verdict"] for one in near.json("why", "shop")["candidates"]}
    assert why == {"near": "draining", "far": "chosen"}
    shown = near.ctl("why", "shop").out
    assert "it is drained and takes nothing new of this service" in shown
    assert "SW0353" in near.ctl("status").out and "drained" in near.ctl("top", "--once").out
    warned = [
        one["code"]
        for one in near.get("events")
        if one["severity"] != "info" and one["code"] in ("target-down", "no-target-begun")
    ]
    assert warned == []
    until(
        lambda: 'reason="drained",service="shop",to="far"} 20.0' in near.metrics(),
        "all that left is counted with that reason",
    )
    assert "drained" in near.ctl("service", "status", "shop").out
    done = near.ctl("site", "drain").out
    assert "already" in done
    near.quick("site", "drain", "--to", "100%")
    until(lambda: near.service("shop")["takes"] == 1.0, "all is taken again")
    until(lambda: pair.shares() == {"near": 20}, "it serves")
    assert near.ctl("site", "drain", "--to", "half", code=2).out == ""
