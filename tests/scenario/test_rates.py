"""Two sites as processes: a rate for what one of them takes, set and withdrawn while it serves."""

import time
from collections.abc import Iterator

import pytest

from tests.scenario.clients import Answer, Load, by_site
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.offering import offer
from tests.scenario.waiting import until

RATE, WINDOW_S = 20, 2


class Pair:
    """``near`` is where clients come in, ``far`` is linked to it at cost 5 and declares."""

    def __init__(self, net: Network) -> None:
        self.near, self.far = near, far = net.site("near"), net.site("far")
        self.shop = {site.name: net.http(site.name) for site in (near, far)}
        far.declare("shop")
        for site in (near, far):
            site.connect("shop", self.shop[site.name], capacity=100)  # No soft rule is in play.
        net.link(near, far, 5)
        net.start()
        net.see_each_other()
        net.ready("shop", {"near": 1, "far": 1})

    def offer(self, rate: float, seconds: float) -> dict[str, float]:
        """Where requests went, each a second."""
        before = {name: len(target.seen) for name, target in self.shop.items()}
        offered = offer((self.near.address, SHOP_PORT), rate, seconds)
        assert (offered.errors, offered.refused) == (0, 0)
        after = {name: len(target.seen) for name, target in self.shop.items()}
        return {name: (after[name] - before[name]) / seconds for name in before}

    def state(self) -> str:
        """Of near's rate, as it says itself."""
        (site,) = (one for one in self.near.service("shop")["sites"] if one["local"])
        return str((site["rate"] or {}).get("state"))


@pytest.fixture
def pair(fresh_pair: Pair) -> Iterator[Pair]:
    """The two sites; no cap is left behind."""
    yield fresh_pair
    fresh_pair.near.ctl("service", "set", "shop", "--site-capacity", "none")


@pytest.fixture(scope="module")
def fresh_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("rates")) as net:
        yield Pair(net)


def test_a_site_over_its_rate_keeps_its_rate_or_nothing_and_takes_all_again(pair: Pair) -> None:
    near = pair.near
    assert pair.offer(40, 1)["far"] == 0, "nothing is stated yet"
    rate = ("--site-capacity", f"{RATE}/s", "--resume", "10/s", "--window", f"{WINDOW_S}s")
    set_ = ("service", "set", "shop")
    assert "near takes 20/s" in near.ctl(*set_, *rate).out
    assert "unchanged" in near.ctl(*set_, *rate).out
    until(lambda: pair.state() == "calm", "the cap holds")

    first = pair.offer(3 * RATE, 6)
    assert RATE * 0.85 <= first["near"] <= RATE + 2 * RATE * WINDOW_S / 6
    with Load([(near.address, SHOP_PORT)], 3 * RATE) as load:  # Without it, it would be calm soon.
        until(lambda: pair.state() == "over", "it is over")
        shown = near.ctl("service", "status", "shop").out
        assert "20/s, over" in shown
        why = near.json("why", "shop")
        (here,) = (one for one in why["candidates"] if one["site"] == "near")
        assert (here["capacity_kind"], here["rate"]["per_s"]) == ("rate", 20)
        text = near.metrics()
        assert 'kind="admitted"' in text
        assert "spillway_rate_exceeded{" in text

        near.ctl(*set_, "--spill", "all")
        until(lambda: near.json("why", "shop")["decision"]["site"] == "far", "all leaves")
        since = time.monotonic()

        def all_gone() -> list[Answer]:
            return [answer for answer in load.answers if answer.began > since]

        until(lambda: len(all_gone()) > 2 * WINDOW_S * RATE, "many have gone")
        assert set(by_site(all_gone())) == {"far"}
        sentences = near.ctl("why", "shop").out
        assert "sends-away" in sentences
        assert "set to spill all" in sentences
    assert not load.failed
    until(lambda: pair.state() == "calm", "it is calm again")
    assert pair.offer(8, 2)["far"] == 0

    near.ctl(*set_, "--site-capacity", "none")
    until(lambda: pair.state() == "None", "the cap is withdrawn")
    assert "unchanged" in near.ctl(*set_, "--site-capacity", "none").out
    assert pair.offer(3 * RATE, 2)["far"] == 0
    told = [event["code"] for event in near.get("events")]
    assert "rate-exceeded" in told
    assert "rate-kept" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--site-capacity", "0/s"), "--site-capacity: expected a rate from 0.001/s"),
        (("--site-capacity", "-3"), "expected a capacity from 1"),
        (("--site-capacity", "auto"), "configured, not learned"),
        (("--site-capacity", "15/s", "--resume", "16/s"), "--resume: resume 16/s is above"),
        (("--site-capacity", "15", "--resume", "6/s"), "--resume: resume belongs to a rate"),
        (("--site-capacity", "15/s", "--window", "2h"), "--window: expected 1s to 3600s"),
        (("--site-capacity", "0.1/s", "--window", "2s"), "not one request fits"),
        (("--site-capacity", "15", "--spill", "all"), "--spill all belongs to a rate"),
        (("--spill", "all"), "no --site-capacity is configured here"),
        (("--capacity", "9/s", "--site-capacity", "9/s", "--resume", "1/s"), "two commands"),
    ],
)
def test_what_cannot_be_is_refused_with_the_flag_and_what_to_do(
    pair: Pair, words: tuple[str, ...], said: str
) -> None:
    done = pair.near.ctl("service", "set", "shop", *words, code=2)
    assert said in done.err
