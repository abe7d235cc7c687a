"""A real Prometheus sees a real burst, and every panel of the dashboards can be drawn from it."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.grafana import texts
from tests.scenario.clients import burst
from tests.scenario.harness import SHOP_PORT, Network, own_address
from tests.scenario.prometheus import SHIPPED, Prometheus, without_credential
from tests.scenario.waiting import until

PANELS = [
    (panel["title"], target["expr"], target["legendFormat"])
    for text in texts().values()
    for panel in json.loads(text)["panels"]
    for target in panel["targets"]
]
SLOTS = {"near": 2, "far": 8}
EMPTY = {"Tried again"}
"""Of this burst: nothing fails in it that could be tried again."""
OF_PODS = {"pod"}
"""Labels that hosts do not have."""
WORDS = {"$namespace": ".*", "$service": ".*", "$__rate_interval": "1m"}


class Watched:
    """``near`` with two slots, ``far`` with eight at cost 5, and no queue: bursts of twelve."""

    def __init__(self, net: Network, prometheus: Prometheus) -> None:
        self.net = net
        self.prometheus = prometheus
        self.near = net.sites[0]
        self.served: Counter[str] = Counter()
        while not all(self.was_full(name, slots) for name, slots in SLOTS.items()):
            answers = burst(self.near.address, SHOP_PORT, 12)
            self.served.update(answer.site for answer in answers)

    def was_full(self, name: str, slots: int) -> bool:
        """Whether a scrape saw all of a site's slots taken."""
        labels = f"{{namespace='near',site='{name}'}}"
        return self.value(f"max_over_time(spillway_in_flight{labels}[5m])") == slots

    def value(self, expr: str) -> float | None:
        """Of the only series that fits; None: none does, or several."""
        found = list(self.prometheus.query(expr).values())
        return found[0] if len(found) == 1 else None


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with Network(tmp_path_factory.mktemp("routers")) as net:
        near, far = net.site("near"), net.site("far")
        near.declare("shop", queue=0)
        near.connect("shop", net.http("near", service_s=0.7), capacity=2)
        far.connect("shop", net.http("far", service_s=0.7), capacity=8)
        net.link(near, far, 5)
        places = {}
        for site in (near, far):
            places[site.name] = site.environment["SPILLWAY_PROBES"] = f"{own_address()}:9090"
        net.start()
        net.see_each_other()
        net.ready("shop", {"near": 1, "far": 1})
        directory = tmp_path_factory.mktemp("prometheus") / "server"
        with Prometheus(directory, without_credential(places)) as prometheus:
            until(lambda: prometheus.targets_up() == 2, "both are scraped")
            yield Watched(net, prometheus)


def test_it_counts_each_request_once_where_it_was_served(watched: Watched) -> None:
    def counted() -> dict[str, float | None]:
        return {
            name: watched.value(f"sum(spillway_requests_total{{service='shop',site='{name}'}})")
            for name in watched.served
        }

    until(lambda: counted() == watched.served, f"{dict(watched.served)} is counted")
    assert watched.served.keys() == {"near", "far", ""}
    left = "sum(spillway_overflow_total{to='far',reason='full'})"
    until(lambda: watched.value(left) == watched.served["far"], "overflow is counted")


def test_local_slots_were_full_and_never_more_than_that(watched: Watched) -> None:
    for name, slots in SLOTS.items():
        labels = f"{{namespace='near',site='{name}'}}"
        assert watched.was_full(name, slots)
        assert watched.value(f"spillway_capacity{labels}") == slots


def test_alerts_wait_for_their_time_and_do_not_cry_at_a_burst(watched: Watched) -> None:
    def pending() -> bool:
        burst(watched.near.address, SHOP_PORT, 12)
        return watched.prometheus.alerts("pending") >= {
            "SpillwayOverflowSustained",
            "SpillwayRefusing",
        }

    until(pending, "overflow and refusals are noticed")
    assert watched.prometheus.alerts("firing") == set()


@pytest.mark.parametrize(("title", "expr", "legend"), PANELS)
def test_a_panel_can_be_drawn(watched: Watched, title: str, expr: str, legend: str) -> None:
    for word, meaning in WORDS.items():
        expr = expr.replace(word, meaning)
    assert not re.search(r"\$", expr)
    if title in EMPTY:
        assert watched.prometheus.query(expr) == {}
    else:
        until(lambda: watched.prometheus.query(expr), f"{title} has something to show")
        names = set(re.findall(r"{{(\w+)}}", legend)) - OF_PODS
        for labels in watched.prometheus.query(expr):
            assert names <= dict(labels).keys(), f"{title} has a series without a name"


def test_a_request_that_overflowed_is_not_two_requests_of_one_series(watched: Watched) -> None:
    """It is demand at both sites, so `All` namespaces must not add them up."""
    exprs = [expr for title, expr, _ in PANELS if title == "Wanted here, and waiting"]
    assert exprs
    for expr in exprs:
        for word, meaning in WORDS.items():
            expr = expr.replace(word, meaning)
        places = {dict(labels)["namespace"] for labels in watched.prometheus.query(expr)}
        assert places == SLOTS.keys()


def test_the_shipped_configuration_scrapes_a_site_on_a_host(net: Network, tmp_path: Path) -> None:
    door = f"{own_address()}:9471"
    west = net.site("west", "--admin", door)
    net.start()
    credential = tmp_path / "spillway-west.credential"
    shutil.copy(west.directory / "secrets" / "admin.credential", credential)
    shutil.copy(SHIPPED / "spillway.rules.yaml", tmp_path)
    config = (SHIPPED / "prometheus.yml").read_text()
    for shipped, here in (
        ("15s", "1s"),
        ("127.0.0.1:9471", door),
        ("/etc/prometheus/spillway-west.credential", str(credential)),
        ("- spillway.rules.yaml", f"- {tmp_path}/spillway.rules.yaml"),
    ):
        assert shipped in config
        config = config.replace(shipped, here)
    with Prometheus(tmp_path / "server", config) as prometheus:
        until(lambda: prometheus.targets_up() == 1, "the site is scraped")
        named = 'spillway_build_info{namespace="west",job="spillway-west"}'
        until(lambda: prometheus.query(named), "its version is there")
        assert prometheus.query('process_open_fds{namespace="west"} > 5')
        assert not prometheus.alerts("firing")
