"""What real routers let one see of single requests: ids, the access log, phases, traces."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.backends import HttpTarget
from tests.scenario.clients import ask, connected, fetch
from tests.scenario.collector import Collector, attributes_of
from tests.scenario.harness import ROOT, SHOP_PORT, Network, Site
from tests.scenario.waiting import WAIT_S, until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{PARENT}-01"
ECHO_PORT = SHOP_PORT + 1


class Crossing:
    """Clients come in at ``door``, which logs everything; the only target is at ``room``."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.door = net.site("door", "--access-log-share", "1")
        self.room = net.site("room")
        self.target, self.echo = net.http("room"), net.tcp("echo")
        self.door.declare("shop", requestId="X-Request-Id")
        self.door.declare("echo", ECHO_PORT, protocol="tcp")
        self.room.connect("shop", self.target, capacity=50)
        self.room.connect("echo", self.echo)
        net.link(self.door, self.room, token="cert")
        net.start()
        net.ready("shop", {"room": 1})
        net.ready("echo", {"room": 1})

    @property
    def log(self) -> Path:
        return self.door.directory / "run" / "access.log"

    def line(self, path: str) -> dict[str, Any]:
        """The one line about a path."""
        (found,) = until(lambda: [one for one in lines(self.log) if one.get("path") == path], path)
        return found


def lines(path: Path) -> list[dict[str, Any]]:
    """Every whole line of a log, decoded; none before there is a log."""
    if not path.exists():
        return []
    whole, _, _ = path.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


@pytest.fixture(scope="module")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crossing]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("seen")) as net:
        yield Crossing(net)


def test_an_id_reaches_the_target_across_a_link_and_comes_back(crossing: Crossing) -> None:
    kept = fetch(crossing.door.address, SHOP_PORT, headers={"X-Request-Id": "mine-1"})
    assert crossing.target.seen[-1].all("x-request-id") == ["mine-1"]
    assert kept.headers["x-request-id"] == "mine-1"
    made = fetch(crossing.door.address, SHOP_PORT)
    (fresh,) = crossing.target.seen[-1].all("x-request-id")
    assert re.fullmatch("[0-9a-f]{32}", fresh)
    assert made.headers["x-request-id"] == fresh


def test_trace_context_passes_as_it_came_across_a_link(crossing: Crossing) -> None:
    for sent in (
        [("traceparent", SAMPLED), ("tracestate", "a=1, b=2 "), ("TraceState", "c=3")],
        [("traceparent", "00-not-a-trace")],
        [("traceparent", SAMPLED), ("traceparent", "ff-" + SAMPLED)],
        [("Traceparent", "")],
    ):
        fields = "".join(f"{name}: {value}\r\n" for name, value in sent)
        with connected(crossing.door.address, SHOP_PORT) as door:
            door.sendall(f"GET / HTTP/1.1\r\nHost: shop\r\n{fields}\r\n".encode())
            assert door.recv(12) == b"HTTP/1.1 200"
        seen = crossing.target.seen[-1].headers
        arrived = [(k, v) for k, v in seen if k.lower() in ("traceparent", "tracestate")]
        assert arrived == [(name, value.strip()) for name, value in sent]


def test_a_line_tells_of_a_request_without_its_secrets(crossing: Crossing) -> None:
    secrets = {"Cookie": "s3cret", "Authorization": "s3cret", "traceparent": SAMPLED}
    answer = fetch(
        crossing.door.address, SHOP_PORT, "/echo?k=s3cret", "POST", body=b"body!", headers=secrets
    )
    line = crossing.line("/echo")
    assert (line["method"], line["status"], line["code"], line["outcome"]) == (
        "POST",
        200,
        "",
        "ok",
    )
    assert (line["bytes_in"], line["bytes_out"]) == (5, len(answer.body))
    assert (line["service"], line["port"], line["protocol"]) == ("shop", SHOP_PORT, "http")
    assert (line["site"], line["target"], line["attempts"]) == ("room", "", 1)
    assert line["client"].startswith("127.0.0.1:")
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["trace_id"] == TRACE
    parts = line["queue_s"] + line["network_s"] + line["target_s"]
    assert parts == pytest.approx(line["total_s"], abs=1e-5)
    assert line["network_s"] > 0 and line["target_s"] > 0
    text = crossing.log.read_text()
    assert "s3cret" not in text and "body!" not in text
    assert stat.S_IMODE(crossing.log.stat().st_mode) == 0o600


def test_a_request_refused_at_the_door_and_a_tcp_connection_have_lines_too(
    crossing: Crossing,
) -> None:
    with connected(crossing.door.address, SHOP_PORT) as door:
        door.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\nbad field\r\n\r\n")
        assert door.recv(12) == b"HTTP/1.1 400"
    (refused,) = until(
        lambda: [one for one in lines(crossing.log) if one.get("status") == 400], "a 400"
    )
    assert (refused["code"], refused["outcome"]) == ("bad-request", "refused")
    with connected(crossing.door.address, ECHO_PORT) as door:
        ask(door, "hello")
    (tcp,) = until(
        lambda: [one for one in lines(crossing.log) if one["protocol"] == "tcp"], "the connection"
    )
    assert tcp["bytes_in"] == len("hello\n") and tcp["site"] == "room"


