"""Two sites as processes: `why --last` on a burst, on denied requests, and on a lost site."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenario.clients import by_site, fetch, sending
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import until

SECRET = "a-word-of-the-client"


class Pair:
    """``near`` is where clients come in; both have one target with 2 slots, ``far`` at cost 5."""

    def __init__(self, net: Network) -> None:
        self.near, self.far = near, far = net.site("near"), net.site("far")
        self.targets = {site.name: net.http(site.name) for site in (near, far)}
        near.declare("shop", queue=1, queueWait="1s")
        for site in (near, far):
            site.connect("shop", self.targets[site.name], capacity=2)
        net.link(near, far, 5)
        net.start()
        net.see_each_other()
        net.ready("shop", {"near": 1, "far": 1})

    def past(self, *words: str) -> list[dict[str, Any]]:
        """The answer of the clients' site."""
        items: list[dict[str, Any]] = self.near.json("why", "shop", *words)
        return items


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Network(tmp_path_factory.mktemp("past")) as net:
        yield Pair(net)


def verdicts(item: dict[str, Any]) -> dict[str, str]:
    return {one["site"]: one["verdict"] for one in item["candidates"]}


def test_a_burst_is_told_while_it_lasts_and_afterwards(pair: Pair) -> None:
    assert pair.past("--last", "20") == []
    for target in pair.targets.values():
        target.hold()
    answers = sending(pair.near.address, SHOP_PORT, 6, f"/{SECRET}")
    until(lambda: pair.past("--denied"), "one was denied")
    under_way = [one for one in pair.past("--last", "20") if one["outcome"] == "under-way"]
    sites = [one["site"] for one in under_way if not one["waited_s"]]  # One may be in the line.
    assert sorted(sites) == ["far", "far", "near", "near"]
    until(lambda: len(pair.past("--denied")) == 2, "who waited was denied after a second")
    for target in pair.targets.values():
        target.release()
    assert by_site(one for one in answers.result() if one.status == 200) == {"near": 2, "far": 2}

    past = pair.past("--last", "20")
    assert sorted(one["outcome"] for one in past) == ["all-full"] * 2 + ["ok"] * 4
    for one in past:
        if one["site"] == "near":
            assert (one["capacity"], one["candidates"]) == (2, [])
        elif one["site"] == "far":
            assert (one["overflow_reason"], verdicts(one)) == (
                "full",
                {"near": "full", "far": "chosen"},
            )
        else:
            assert verdicts(one)["near"] == "full"
            assert one["reason"].startswith("no site that is reached and may serve it has room")
    waited = max(past, key=lambda one: float(one["waited_s"]))
    assert waited["outcome"] == "all-full" and waited["waited_s"] > 0.9
    told = pair.near.ctl("why", "shop", "--last", "20", "-v", "-o", "json").out
    assert SECRET not in told, "nothing that the client sent"


def test_the_denied_stay_while_others_are_served(pair: Pair) -> None:
    denied = pair.past("--denied")
    for _ in range(40):
        assert fetch(pair.near.address, SHOP_PORT).status == 200
    assert {one["outcome"] for one in pair.past("--last", "20")} == {"ok"}
    assert len(pair.past("--last", "5")) == 5
    assert [one["total_s"] for one in pair.past("--denied")] == [one["total_s"] for one in denied]
    table = pair.near.ctl("why", "shop", "--last", "5", "--denied").out
    assert table.splitlines()[0].split() == ["TIME", "OUTCOME", "SITE", "WAITED", "REASON"]
    assert len(table.splitlines()) == 1 + len(denied)


def test_the_next_step_of_failures_shows_them_though_few_requests_fail(pair: Pair) -> None:
    def advice() -> list[str]:
        """After 30 requests, the first three of them answered 500."""
        for number in range(30):
            path = "/status/500" if number < 3 else "/"
            assert fetch(pair.near.address, SHOP_PORT, path).status == (500 if number < 3 else 200)
        problems = pair.near.get("status")["problems"]
        return [one["hint"] for one in problems if one["code"] == "SW0338"]

    until(advice, "one in ten fails")
    advised = advice()
    assert {one["answer"] for one in pair.past("--last", "20")} == {"2xx"}
    (hint,) = advised
    assert "See which requests failed last, and how: sitectl why shop:" in hint
    table = pair.near.ctl(*hint.partition("sitectl ")[2].split()).out
    _, *rows = table.splitlines()
    assert sum("answered 5xx  near" in row for row in rows) >= 6
    assert not any("ok 2xx" in row for row in rows)
    assert {one["outcome"] for one in pair.past("--denied")} == {"all-full"}


def test_a_request_that_outlived_its_site_tells_of_both_attempts(pair: Pair) -> None:
    for target in pair.targets.values():
        target.hold()
    filling = sending(pair.near.address, SHOP_PORT, 2)
    until(lambda: pair.targets["near"].in_hand == 2, "near is full")
    lost = sending(pair.near.address, SHOP_PORT, 1)
    until(lambda: pair.targets["far"].in_hand == 1, "one is at far")
    pair.targets["near"].release()
    assert all(one.status == 200 for one in filling.result())
    pair.far.kill()
    assert [one.site for one in lost.result()] == ["near"]
    (retried,) = [one for one in pair.past("--last", "3") if one["attempts"] > 1]
    assert (retried["outcome"], retried["site"]) == ("ok", "near")
    assert retried["retried_for"] == "link-lost"
    assert verdicts(retried)["near"] == "chosen"
    text = pair.near.ctl("why", "shop", "--last", "3").out
    assert "attempt 2 after link-lost" in text


def test_a_wrong_question_says_what_would_be_right(pair: Pair) -> None:
    assert "1<=x<=32" in pair.near.ctl("why", "shop", "--last", "0", code=2).err
    assert "by session" in pair.near.ctl("why", "shop", "--denied", "--cookie", "x", code=2).err
    assert "service status" in pair.near.ctl("why", "nothing", "--last", "3", code=4).err
