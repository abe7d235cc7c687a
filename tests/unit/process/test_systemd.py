"""What systemd hears, and that a deaf one is no fault of ours."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from router.admin.views.status import Status
from router.model import limits
from router.model.events import Problem
from router.process.systemd import (
    NOTIFY_TIMEOUT_S,
    notify,
    reloading,
    report_to_systemd,
    status_line,
    watchdog_period_s,
)
from tests.scenario.waiting import own_time


@pytest.mark.parametrize("abstract", [False, True])
def test_the_state_arrives_as_one_datagram(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(10.0)
        systemd.bind(f"\0{name}" if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else name)
        notify("READY=1")
        assert systemd.recv(100) == b"READY=1"


def test_a_socket_that_is_gone_is_logged_and_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("STOPPING=1")
    assert [record.getMessage() for record in caplog.records] == [
        "systemd could not be told STOPPING=1"
    ]


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Where the manager listens; the unit has no watchdog."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.settimeout(10.0)
        door.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield door


async def heard(systemd: socket.socket, lines: list[str], datagrams: int) -> list[str]:
    """The first ``datagrams`` of `report_to_systemd`, with ``lines`` one after the other."""
    systemd.setblocking(False)
    left = list(lines)

    def line() -> str:
        return left.pop(0) if len(left) > 1 else left[0]

    loop = asyncio.get_running_loop()
    async with asyncio.timeout(10.0), asyncio.TaskGroup() as tasks:
        telling = tasks.create_task(report_to_systemd(line))
        found = [(await loop.sock_recv(systemd, 1000)).decode() for _ in range(datagrams)]
        telling.cancel()
    return found


def test_the_watchdog_hears_each_turn_and_the_status_when_it_changed(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    found = asyncio.run(heard(systemd, ["a", "a", "b"], 4))
    assert found == ["WATCHDOG=1\nSTATUS=a", "WATCHDOG=1", "WATCHDOG=1\nSTATUS=b", "WATCHDOG=1"]


@pytest.mark.parametrize("process_id", [None, "1"])
def test_a_watchdog_of_nobody_or_of_another_process_is_not_fed(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch, process_id: str | None
) -> None:
    if process_id is not None:
        monkeypatch.setenv("WATCHDOG_USEC", "2000")
        monkeypatch.setenv("WATCHDOG_PID", process_id)
    assert asyncio.run(heard(systemd, ["a"], 1)) == ["STATUS=a"]


def test_a_loop_that_nobody_supervises_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    asyncio.run(report_to_systemd(lambda: "a"))  # It returns.


def test_a_manager_that_is_gone_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    monkeypatch.setenv("WATCHDOG_USEC", "200")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    take_turns(3)
    assert [record.getMessage() for record in caplog.records] == ["systemd does not hear us"]


def test_a_manager_that_does_not_read_does_not_hold_up_the_loop(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "200")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                other.sendto(b"WATCHDOG=1", systemd.getsockname())
    began = own_time()
    take_turns(10)
    assert own_time() - began < 5 * NOTIFY_TIMEOUT_S, "half of what ten waits would take"
    assert [record.getMessage() for record in caplog.records] == ["systemd does not hear us"]


def take_turns(wanted: int) -> None:
    """Have `report_to_systemd` go round that often."""
    turns = 0

    async def some_turns() -> None:
        enough = asyncio.Event()

        def line() -> str:
            nonlocal turns
            turns += 1
            if turns == wanted:
                enough.set()
            return "a"

        async with asyncio.timeout(30.0), asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(report_to_systemd(line))
            await enough.wait()
            telling.cancel()

    asyncio.run(some_turns())


@pytest.mark.parametrize(
    ("environment", "period_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "15000000"}, 7.5),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": "7"}, 7.5),
        ({"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_fed_at_half_of_what_it_waits(
    environment: dict[str, str], period_s: float | None
) -> None:
    assert watchdog_period_s(environment, 7) == period_s


def test_reading_again_is_told_before_and_after(systemd: socket.socket) -> None:
    seen: list[bytes] = []

    def read_again() -> None:
        seen.append(systemd.recv(100))

    reloading(read_again)
    assert seen[0].startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    assert systemd.recv(100) == b"READY=1"


def status(**fields: object) -> Status:
    known: dict[str, object] = {
        **{"name": "db", "id": "0" * 32, "mode": "edge", "version": "1", "ready": True},
        **{"uptime_s": 1.0, "links": 0, "services": 0, "sites": 1, "problems": ()},
    }
    return Status(**{**known, **fields})  # type: ignore[arg-type]  # The shown line checks it.


def test_the_line_tells_links_services_sites_and_the_first_problem() -> None:
    assert status_line(status()) == "serving: no links, 0 services, 1 site"
    one_of_two = status_line(status(replicas=2))
    assert one_of_two == "serving: no links at this router, 0 services, 1 site"
    problem = Problem(code="SW0101", message="east:\nno route", hint="")
    told = status_line(status(services=3, problems=(problem, problem)))
    assert told == "serving: no links, 3 services, 1 site; 2 problems: east: no route"
    assert status_line(status(ready=False)).startswith("draining")


def test_the_line_counts_the_links_that_are_up() -> None:
    one = status(links=1, links_up=1)
    assert status_line(one).startswith("serving: 1 link up, ")
    assert status_line(status(links=2, links_up=1)).startswith("serving: 1 of 2 links up, ")
    silent = msgspec.structs.replace(one, links_silent=1)
    assert status_line(silent).startswith("serving: 1 link up (1 silent), ")
    both = msgspec.structs.replace(silent, links_partly=1)
    assert status_line(both).startswith("serving: 1 link up (1 silent, 1 not at every worker), ")


def test_a_long_line_is_cut() -> None:
    problem = Problem(code="SW0101", message="x" * 10_000, hint="")
    assert len(status_line(status(problems=(problem,)))) == limits.STATUS_TEXT_CHARS_MAX
