"""What people complained of at Skupper's tracker, each as a test that it is not so here.

The numbers are those of skupperproject/skupper. What needs real routers is in
tests/scenario/test_complaints.py, what needs a cluster in kubernetes/test_complaints.py beside.
"""

import json
import re
import time
from pathlib import Path
from typing import Any

import click
import pytest

from sitectl.main import cli
from tests.unit.sitectl.base.test_watch import LINK
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin
from tests.unit.sitectl.show.test_looking import SERVICE, STATUS
from tests.unit.sitectl.terminals import Terminal

GENEROUS_S = 20.0


@pytest.mark.parametrize("number", [20, 200])
def test_946_service_status_takes_no_longer_with_many_services(
    here: CommandLine, admin: FakeAdmin, number: int
) -> None:
    """It took three minutes at twenty services: one question for each."""
    sites = [{**SERVICE["sites"][0], "site": f"s{n}"} for n in range(10)]
    admin.items(
        "/api/v1/services",
        *({**SERVICE, "name": f"service-{n}", "sites": sites} for n in range(number)),
    )
    begun = time.monotonic()
    assert len(here.json("service", "status")) == number
    text = here.ok("service", "status", "-v").stdout
    assert time.monotonic() - begun < GENEROUS_S
    assert admin.asked == [*["/api/v1/services"] * 2, "/api/v1/status"]
    assert text.count("service-") >= number


def test_946_a_terminal_asks_for_the_last_minutes_of_few_services_only(
    here: CommandLine, admin: FakeAdmin
) -> None:
    for number, asked in ((2, 3), (200, 2)):
        admin.asked.clear()
        admin.items(
            "/api/v1/services", *({**SERVICE, "name": f"service-{n}"} for n in range(number))
        )
        with Terminal(here.state, "service", "status") as seen:
            assert seen.end() == 0
        assert len(admin.asked) == asked


RAW: dict[str, tuple[int, Any]] = {
    "an empty answer": (200, None),
    "a list": (200, []),
    "another thing": (200, {"apiVersion": "spillway/v1", "kind": "X", "item": {"a": 1}}),
    "no such route": (404, {"code": "not-found", "message": "no such thing"}),
    "a broken router": (500, "Internal Server Error\n\nTraceback (most recent call last): …"),
    "a busy router": (503, {"code": "busy", "message": "busy", "retryable": True}),
}


@pytest.mark.parametrize("answer", RAW)
@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("link", "status"),
        ("service", "status"),
        ("service", "status", "shop"),
        ("network", "status"),
        ("why", "shop"),
        ("events",),
        ("burst", "status"),
        ("top", "--once"),
    ],
)
def test_1352_no_raw_error_is_ever_shown(
    here: CommandLine,
    admin: FakeAdmin,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    answer: str,
) -> None:
    """It said: Error: configmaps "skupper-network-status" not found."""
    monkeypatch.delenv("SITECTL_TRACEBACK")
    for path in ("status", "links", "services", "services/shop", "network", "events", "bursts"):
        admin.answers[f"/api/v1/{path}"] = RAW[answer]
    admin.answers["/api/v1/why/shop"] = RAW[answer]
    admin.answers["/api/v1/live"] = RAW[answer]
    result = here(*words, "-o", "json")
    if result.exit_code not in (0, 3):
        told = json.loads(result.stderr.splitlines()[-1])
        assert {"code", "message", "hint", "retryable"} <= told.keys()
        assert told["message"]
        assert "Traceback" not in told["message"]
    text = here(*words)
    if text.exit_code not in (0, 3):
        assert "Error: " in text.stderr


def test_1352_each_failure_says_what_to_do_next(here: CommandLine) -> None:
    for words in (
        ("why", "shop"),
        ("network", "status"),
        ("events",),
        ("top",),
        ("burst", "status"),
        ("service", "status", "nope"),
        ("link", "status", "nope"),
        ("link", "set", "nope", "--cost", "2"),
        ("service", "set", "nope", "--policy", "fill"),
        ("get", "Service", "nope"),
        ("--site", "nope", "status"),
        ("link", "create", "nope.token"),
        ("service", "create", "UPPER", "80"),
        ("service", "create", "shop"),
        ("service", "create", "shop", "99999"),
        ("service", "bind", "shop", "host"),
        ("token", "create", "/nowhere/at/all/t.yaml"),
        ("expose", "host"),
        ("unexpose", "host", "x"),
    ):
        result = here(*words)
        if result.exit_code == 0:
            continue
        assert "Error: " in result.stderr, words
        assert "\nNext: " in result.stderr, (words, result.stderr)
        told = json.loads(here(*words, "-o", "json").stderr.splitlines()[-1])
        assert {"code", "message", "hint", "retryable"} <= told.keys()


