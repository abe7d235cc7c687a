"""A site with several routers on hosts: a command changes one of them, and names the others."""

import json

import pytest

from tests.unit.sitectl.conftest import CommandLine

SAID = (
    "each router of this site has documents and secrets of its own: "
    "change them at 10.0.0.9:55671, too\n"
)
BIND = ("service", "bind", "shop", "host", "127.0.0.1", "--target-port", "9001")


@pytest.fixture
def with_peer(here: CommandLine) -> CommandLine:
    """It has a service, too."""
    here.ok("service", "create", "shop", "8080")
    assert SAID not in here.ok("update", "--peer", "10.0.0.9:55671").stderr
    return here


@pytest.mark.parametrize(
    "command",
    [
        ("service", "create", "db", "5432"),
        BIND,
        ("service", "set", "shop", "--policy", "failover"),
        ("service", "delete", "shop"),
        ("ca", "rotate"),
        ("revoke-access", "--yes"),
    ],
)
def test_what_changes_one_router_names_the_others(
    with_peer: CommandLine, command: tuple[str, ...]
) -> None:
    assert with_peer.ok(*command).stderr.endswith(SAID)


def test_what_changes_nothing_names_nobody(with_peer: CommandLine) -> None:
    with_peer.ok(*BIND)
    assert SAID not in with_peer.ok(*BIND).stderr


def test_a_link_is_of_the_router_that_makes_it(with_peer: CommandLine) -> None:
    token = str(with_peer.state.parent / "west.token")
    with_peer.ok("init", "west", "--ingress-host", "west.example.org")
    with_peer.ok("--site", "west", "token", "create", token)
    done = with_peer.ok("--site", "here", "link", "create", token)
    assert SAID not in done.stderr


def test_json_stays_json(with_peer: CommandLine) -> None:
    done = with_peer.ok("service", "delete", "shop", "-o", "json")
    json.loads(done.stdout)
    assert done.stderr.endswith(SAID)


def test_a_site_with_one_router_says_nothing_of_others(here: CommandLine) -> None:
    assert "each router" not in here.ok("service", "create", "shop", "8080").stderr
