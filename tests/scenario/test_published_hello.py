"""Hello v1 and v2 on two sites (examples/hello): one is scaled to zero and up again under load."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenario.backends import HttpTarget
from tests.scenario.clients import Load, by_site
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

RATE = 80.0
POLICIES: dict[str, dict[str, Any]] = {
    "spread": {"name": "spread"},
    "split": {"name": "split", "weights": {"west": 50, "east": 50}},
    "failover": {"name": "failover"},
    "fill": {"name": "fill"},
    "balanced": {"name": "balanced"},
}


class Hello:
    """``west`` runs v1 and has the clients, ``east`` runs v2."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.west, self.east = net.site("west"), net.site("east")
        self.v1, self.v2 = net.http("v1", 0.01), net.http("v2", 0.01)
        net.link(self.west, self.east, 1)
        self.use("spread")
        self.west.connect("hello", self.v1)
        self.east.connect("hello", self.v2)
        net.start()
        self.both_serve()

    def use(self, policy: str) -> None:
        """Another policy from now on."""
        self.west.declare("hello", SHOP_PORT, policy=POLICIES[policy])

    def uses(self, policy: str) -> bool:
        """Whether both routers have heard of it."""
        return all(site.service("hello")["policy"] == policy for site in self.net.sites)

    def both_serve(self) -> None:
        """Wait until each knows both."""
        self.net.ready("hello", {"west": 1, "east": 1})

    def load(self) -> Load:
        """Clients at both sites."""
        return Load([(self.west.address, SHOP_PORT), (self.east.address, SHOP_PORT)], RATE)


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hello]:
    """Once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("hello")) as net:
        yield Hello(net)


def served(load: Load, since: int) -> Counter[str]:
    """Answers by version from that one on."""
    return by_site(load.answers[since:])


def check_zero_and_back(hello: Hello, gone: HttpTarget, site: Site) -> None:
    """The pod dies as it is and another comes: nothing fails, it serves again."""
    other = "v1" if gone is hello.v2 else "v2"
    with hello.load() as load:
        until(lambda: set(served(load, 0)) == {"v1", "v2"}, "both versions answer")
        gone.stop()
        left = "west" if site is hello.east else "east"
        hello.net.ready("hello", {left: 1})
        start = len(load.answers) + 20  # Those under way then may have been served before.
        until(lambda: len(load.answers) > start + 60, "the load goes on")
        assert set(served(load, start)) == {other}
        gone.start()
        hello.both_serve()
        back = len(load.answers)
        until(lambda: served(load, back)[gone.name] > 20, "it takes part again")
    assert load.failed == []
    hello.net.at_rest("hello")


@pytest.mark.parametrize(
    ("policy", "gone"),
    [("spread", "v1"), ("split", "v2"), ("failover", "v1"), ("fill", "v2"), ("balanced", "v1")],
)
def test_a_version_scaled_to_zero_and_up_again_fails_no_request(
    hello: Hello, policy: str, gone: str
) -> None:
    """Clients at both sites, so each version serves under every policy."""
    hello.use(policy)
    until(lambda: hello.uses(policy), f"both use {policy}")
    if gone == "v1":
        check_zero_and_back(hello, hello.v1, hello.west)
    else:
        check_zero_and_back(hello, hello.v2, hello.east)


def test_unbound_and_bound_again_by_command_fails_no_request(hello: Hello) -> None:
    hello.use("spread")
    until(lambda: hello.uses("spread"), "both spread")
    path = next((hello.east.directory / "config").glob("own-connector-hello-*.yaml"))
    connector = path.read_text()
    with hello.load() as load:
        until(lambda: served(load, 0)["v2"] > 10, "v2 answers")
        path.unlink()
        hello.net.ready("hello", {"west": 1})
        path.write_text(connector)
        hello.both_serve()
        back = len(load.answers)
        until(lambda: served(load, back)["v2"] > 20, "it takes part again")
    assert load.failed == []
