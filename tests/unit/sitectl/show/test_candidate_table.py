from typing import Any

import pytest

from sitectl.show.candidate_table import candidate_table
from sitectl.show.service_status import capacity_text

FULL: dict[str, Any] = {
    "site": "near",
    "path": [],
    "path_cost": 0,
    "targets_ready": 4,
    "capacity": None,
    "in_flight": 9,
    "free": None,
    "level": 2.25,
    "verdict": "higher-level",
    "reason": "level 2.25: 9 in flight at 4 ready targets; far is at level 2",
}
FREE: dict[str, Any] = {
    "site": "far",
    "path": ["west", "far"],
    "path_cost": 2,
    "targets_ready": 1,
    "capacity": 5,
    "in_flight": 3,
    "free": 2,
    "level": 2.0,
    "verdict": "chosen",
    "reason": "lowest level of path cost + in flight per target (2 of 5 free)",
}


def headings(text: str) -> list[str]:
    return text.splitlines()[0].replace("IN FLIGHT", "IN-FLIGHT").split()


def test_levels_are_a_column_where_a_site_without_a_configured_capacity_has_one() -> None:
    text = candidate_table([FULL, FREE], has_paths=True)
    assert headings(text) == [
        *("SITE", "PATH", "COST", "READY", "IN-FLIGHT", "CAPACITY", "FREE", "LEVEL"),
        *("VERDICT", "REASON"),
    ]
    rows = [line.split() for line in text.splitlines()[1:]]
    assert rows[0][:9] == ["near", "-", "0", "4", "9", "-", "-", "2.25", "higher-level"]
    assert rows[1][:11] == ["far", "west", ">", "far", "2", "1", "3", "5", "2", "2", "chosen"]


def test_where_every_capacity_is_configured_the_cost_says_it_all() -> None:
    assert "LEVEL" not in headings(candidate_table([FREE], has_paths=False))
    assert "PATH" not in headings(candidate_table([FREE], has_paths=False))


def test_a_router_of_the_last_release_names_no_levels() -> None:
    old = {key: value for key, value in FULL.items() if key != "level"}
    assert "LEVEL" not in headings(candidate_table([old], has_paths=True))


def test_what_a_site_has_that_no_way_leads_to_is_not_known() -> None:
    gone = {**FREE, "path": [], "targets_ready": 0, "in_flight": 0, "capacity": None, "free": None}
    gone |= {"verdict": "unreachable", "level": None}
    rows = candidate_table([{**FREE, "site": "near"}, gone], has_paths=True).splitlines()[1:]
    assert rows[1].split()[:8] == ["far", "-", "2", "-", "-", "-", "-", "unreachable"]


@pytest.mark.parametrize(
    ("lent", "text"),
    [
        ({}, "20"),
        ({"reserved": 6}, "20, 6 reserved"),
        ({"most_for_one": 8}, "20, at most 8 per neighbor"),
        ({"reserved": 6, "most_for_one": 8}, "20, 6 reserved, at most 8 per neighbor"),
        ({"most_for_one": 0}, "20, at most 0 per neighbor"),
    ],
)
def test_a_capacity_has_beside_it_what_others_do_not_get(lent: dict[str, int], text: str) -> None:
    slots = {"capacity": 20, "reserved": 0, "most_for_one": None}
    assert str(capacity_text(slots | lent)) == text
