"""A router of two processes stops: the connections of each end by themselves all the same."""

import os
import signal
import socket

import pytest

from tests.scenario.harness import Network, Site, is_alive
from tests.scenario.waiting import stays, until
from tests.scenario.worker_sites import are_ready, owners, pid_of, pinned, site_of_workers


@pytest.fixture
def west(net: Network) -> Site:
    site = site_of_workers(net)
    site.declare("shop", protocol="tcp")
    site.connect("shop", net.tcp("target"))
    net.start()
    until(lambda: are_ready(site, 2), "both workers serve")
    until(lambda: site.offers("shop", {"west": 1}), "the service is there")
    until(lambda: owners(site) == 2, "both accept clients")
    return site


def answers(line: socket.socket) -> bool:
    line.sendall(b"name\n")
    return line.recv(100) == b"target\n"


def test_a_worker_that_drains_outlives_the_first_one(west: Site) -> None:
    first, other = pid_of(west, 0), pid_of(west, 1)
    (client,) = pinned(west, 1, 1)
    assert answers(client.sock)
    os.kill(first, signal.SIGTERM)
    until(lambda: not west.get("status")["ready"], "it stops")
    west.kill()
    stays(lambda: answers(client.sock), "it is served", 1.0)
    client.close()
    until(lambda: not is_alive(other), "it has ended")


def test_a_worker_that_drains_alone_goes_on_when_the_site_stops(west: Site) -> None:
    first, other = pid_of(west, 0), pid_of(west, 1)
    (client,) = pinned(west, 1, 1)
    assert answers(client.sock)
    os.kill(other, signal.SIGTERM)
    until(lambda: not are_ready(west, 2), "it drains")
    os.kill(first, signal.SIGTERM)
    until(lambda: not west.get("status")["ready"], "the site stops")
    stays(lambda: answers(client.sock), "it is served", 1.0)
    client.close()
    until(west.gone, "all have ended")


def test_a_second_order_ends_what_a_worker_has(west: Site) -> None:
    first = pid_of(west, 0)
    (client,) = pinned(west, 1, 1)
    assert answers(client.sock)
    os.kill(first, signal.SIGTERM)
    until(lambda: not west.get("status")["ready"], "it stops")
    assert answers(client.sock)
    os.kill(first, signal.SIGTERM)
    until(west.gone, "all have ended")
    with pytest.raises(ConnectionResetError):
        client.sock.recv(100)
    client.close()


def test_a_worker_that_cuts_a_client_after_the_first_one_died_ends_in_order(west: Site) -> None:
    """It told the first one of the cut, whose connection was closed, and crashed."""
    other = pid_of(west, 1)
    (client,) = pinned(west, 1, 1)
    assert answers(client.sock)
    log = west.directory / "run" / "workers" / "1" / "router.log"
    west.kill()
    until(lambda: '"draining"' in log.read_text("utf-8"), "it drains")
    stays(lambda: answers(client.sock), "it is served", 1.5)  # It reports its door each second.
    os.kill(other, signal.SIGTERM)
    with pytest.raises(ConnectionResetError):
        client.sock.recv(100)
    client.close()
    until(lambda: not is_alive(other), "it has ended")
    assert '"stopped"' in log.read_text("utf-8")
