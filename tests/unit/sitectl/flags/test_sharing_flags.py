"""Rules of services and terms of tokens, as they are typed."""

import json
from pathlib import Path
from typing import Any

import pytest

from router.documents import read
from router.model import limits
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin


def policy(here: CommandLine, name: str) -> Any:
    """What the file of a Policy says; None: there is none."""
    text = here.config().get(f"policy-{name}.yaml")
    if text is None:
        return None
    (document,), errors = read(text, "here")
    assert not errors
    return document.spec


def test_a_rule_is_set_replaced_and_withdrawn(here: CommandLine) -> None:
    words = ("service", "set", "shop")
    said = here.ok(*words, "--export-to", "east", "--export-to", "w*,north").stdout
    assert (
        "here exports it to east, w* and north only, once a declaration of it counts here" in said
    )
    assert policy(here, "shop").export_to == ("east", "w*", "north")
    here.ok(*words, "--import-from", "none")
    assert (policy(here, "shop").export_to, policy(here, "shop").import_from) == (
        ("east", "w*", "north"),
        (),
    )
    assert "unchanged" in here.ok(*words, "--import-from", "none").stdout
    here.ok(*words, "--export-to", "all")
    assert policy(here, "shop").export_to is None
    said = here.ok(*words, "--import-from", "all").stdout
    assert said == "service shop: here takes it from all sites\n"
    assert policy(here, "shop") is None
    assert "has no rule for it, unchanged" in here.ok(*words, "--import-from", "all").stdout


def test_names_are_written_with_the_ids_of_who_bears_them_now(
    here: CommandLine, admin: FakeAdmin
) -> None:
    east, other, west = "e" * 32, "0" * 32, "a" * 32
    admin.answers["/api/v1/network"] = (
        200,
        [
            {"name": "east@eeeeeeee", "id": east},
            {"name": "east@00000000", "id": other},
            {"name": "west", "id": west},
        ],
    )
    words = ("service", "set", "shop", "--export-to")
    done = here.ok(*words, "west,w*,east,north,east@eeeeeeee," + west)
    assert "2 sites are called 'east' now" in done.stderr
    assert "no site is called 'north' now" in done.stderr
    assert "exports it to west (aaaaaaaa), w*, east, north, east (eeeeeeee) and" in done.stdout
    assert policy(here, "shop").export_to == (
        f"west@{west}",
        "w*",
        "east",
        "north",
        f"east@{east}",
        west,
    )
    assert "unchanged" in here.ok(*words, f"west@{west},w*,east,north,east@{east},{west}").stdout


def test_expose_states_with_whom_the_service_is_shared(here: CommandLine) -> None:
    words = (
        "expose",
        "host",
        "127.0.0.1",
        "--address",
        "shop",
        "--port",
        "8080",
        "--target-port",
        "9001",
    )
    here.ok(*words, "--export-to", "east")
    assert policy(here, "shop").export_to == ("east",)
    assert "connector-shop" in " ".join(here.config()) and "service-shop.yaml" in here.config()
    here.ok(*words, "--import-from", "none")
    assert (policy(here, "shop").export_to, policy(here, "shop").import_from) == (("east",), ())


def test_a_cap_and_a_rule_share_a_document_and_leave_each_other_alone(here: CommandLine) -> None:
    words = ("service", "set", "shop")
    here.ok(*words, "--site-capacity", "10", "--export-to", "east")
    assert (policy(here, "shop").site_capacity, policy(here, "shop").export_to) == (10, ("east",))
    said = here.ok(*words, "--site-capacity", "none").stdout
    assert "takes what its targets take, exports it to east only" in said
    assert (policy(here, "shop").site_capacity, policy(here, "shop").export_to) == (None, ("east",))
    here.ok(*words, "--site-capacity", "5")
    said = here.ok(*words, "--export-to", "all").stdout
    assert "exports it to all sites, takes 5 at once" in said
    assert (policy(here, "shop").site_capacity, policy(here, "shop").export_to) == (5, None)


def test_a_rule_for_all_services_stands_and_all_of_one_means_all(here: CommandLine) -> None:
    said = here.ok("service", "set", "*", "--export-to", "none").stdout
    assert "all services: here exports it to no other site" in said
    assert (policy(here, "default").service, policy(here, "default").export_to) == ("*", ())
    here.ok("service", "set", "shop", "--export-to", "all")
    assert policy(here, "shop").export_to == ("*",)
    here.ok("service", "set", "*", "--export-to", "all")
    assert policy(here, "default") is None


def test_a_rule_for_all_services_takes_no_document_of_a_service(here: CommandLine) -> None:
    here.ok("service", "set", "default", "--export-to", "east")
    here.ok("service", "set", "*", "--export-to", "west")
    assert policy(here, "default").service == "default"
    assert policy(here, "all-services").export_to == ("west",)


def test_a_service_is_created_with_its_rule(here: CommandLine) -> None:
    here.ok("service", "create", "ledger", "8090", "--export-to", "east")
    assert policy(here, "ledger").export_to == ("east",)
    shown = here("service", "status", "ledger", "-o", "json").stdout
    (item,) = json.loads(shown)["items"]
    assert (item["export_to"], item["import_from"]) == (["east"], None)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--export-to", "No Site"), "'No Site' names no site"),
        (("--export-to", "east,all"), "stand alone"),
        (("--import-from", "a" * (limits.SHARING_PATTERN_CHARS_MAX + 1)), "names no site"),
        (
            ("--import-from", ",".join(f"s{n}" for n in range(limits.SHARING_PATTERNS_MAX + 1))),
            f"at most {limits.SHARING_PATTERNS_MAX}",
        ),
    ],
)
def test_what_names_no_site_is_refused(
    here: CommandLine, words: tuple[str, ...], told: str
) -> None:
    result = here("service", "set", "shop", *words)
    assert result.exit_code == 2
    assert told in result.stderr
    assert policy(here, "shop") is None


