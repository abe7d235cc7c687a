"""`token list` and `token status`: what became of claims, with and without a router."""

from pathlib import Path

from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin

VIEW = {
    "name": "t",
    "state": "used",
    "made": "2026-01-01T00:00:00Z",
    "expires": "2026-01-01T00:15:00Z",
    "uses_left": 0,
    "uses": 1,
    "claimed": [{"site": "east", "id": "c" * 32, "at": "2026-01-01T00:01:00Z"}],
}


def test_without_a_router_the_tokens_that_are_kept_are_listed(
    here: CommandLine, tmp_path: Path
) -> None:
    path = str(tmp_path / "t.yaml")
    here.ok("token", "create", path, "--name", "mine", "--uses", "3")

    (item,) = here.json("token", "list")
    assert (item["name"], item["state"], item["uses"], item["uses_left"]) == ("mine", "open", 3, 3)
    assert item["made"] <= item["expires"]
    assert item["claimed"] == []
    assert "mine" in here.ok("token", "list").stdout
    assert here.json("token", "status", path)["claimed"] == []


def test_a_revoked_token_that_was_never_used_is_not_called_used(
    here: CommandLine, tmp_path: Path
) -> None:
    path = str(tmp_path / "t.yaml")
    here.ok("token", "create", path, "--name", "mine")
    here.ok("revoke-access", "--link", "mine")

    (listed,) = here.json("token", "list")
    status = here.json("token", "status", path)
    assert (listed["state"], listed["uses_left"]) == ("revoked", 1)
    assert (status["state"], status["uses_left"]) == ("revoked", 0), "no use of it is left"
    shown = here.ok("token", "status", path).stdout
    assert "State:     revoked: here refuses it. Make another there: sitectl token create" in shown


def test_a_token_that_was_revoked_with_all_others_is_not_called_used(
    here: CommandLine, tmp_path: Path
) -> None:
    path = str(tmp_path / "t.yaml")
    here.ok("token", "create", path)
    here.ok("revoke-access", "--yes")

    assert here.json("token", "status", path)["state"] == "revoked"


def test_without_tokens_the_next_step_is_said(here: CommandLine) -> None:
    assert "sitectl token create FILE" in here.ok("token", "list").stdout


def test_the_list_of_claims_does_not_deny_a_certificate_token(
    here: CommandLine, tmp_path: Path
) -> None:
    here.ok("token", "create", str(tmp_path / "t.yaml"), "--token-type", "cert")

    assert here.ok("token", "list").stdout.startswith("No claim tokens. ")


def test_a_router_is_asked_first(here: CommandLine, admin: FakeAdmin) -> None:
    admin.items("/api/v1/tokens", VIEW)

    assert here.json("token", "list") == [VIEW]
    shown = here.ok("token", "list").stdout
    assert "0 of 1" in shown
    assert "east (2026-01-01T00:01:00Z)" in shown


def test_two_sites_of_one_name_are_told_apart(here: CommandLine, admin: FakeAdmin) -> None:
    def used(name: str, *uses: tuple[str, str]) -> dict[str, object]:
        at = "2026-01-01T00:01:00Z"
        return {
            **VIEW,
            "name": name,
            "claimed": [{"site": s, "id": i * 32, "at": at} for s, i in uses],
        }

    admin.items("/api/v1/tokens", used("t", ("east", "c"), ("west", "a")), used("u", ("west", "b")))
    shown = here.ok("token", "list").stdout
    assert "west@aaaaaaaa (2026" in shown and "west@bbbbbbbb (2026" in shown
    assert "east (2026" in shown
    admin.items("/api/v1/tokens", used("t", ("west", "a")), used("u", ("west", "a")))
    assert "@" not in here.ok("token", "list").stdout, "it used two tokens"


def test_a_router_of_an_earlier_version_is_no_hindrance(
    here: CommandLine, admin: FakeAdmin, tmp_path: Path
) -> None:
    admin.answers["/api/v1/tokens"] = (404, {"code": "not-found", "message": "no"})
    here.ok("token", "create", str(tmp_path / "t.yaml"), "--name", "mine")

    assert [item["name"] for item in here.json("token", "list")] == ["mine"]


def test_a_token_is_listed_before_the_router_has_seen_it(
    here: CommandLine, admin: FakeAdmin, tmp_path: Path
) -> None:
    admin.items("/api/v1/tokens", VIEW)
    here.ok("token", "create", str(tmp_path / "t.yaml"), "--name", "mine")

    assert [item["name"] for item in here.json("token", "list")] == ["mine", "t"]


def test_a_token_older_than_those_that_the_router_tells_of_is_left_to_it(
    here: CommandLine, admin: FakeAdmin, tmp_path: Path
) -> None:
    admin.items("/api/v1/tokens", VIEW | {"made": "2999-01-01T00:00:00Z"})
    here.ok("token", "create", str(tmp_path / "t.yaml"), "--name", "mine")

    assert [item["name"] for item in here.json("token", "list")] == ["t"]


def test_a_use_is_listed_before_the_router_has_seen_it(
    here: CommandLine, admin: FakeAdmin, tmp_path: Path
) -> None:
    here.ok("token", "create", str(tmp_path / "t.yaml"), "--name", "mine", "--uses", "3")
    (kept,) = here.json("token", "list")
    admin.items("/api/v1/tokens", kept | {"uses": 4, "uses_left": 4})

    assert here.json("token", "list") == [kept]
