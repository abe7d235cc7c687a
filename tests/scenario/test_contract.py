"""What users rely on, as written down: JSON fields, metrics with their labels, error answers."""

import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenario.backends import HttpTarget
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import own_time, until

NOWHERE_PORT, FULL_PORT, LINE_PORT, GONE_PORT = range(SHOP_PORT + 1, SHOP_PORT + 5)

FIELDS = {
    "status": "name id mode version ready uptime_s links services sites problems console",
    "link status": "name neighbour direction cost state since rtt_ms lanes error "
    "certificate_expires standby",
    "service status": "name port protocol policy queued requests_total overflow_total listener "
    "sites targets",
    "network status": "name id path_cost next_hops neighbours services reachable version",
    "why shop": "service port policy decision candidates",
}
"""Of the items of each command."""

NESTED = {
    ("link status", "neighbour"): "name id",
    ("service status", "listener"): "host port state error",
    (
        "service status",
        "sites",
    ): "site id local path_cost targets_ready capacity in_flight draining age_s",
    ("service status", "targets"): "site name host port ready in_flight capacity requests_total "
    "error",
    ("network status", "neighbours"): "site cost",
    ("why shop", "decision"): "site path reason",
    ("why shop", "candidates"): "site path path_cost targets_ready capacity in_flight free age_s "
    "verdict reason",
}
"""Of what lies within."""

LABELS = {
    "spillway_requests_total": "service protocol site code_class",
    "spillway_request_seconds_bucket": "service protocol site code_class le",
    "spillway_overflow_total": "service to reason",
    "spillway_spilled_total": "service to reason",
    "spillway_decisions_total": "service policy verdict",
    "spillway_in_flight": "service site",
    "spillway_capacity": "service site",
    "spillway_targets_ready": "service site",
    "spillway_queue_length": "service",
    "spillway_queue_wait_seconds_bucket": "service le",
    "spillway_link_up": "link direction neighbour",
    "spillway_link_rtt_seconds": "link direction neighbour",
    "spillway_link_bytes_total": "link direction neighbour",
    "spillway_sites": "",
    "spillway_edges": "",
    "spillway_attached_routers": "",
    "spillway_spf_seconds": "",
    "spillway_lsa_total": "",
    "spillway_route_updates_total": "",
    "spillway_build_info": "version",
    "process_cpu_seconds_total": "",
    "process_resident_memory_bytes": "",
    "process_open_fds": "",
    "process_max_fds": "",
    "process_start_time_seconds": "",
    "spillway_certificate_expiry_timestamp_seconds": "name",
    "spillway_loop_lag_seconds": "",
    "spillway_streams": "",
    "spillway_buffered_bytes": "",
    "spillway_target_requests_total": "service target",
}
"""Of each series of each metric, at a site that served and spilled."""


