"""`check --traffic`: one request by each site finds and names the broken one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.clients import fetch
from tests.scenario.harness import ROOT, SHOP_PORT, Network, Site

DB_PORT = SHOP_PORT + 1
# What a Python with python/cpython#106052 does to heads from other sites.
REFUSES_EVERY_HEAD = """
from router.http.http1 import canonical
canonical._REQUEST = canonical.re.compile(b"(?!)")
"""


class Pair:
    """``near`` and ``far``, each with targets of shop and db, and room for whatever comes."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.near, self.far = net.site("near"), net.site("far")
        self.targets = {site.name: net.http(site.name) for site in (self.near, self.far)}
        for site in (self.near, self.far):
            site.declare("shop")
            site.declare("db", DB_PORT, protocol="tcp")
            site.connect("shop", self.targets[site.name], capacity=4)
            site.connect("db", net.tcp(site.name))
        net.link(self.near, self.far, 4)

    def settle(self) -> None:
        """Wait until each knows of the other's targets."""
        self.net.see_each_other()
        for service in ("shop", "db"):
            self.net.ready(service, {"near": 1, "far": 1})


@pytest.fixture
def pair(net: Network) -> Iterator[Pair]:
    """Not started yet."""
    yield Pair(net)


def traffic(site: Site, service: str, code: int) -> list[dict[str, Any]]:
    """The findings, in the order of the sites."""
    items = site.ctl("check", "--traffic", service, "-o", "json", code=code).json()["items"]
    assert isinstance(items, list)
    assert {item["code"] for item in items} == {"SW0520"}
    return items


def test_both_sites_answer_though_every_request_would_stay_here(pair: Pair) -> None:
    pair.net.start()
    pair.settle()
    near, far = traffic(pair.near, "shop", 0)
    assert near["message"].startswith(f"shop:{SHOP_PORT}: near answered 200 in ")
    assert far["message"].startswith(f"shop:{SHOP_PORT}: far answered 200 in ")
    asked = {name: [seen.path for seen in target.seen] for name, target in pair.targets.items()}
    assert asked == {"near": ["/"], "far": ["/"]}
    near, far = traffic(pair.near, f"db:{DB_PORT}", 0)
    assert "far took a connection" in far["message"]
    pair.net.at_rest("shop")
    pair.net.at_rest("db")
    text = pair.near.ctl("check", "--traffic", "shop").out
    assert "far answered 200" in text
    pair.near.ctl("check", "--traffic", "nothing", code=4)
    pair.near.ctl("check", "--traffic", "shop", "--pre", code=2)


def test_a_site_that_refuses_every_head_is_found_and_says_so_itself(
    pair: Pair, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(REFUSES_EVERY_HEAD)
    pair.far.run({"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    pair.net.start(pair.near)
    pair.settle()
    assert fetch(pair.near.address, SHOP_PORT).status == 200  # It stays here: no client notices.
    near, far = traffic(pair.near, "shop", 1)
    assert (near["level"], far["level"]) == ("ok", "error")
    assert "far refused the request head" in far["message"]
    assert "SW0330" in far["hint"]
    assert [seen.path for seen in pair.targets["far"].seen] == []
    for site in (pair.near, pair.far):
        found = site.ctl("check", "-o", "json", code=3).json()["items"]
        assert "SW0330" in {item["code"] for item in found}
    assert all(item["level"] == "ok" for item in traffic(pair.near, "db", 0))


def test_a_target_that_breaks_off_is_found_at_its_site(pair: Pair) -> None:
    pair.net.start()
    pair.settle()
    pair.targets["far"].forced = "/reset"
    near, far = traffic(pair.near, "shop", 1)
    assert (near["level"], far["level"]) == ("ok", "error")
    assert "far has a target that broke off" in far["message"]
    pair.targets["far"].forced = "/status/503"
    _, far = traffic(pair.near, "shop", 1)
    assert "a target at far answered 503" in far["message"]


def test_a_drained_site_is_not_said_to_have_no_ready_target(pair: Pair) -> None:
    pair.net.start()
    pair.settle()
    pair.near.quick("service", "drain", "shop")
    pair.net.ready("shop", {"far": 1})
    for site in (pair.near, pair.far):
        found = {item["message"].split()[1]: item for item in traffic(site, "shop", 3)}
        assert found["near"]["message"] == f"shop:{SHOP_PORT}: near takes nothing new: it drains"
        assert (found["near"]["level"], found["far"]["level"]) == ("warning", "ok")
    pair.targets["far"].stop()
    pair.net.ready("shop", {})
    found = {item["message"].split()[1]: item for item in traffic(pair.near, "shop", 3)}
    assert found["far"]["message"] == f"shop:{SHOP_PORT}: far has no ready target"