def test_as_many_and_as_long_as_may_be_are_taken(here: CommandLine) -> None:
    most = [f"s{n}" for n in range(limits.SHARING_PATTERNS_MAX - 1)]
    most.append("a" * limits.SHARING_PATTERN_CHARS_MAX)
    here.ok("service", "set", "shop", "--export-to", ",".join(most))
    assert policy(here, "shop").export_to == tuple(most)


@pytest.mark.parametrize("kind", ["claim", "cert"])
def test_a_token_tells_on_which_terms_it_lets_in(
    here: CommandLine, tmp_path: Path, kind: str
) -> None:
    path = str(tmp_path / "t.yaml")
    words = ("--token-type", kind, "--ingress-host", "10.0.0.1")
    here.ok(
        *("token", "create", path, *words),
        *("--allow-services", "shop*", "--allow-declare", "", "--allow-import", "db"),
    )
    status = here.json("token", "status", path)
    assert status["allow"] == {"declare": [], "export": ["shop*"], "import": ["db"]}
    said = here.ok("token", "status", path).stdout
    assert "Allows:    declares none, serves shop*, asks for db" in said


def test_a_token_without_terms_allows_everything(here: CommandLine, tmp_path: Path) -> None:
    path = str(tmp_path / "t.yaml")
    here.ok("token", "create", path, "--ingress-host", "10.0.0.1")
    assert "Allows:    everything" in here.ok("token", "status", path).stdout


def test_a_claim_made_again_on_other_terms_is_no_repetition(
    here: CommandLine, tmp_path: Path
) -> None:
    path = str(tmp_path / "t.yaml")
    words = ("token", "create", path, "--ingress-host", "10.0.0.1", "--name", "t")
    here.ok(*words, "--allow-services", "shop")
    assert "unchanged" in here.ok(*words, "--allow-services", "shop").stdout
    assert here(*words).exit_code == 5
    assert here(*words, "--allow-services", "Shop").exit_code == 2


def test_deleting_a_service_says_which_rules_go_with_it(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080", "--export-to", "east")
    deleted = here.ok("service", "delete", "shop")
    assert "Its rules here went with it: here exports it to east only" in deleted.stderr
    assert policy(here, "shop") is None
    for flags, rule in (((), ""), (("--export-to", "east"), "here exports it to east only; ")):
        here.ok("service", "create", "shop", "8080", *flags)
        here.ok("service", "grant", "shop", "--site", "west", "--call")
        deleted = here.ok("service", "delete", "shop")
        assert f"Its rules here went with it: {rule}west may call it\n" in deleted.stderr
    here.ok("service", "create", "shop", "8080")
    assert "rules" not in here.ok("service", "delete", "shop").stderr


def test_the_router_names_the_rule_that_closes_a_service(
    here: CommandLine, admin: FakeAdmin
) -> None:
    rule = {"code": "SW0343", "message": "importFrom refuses it", "hint": "Let hub in"}
    for path in ("/api/v1/services/shop", "/api/v1/why/shop", "/api/v1/traffic/shop"):
        admin.answers[path] = (404, {"error": rule})
    for words in (("why", "shop"), ("service", "status", "shop")):
        refused = here(*words)
        assert refused.exit_code == 4
        assert refused.stderr == "Error: importFrom refuses it\nNext: Let hub in\n"
    admin.items("/api/v1/services")
    admin.item("/api/v1/status", {"problems": [rule, {**rule, "code": "SW0301"}]})
    said = here.ok("service", "status").stdout
    assert said == "importFrom refuses it\nNext: Let hub in\n"


def test_without_services_a_problem_is_shown_and_none_is_to_be_created(
    here: CommandLine, admin: FakeAdmin
) -> None:
    """The site that declares all of them may be out of reach."""
    away = {"code": "SW0301", "message": "no site declares shop", "hint": "It is back with far"}
    admin.items("/api/v1/services")
    admin.item("/api/v1/status", {"problems": [away]})
    said = here.ok("service", "status").stdout
    assert said == "No services.\nno site declares shop\nNext: It is back with far\n"
    admin.item("/api/v1/status", {"problems": []})
    assert "No services. Try: " in here.ok("service", "status").stdout


def test_a_service_that_an_import_rule_keeps_out_is_not_merely_unknown(
    here: CommandLine, admin: FakeAdmin
) -> None:
    hint = "sitectl service status"
    error = {"error": {"code": "not-found", "message": "No service", "hint": hint}}
    for path in ("/api/v1/services/shop", "/api/v1/why/shop"):
        admin.answers[path] = (404, error)
    for words in (("why", "shop"), ("service", "status", "shop")):
        assert "sitectl service status" in here(*words).stderr
        here.ok("service", "set", "*", "--import-from", "east")
        refused = here(*words)
        assert refused.exit_code == 4
        assert "here takes it from east only" in refused.stderr
        assert "sitectl service set '*' --import-from SITE" in refused.stderr
        here.ok("service", "set", "shop", "--import-from", "all")
        assert "import" not in here(*words).stderr
        here.ok("service", "set", "shop", "--import-from", "west")
        assert "sitectl service set shop --import-from SITE" in here(*words).stderr
        here.ok("service", "set", "*", "--import-from", "all")
        here.ok("service", "set", "shop", "--import-from", "all")
