"""What a mistake is answered with: what failed, why, and a command to type as it is printed."""

import json
import time
from pathlib import Path

import pytest

from sitectl.base.options import Settings
from tests.advice import ADVICE
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin
from tests.unit.sitectl.show.test_looking import SERVICE, STATUS


@pytest.mark.parametrize(("advice", "completed"), ADVICE)
def test_advice_for_this_site_names_it_when_the_command_did(advice: str, completed: str) -> None:
    settings = Settings()
    assert settings.here(advice) == advice
    settings.site = "west"
    assert settings.here(advice) == completed


@pytest.mark.parametrize("verb", ["status", "check", "events", "why shop"])
def test_advice_in_json_names_the_site_as_text_does(
    here: CommandLine, admin: FakeAdmin, verb: str
) -> None:
    step, full = "See ERROR: sitectl top", "See ERROR: sitectl --site here top"
    problem = {"code": "SW0309", "message": "no ready target", "hint": step}
    admin.item("/api/v1/status", {**STATUS, "problems": [problem]})
    admin.items("/api/v1/links")
    admin.items("/api/v1/services")
    admin.items("/api/v1/events", {"at": "", "subject": "shop", "message": "no", "hint": step})
    admin.item("/api/v1/why/shop", {"service": "shop", "left_out": "A rule.", "let_in": step})
    for output in ("json", "yaml", "table"):
        words = ("--site", "here", *verb.split(), "-o", output)
        assert full in here(*words).stdout, output
        assert full not in here(*words[2:]).stdout, "no flag was given"


def test_of_several_sites_the_advised_command_works_as_printed(here: CommandLine) -> None:
    here.ok("init", "west")
    result = here("--site", "west", "service", "status", "nope")
    assert result.stderr.endswith("Next: sitectl --site west start\n"), "only it knows all names"
    made = here.ok("service", "create", "shop", "8080", "--site", "west")
    assert "Next: sitectl --site west service bind shop" in made.stderr
    assert "Next: sitectl --site west start" in here.ended(3, "status", "--site", "west").stdout


def test_a_mistyped_site_is_answered_with_the_nearest(here: CommandLine) -> None:
    result = here("status", "--site", "heer")
    assert result.exit_code == 4
    assert "Did you mean --site here?" in result.stderr


def test_wrong_words_without_advice_of_their_own_lead_to_the_help(here: CommandLine) -> None:
    result = here("service", "bind", "shop", "host")
    assert result.exit_code == 2
    assert result.stderr.endswith("service bind --help\n")


def test_a_port_that_is_none_is_wrong_usage(here: CommandLine, admin: FakeAdmin) -> None:
    refusal = {"code": "bad-port", "message": "'x' is not a port number.", "hint": "8080"}
    admin.answers["/api/v1/why/shop:x"] = (400, refusal)
    assert here("why", "shop:x").exit_code == 2


def test_a_token_for_a_directory_that_is_not_there_grants_nothing(here: CommandLine) -> None:
    file = here.state / "nowhere" / "t.yaml"
    result = here("token", "create", str(file))
    assert result.exit_code == 4
    assert f"no directory {file.parent}" in result.stderr
    assert not list((here.state / "here" / "secrets").glob("grants/*"))


