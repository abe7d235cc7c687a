"""Burst hooks on real processes: a full site wakes another, which joins and takes overflow."""

import hashlib
import hmac
import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.scenario.clients import Answer, fetch
from tests.scenario.harness import ROOT, SHOP_PORT, Network, Site
from tests.scenario.waiting import own_time, until

QUICK = {
    "service": "shop",
    "window": "2s",
    "saturated": {"full": "60%"},
    "calm": {"full": "20%", "for": "1s"},
    "coolDown": "2s",
}


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    with Network(tmp_path) as made:
        yield made


def shop_at(net: Network) -> Site:
    near = net.site("near")
    near.declare("shop", queue=4, queueWait="100ms")
    near.connect("shop", net.http("near", 0.1), capacity=2)
    return near


def burst(site: Site, name: str = "wake") -> Any:
    return next((item for item in site.get("bursts") if item["name"] == name), None)


class Flood:
    """Eight clients that ask all the time."""

    def __init__(self, site: Site) -> None:
        self._site, self._stopped = site, False
        self.answers: list[tuple[float, Answer]] = []
        self._threads = [Thread(target=self._ask, daemon=True) for _ in range(8)]

    def __enter__(self) -> "Flood":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        for thread in self._threads:
            thread.join(20.0)

    def _ask(self) -> None:
        while not self._stopped:
            answer = fetch(self._site.address, SHOP_PORT)
            self.answers.append((own_time(), answer))


def test_a_full_site_wakes_one_with_a_token_made_beforehand_and_lets_it_go_again(
    net: Network,
) -> None:
    near = shop_at(net)
    near.start()
    cloud = net.site("cloud")
    cloud_target = net.http("cloud", 0.1)
    cloud.connect("shop", cloud_target, capacity=20)
    net.link(cloud, near)  # A token made beforehand: the site has it and does not run.
    state = ["--state", str(cloud.state), "--site", "cloud"]
    ctl = [sys.executable, "-m", "sitectl", "--platform", "process", *state]
    script = cloud.state / "wake.py"
    script.write_text(
        "import subprocess, sys\n"
        f"verb = {{'saturated': 'start', 'calm': 'stop'}}[sys.argv[1]]\n"
        f"sys.exit(subprocess.run({ctl!r} + [verb], cwd={str(ROOT)!r}).returncode)\n"
    )
    near.document("Burst", "wake", {**QUICK, "command": [sys.executable, str(script), "{{event}}"]})
    until(lambda: burst(near), "the hook is known")
    with Flood(near) as flood:
        until(
            lambda: (near.json("why", "shop")["queue"] or {}).get("waking_s") is not None,
            "requests are held",
        )
        assert "Burst wake began to wake a site" in near.ctl("why", "shop").out
        until(cloud.admin.is_ready, "the cloud is woken", 30.0)
        cloud.note_pid()
        until(lambda: cloud.ready_targets("shop").get("cloud") == 1, "its target is ready")
        ready_at = own_time()
        until(
            lambda: any(answer.site == "cloud" for _, answer in list(flood.answers)),
            "it serves overflow",
        )
        item = until(
            lambda: (found := burst(near))["last"] and found["last"]["ok"] and found,
            "the hook has ended well",
        )
    first = next(at for at, answer in flood.answers if answer.site == "cloud")
    assert first - ready_at < 2.0
    assert (item["state"], item["last"]["event"]) == ("saturated", "saturated")
    until(cloud.gone, "calm lets it go", 30.0)
    until(lambda: burst(near)["owed"] is None, "the hook for calm has ended", 20.0)
    assert burst(near)["last"]["event"] == "calm"
    assert fetch(near.address, SHOP_PORT).site == "near"
    lost = [answer for _, answer in flood.answers if answer.status != 200]
    assert lost == []  # None was refused: requests without room were held.
    assert 'spillway_held_requests_total{outcome="served",port=' in near.metrics()
    codes = [event["code"] for event in near.get("events")]
    assert codes.count("burst-saturated") == codes.count("burst-calm") == 1
    assert codes.count("site-woken") == 1
    assert 'spillway_burst_hooks_total{name="wake",result="ok"} 2.0' in near.metrics()


