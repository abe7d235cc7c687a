"""Tokens and links: files, names, revocation, waiting."""

import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from certs.ca.authority import Authority
from certs.certificates import to_der
from certs.clocks import utc
from certs.joining.claims import GrantStore
from certs.joining.redeem import ClaimDesk, make_request
from certs.links.register import DIRECTORY, Register
from certs.links.revocation import Revocations
from certs.token_files.tokens import read_file
from sitectl.runtimes import presence
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin


def link(name: str, state: str = "up", direction: str = "outgoing", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "neighbour": {"name": "west", "id": "a" * 32},
        "direction": direction,
        "cost": 1,
        "state": state,
        "since": None,
        "rtt_ms": 0.5,
        "lanes": 1,
        "error": None,
        "certificate_expires": None,
        **more,
    }


@pytest.fixture
def token(here: CommandLine, tmp_path: Path) -> str:
    """A token of site ``west``, for site ``here`` to use; west is out of the way then."""
    elsewhere = CommandLine(tmp_path / "elsewhere")
    elsewhere.ok("init", "west", "--ingress-host", "10.0.0.7:7000")
    path = str(tmp_path / "t.yaml")
    elsewhere.ok("token", "create", path, "--cost", "4")
    return path


def test_who_applies_a_token_as_a_document_is_told_what_it_is_for(
    here: CommandLine, token: str
) -> None:
    done = here("apply", "-f", token)
    assert done.exit_code == 2
    assert f"{token} is a token of another site" in done.stderr
    assert f"sitectl link create {token}" in done.stderr
    spaced = Path(token).rename(Path(token).with_name("my token.yaml"))
    assert f"sitectl link create '{spaced}'" in here("apply", "-f", str(spaced)).stderr
    done = here("apply", "-f", "-", stdin=spaced.read_text())
    assert "sitectl link create FILE" in done.stderr


def test_a_link_that_is_up_and_silent_is_not_called_up(here: CommandLine, admin: FakeAdmin) -> None:
    silent = link("far", silent_since="2026-01-01T00:00:00Z", error="nothing was heard for 2.26 s")
    admin.items("/api/v1/links", silent)
    row = here.ok("link", "status").stdout.splitlines()[1].split()
    assert row[:5] == ["far", "west", "outgoing", "1", "silent"]
    (item,) = json.loads(here.ok("link", "status", "-o", "json").stdout)["items"]
    assert (item["state"], item["silent_since"]) == ("up", "2026-01-01T00:00:00Z")


def test_a_link_that_is_up_again_is_not_waited_for_while_the_former_one_drains(
    here: CommandLine, admin: FakeAdmin
) -> None:
    """Its last connections may last for days: a link deleted and made again under one name."""
    former = link("link1", "draining", succeeded=True)
    admin.items("/api/v1/links", link("link1"), former)
    for words in (("link", "status", "link1"), ("link", "status")):
        here.ok(*words, "--wait", "0.2")
    admin.items("/api/v1/links", link("link1", "draining"))
    late = here("link", "status", "link1", "--wait", "0.2")
    assert late.exit_code == 6 and "link link1 is draining after 0.2 s" in late.stderr


def test_links_that_an_edge_is_not_told_of_are_not_known(
    here: CommandLine, admin: FakeAdmin
) -> None:
    def site(name: str, neighbours: list[str], **more: bool) -> dict[str, Any]:
        there = [{"site": other, "cost": 1} for other in neighbours]
        return {"name": name, "id": "a" * 32, "reachable": True, "neighbours": there, **more}

    told = [
        site("edge", ["near"], neighbours_known=True),
        site("near", ["edge"], neighbours_known=False),
        site("far", [], neighbours_known=False),
        site("older", []),
    ]
    admin.items("/api/v1/network", *told)
    lines = here.ok("-o", "wide", "network", "status").stdout.splitlines()
    column = lines[0].index("NEIGHBOURS")
    shown = [line[column : lines[0].index("SERVICES")].strip() for line in lines[1:]]
    assert shown == ["near (1)", "edge (1), others not known", "not known", "-"]