def test_a_service_in_a_broken_file_is_not_said_to_be_missing(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    file = here.state / "here" / "config" / "service-shop.yaml"
    file.write_text(file.read_text().replace("ports: [8080]", "ports: [8080]\n  protocol: htpp"))
    for words in (("set", "shop", "--queue", "5"), ("delete", "shop")):
        result = here("service", *words)
        assert result.exit_code == 1
        assert "config/service-shop.yaml:6:13" in result.stderr
        assert "Next: Did you mean 'http'?" in result.stderr


def test_binding_says_that_nobody_declares_the_service_only_when_nobody_does(
    here: CommandLine, admin: FakeAdmin
) -> None:
    words = ("service", "bind", "shop", "host", "127.0.0.1", "--target-port")
    assert "declares shop" in here.ok(*words, "1").stderr
    admin.items("/api/v1/services", SERVICE)
    assert here.ok(*words, "2").stderr == ""


def test_deleting_a_service_tells_that_its_targets_go_too(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    for port in ("1", "2"):
        here.ok("service", "bind", "shop", "host", "127.0.0.1", "--target-port", port)
    deleted = here.ok("service", "delete", "shop").stdout
    assert deleted == "service shop deleted, 2 targets of it here unbound\n"


def test_a_bad_document_is_reported_once_and_its_hint_once(
    here: CommandLine, admin: FakeAdmin
) -> None:
    (here.state / "here" / "config" / "x.yaml").write_text(
        "apiVersion: spillway/v1\nkind: Servce\nname: x\nspec: {ports: [1]}\n"
    )
    bad = json.loads(here("check", "-o", "json").stdout)["items"]
    (found,) = (item for item in bad if item["code"] == "SW0101")
    problem = {key: found[key] for key in ("code", "message", "hint")}
    admin.item("/api/v1/status", {**STATUS, "problems": [problem]})
    admin.items("/api/v1/links")
    admin.items("/api/v1/services")
    assert here("check").stdout.count("Did you mean 'Service'?") == 1
    assert here("status").stdout.count("Did you mean 'Service'?") == 1


def test_an_expired_token_says_since_when(
    here: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "t.yaml"
    made = here.ok("token", "create", str(file)).stderr
    assert f"sitectl link create {file}" in made
    later = time.time() + 3_600
    monkeypatch.setattr("sitectl.verbs.links.token_status.time.time", lambda: later)
    assert "expired, since 2" in here.ok("token", "status", str(file)).stdout


def test_wrong_words_are_answered_as_json_wherever_that_was_asked(here: CommandLine) -> None:
    for words in (("service", "--bad", "-o", "json"), ("-o", "json", "statsu"), ("x", "-ojson")):
        result = here(*words)
        assert result.exit_code == 2
        assert json.loads(result.stderr)["code"] == "usage"


def test_a_broken_site_document_is_to_be_corrected_not_made_anew(here: CommandLine) -> None:
    file = here.state / "here" / "config" / "site-here.yaml"
    file.write_text("apiVersion: spillway/v1\nkind: Site\nname: here\nspec: {bindPort: many}\n")
    assert "Next: Correct config/site-here.yaml" in here("status").stderr
    assert "sitectl init" not in here("check").stdout


def test_a_claim_name_that_was_used_is_a_conflict(here: CommandLine, tmp_path: Path) -> None:
    here.ok("token", "create", str(tmp_path / "a"), "--name", "t")
    result = here("token", "create", str(tmp_path / "b"), "--name", "t")
    assert result.exit_code == 5
    assert "a token named 't' was made here already" in result.stderr


def test_a_claim_that_expired_unused_makes_room_for_the_next(
    here: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.ok("token", "create", str(tmp_path / "a"), "--name", "t")
    later = time.time() + 3_600
    monkeypatch.setattr("sitectl.verbs.links.token.time.time", lambda: later)
    here.ok("token", "create", str(tmp_path / "b"), "--name", "t")


def test_check_reports_a_refused_link_and_a_taken_port_once(
    here: CommandLine, admin: FakeAdmin
) -> None:
    problems = [
        {
            "code": "SW0202",
            "message": "Service shop:8080 has no listener here",
            "hint": "Free the port, or: sitectl service set shop:8080 --listen [IP:]PORT",
        },
        {"code": "SW0404", "message": "Link west was refused: used", "hint": ""},
    ]
    admin.item("/api/v1/status", {**STATUS, "problems": problems})
    admin.items("/api/v1/links", {"name": "west", "state": "refused", "error": "used", "cost": 1})
    listener = {"host": "127.0.0.1", "port": 8080, "state": "error", "error": "port taken"}
    admin.items("/api/v1/services", {**SERVICE, "listener": listener})
    text = here("check").stdout
    assert text.count("WARNING") == 2
    assert "SW0404  Link west was refused: used" in text
    assert "Next: Free the port, or: sitectl service set shop:8080 --listen" in text
