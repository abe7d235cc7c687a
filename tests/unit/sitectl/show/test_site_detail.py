"""A site that a command names, and that is none or several."""

import pytest

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
