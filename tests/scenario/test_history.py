"""Two sites as processes: what the history, the live picture and the flows tell of a burst."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenario.clients import ask, connected, sending
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

BANK_PORT = 20_081

STEP_WAIT_S = 60.0
"""A whole step of the history is over 5 to 10 s after a burst began, and only then read."""


class Pair:
    """``near`` is where clients come in, with 2 slots; ``far`` has 8 at cost 5."""

    def __init__(self, net: Network) -> None:
        self.near, self.far = near, far = net.site("near"), net.site("far")
        self.targets = {site.name: net.http(site.name) for site in (near, far)}
        near.declare("shop", queue=0)
        self.bank = net.tcp("near")
        near.declare("bank", BANK_PORT, protocol="tcp")
        near.connect("bank", self.bank)
        near.connect("shop", self.targets["near"], capacity=2)
        far.connect("shop", self.targets["far"], capacity=8)
        net.link(near, far, 5)
        net.start()
        net.see_each_other()
        net.ready("shop", {"near": 1, "far": 1})
        net.ready("bank", {"near": 1})


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Network(tmp_path_factory.mktemp("history")) as net:
        yield Pair(net)


def history(site: Site) -> Any:
    (item,) = site.get("history?service=shop")
    return item


def counted(site: Site) -> dict[str, int]:
    """Requests that ended, by the site that served them, as `/metrics` counts them."""
    found: dict[str, int] = {}
    for line in site.metrics().splitlines():
        if line.startswith("spillway_requests_total{"):
            (name,) = re.findall(r'[{,]site="([^"]*)"', line)
            found[name] = found.get(name, 0) + int(float(line.split()[-1]))
    return found


def test_a_burst_shows_in_the_river_and_adds_up_to_the_counters(pair: Pair) -> None:
    for target in pair.targets.values():
        target.hold()
    answers = sending(pair.near.address, SHOP_PORT, 6, timeout_s=STEP_WAIT_S)

    def held() -> bool:
        return [2.0, 4.0] in [sample["in_flight"] for sample in history(pair.near)["samples"]]

    until(held, "two were in flight here and four there for a whole step")
    (sample,) = [one for one in history(pair.near)["samples"] if one["in_flight"] == [2.0, 4.0]][:1]
    assert (sample["capacity"], sample["targets_ready"], sample["served"]) == (2, 1, [0, 0])
    names = [(site["name"], site["path_cost"]) for site in history(pair.near)["sites"]]
    assert names == [("near", 0), ("far", 5)]
    for target in pair.targets.values():
        target.release()
    assert {one.status for one in answers.result()} == {200}

    def ended() -> bool:
        return sum(sum(one["served"]) for one in history(pair.near)["samples"]) == 6

    until(ended, "the step in which they ended is over")
    samples = history(pair.near)["samples"]
    served = [sum(column) for column in zip(*(one["served"] for one in samples), strict=True)]
    assert dict(zip(("near", "far"), served, strict=True)) == counted(pair.near)
    assert sum(one["overflow"] for one in samples) == served[1] == 4
    # Those were no clients of the other site.
    assert all(sum(one["in_flight"]) == 0 for one in history(pair.far)["samples"])


def test_flows_say_where_requests_went_and_why_and_tcp_how_much_has_passed(pair: Pair) -> None:
    near = pair.near
    with connected(near.address, BANK_PORT) as door:  # Before a client follows the flows.
        assert ask(door, "name") == "near"
        near.get("flows?count=1")
        for target in pair.targets.values():
            target.hold()
        answers = sending(near.address, SHOP_PORT, 4, "/cart?secret=1")

        def under_way() -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = near.get("flows?service=shop&outcome=under-way")
            return items

        until(lambda: len(under_way()) == 4, "all of them are told")
        sites = sorted(one["site"] for one in under_way())
        assert sites == ["far", "far", "near", "near"]
        (tunnel,) = near.get("flows?service=bank")
        assert (tunnel["protocol"], tunnel["outcome"]) == ("tcp", "under-way")
        assert tunnel["bytes_in"] == tunnel["bytes_out"] == len("name\n")
        for target in pair.targets.values():
            target.release()
        assert {one.status for one in answers.result()} == {200}
    flows = near.get("flows?service=shop&outcome=ok&count=4")
    assert {(one["path"], one["method"], one["status"]) for one in flows} == {("/cart", "GET", 200)}
    spilled = [one for one in flows if one["site"] == "far"]
    assert {one["overflow"] for one in spilled} == {"full"}
    detail = near.get(f"flows/{spilled[0]['id']}")
    verdicts = {one["site"]: one["verdict"] for one in detail["decision"]["candidates"]}
    assert verdicts == {"near": "full", "far": "chosen"}
    assert detail["flow"] == spilled[0]
    assert "secret" not in str(flows) + str(detail)
    until(
        lambda: [one["outcome"] for one in near.get("flows?service=bank")] == ["ok"],
        "the end of what began before is noticed",
    )


def test_the_live_picture_says_in_a_sentence_why_requests_leave(pair: Pair) -> None:
    for target in pair.targets.values():
        target.hold()
    answers = sending(pair.near.address, SHOP_PORT, 5)

    def why() -> str:
        (now,) = [one for one in pair.near.get("live")["now"] if one["service"] == "shop"]
        text: str = now["why"]
        return text

    until(lambda: pair.near.in_flight("shop") == {"near": 2, "far": 3}, "all are under way")
    for target in pair.targets.values():
        target.release()
    assert {one.status for one in answers.result()} == {200}
    until(lambda: "/s go to far (cost 5)" in why(), "it is said where they went")
    assert "slots of near are busy" in why()
    live = pair.near.get("live")
    assert {one["name"] for one in live["services"]} == {"shop", "bank"}
    assert [one["name"] for one in live["links"]] and live["status"]["name"] == "near"