class Receiver:
    """Takes webhooks; answers as a test sets it, or never."""

    def __init__(self) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.status, self.says = 200, b"thanks"
        self.hangs = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/burst"

    def close(self) -> None:
        self.hangs.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.taken.append((dict(self.headers), body))
                if receiver.status == 0:
                    receiver.hangs.wait(30.0)
                    return
                self.send_response(receiver.status)
                self.send_header("Content-Length", str(len(receiver.says)))
                self.end_headers()
                self.wfile.write(receiver.says)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_a_webhook_is_signed_and_fired_once_over_restarts_and_its_failures_harm_nobody(
    net: Network, receiver: Receiver
) -> None:
    near = shop_at(net)
    near.start()
    secret = near.directory / "secrets" / "webhooks" / "hook"
    hook = {"url": receiver.url, "secret": "hook", "timeout": "500ms", "tries": 2}
    near.document("Burst", "wake", {**QUICK, "coolDown": "10m", "webhook": hook})
    until(lambda: burst(near) is not None, "the burst is known")
    done = near.ctl("burst", "test", "wake", code=1)
    assert f"{secret} does not exist" in done.out
    assert "openssl rand" in done.out
    secret.parent.mkdir(mode=0o700)
    secret.write_bytes(b"s3cret\n")
    secret.chmod(0o644)
    assert "chmod 0600" in near.ctl("burst", "test", "wake", code=1).out
    secret.chmod(0o600)
    assert "HTTP 200: thanks" in near.ctl("burst", "test", "wake").out
    headers, body = receiver.taken.pop()
    stamp, signed = (part.split("=")[1] for part in headers["Spillway-Signature"].split(","))
    wanted = hmac.new(b"s3cret", stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert signed == wanted
    told = json.loads(body)
    assert (told["event"], told["test"], told["service"], told["site"]) == (
        *("saturated", True, "shop"),
        "near",
    )
    receiver.status, receiver.says = 302, b""
    assert "HTTP 302" in near.ctl("burst", "test", "wake", "--calm", code=1).out
    receiver.status, receiver.says = 500, b"\xff\x1b[31m" * 100_000
    assert "after 2 tries" in near.ctl("burst", "test", "wake", code=1).out
    receiver.status = 0
    near.quick("burst", "status")
    receiver.taken.clear()
    with Flood(near) as flood:
        until(lambda: burst(near)["state"] == "saturated", "it is saturated")
        until(lambda: any(p["code"] == "SW0710" for p in near.get("status")["problems"]), "told")
    assert all(answer.status in (200, 503) for _, answer in flood.answers)
    assert fetch(near.address, SHOP_PORT).status == 200
    (problem,) = (p for p in near.get("status")["problems"] if p["code"] == "SW0710")
    assert "no answer in time, after 2 tries" in problem["message"]
    near.kill()
    receiver.status, receiver.says = 200, b"ok"
    receiver.hangs.set()
    first_id = json.loads(receiver.taken[0][1])["id"]
    receiver.taken.clear()
    near.start()
    until(lambda: receiver.taken, "what was owed is not forgotten")
    assert json.loads(receiver.taken[0][1])["id"] == first_id
    until(lambda: burst(near)["owed"] is None, "it is done")
    assert burst(near)["state"] == "saturated"
    near.kill()
    near.start()
    until(lambda: burst(near)["window_whole"], "the router that came back has looked")
    assert len(receiver.taken) == 1, "and it is not fired twice"


def test_a_hook_that_failed_is_not_said_to_wake_a_site(net: Network) -> None:
    near = shop_at(net)
    near.start()
    near.document("Burst", "wake", {**QUICK, "command": ["false"]})
    until(lambda: burst(near), "the hook is known")
    with Flood(near):

        def said() -> str:
            return near.ctl("why", "shop").out

        until(lambda: "Burst wake failed to wake a site and runs again in" in said(), "it failed")
        assert near.problems("SW0710")


def test_commands_that_hang_fail_or_print_garbage_are_ended_told_and_bounded(
    net: Network, tmp_path: Path
) -> None:
    near = shop_at(net)
    near.start()
    marks = tmp_path / "pid"
    words = {
        "hangs": ["sh", "-c", f"trap '' TERM; echo $$ > {marks}; while :; do sleep 1; done"],
        "fails": ["sh", "-c", "echo no such cluster >&2; exit 3"],
        "absent": ["/no/such/program"],
        "babbles": ["sh", "-c", "head -c 3000000 /dev/urandom"],
        "tells": ["sh", "-c", 'echo "$SPILLWAY_EVENT $SPILLWAY_QUEUE_WAIT_MS $1"', "-", "{{test}}"],
        "leaves": ["sh", "-c", "sleep 3 & echo left"],
    }
    for name, command in words.items():
        near.document("Burst", name, {**QUICK, "timeout": "1s", "command": command})
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    near.document("Burst", "made", {**QUICK, "object": manifest})
    near.document("Burst", "lost", {**QUICK, "service": "nobody", "command": ["true"]})
    until(lambda: burst(near, "tells") is not None and burst(near, "lost") is not None, "known")
    assert "was ended after 1 s" in near.ctl("burst", "test", "hangs", code=1).out
    assert not Path(f"/proc/{marks.read_text().strip()}").exists()
    assert "exit 3: no such cluster" in near.ctl("burst", "test", "fails", code=1).out
    assert "No such file" in near.ctl("burst", "test", "absent", code=1).out
    assert len(near.json("burst", "test", "babbles")["text"]) <= 300
    assert near.json("burst", "test", "tells", "--calm")["text"] == "calm 0 true"
    began = own_time()
    assert near.json("burst", "test", "leaves")["text"] == "left"
    assert own_time() - began < 3.0
    refused = near.ctl("burst", "test", "made", code=1).err
    assert "routers of a site in Kubernetes" in refused
    assert "burst status made" in refused
    near.ctl("burst", "test", "nothing", code=4)
    codes = {p["code"] for p in near.get("status")["problems"]}
    assert {"SW0711", "SW0713"} <= codes
    assert "hangs" in near.ctl("burst", "status").out
    assert "Test:" in near.ctl("burst", "status", "fails").out
    assert fetch(near.address, SHOP_PORT).status == 200
