"""A container without a process left: no thread can be started any more, nor a program."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.admin.client_identity import user
from tests.scenario.backends import HttpTarget
from tests.scenario.clients import fetch
from tests.scenario.harness import ROOT, SHOP_PORT, Network, Site
from tests.scenario.waiting import until

LIMITED = ("setpriv", "--ruid=65534", "--bounding-set=-sys_resource,-sys_admin")
"""The kernel limits the processes of every user but root; the effective user stays root."""

ROUTER = """
import resource, signal, sys
from router.process.main import main
if sys.argv.pop(1) == "at-once":
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
signal.signal(signal.SIGUSR1, lambda *_: resource.setrlimit(resource.RLIMIT_NPROC, (0, 0)))
sys.exit(main(sys.argv[1:]))
"""
"""Starts no thread and no process any more: at once, or from SIGUSR1 on."""

NAMED_PORT = SHOP_PORT + 1
FULL = {"service": "shop", "saturated": {"full": "60%"}, "calm": {"full": "20%"}}


def router_command(site: Site, limited: str) -> list[str]:
    """Runs the router of ``site``, as a user whose processes the kernel limits."""
    user = LIMITED if os.geteuid() == 0 else ()
    return [*user, sys.executable, "-c", ROUTER, limited, "--site-dir", str(site.directory)]


def codes(site: Site) -> list[str]:
    """Of all events."""
    return [event["code"] for event in site.get("events")]


@pytest.fixture
def named(net: Network) -> Iterator[HttpTarget]:
    """A target that the system finds by the name localhost."""
    target = HttpTarget(net.background, "named", "127.0.0.1")
    yield target
    target.stop()


def test_a_router_that_serves_needs_no_other_thread_until_it_has_ended(
    net: Network, named: HttpTarget, tmp_path: Path
) -> None:
    site = net.site("west")
    site.declare("shop")
    site.connect("shop", net.http("west"), capacity=5)
    site.document("Burst", "program", {**FULL, "command": ["/bin/true"]})
    router = subprocess.Popen(router_command(site, "later"), cwd=ROOT)
    site.children.append(router)
    until(site.admin.is_ready, "the router is ready")
    router.send_signal(signal.SIGUSR1)
    assert "Resource temporarily unavailable" in site.ctl("burst", "test", "program", code=1).out

    site.declare("named", NAMED_PORT)
    site.document(
        "Connector",
        "named",
        {"service": "named", "targets": [{"host": "localhost", "port": named.port}]},
    )
    url = f"http://localhost:{named.port}/bytes/5"
    site.document("Burst", "hook", {**FULL, "webhook": {"url": url, "tries": 1}})
    until(lambda: site.service("named"), "the documents are read")
    until(lambda: fetch(site.address, NAMED_PORT).site == "named", "the target is found")
    assert "HTTP 200" in site.ctl("burst", "test", "hook").out
    site.ctl("token", "create", str(tmp_path / "token"))
    until(lambda: "token-made" in codes(site), "the new token is found")
    orders = [event["by"] for event in site.get("events") if event["code"] == "command"]
    assert orders == [user(os.getuid())] * 2
    assert fetch(site.address, SHOP_PORT).site == "west"

    site.document("Service", "last", {"protocol": "http", "ports": [NAMED_PORT + 1]})
    site.signal(signal.SIGTERM)
    assert router.wait(30.0) == 0


def test_a_router_that_has_not_all_threads_does_not_start_and_says_why(net: Network) -> None:
    site = net.site("west")
    words = router_command(site, "at-once")
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    assert "no thread can be started" in ran.stderr
    assert "pids.max" in ran.stderr
    assert "Traceback" not in ran.stderr