class Place:
    """Two sites; ``shop`` at both, one slot here."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.here, self.there = net.site("here"), net.site("there")
        self.here.declare("shop", timeouts={"response": "500ms", "header": "500ms"})
        self.near, self.far = net.http("here"), net.http("there")
        self.here.connect("shop", self.near, capacity=1)
        self.there.connect("shop", self.far, capacity=1)
        self.here.declare("nowhere", NOWHERE_PORT)
        self.full: HttpTarget = net.http("full")
        self.here.declare("full", FULL_PORT, queueWait="100ms")
        self.here.connect("full", self.full, capacity=1)
        self.here.declare("line", LINE_PORT, protocol="tcp")
        self.here.connect("line", net.tcp("line"))
        net.link(self.here, self.there)
        net.start()
        net.see_each_other()
        net.ready("shop", {"here": 1, "there": 1})
        net.ready("full", {"here": 1})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("contract")) as net:
        yield Place(net)


def missing(fields: str, shown: dict[str, Any]) -> set[str]:
    return set(fields.split()) - shown.keys()


@pytest.mark.parametrize("command", FIELDS)
def test_every_promised_field_is_there(place: Place, command: str) -> None:
    shown = place.here.json(*command.split())
    for item in [shown] if isinstance(shown, dict) else shown:
        assert not missing(FIELDS[command], item)
        for (owner, field), fields in NESTED.items():
            if owner != command or not item[field]:
                continue
            for each in [item[field]] if isinstance(item[field], dict) else item[field]:
                assert not missing(fields, each), field


def hold(site: Site, port: int, target: HttpTarget) -> socket.socket:
    """A request that its target has in hand."""
    target.hold()
    client = socket.create_connection((site.address, port), 10)
    client.sendall(b"GET /held HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
    until(lambda: target.in_hand == 1, "the target has it")
    return client


def test_every_promised_metric_is_there_with_its_labels(place: Place) -> None:
    held = hold(place.here, SHOP_PORT, place.near)
    assert fetch(place.here.address, SHOP_PORT).site == "there"
    place.near.release()
    held.close()
    place.net.at_rest("shop")
    held = hold(place.here, FULL_PORT, place.full)  # One that waits and is not served.
    assert fetch(place.here.address, FULL_PORT).code == "all-full"
    place.full.release()
    held.close()
    place.net.at_rest("full")
    series: dict[str, set[str]] = {}
    for line in place.here.metrics().splitlines():
        match = re.match(r"([a-z_]+)(?:\{(.*)\})? ", line)
        if match is not None:
            labels = set(re.findall(r'([a-z_]+)="', match[2] or ""))
            series[match[1]] = series.get(match[1], labels) & labels
    for name, promised in LABELS.items():
        assert set(promised.split()) <= series.get(name, {"not there"}), name


def test_no_site_is_503_no_route(place: Place) -> None:
    answer = fetch(place.here.address, NOWHERE_PORT)
    assert (answer.status, answer.code) == (503, "no-route")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.body.count(b"\n") <= 1


def test_all_full_is_503_with_retry_after_in_time(place: Place) -> None:
    held = hold(place.here, FULL_PORT, place.full)
    began = own_time()
    answer = fetch(place.here.address, FULL_PORT)
    assert own_time() - began < 1.0
    assert (answer.status, answer.code) == (503, "all-full")
    assert 1 <= int(answer.headers["retry-after"]) <= 5
    place.full.release()
    held.close()


def test_a_target_that_is_silent_is_504_target_timeout(place: Place) -> None:
    place.near.hold()
    answer = fetch(place.here.address, SHOP_PORT)
    place.near.release()
    assert (answer.status, answer.code) == (504, "target-timeout")
    place.net.at_rest("shop")


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost : shop\r\n\r\n", 400, "bad-request"),
        (
            b"GET / HTTP/1.1\r\nHost: shop\r\nA: " + b"b" * 9_000 + b"\r\n\r\n",
            431,
            "header-too-large",
        ),
        (b"GET / HTTP/1.1\r\nHost:", 408, "request-timeout"),
    ],
    ids=["400", "431", "408"],
)
def test_what_the_client_sent_is_refused_by_its_code(
    place: Place, sent: bytes, status: int, code: str
) -> None:
    with socket.create_connection((place.here.address, SHOP_PORT), 10) as client:
        client.sendall(sent)
        got = b""
        while data := client.recv(65_536):
            got += data
    head = got.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert head[0].split(" ")[1] == str(status)
    assert f"Spillway-Error: {code}" in head
    assert "Connection: close" in head


def test_a_target_that_takes_no_connection_is_502_target_refused(place: Place) -> None:
    gone = place.net.http("gone")
    place.here.declare("gone", GONE_PORT)
    place.here.connect("gone", gone, health={"interval": "1h"})
    place.net.ready("gone", {"here": 1}, place.here)
    gone.stop()
    answer = fetch(place.here.address, GONE_PORT)
    assert (answer.status, answer.code) == (502, "target-refused")
