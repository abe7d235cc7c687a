"""`--watch`: pictures at a terminal, changes elsewhere; and tables as a terminal shows them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sitectl.base import watch
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin
from tests.unit.sitectl.show.test_looking import SERVICE, STATUS
from tests.unit.sitectl.terminals import Terminal

LINK: dict[str, Any] = {
    "name": "west",
    "neighbour": {"name": "west", "id": "c" * 32},
    "direction": "outgoing",
    "cost": 1,
    "state": "connecting",
    "since": "2026-01-01T00:00:00Z",
    "rtt_ms": None,
    "lanes": 0,
    "streams": 0,
    "error": "",
    "certificate_expires": None,
}


def envelope(*items: Any) -> tuple[int, Any]:
    return 200, {"apiVersion": "spillway/v1", "kind": "X", "items": list(items)}


def test_what_always_changes_is_nothing_new() -> None:
    one = {"uptime_s": 1.0, "problems": [], "sites": [{"age_s": 1, "in_flight": 2}]}
    assert watch.essence(one) == {"problems": [], "sites": [{"in_flight": 2}]}


def test_an_age_in_a_sentence_is_no_news_and_any_other_figure_is() -> None:
    def told(age: str, per_s: int) -> Any:
        message = (
            f"Site west was first seen to offer shop {age} ago; {per_s}/s of 9/s requests fail"
        )
        return watch.essence({"notes": [{"code": "SW0347", "message": message}]})

    assert told("58 s", 2) == told("1 min 2 s", 2) == told("12.5 s", 2) == told("2 days 1 h", 2)
    assert told("58 s", 2) != told("58 s", 3)


def test_a_watched_state_is_drawn_again_and_ends_with_130(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.answers["/api/v1/links"] = [envelope(LINK), envelope({**LINK, "state": "up"})]
    with Terminal(here.state, "link", "status", "--watch", "0.2") as seen:
        seen.until(lambda text: "connecting" in text, "the first picture")
        seen.until(lambda text: " up " in text, "the second picture")
        assert "every 0.2 s" in seen.text
        seen.interrupt()
        assert seen.end() == 130
    assert "\x1b[?1049l" in seen.raw  # The terminal is as it was before.
    assert seen.text.rstrip().endswith("interrupted")
    assert "LINK" in seen.raw.rpartition("\x1b[?1049l")[2]  # The last picture stays.


def test_a_router_that_ends_meanwhile_is_shown_and_watched_on(
    here: CommandLine, admin: FakeAdmin
) -> None:
    broken = (503, {"code": "SW9", "message": "busy now", "hint": "ask later"})
    admin.answers["/api/v1/network"] = [envelope(), broken, envelope()]
    with Terminal(here.state, "network", "status", "--watch", "0.2") as seen:
        seen.until(lambda text: "busy now" in text, "the failure")
        before = seen.text.count("No sites known")
        seen.until(lambda text: text.count("No sites known") > before, "what is after it")


@pytest.mark.parametrize(
    ("words", "path", "first", "then", "word"),
    [
        (
            ("link", "status"),
            "/api/v1/links",
            envelope(LINK),
            envelope({**LINK, "state": "up"}),
            "up",
        ),
        (
            ("service", "status"),
            "/api/v1/services",
            envelope(SERVICE),
            envelope({**SERVICE, "queued": 77}),
            "77",
        ),
        (
            ("network", "status"),
            "/api/v1/network",
            envelope(),
            envelope({"name": "w", "id": "c"}),
            "SITE",
        ),
        (
            ("status",),
            "/api/v1/status",
            (200, STATUS),
            (200, {**STATUS, "sites": 77, "uptime_s": 9.0}),
            "77 sites",
        ),
    ],
)
def test_elsewhere_each_change_is_printed_once(
    here: CommandLine, admin: FakeAdmin, words: Any, path: str, first: Any, then: Any, word: str
) -> None:
    admin.answers[path] = [first, first, first, then]
    lines = watched(here.state, *words, ends=lambda text: word in text)
    assert sum(line.startswith("--- ") for line in lines) == 2


def test_elsewhere_json_is_one_object_on_each_line(here: CommandLine, admin: FakeAdmin) -> None:
    admin.answers["/api/v1/status"] = [
        (200, STATUS),
        (200, {**STATUS, "uptime_s": 5_000.0}),
        (200, {**STATUS, "sites": 77}),
    ]
    lines = watched(here.state, "status", "-o", "json", ends=lambda text: "77" in text)
    assert [json.loads(line)["item"]["sites"] for line in lines] == [3, 77]


def watched(state: Path, *words: str, ends: Any) -> list[str]:
    """What a watch prints into a pipe until ``ends``, then interrupted: exit 130."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sitectl", *words, "--watch", "0.2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SITECTL_STATE": str(state), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    text = ""
    try:
        while not ends(text):
            line = process.stdout.readline()
            assert line, text
            text += line
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    return (text + rest).splitlines()


