"""A worker that hangs: the reports of it, its clients, and that it is ended or comes back."""

import socket

import pytest

from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site, is_alive
from tests.scenario.waiting import until
from tests.scenario.worker_sites import (
    CAPACITY,
    are_ready,
    hung,
    owner,
    owners,
    pid_of,
    pids,
    pinned,
    serve,
    site_of_workers,
    workers,
)

CODE = "SW0691"


@pytest.fixture
def west(net: Network) -> Site:
    return site_of_workers(net)


def is_named(site: Site) -> bool:
    return CODE in [one["code"] for one in site.get("status")["problems"]]


def listener_error(site: Site) -> str:
    item = site.service("shop", SHOP_PORT)
    return str(item["listener"]["error"]) if item else ""


def unanswered(site: Site) -> socket.socket:
    """A connection with a request, which no process accepts."""
    known = pids(site)
    lines: list[socket.socket] = []

    def one_waits() -> bool:
        line = socket.create_connection((site.address, SHOP_PORT))
        line.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
        lines.append(line)
        line.settimeout(1.0)
        try:
            return not line.recv(1)
        except TimeoutError:
            return owner(line, known) is None

    try:
        until(one_waits, "the kernel gives the silent one a connection")
        return lines.pop()
    finally:
        for line in lines:
            line.close()


def test_a_worker_that_hangs_is_named_and_ended_and_who_waits_for_it_is_reset(
    net: Network, west: Site
) -> None:
    serve(net, west, service_s=0.0)
    silent = pid_of(west, 1)
    with hung(silent):
        waits = unanswered(west)
        until(lambda: is_named(west), "status names it")
        (problem,) = [one for one in west.get("status")["problems"] if one["code"] == CODE]
        shown = workers(west)[1]
        assert (shown["process"], shown["ready"], shown["restarts"]) == (silent, False, 0)
        since = shown["silent_since"]
        assert f"Worker 1 of 2 has not answered since {since}: about 1 of 2" in problem["message"]
        assert f"1 of 2 ready, not: 1\nProblem:  {CODE} Worker 1 of 2" in (
            west.ctl("status", code=3).out.replace("\n\n", "\n")
        )
        waits.settimeout(30.0)
        with pytest.raises(ConnectionResetError):
            waits.recv(1)
        waits.close()
        until(lambda: workers(west)[1]["restarts"] == 1, "it is started again")
    until(lambda: are_ready(west, 2), "it serves again")
    west.until_well(CODE)
    assert not is_alive(silent)
    until(lambda: owners(west) == 2, "both accept clients")
    events = west.get("events")
    codes = [event["code"] for event in events]
    assert (codes.count("worker-silent"), codes.count("worker-answers")) == (1, 0)
    (ended,) = [event for event in events if event["code"] == "worker-ended"]
    assert "it did not answer and was ended" in ended["message"]


def test_a_worker_that_answers_again_goes_on_and_is_named_no_more(net: Network, west: Site) -> None:
    serve(net, west, service_s=0.0)
    silent = pid_of(west, 1)
    with hung(silent):
        waits = unanswered(west)
        until(lambda: is_named(west), "status names it")
    with waits:
        waits.settimeout(10.0)
        assert waits.recv(12) == b"HTTP/1.1 200"
    until(lambda: are_ready(west, 2), "it answers")
    assert [one["restarts"] for one in workers(west)] == [0, 0]
    assert workers(west)[1]["silent_since"] is None
    assert pid_of(west, 1) == silent
    west.until_well(CODE)
    codes = [event["code"] for event in west.get("events")]
    assert [codes.count(f"worker-{what}") for what in ("silent", "answers", "ended")] == [1, 1, 0]
    assert fetch(west.address, SHOP_PORT).status == 200


def test_what_a_silent_worker_has_in_flight_is_shown_at_its_site(net: Network, west: Site) -> None:
    target = serve(net, west, service_s=0.0)
    lines = [*pinned(west, 0, 1), *pinned(west, 1, 2)]
    target.hold()
    for line in lines:
        line.request("GET", "/")
    shown = (len(lines), CAPACITY)

    def is_shown() -> bool:
        (site,) = west.service("shop")["sites"]
        return (site["in_flight"], site["capacity"]) == shown

    until(is_shown, "all are in flight")

    def silent_and_shown() -> bool:
        if not is_named(west):
            return False
        (here,) = west.json("why", "shop")["candidates"]
        half = CAPACITY // 2
        note = (
            f"{half} of {CAPACITY} slots work: worker 1 does not answer, with 2 of its {half} "
            "slots in use: it takes no request"
        )
        (site,) = west.service("shop")["sites"]
        assert site["note"] == note
        assert f"west: {note}" in west.ctl("service", "status", "shop").out
        assert here["note"] == note and here["free"] == half - 1, here
        return (here["in_flight"], here["capacity"]) == shown and is_shown()

    with hung(pid_of(west, 1)):
        until(silent_and_shown, "why and service status show all that the target has")
    target.release()
    assert lines[0].getresponse().read()
    for line in lines:
        line.close()
    until(lambda: west.rests("shop"), "all are over")
    west.until_well(CODE)


def test_a_port_that_comes_back_while_a_worker_hangs_is_listened_at_by_all(
    net: Network, west: Site
) -> None:
    serve(net, west, service_s=0.0)
    with hung(pid_of(west, 1)):
        west.declare("shop", SHOP_PORT + 1)
        until(lambda: west.service("shop", SHOP_PORT) is None, "it has another port")
        west.declare("shop", SHOP_PORT)
        until(
            lambda: "in use" in listener_error(west),
            "the silent one still has the port",
        )
    until(lambda: west.offers("shop", {"west": 1}), "the first one has it again")
    until(lambda: owners(west) == 2, "both accept clients")
    assert [one["restarts"] for one in workers(west)] == [0, 0]


def test_a_service_that_is_deleted_beside_a_silent_worker_waits_for_it_by_name(
    net: Network, west: Site
) -> None:
    serve(net, west, service_s=0.0)
    waits_for = "Service shop was removed, but worker 1 has not answered yet"

    def is_told() -> bool:
        return any(waits_for in one["message"] for one in west.get("status")["notes"])

    with hung(pid_of(west, 1)):
        until(lambda: is_named(west), "status names it")
        assert not is_told() and west.service("shop")["removed"] == ""
        for path in (west.directory / "config").glob("own-*-shop*"):
            path.unlink()
        until(is_told, "status says which worker it waits for")
        assert waits_for in west.service("shop")["removed"]
        assert waits_for in west.get("why/shop")["removed"]
    until(lambda: west.service("shop") is None, "the service is gone")
    until(lambda: not is_told(), "nobody is waited for")


def test_stop_now_does_not_wait_for_a_worker_that_hangs(net: Network, west: Site) -> None:
    """The grace period is for requests; the second order ends it for all workers."""
    serve(net, west, service_s=0.0)
    with hung(pid_of(west, 1)):
        assert (
            "stopped" in west.ctl("--timeout", "8", "stop", "--now").out
        )  # Its silence ends it in 10 s.
