"""`sitectl access`: the table of permissions."""

from typing import Any

import pytest

from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin

EAST = "e" * 32
ROW: dict[str, Any] = {
    "service": "shop",
    "site": "east",
    "site_id": EAST,
    "may": "offer",
    "by": "grant of mid",
    "until": "2026-12-31T23:59:59Z",
    "capacity": 20,
    "state": "in use",
}


def view(*rows: dict[str, Any], sharing: str = "open", left_out: int = 0) -> dict[str, Any]:
    return {"sharing": sharing, "rows": list(rows), "left_out": left_out}


@pytest.fixture
def lines(here: CommandLine, admin: FakeAdmin) -> list[list[str]]:
    rows = (
        {**ROW, "service": "*", "site": "*", "site_id": "", "by": "open mode", "until": None},
        ROW,
        {**ROW, "site": f"east@{EAST[:8]}"},
        {**ROW, "site": EAST},
        {**ROW, "site": "branch-*", "site_id": "", "may": "call", "capacity": None},
    )
    admin.item("/api/v1/access", view(*rows, left_out=7))
    return [line.split("  ") for line in here.ok("access").stdout.splitlines()]


def test_sites_are_shown_by_name_and_id_and_patterns_as_they_are(lines: list[list[str]]) -> None:
    assert lines[0] == ["sharing: open"]
    shown = [[word.strip() for word in line if word.strip()] for line in lines[3:-1]]
    assert [line[1] for line in shown] == [
        "all sites",
        "east (eeeeeeee)",
        "east (eeeeeeee)",
        "eeeeeeee",
        "branch-*",
    ]
    assert shown[1][2:] == ["offer", "grant of mid", "2026-12-31T23:59:59Z", "20", "in use"]
    assert lines[-1] == ["7 more: sitectl access SERVICE"]


def test_one_service_is_asked_for_alone_and_json_is_what_the_router_says(
    here: CommandLine, admin: FakeAdmin
) -> None:
    found = view(ROW, sharing="strict")
    admin.item("/api/v1/access?service=shop+a", found)
    assert here.json("access", "shop a") == found


def test_a_site_that_lets_nobody_do_anything_says_so(here: CommandLine, admin: FakeAdmin) -> None:
    admin.item("/api/v1/access", view(sharing="strict"))
    assert here.ok("access").stdout.splitlines() == [
        "sharing: strict",
        "No rule and no grant lets a site do anything here.",
    ]
