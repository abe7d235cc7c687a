"""`events`: some of them, from a router or from the file that it left."""

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest

from router.model.wording.routing_key_names import hashed_name
from sitectl.site.event_files import BYTES_MAX, events_of, tail
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin

OLD = {
    "at": "2001-01-01T00:00:00.000Z",
    "severity": "info",
    "code": "link-up",
    "subject": "east",
    "message": "Linked to east.",
}
NEW = {
    **OLD,
    "at": "2999-01-01T00:00:00.000Z",
    "severity": "warning",
    "code": "policy-changed",
    "subject": "Service/shop",
    "message": "Service/shop was changed.",
    "kind": "audit",
    "by": "alice (uid 7)",
    "service": "shop",
}


def left(here: CommandLine, *events: dict[str, str]) -> None:
    lines = [json.dumps({"n": n, **event}) for n, event in enumerate(events, 1)]
    run = here.state / "here" / "run"
    run.mkdir(exist_ok=True)
    (run / "events.log").write_text("\n".join([*lines, "{half a li"]))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), [OLD, NEW]),
        (("--since", "2h"), [NEW]),
        (("--since", "3d"), [NEW]),
        (("--since", "2000-01-01"), [OLD, NEW]),
        (("--severity", "warning"), [NEW]),
        (("--severity", "error"), []),
        (("--service", "shop"), [NEW]),
        (("--code", "link-up"), [OLD]),
        (("--kind", "audit"), [NEW]),
        (("--kind", "event"), [OLD]),
    ],
)
def test_without_a_router_its_file_is_read(
    here: CommandLine, words: tuple[str, ...], expected: list[object]
) -> None:
    left(here, OLD, NEW)

    assert here.json("events", *words) == expected


def test_events_of_a_routing_keys_service_are_chosen_by_the_key_though_it_is_gone(
    here: CommandLine, admin: FakeAdmin
) -> None:
    gone = {**OLD, "subject": hashed_name("shop.v2/web") + ":1"}
    admin.items("/api/v1/services")
    admin.items("/api/v1/events?service=shop.v2%2Fweb", NEW, gone)
    assert here.json("events", "--service", "shop.v2/web") == [gone]


def test_of_an_unknown_service_without_events_a_similar_name_is_suggested(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.items("/api/v1/services", {"name": "shop", "port": 8080})
    for asked in ("shp", "shp:8080", "shop", "shop:8080", "quite-other"):
        admin.items(f"/api/v1/events?{urlencode({'service': asked})}")
    for asked in ("shp", "shp:8080"):
        told = here.ok("events", "--service", asked)
        assert told.stdout == "No such events. All that are known: sitectl events\n"
        assert "no service 'shp' is known now; did you mean shop?" in told.stderr
    for asked in ("shop", "shop:8080", "quite-other"):
        assert not here.ok("events", "--service", asked).stderr
    admin.items("/api/v1/events?service=shp", {**NEW, "service": "shp"})
    assert not here.ok("events", "--service", "shp").stderr, "it was there"


def test_who_did_it_is_shown(here: CommandLine) -> None:
    left(here, OLD, NEW)

    assert "Service/shop was changed. By alice (uid 7)." in here.ok("events").stdout


def test_without_a_router_and_a_file_it_fails(here: CommandLine) -> None:
    assert here("events").exit_code == 8


def test_a_router_that_makes_no_choice_is_chosen_from(here: CommandLine, admin: FakeAdmin) -> None:
    admin.items("/api/v1/events?severity=warning", OLD, NEW)

    assert here.json("events", "--severity", "warning") == [NEW]


@pytest.mark.parametrize("since", ["yesterday", "-3h", "2026-13-01"])
def test_a_time_that_is_none_is_refused(here: CommandLine, since: str) -> None:
    result = here("events", f"--since={since}")

    assert result.exit_code == 2
    assert "--since 2h" in result.stderr


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(json.dumps(OLD))
    (tmp_path / "events.log").symlink_to(tmp_path / "secret")

    assert events_of(tmp_path) == []


def test_a_file_is_read_from_its_end_up_to_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    line = json.dumps(OLD).encode() + b"\n"
    path.write_bytes(line * (BYTES_MAX // len(line) + 10))

    text = tail(path, BYTES_MAX)
    assert len(text) <= BYTES_MAX
    assert text.startswith(b"{")
    path.write_bytes(line * 3)
    assert tail(path, 3 * len(line)) == line * 3
    assert tail(path, 3 * len(line) - 1) == line * 2
