"""A site that a command names, and that is none or several."""

from typing import Any

import pytest

from sitectl.show.site_detail import detail_text
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin

TWINS = ({"name": "east@11111111", "id": "1" * 32}, {"name": "east@22222222", "id": "2" * 32})


@pytest.mark.parametrize(
    "words",
    [("ping", "east"), ("network", "status", "east"), ("network", "status", "--of", "east")],
)
def test_a_name_that_two_sites_have_is_not_called_unknown(
    here: CommandLine, admin: FakeAdmin, words: tuple[str, ...]
) -> None:
    admin.items("/api/v1/network", {"name": "here", "id": "0" * 32}, *TWINS)
    done = here(*words)
    assert done.exit_code == 4
    assert "2 sites are named 'east': east@11111111, east@22222222" in done.stderr
    assert "Next: Say which one: east@11111111, or its whole ID" in done.stderr
    unknown = here(*words[:-1], "west")
    assert "no site 'west' in the network" in unknown.stderr and unknown.exit_code == 4


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("ping", "west"), "/api/v1/ping/west?count=1"),
        (("network", "status", "west"), "/api/v1/sites/west"),
    ],
)
def test_a_router_that_does_not_know_the_question_says_nothing_of_the_site(
    here: CommandLine, admin: FakeAdmin, words: tuple[str, ...], path: str
) -> None:
    admin.items("/api/v1/network", {"name": "west", "id": "0" * 32})
    admin.answers[path] = (404, {"code": "not-found", "message": "Not Found", "hint": ""})
    done = here(*words)
    assert "it is of another release than this sitectl" in done.stderr
    assert "no site" not in done.stderr and done.exit_code == 4


def test_of_a_site_with_several_routers_it_is_said_that_one_of_them_answered() -> None:
    """Its time since the start, its counts and its share of each capacity passed for the site's."""
    item: dict[str, Any] = {
        **{"name": "far", "id": "a" * 32, "local": False, "path_cost": 4, "reachable": True},
        **{"told": True, "ready": True, "uptime_s": 60.0, "mode": "interior", "version": "0.1.0"},
        **{"problems": [], "links": [], "services": [], "services_left_out": 0},
    }
    told = "Routers:  2; one of them answered: these are its own figures"
    assert told in detail_text({**item, "replicas": 2}).splitlines()
    assert "Routers:" not in detail_text({**item, "replicas": 1})
