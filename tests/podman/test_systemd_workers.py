"""A router of two workers as a unit of a real systemd, of the system and of a user."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests import needs
from tests.podman.engine import missing, why_not
from tests.podman.systemd_host import SystemdHost, systemd_image

pytestmark = pytest.mark.timeout(900)  # It may have to make the host's image.

SHOP, TARGET = 8080, 8099
UNIT = "spillway-crowd.service"
CLIENTS = 8
DRAIN_GRACE_S = 30.0  # The default of a site.
TARGET_CODE = """
import http.server, time
class Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(float(self.path[1:]))
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", %d), Slow).serve_forever()
"""
CLIENT_CODE = """
import collections, concurrent.futures, http.client
def ask(number):
    line = http.client.HTTPConnection("127.0.0.1", %d)
    line.request("GET", "/%g")
    return line.getresponse().status
with concurrent.futures.ThreadPoolExecutor(%d) as hands:
    print(dict(collections.Counter(hands.map(ask, range(%d)))))
"""


@pytest.fixture(scope="module")
def host() -> Iterator[SystemdHost]:
    needs.root("boot systemd in a container with all rights")
    reason = missing() or why_not(systemd_image())
    if reason:
        pytest.fail(f"podman cannot run containers here: {reason}")
    made = SystemdHost(f"spillway-test-workers-{os.getpid()}")
    try:
        target = TARGET_CODE % TARGET
        made.run("systemd-run", "--quiet", "--unit=target", "/usr/bin/python3", "-c", target)
        yield made
    finally:
        made.close()


class Crowd:
    """A site of two workers, run by the system's manager or by that of ``user``."""

    def __init__(self, host: SystemdHost, user: str) -> None:
        self._host, self._user = host, user
        home = "/root" if user == "root" else f"/home/{user}"
        self._where = ("--state", f"{home}/crowds", "--site", "crowd")

    def ctl(self, *words: str) -> Any:
        return self._host.json(*self._where, *words, user=self._user)

    def workers(self) -> list[Any]:
        return list(self._host.status(*self._where, user=self._user)["workers"])

    def are_ready(self) -> bool:
        return [one["ready"] for one in self.workers()] == [True, True]

    def main_pid(self, other_than: int = 0) -> int:
        return self._host.await_pid(UNIT, other_than, self._user)

    def property(self, name: str) -> str:
        return self._host.property(UNIT, name, self._user)

    def ask(self, seconds: float = 0.0, clients: int = CLIENTS) -> str:
        """The statuses of so many clients at once, each with one request that takes so long."""
        code = CLIENT_CODE % (SHOP, seconds, clients, clients)
        return self._host.run("python3", "-c", code).strip()


@pytest.fixture(params=["root", "alice"])
def crowd(host: SystemdHost, request: pytest.FixtureRequest) -> Iterator[Crowd]:
    user: str = request.param
    if user != "root":
        host.run("loginctl", "enable-linger", user)
        host.await_(
            lambda: host.systemctl("is-system-running", user=user) in ("running", "degraded"),
            "the user's manager is there",
        )
    made = Crowd(host, user)
    made.ctl("init", "crowd", "--workers", "2", "--run-by", "systemd")
    try:
        made.ctl("service", "create", "shop", str(SHOP), "--protocol", "http")
        bind = ("service", "bind", "shop", "host", "127.0.0.1", "--target-port", str(TARGET))
        made.ctl(*bind)
        made.ctl("start")
        yield made
    finally:
        made.ctl("--yes", "delete")
        if user != "root":
            host.run("loginctl", "disable-linger", user)


def test_two_workers_serve_heal_and_drain_as_a_unit(host: SystemdHost, crowd: Crowd) -> None:
    host.await_(crowd.are_ready, "both workers serve")
    good = str({200: CLIENTS})
    host.await_(lambda: crowd.ask() == good, "they serve")
    doors = [row for row in host.run("ss", "-Hltn").splitlines() if f":{SHOP} " in row]
    assert len(doors) == 2

    first, second = (one["process"] for one in crowd.workers())
    assert first == crowd.main_pid()
    host.run("kill", "-KILL", str(second))
    host.await_(lambda: crowd.workers()[1]["restarts"] == 1, "it is started again")
    host.await_(crowd.are_ready, "it serves again")
    assert crowd.main_pid() == first
    assert crowd.property("NRestarts") == "0"
    assert crowd.ask() == good

    host.run("kill", "-KILL", str(first))
    crowd.main_pid(other_than=first)
    host.await_(crowd.are_ready, "systemd starts all of it again")
    host.await_(lambda: crowd.ask() == good, "they serve")

    ran = [one["process"] for one in crowd.workers()]
    with ThreadPoolExecutor(1) as hands:
        answers = hands.submit(crowd.ask, 10.0)
        lines = ("ss", "-Htn", "state", "established", "dst", f"127.0.0.1:{TARGET}")
        host.await_(
            lambda: len(host.run(*lines).splitlines()) >= CLIENTS, "all requests are at the target"
        )
        assert crowd.ctl("stop")["change"] == "stopped"
        assert answers.result() == good
    assert crowd.property("ActiveState") == "inactive"
    assert crowd.property("Result") == "success"
    assert not [pid for pid in ran if host.tell("ls", "-d", f"/proc/{pid}")]
    crowd.ctl("start")
    log = host.run("journalctl", "--output=cat", "--unit", UNIT) + host.run(
        "journalctl", "--output=cat", "--user-unit", UNIT
    )
    assert "Got notification message" not in log
    assert "Traceback" not in log