def test_a_token_file_is_closed_to_others_and_says_where_to_dial(
    here: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "t.yaml"
    words = ("token", "create", str(path), "--ingress-host", "a.example", "--uses", "3")
    item = here.json(*words, "--expiry", "1h", "--name", "mine")
    assert (item["name"], item["endpoints"]) == ("mine", ["a.example:55671"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    status = here.json("token", "status", str(path))
    assert (status["state"], status["uses_left"], status["type"]) == ("valid", 3, "claim")


def test_a_certificate_token_is_made_too(here: CommandLine, tmp_path: Path) -> None:
    path = str(tmp_path / "t.yaml")
    assert here.json("token", "create", path, "--token-type", "cert")["type"] == "cert"
    assert here.json("token", "status", path)["uses_left"] is None


def test_a_private_site_makes_no_tokens(sitectl: CommandLine, tmp_path: Path) -> None:
    sitectl.ok("init", "laptop", "--ingress", "none")
    result = sitectl("token", "create", str(tmp_path / "t.yaml"))
    assert result.exit_code == 7
    assert "accepts no links" in result.stderr


def test_link_create_keeps_the_token_and_is_repeatable(here: CommandLine, token: str) -> None:
    assert here.json("link", "create", token) == {
        "kind": "Link",
        "name": "link1",
        "change": "created",
    }
    assert here.json("link", "create", token)["change"] == "unchanged"
    assert here.json("link", "create", token)["name"] == "link1"
    kept = here.state / "here" / "secrets" / "links" / "link1" / "token.yaml"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "link-link1.yaml" in here.config()
    item = here.json("link", "status", code=3)[0]
    assert (item["state"], item["neighbour"]["name"], item["cost"]) == ("down", "west", 4)


def test_a_wait_for_a_link_that_is_interrupted_says_that_the_link_stays(
    here: CommandLine, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(presence, "wait_until", interrupted)
    result = here("link", "create", token, "--wait", "9")
    assert result.exit_code == 130
    assert result.stderr.startswith(
        "link link1 to site west created; the router dials it. To undo it: "
        "sitectl link delete link1\n"
    )


def test_a_wait_for_a_link_without_a_router_says_that_the_link_stays(
    here: CommandLine, token: str
) -> None:
    result = here("link", "create", token, "--wait", "9")
    assert result.exit_code == 8
    assert result.stderr.startswith(
        "Error: link link1 to site west created, which is dialed once this router runs: the router "
    )
    assert result.stderr.rpartition("Next: ")[2].endswith("start\n")
    assert "link-link1.yaml" in here.config()


def test_link_create_again_with_another_cost_is_a_conflict(here: CommandLine, token: str) -> None:
    here.ok("link", "create", token, "--name", "west", "--cost", "2")
    assert here.json("link", "create", token, "--name", "west")["change"] == "unchanged"
    result = here("link", "create", token, "--name", "west", "--cost", "3")
    assert result.exit_code == 5
    assert "+  cost: 3" in result.stderr


def test_a_cost_above_the_highest_counts_as_the_highest_and_says_so(
    here: CommandLine, token: str
) -> None:
    made = here("link", "create", token, "--name", "west", "--cost", "99999")
    assert made.exit_code == 0
    assert "--cost 99999 is above 65535, the highest cost; 65535 is used" in made.stderr
    assert here.json("link", "status", code=3)[0]["cost"] == 65_535
    assert here("link", "set", "west", "--cost", "0").exit_code == 2


def test_link_create_says_what_is_wrong_with_a_token(
    here: CommandLine, token: str, tmp_path: Path
) -> None:
    own = str(tmp_path / "own.yaml")
    here.ok("token", "create", own)
    result = here("link", "create", own)
    assert result.exit_code == 1
    assert "this very site" in result.stderr
    edited = tmp_path / "edited.yaml"
    edited.write_text(Path(token).read_text().replace("kind: Secret", "kind: Secrt"))
    assert here("link", "create", str(edited)).exit_code == 1
    assert here("link", "create", str(tmp_path / "none")).exit_code == 4
    assert list(here.config()) == ["site-here.yaml"]


def test_link_set_and_delete_of_an_outgoing_link(here: CommandLine, token: str) -> None:
    here.ok("link", "create", token)
    assert here.json("link", "set", "link1", "--cost", "9")["change"] == "updated"
    assert here.json("link", "set", "link1", "--cost", "9")["change"] == "unchanged"
    assert here.json("link", "status", "link1", code=3)[0]["cost"] == 9
    assert here.json("link", "delete", "link1")["change"] == "deleted"
    assert not (here.state / "here" / "secrets" / "links" / "link1").exists()
    assert here.json("link", "delete", "link1")["change"] == "unchanged"
    assert here("link", "set", "link1", "--cost", "9").exit_code == 4
    assert here("link", "status", "link1").exit_code == 4


@pytest.mark.parametrize(("state", "drains"), [("up", True), ("connecting", False)])
def test_of_a_link_that_is_not_up_nothing_is_said_to_be_under_way(
    here: CommandLine, admin: FakeAdmin, token: str, state: str, drains: bool
) -> None:
    here.ok("link", "create", token)
    admin.items("/api/v1/links", link("link1", state=state))
    said = here.ok("link", "delete", "link1").stderr
    assert ("What is under way over it finishes" in said) is drains


def test_link_update_is_link_set_as_skuppers_users_type_it(here: CommandLine, token: str) -> None:
    here.ok("link", "create", token)
    assert here.json("link", "update", "link1", "--cost", "9")["change"] == "updated"
    assert here.json("link", "set", "link1", "--cost", "9")["change"] == "unchanged"
    assert "\n  update" not in here.ok("link", "--help").stdout


def test_link_set_of_a_sites_name_says_which_link_leads_there(
    here: CommandLine, token: str
) -> None:
    here.ok("link", "create", token)
    result = here("link", "set", "west", "--cost", "9")
    assert (result.exit_code, "the one to site west is 'link1'" in result.stderr) == (4, True)
    assert "Next: sitectl link set link1 --cost 9" in result.stderr


def test_link_status_of_a_sites_name_says_which_link_leads_there(
    here: CommandLine, admin: FakeAdmin
) -> None:
    far = {"name": "far", "id": "f" * 32}
    admin.items("/api/v1/links", link("link1"), link("link2", neighbour=far))
    admin.item("/api/v1/status", {"replicas": 1})
    result = here("link", "status", "west")
    assert result.exit_code == 4
    assert "no link 'west' at here, the one to site west is 'link1'" in result.stderr
    assert "Next: sitectl link status link1" in result.stderr
    assert "Next: sitectl link status\n" in here("link", "status", "east").stderr


def test_link_delete_of_a_sites_name_deletes_nothing_and_says_which_link_leads_there(
    here: CommandLine, token: str
) -> None:
    here.ok("link", "create", token)
    result = here.ok("link", "delete", "west")
    assert result.stdout == (
        "no link west at here, nothing to delete; the one to site west is link1\n"
    )
    assert result.stderr.splitlines()[-1] == "Next: sitectl link delete link1"
    assert here.json("link", "delete", "link1")["change"] == "deleted"
    assert here.ok("link", "delete", "west").stdout == "no link west at here, nothing to delete\n"


def test_revoking_a_site_that_is_dialed_here_says_which_link_leads_there(
    here: CommandLine, token: str
) -> None:
    here.ok("link", "create", token)
    result = here("revoke-access", "--link", "west")
    assert result.exit_code == 4
    assert "no incoming link, site or token 'west' at here, but it dials west by link 'link1'" in (
        result.stderr
    )
    assert "Next: sitectl link delete link1" in result.stderr


def test_the_cost_of_an_incoming_link_belongs_to_its_dialer(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.items("/api/v1/links", link("west", direction="incoming"))
    result = here("link", "set", "west", "--cost", "2")
    assert result.exit_code == 7
    assert "At west: sitectl link set" in result.stderr


def test_deleting_an_incoming_link_revokes_its_neighbour(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.items("/api/v1/links", link("west", direction="incoming"))
    assert here.json("link", "delete", "west")["change"] == "deleted"
    assert admin.commands == [{"command": "revoke", "arguments": {"site": "a" * 32}}]
    assert Revocations(here.state / "here" / "secrets").is_revoked("none", "a" * 32)


def test_a_revoked_neighbour_cannot_use_its_token_once_more(
    here: CommandLine, admin: FakeAdmin, tmp_path: Path
) -> None:
    west = "a" * 32
    for name in ("hers", "other"):
        here.ok("token", "create", str(tmp_path / name), "--name", name, "--uses", "3")
    secrets = here.state / "here" / "secrets"
    grants = GrantStore(secrets / "grants", Authority.load(secrets))
    token = read_file(tmp_path / "hers")
    _, body = make_request(token, west, "west")
    assert ClaimDesk(grants).answer("hers", body, "10.0.0.9", time.time()).status == 200

    admin.items("/api/v1/links", link("west", direction="incoming"))
    assert "token hers could be used again" in here.ok("link", "delete", "west").stderr
    _, body = make_request(token, west, "west")  # With another key: a separate use.
    answer = ClaimDesk(grants).answer("hers", body, "10.0.0.9", time.time())
    assert (answer.status, answer.outcome) == (403, "revoked")
    other = grants.get("other")
    assert other is not None
    assert not other.revoked


def test_waiting_ends_when_the_link_is_up(here: CommandLine, admin: FakeAdmin, token: str) -> None:
    answers = [
        (200, {"apiVersion": "spillway/v1", "kind": "X", "items": items})
        for items in ([], [link("link1", "connecting")], [link("link1")])
    ]
    admin.answers["/api/v1/links"] = answers
    assert "up" in here.ok("link", "create", token, "--wait", "20").stdout


def test_waiting_for_a_link_without_a_usable_token_names_one_next_step(
    here: CommandLine, admin: FakeAdmin
) -> None:
    error = "Secret/link1: no link is made of it. Copy the token file again, unchanged"
    admin.items("/api/v1/links", link("link1", "refused", error=error, error_code="token"))
    result = here("link", "status", "link1", "--wait", "1")
    assert result.exit_code == 1
    assert error in result.stderr and "sitectl" not in result.stderr


def test_waiting_ends_with_1_when_the_link_is_refused(here: CommandLine, admin: FakeAdmin) -> None:
    admin.items("/api/v1/links", link("link1", "refused", error="claim was used"))
    result = here("link", "status", "link1", "--wait", "20")
    assert result.exit_code == 1
    assert "claim was used" in result.stderr


def test_waiting_ends_with_6_when_time_is_up(here: CommandLine, admin: FakeAdmin) -> None:
    admin.items("/api/v1/links", link("link1", "connecting", error="host is dead"))
    result = here("link", "status", "--wait", "0", "-o", "json")
    assert result.exit_code == 6
    failure = json.loads(result.stderr)
    assert "host is dead" in failure["message"]
    assert failure["retryable"] is True


def test_links_without_any_say_what_to_do(here: CommandLine) -> None:
    assert "sitectl token create" in here.ended(3, "link", "status").stdout


def test_a_site_that_accepts_no_links_is_not_told_to_make_a_token(sitectl: CommandLine) -> None:
    sitectl.ok("init", "here", "--ingress", "none")
    told = sitectl.ended(3, "link", "status").stdout
    assert "Make a token at the other site, and here: sitectl" in told
    assert "token create" not in told
    told = sitectl.ok("link", "access").stdout
    assert told == "No site may link here: here accepts no links (ingress: none).\n"


def test_a_router_without_links_says_that_there_are_none(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.items("/api/v1/links")
    admin.item("/api/v1/status", {"replicas": 1})
    assert here.ok("link", "status").stdout.startswith("No links. Try: sitectl ")


def test_one_of_several_routers_does_not_say_that_the_site_has_no_links(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.items("/api/v1/links")
    admin.item("/api/v1/status", {"replicas": 3})
    told = here.ok("link", "status").stdout
    assert told == "No links at this router, one of 3 of this site. Each shows its own links.\n"
    told = here.ended(4, "link", "status", "east").stderr
    assert "no link 'east' at this router of here, one of 3" in told
    assert "Each shows its own links: sitectl link status in its pod, or on its host" in told


def test_without_a_router_no_link_is_known_that_others_dial(here: CommandLine) -> None:
    told = here.ended(3, "link", "status").stdout
    assert told.startswith(
        "No links are dialed from here. Only the router knows those that others dial. For a new "
        "one: sitectl "
    )


def test_a_link_that_stands_by_is_up_and_says_so(here: CommandLine, admin: FakeAdmin) -> None:
    admin.items("/api/v1/links", link("a"), link("b", standby=True))
    table = here.ok("link", "status").stdout
    assert "up, stands by" in table.splitlines()[2] and "stands by" not in table.splitlines()[1]
    assert [item["state"] for item in here.json("link", "status")] == ["up", "up"]


def test_where_a_link_is_connected_is_told_of_the_one_that_is_named(
    here: CommandLine, admin: FakeAdmin
) -> None:
    ends = "2099-01-01T00:00:00Z"
    of_west = {"endpoint": "w.example:1 (10.0.0.7)", "via": "http://proxy:3128"}
    links = [
        link("west", certificate_expires=ends, **of_west),
        link("east", direction="incoming", certificate_expires=ends),
    ]
    admin.items("/api/v1/links", *links)
    named = here.ok("link", "status", "west").stdout
    incoming = here.ok("link", "status", "east").stdout
    table = here.ok("link", "status").stdout
    assert "west is connected to w.example:1 (10.0.0.7) through http://proxy:3128\n" in named
    assert f"west has a certificate until {ends}\n" in named
    assert f"east has a certificate until {ends}\n" in incoming and "connected" not in incoming
    assert "certificate" not in table and "connected" not in table


def test_a_certificate_that_ends_within_a_day_shows_beside_all_links(
    here: CommandLine, admin: FakeAdmin
) -> None:
    soon = utc(time.time() + 3_600)
    admin.items("/api/v1/links", link("west", certificate_expires=soon))
    assert f"west has a certificate until {soon}" in here.ok("link", "status").stdout


def test_a_certificate_that_has_ended_is_not_said_to_last_until_then(
    here: CommandLine, admin: FakeAdmin
) -> None:
    ended = utc(time.time() - 3_600)
    admin.items("/api/v1/links", link("west", certificate_expires=ended))
    table, named = here.ok("link", "status").stdout, here.ok("link", "status", "west").stdout
    for shown in (table, named):
        assert f"west has a certificate that expired at {ended}\n" in shown
        assert f"until {ended}" not in shown


def test_renewing_an_incoming_link_names_who_dials_it(here: CommandLine, admin: FakeAdmin) -> None:
    admin.items("/api/v1/links", link("west", direction="incoming"))
    refused = here("link", "renew", "west")
    assert refused.exit_code == 4 and "At west: sitectl link renew NAME" in refused.stderr
    assert "sitectl link status" in here("link", "renew", "east").stderr


def test_a_certificate_that_anybody_may_use_has_no_uses_left_to_count(
    here: CommandLine, tmp_path: Path
) -> None:
    path = str(tmp_path / "t.yaml")
    here.ok("token", "create", path, "--token-type", "cert")
    assert "Uses left: any number, by all who have it\n" in here.ok("token", "status", path).stdout


def let_in(here: CommandLine, tmp_path: Path, at: float) -> None:
    """West linked to ``here`` at that time."""
    path = tmp_path / "west.yaml"
    here.ok("token", "create", str(path), "--token-type", "cert")
    register = Register(here.state / "here" / "secrets" / DIRECTORY)
    register.seen("a" * 32, "west", to_der(read_file(path).certificate_pem), at)


@pytest.mark.parametrize(
    ("links", "linked"),
    [
        ((link("west", direction="incoming"),), True),
        ((link("west", silent_since="2026-01-01T00:00:00Z"),), False),
        ((link("west", state="connecting"),), False),
        ((), False),
    ],
)
def test_a_site_that_is_linked_now_is_not_said_to_be_seen_last_a_day_ago(
    here: CommandLine,
    admin: FakeAdmin,
    tmp_path: Path,
    links: tuple[dict[str, Any], ...],
    linked: bool,
) -> None:
    yesterday = time.time() - 86_000
    let_in(here, tmp_path, yesterday)
    admin.items("/api/v1/links", *links)
    (item,) = here.json("link", "access")
    assert (item["linked"], item["last_seen"]) == (linked, utc(yesterday))
    shown = "linked now" if linked else f"after {utc(yesterday)}"  # It is written once a day.
    assert here.ok("link", "access").stdout.splitlines()[1].endswith(f"  {shown}")


def test_without_a_router_nobody_says_which_sites_are_linked(
    here: CommandLine, tmp_path: Path
) -> None:
    let_in(here, tmp_path, time.time())
    assert [item["linked"] for item in here.json("link", "access")] == [None]


def test_a_site_is_listed_and_revoked_by_the_certificate_token_that_it_came_by_later(
    here: CommandLine, tmp_path: Path
) -> None:
    west, secrets = "a" * 32, here.state / "here" / "secrets"
    register = Register(secrets / DIRECTORY)
    for name in ("first", "second"):
        path = tmp_path / f"{name}.yaml"
        here.ok("token", "create", str(path), "--token-type", "cert", "--name", name)
        register.seen(west, "west", to_der(read_file(path).certificate_pem), time.time())
    (item,) = here.json("link", "access")
    assert (item["token"], item["tokens"], item["state"]) == (
        "second",
        ["first", "second"],
        "valid",
    )
    token = str(tmp_path / "first.yaml")
    assert here.json("token", "status", token)["state"] == "valid"
    here.ok("revoke-access", "--link", "second")
    (item,) = here.json("link", "access")
    assert item["state"] == "revoked"
    assert here.json("token", "status", token)["state"] == "revoked", "its certificate is refused"
    refused = here("revoke-access", "--link", "third")
    assert refused.exit_code == 4 and "sitectl link access" in refused.stderr