@pytest.mark.parametrize("columns", [80, 200])
def test_798_network_status_shows_a_hundred_sites(
    here: CommandLine, admin: FakeAdmin, columns: int
) -> None:
    """It broke with many sites."""
    names = [f"site-{n:03}" for n in range(100)]
    admin.items(
        "/api/v1/network",
        *(
            {
                "name": name,
                "id": f"{n:032x}",
                "path_cost": n,
                "next_hops": names[n - 1 : n],
                "neighbours": [{"site": other, "cost": 1} for other in names[:: n + 1]],
                "services": [f"service-{k}" for k in range(20)],
                "reachable": bool(n % 7),
                "version": "0.1.0",
            }
            for n, name in enumerate(names)
        ),
    )
    assert [item["name"] for item in here.json("network", "status")] == names
    with Terminal(here.state, "network", "status", columns=columns) as seen:
        assert seen.end() == 0
    assert admin.asked == ["/api/v1/network"] * 2
    lines = seen.text.splitlines()
    assert max(map(len, lines)) <= columns
    for name in names:
        assert any(line.startswith(f"{name} ") for line in lines), name


def helps(command: click.Command, path: str) -> list[tuple[str, str]]:
    """Path and help text of a command and all below it."""
    context = click.Context(command, info_name=path)
    found = [(path, command.get_help(context))]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found += helps(below, f"{path} {name}")
    return found


def test_554_a_link_is_never_called_a_connection(here: CommandLine, admin: FakeAdmin) -> None:
    """Links and connections confused people: here a link is between sites, and nothing else."""
    context = click.Context(cli)
    for name in ("link", "network", "token", "revoke-access", "status", "ca"):
        command = cli.get_command(context, name)
        assert command is not None
        for path, text in helps(command, name):
            assert not re.search(r"\bconnections?\b", text, re.I), path
    admin.items("/api/v1/links", LINK)
    admin.item("/api/v1/status", STATUS)
    admin.items("/api/v1/network", {"name": "west", "id": "c"})
    for words in (
        ("link", "status"),
        ("link", "status", "west"),
        ("status",),
        ("network", "status"),
    ):
        result = here(*words)
        assert not re.search(r"\bconnections?\b", result.output, re.I), words


def test_135_nothing_there_is_said_with_what_to_type(here: CommandLine, admin: FakeAdmin) -> None:
    """It was silent when nothing was exposed."""
    for path in ("links", "services", "network", "events", "bursts", "live"):
        admin.items(f"/api/v1/{path}")
    admin.item("/api/v1/live", {"status": STATUS, "services": [], "links": [], "network": []})
    admin.item("/api/v1/status", STATUS)
    for words in (
        ("service", "status"),
        ("link", "status"),
        ("network", "status"),
        ("events",),
        ("burst", "status"),
        ("top", "--once"),
        ("get", "Service"),
        ("gateway", "status"),
    ):
        result = here(*words)
        assert result.exit_code == 0, (words, result.output)
        assert re.search(r"\bNo \w+", result.stdout), (words, result.stdout)
        assert "sitectl " in result.stdout, (words, result.stdout)


@pytest.mark.parametrize("platform", ["process", "podman"])
def test_1871_link_status_works_on_hosts_too(
    here: CommandLine, admin: FakeAdmin, platform: str
) -> None:
    """It was for Kubernetes only. Kubernetes itself: kubernetes/test_complaints.py."""
    admin.items("/api/v1/links", LINK)
    assert here.json("--platform", platform, "link", "status") == [LINK]
    assert "west" in here.ok("--platform", platform, "link", "status").stdout


@pytest.mark.parametrize("platform", ["process", "podman"])
def test_local_systems_issue_tokens(here: CommandLine, tmp_path: Path, platform: str) -> None:
    """Skupper 2's local systems could not (its documentation of 2.2)."""
    file = tmp_path / "t.yaml"
    here.ok("--platform", platform, "token", "create", str(file))
    assert (
        "State:     valid" in here.ok("--platform", platform, "token", "status", str(file)).stdout
    )