def test_a_log_that_was_moved_away_begins_anew_on_sighup(crossing: Crossing) -> None:
    fetch(crossing.door.address, SHOP_PORT, "/before")
    crossing.line("/before")
    old = crossing.log.with_name("old.log")
    crossing.log.rename(old)
    crossing.door.signal(signal.SIGHUP)
    until(lambda: _asked_again(crossing), "a new file")
    assert "/before" in old.read_text()


def _asked_again(crossing: Crossing) -> bool:
    fetch(crossing.door.address, SHOP_PORT, "/after")
    return any(one.get("path") == "/after" for one in lines(crossing.log))


def test_phases_stand_in_the_metrics_and_in_the_status(crossing: Crossing) -> None:
    fetch(crossing.door.address, SHOP_PORT)
    metrics = crossing.door.metrics()
    named = f'phase="network",port="{SHOP_PORT}",service="shop"'
    assert f"spillway_request_phase_seconds_count{{{named}}}" in metrics
    assert "spillway_access_log_dropped_total 0.0" in metrics
    (shop,) = crossing.door.json("service", "status", "shop")
    assert shop["phases"].keys() == {"queue", "network", "target"}
    assert 0 < shop["phases"]["network"]["p50_s"] <= shop["phases"]["network"]["p99_s"]
    assert (
        "p50/p99 since the start: queue <0.1 ms"
        in crossing.door.ctl("service", "status", "shop").out
    )


def test_a_site_that_wants_no_log_has_none(crossing: Crossing) -> None:
    assert not (crossing.room.directory / "run" / "access.log").exists()


def traced(net: Network) -> tuple[Site, HttpTarget]:
    """A site that traces, and the target that it reaches over a link."""
    door, room = net.site("door", "--tracing"), net.site("room")
    target = net.http("room")
    door.declare("shop")
    room.connect("shop", target, capacity=5)
    net.link(door, room, token="cert")
    net.start()
    net.ready("shop", {"room": 1})
    return door, target


def test_a_span_reaches_the_collector_and_the_target_is_its_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collector() as collector, Network(tmp_path) as net:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")  # Stopping must send them.
        door, target = traced(net)
        answer = fetch(door.address, SHOP_PORT, "/whoami?q=1", headers={"traceparent": SAMPLED})
        assert answer.status == 200
        unsampled = f"00-{TRACE}-{PARENT}-00"
        fetch(door.address, SHOP_PORT, headers={"traceparent": unsampled})
        door.until_well()
        door.ctl("stop")
        (span,) = collector.spans
        assert span.trace_id.hex() == TRACE and span.parent_span_id.hex() == PARENT
        told = attributes_of(span)
        assert told["http.request.method"] == "GET" and told["url.path"] == "/whoami"
        assert told["http.response.status_code"] == 200
        assert told["spillway.served_at"] == "room" and told["spillway.retries"] == 0
        assert collector.resources[0]["service.name"] == "spillway"
        assert collector.resources[0]["spillway.site"] == "door"
        first, second = (seen.all("traceparent") for seen in target.seen[-2:])
        assert first == [f"00-{TRACE}-{span.span_id.hex()}-01"]
        assert second == [unsampled]


def test_tracing_without_opentelemetry_is_a_problem_and_requests_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / "hidden" / "opentelemetry"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('not installed')\n")
    monkeypatch.setenv("PYTHONPATH", str(hidden.parent))
    with Network(tmp_path / "state") as net:
        door = net.site("door", "--tracing")
        door.declare("shop")
        door.connect("shop", net.http("door"))
        net.start()
        net.ready("shop", {"door": 1})
        assert fetch(door.address, SHOP_PORT).status == 200
        (problem,) = door.json("status", code=3)["problems"]
        assert problem["code"] == "SW0701"
        assert problem["hint"].startswith(sys.executable)


def test_under_a_supervisor_both_logs_are_printed_and_neither_leaves_a_file(tmp_path: Path) -> None:
    with Network(tmp_path / "state") as net:
        site = net.site("door", "--access-log-share", "1")
        site.declare("shop")
        site.connect("shop", net.http("door"))
        words = ["--state", str(site.state), "--site", site.name, "run"]
        with (tmp_path / "printed").open("wb") as printed:
            router = subprocess.Popen(
                [sys.executable, "-m", "sitectl", *words],
                cwd=ROOT,
                env={**os.environ, "container": "podman"},
                stdout=printed,
                stderr=subprocess.DEVNULL,
            )
        try:
            until(site.admin.is_running, "the router runs")
            net.ready("shop", {"door": 1})
            for number in range(50):
                assert fetch(site.address, SHOP_PORT, f"/{number}").status == 200
        finally:
            router.terminate()
            code = router.wait(WAIT_S)
        assert code == 0
        told = lines(tmp_path / "printed")
        shown = [one["path"] for one in told if "logger" not in one]
        assert shown == [f"/{number}" for number in range(50)]
        assert {"serving", "stopped"} <= {one["message"] for one in told if "logger" in one}
        run = site.directory / "run"
        assert not (run / "access.log").exists() and not (run / "router.log").exists()
