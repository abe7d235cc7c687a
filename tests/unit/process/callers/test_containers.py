"""Addresses of containers, by what podman 4.3 printed, and by a podman that fails."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.callers.names import CallerName
from router.process.callers.containers import Containers, present
from router.process.callers.host_names import HostNames
from tests.unit.callers.names import LOCAL, Clock

RECORDED = (Path(__file__).parent / "podman_inspect.json").read_bytes()
STARTED_UNIX = 1795657602.997018997
HOST = "10.88.0.4"


def changed(**fields: Any) -> bytes:
    """The recorded output, with other fields."""
    (one,) = json.loads(RECORDED)
    for name, value in fields.items():
        place = one["State"] if name in one["State"] else one["NetworkSettings"]
        (one if name in one else place)[name] = value
    return json.dumps([one]).encode()


def test_what_podman_prints_is_understood() -> None:
    (found,) = present(RECORDED).values()
    assert found.name == CallerName("container", "callt-probe")
    assert found.addresses == (HOST,)
    assert found.since == pytest.approx(STARTED_UNIX, abs=1e-3)


def test_a_container_of_two_networks_has_both_addresses() -> None:
    networks = {"a": {"IPAddress": "10.89.0.2"}, "b": {"GlobalIPv6Address": "fd00::2"}}
    (found,) = present(changed(IPAddress="", Networks=networks)).values()
    assert found.addresses == ("10.89.0.2", "fd00::2")


@pytest.mark.parametrize(
    "fields",
    [
        {"IPAddress": "", "Networks": {}},
        {"IPAddress": "", "Networks": None},  # Of the host's network.
        {"IPAddress": "none", "Networks": {"a": {"IPAddress": "x"}}},
        {"StartedAt": "yesterday"},
        {"StartedAt": ""},
    ],
)
def test_a_container_of_no_address_or_start_is_left_out(fields: dict[str, Any]) -> None:
    assert present(changed(**fields)) == {}


def test_times_with_another_zone_are_the_same_times() -> None:
    (found,) = present(changed(StartedAt="2026-11-26T02:46:42.997018997+01:00")).values()
    assert found.since == pytest.approx(STARTED_UNIX, abs=1e-3)


def test_a_container_that_was_started_again_is_another_one() -> None:
    uids = present(RECORDED).keys() | present(changed(StartedAt="2026-11-26T03:00:00Z")).keys()
    assert len(uids) == 2


@pytest.mark.parametrize("told", [b"", b"{}", b"[1]", b'[{"Id": 5}]', b'[{"Id": "x"}]', b"\xff"])
def test_what_is_no_answer_of_podman_is_refused(told: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        present(told)


class Podman:
    """A program that prints what the test says."""

    def __init__(self, place: Path) -> None:
        self.program, self._told = place / "podman", place / "told"
        self.program.write_text(
            f'#!/bin/sh\n[ -e "{self._told}" ] || exit 125\n'
            f'case "$1" in ps) [ -s "{self._told}" ] && echo abc;; *) cat "{self._told}";; esac\n'
            "true\n"
        )
        self.program.chmod(0o755)
        self.clock = Clock()
        self.containers = Containers(str(self.program), self.clock, self.clock)

    def asked(self, told: bytes | None) -> None:
        """It is asked, and prints that; None: it fails."""
        self._told.unlink(missing_ok=True)
        if told is not None:
            self._told.write_bytes(told)
        asyncio.run(self.containers.ask())


@pytest.fixture
def podman(tmp_path: Path) -> Podman:
    """At a time some minutes after the recorded container started."""
    made = Podman(tmp_path)
    made.clock.now = STARTED_UNIX + 300.0
    return made


PROBE = CallerName("container", "callt-probe")


def test_a_container_has_its_address_from_its_start_to_the_last_look(podman: Podman) -> None:
    podman.asked(RECORDED)
    last = podman.clock.now
    podman.clock.now += 10.0
    podman.asked(b"")
    owner = podman.containers.owner
    assert owner(HOST, STARTED_UNIX + 1.1, STARTED_UNIX + 3.0) == PROBE
    assert owner(HOST, STARTED_UNIX, STARTED_UNIX + 2.0) is None
    assert owner(HOST, last - 2.0, last) == PROBE
    assert owner(HOST, last - 1.0, last + 1.0) is None, "another may have come and gone since"


def test_a_podman_that_fails_settles_nothing(podman: Podman) -> None:
    podman.asked(RECORDED)
    known = podman.clock.now
    for told in (None, b"nonsense", b'[{"Id": 5}]'):
        podman.clock.now += 10.0
        podman.asked(told)
        assert podman.containers.known_until == known


def test_what_podman_does_not_answer_for_names_nobody(podman: Podman) -> None:
    """A container that it reported before may be gone, and another may have its address."""
    names = HostNames(podman.containers, podman.clock)
    try:
        podman.asked(RECORDED)
        last = podman.clock.now
        for _ in range(12):
            podman.clock.now += 10.0
            podman.asked(None)
        assert names.owner(HOST, last - 5.0, last - 3.0) == PROBE
        assert names.owner(HOST, last + 2.0, last + 4.0) == CallerName("address", HOST)
    finally:
        names.close()


def test_without_podman_addresses_are_settled_at_once() -> None:
    containers = Containers("")
    names = HostNames(containers)
    try:
        assert names.settled_until() == float("inf")
        assert names.owner("10.0.0.5", 1.0, 2.0) == CallerName("address", "10.0.0.5")
        assert names.at_once(LOCAL, LOCAL) is None, "there is no such socket"
        asyncio.run(containers.ask())
        asyncio.run(names.run(lambda: True))
    finally:
        names.close()
