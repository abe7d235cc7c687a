"""The router as a process: foreground, exit codes, crashes at any moment, IPv6, policies."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from tests import needs
from tests.scenario.clients import by_site, connected, fetch, sending
from tests.scenario.harness import LINK_PORT, ROOT, SHOP_PORT, Network, Site, own_address
from tests.scenario.started import Started
from tests.scenario.waiting import until


def run_in_foreground(site: Site) -> "subprocess.Popen[bytes]":
    """`sitectl run`."""
    words = ["--state", str(site.state), "--site", site.name, "run"]
    return subprocess.Popen(
        [sys.executable, "-m", "sitectl", "--platform", "process", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_stays_in_the_foreground_and_ends_with_0(net: Network, number: signal.Signals) -> None:
    site = net.site("alone")
    with run_in_foreground(site) as process:
        until(site.admin.is_ready, "the router is ready")
        assert site.note_pid() == process.pid
        assert "unchanged" in site.ctl("start").out
        site.ctl("run", code=5)
        process.send_signal(number)
        assert process.wait(10) == 0


def test_a_router_killed_at_any_moment_starts_again_and_is_believed(net: Network) -> None:
    rng = random.Random(5)
    site, other = net.site("site"), net.site("other")
    site.declare("shop")
    site.connect("shop", net.http("site"), capacity=3)
    net.link(site, other)
    other.start()
    words = ["--state", str(site.state), "--site", site.name, "run"]
    for _ in range(6):
        with (
            Started(["--platform", "process", *words], ROOT, os.environ) as process,
            contextlib.suppress(subprocess.TimeoutExpired),
        ):
            process.wait(rng.random() * 0.4)
    site.start()
    net.ready("shop", {"site": 1})
    assert fetch(other.address, SHOP_PORT).site == "site"
    site.kill()
    site.connect("shop", net.http("site"), capacity=3)
    site.start()
    net.ready("shop", {"site": 2})


@pytest.fixture
def ipv6() -> Iterator[None]:
    """Only where there is ::1."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        needs.lacking("an IPv6 loopback")
    yield


def test_sites_on_ipv6_link_and_serve(net: Network, ipv6: None) -> None:
    """::1 is one address for all runs: ports that are free now."""
    with (
        socket.create_server(("::1", 0), family=socket.AF_INET6) as one,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as two,
    ):
        link_port, shop_port = one.getsockname()[1], two.getsockname()[1]
    six = Site("six", net.state, "::1")
    net.sites.append(six)
    six.quick(
        *("init", "six", "--bind-ip", "::1", "--ingress-bind-ip", "::1"),
        *("--bind-port", str(link_port), "--ingress-host", f"[::1]:{link_port}"),
    )
    four = net.site("four")
    six.declare("shop", shop_port)
    four.connect("shop", net.http("four"), capacity=3)
    net.link(four, six)
    net.start()
    net.ready("shop", {"four": 1})
    assert fetch("::1", shop_port).site == "four"


def test_balanced_sends_to_the_least_in_flight_plus_cost(net: Network) -> None:
    near, far = net.site("near"), net.site("far")
    near.declare("shop", policy={"name": "balanced"})
    targets = {site.name: net.http(site.name) for site in (near, far)}
    near.connect("shop", targets["near"])
    far.connect("shop", targets["far"])
    net.link(near, far, 4)
    net.start()
    net.ready("shop", {"near": 1, "far": 1})
    assert near.json("why", "shop")["policy"] == "balanced"
    for target in targets.values():
        target.hold()
    answers = []
    for number in range(1, 13):
        answers.append(sending(near.address, SHOP_PORT, 1))
        until(lambda: sum(t.in_hand for t in targets.values()) == number, "one more")  # noqa: B023
    # 4 or 5 go to the local site until it is as dear as the other one; then they take turns.
    assert targets["near"].in_hand in (8, 9), targets["near"].in_hand
    for target in targets.values():
        target.release()
    assert by_site(a for future in answers for a in future.result()) == Counter(
        near=targets["near"].in_hand_max, far=targets["far"].in_hand_max
    )
    net.at_rest("shop")


def test_a_private_site_dials_out_and_is_reached_through_its_link(net: Network) -> None:
    public = net.site("public")
    private = Site("private", net.state, own_address())
    net.sites.append(private)
    private.quick("init", "private", "--bind-ip", private.address, "--ingress", "none")
    public.declare("shop")
    private.connect("shop", net.http("private"), capacity=2)
    net.link(private, public)
    net.start()
    net.ready("shop", {"private": 1})
    assert fetch(public.address, SHOP_PORT).site == "private"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((private.address, LINK_PORT), 1)
    private.ctl("token", "create", "-", code=7)


def test_a_site_at_a_loopback_address_accepts_links_there_alone(net: Network) -> None:
    near = Site("near", net.state, own_address())
    net.sites.append(near)
    port = str(near.link_port)
    near.ctl("init", "near", "--bind-ip", near.address, "--bind-port", port)
    started = near.ctl("start").err
    assert f"Links are accepted at {near.address}:{port}; " in started, started
    assert f"listeners of services bind {near.address}." in started, started
    socket.create_connection((near.address, near.link_port), 5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((own_address(), near.link_port), 5)


def test_an_idle_kept_connection_does_not_hold_up_a_stop(net: Network) -> None:
    site = net.site("alone")
    site.declare("shop")
    site.connect("shop", net.http("alone"), capacity=2)
    site.start()
    net.ready("shop", {"alone": 1})
    with connected(site.address, SHOP_PORT) as door:
        door.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
        assert door.recv(12) == b"HTTP/1.1 200"
        site.note_pid()
        site.signal(signal.SIGTERM)
        until(site.gone, "the router is gone", 3.0)


def test_a_second_order_to_stop_resets_requests_that_wait_as_all_others(net: Network) -> None:
    site, target = net.site("alone"), net.http("alone")
    site.declare("shop", queue=10, queueWait="60s")
    site.connect("shop", target, capacity=1)
    site.start()
    net.ready("shop", {"alone": 1})
    target.hold()
    with contextlib.ExitStack() as opened:
        doors = [opened.enter_context(connected(site.address, SHOP_PORT)) for _ in range(3)]
        for door in doors:
            door.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
        until(lambda: site.service("shop")["queued"] == 2, "two wait for a slot")
        site.note_pid()
        site.signal(signal.SIGTERM)
        until(lambda: not site.get("status")["ready"], "it drains")
        site.signal(signal.SIGTERM)
        for door in doors:
            with pytest.raises(ConnectionResetError):
                door.recv(100)


def test_a_neighbour_stopped_again_and_again_is_linked_again_soon_each_time(net: Network) -> None:
    dialer, acceptor = net.site("dialer"), net.site("acceptor")
    net.link(dialer, acceptor, token="cert")
    net.start()
    net.see_each_other()
    for _ in range(4):
        acceptor.ctl("stop")
        acceptor.start()
        until(lambda: dialer.is_up("acceptor"), "the link is up again", 5.0)