def test_a_wrong_name_ends_a_watch_at_once(here: CommandLine, admin: FakeAdmin) -> None:
    admin.items("/api/v1/links", LINK)
    result = here("link", "status", "nope", "--watch")
    assert result.exit_code == 4
    assert "no link 'nope'" in result.stderr


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_terminal_gets_colours_and_lines_that_fit(
    here: CommandLine, admin: FakeAdmin, columns: int
) -> None:
    admin.items("/api/v1/links", LINK, {**LINK, "name": "east", "state": "down", "error": "gone"})
    with Terminal(here.state, "link", "status", columns=columns) as seen:
        assert seen.end() == 0
    assert "\x1b[33mconnecting\x1b[0m" in seen.raw
    assert "\x1b[31mdown\x1b[0m" in seen.raw
    assert max(map(len, seen.text.splitlines())) <= columns


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_who_wants_no_colours_gets_none(
    here: CommandLine, admin: FakeAdmin, environment: dict[str, str]
) -> None:
    admin.items("/api/v1/links", LINK)
    with Terminal(here.state, "link", "status", environment=environment) as seen:
        assert seen.end() == 0
    assert "\x1b[" not in seen.raw
    assert "connecting" in seen.text


HISTORY: dict[str, Any] = {
    "service": "shop",
    "port": 8080,
    "step_s": 5.0,
    "samples": [{"served": [n * 5], "nowhere": 0, "overflow": 0} for n in (0, 1, 2, 3, 4, 5, 6, 7)],
}


def test_a_terminal_shows_the_last_minutes_as_a_line(here: CommandLine, admin: FakeAdmin) -> None:
    admin.items("/api/v1/services", SERVICE)
    admin.items("/api/v1/history", HISTORY)
    admin.item("/api/v1/status", STATUS)
    with Terminal(here.state, "status") as seen:
        assert seen.end() == 0
    assert "Load:     ▁▂▃▄▅▆▇█ last 1 min, now 7 requests/s" in seen.text
    with Terminal(here.state, "service", "status", columns=200) as seen:
        assert seen.end() == 0
    assert "▁▂▃▄▅▆▇█ 7" in seen.text
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    with Terminal(here.state, "status", environment=ascii_only) as seen:
        assert seen.end() == 0
    assert "_.-~=+*# last 1 min, now 7 requests/s" in seen.text


def test_figures_beside_the_line_are_of_now_and_not_of_the_minutes_that_it_shows(
    here: CommandLine, admin: FakeAdmin
) -> None:
    samples = [{"served": served, "nowhere": 0} for served in ([350, 0], [0, 350], [35, 15])]
    both = [{"name": "here", "local": True}, {"name": "there", "local": False}]
    admin.items("/api/v1/history", HISTORY | {"sites": both, "samples": samples * 4})
    admin.item("/api/v1/status", STATUS)
    with Terminal(here.state, "status") as seen:
        assert seen.end() == 0
    assert "last 1 min, now 10 requests/s, 3/s of them served elsewhere" in seen.text


def test_a_router_without_a_history_is_shown_without_lines(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.items("/api/v1/services", SERVICE)
    admin.item("/api/v1/status", STATUS)
    with Terminal(here.state, "status") as seen:
        assert seen.end() == 0
    assert "Load" not in seen.text
    with Terminal(here.state, "service", "status") as seen:
        assert seen.end() == 0
    assert "REQ/S" not in seen.text


def test_a_stopped_router_is_said_in_the_picture_once(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    with Terminal(here.state, "service", "status", "--watch", "0.2", columns=200) as seen:
        seen.until(lambda text: "this is what is configured" in text, "the note")
        seen.interrupt()
        assert seen.end() == 130
    before, _, _ = seen.raw.partition("\x1b[?1049h")
    assert "configured" not in before  # It does not stand where the picture is drawn.
    lines = watched(here.state, "service", "status", ends=lambda text: "configured" in text)
    assert sum("this is what is configured" in line for line in lines) == 1


@pytest.mark.parametrize("words", [(), ("-o", "json")])
def test_what_fails_meanwhile_is_advised_with_the_site(
    here: CommandLine, admin: FakeAdmin, words: tuple[str, ...]
) -> None:
    broken = (503, {"code": "busy", "message": "busy now", "hint": "See why: sitectl check"})
    admin.answers["/api/v1/links"] = [envelope(), broken]
    with Terminal(here.state, "link", "status", "--watch", "0.2", "--site", "here", *words) as seen:
        seen.until(lambda text: "See why: sitectl --site here check" in text, "the advice")


def test_a_router_that_stops_is_news_where_there_is_nothing_to_list(
    here: CommandLine, admin: FakeAdmin
) -> None:
    broken = (503, {"code": "router-unreachable", "message": "it stops", "hint": "wait"})
    admin.answers["/api/v1/links"] = [envelope(), envelope(), broken, broken, envelope()]
    lines = watched(here.state, "link", "status", ends=lambda text: text.count("No links") > 2)
    assert lines.count("Error: it stops") == 1
