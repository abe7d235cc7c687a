"""`gateway status` of gateways here, stopped, half made, and elsewhere."""

import json
import time
from pathlib import Path

import pytest

from certs.joining.redeem import ClaimDesk, make_request
from certs.links.revocation import Revocations
from certs.token_files.tokens import read_file
from sitectl.base.failure import Exit, Failure
from sitectl.gateway.gateway_status import RUNS_TWICE, is_settled
from sitectl.runtimes.containers.docker import DockerRuntime
from sitectl.runtimes.process import ProcessRuntime
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin
from tests.unit.sitectl.gateway.conftest import Host, link, service


@pytest.fixture
def busy(gw: CommandLine, host: Host, router: FakeAdmin) -> CommandLine:
    """A gateway with a target, a forward, and a router that reports both."""
    gw.ok("gateway", "bind", "db", "127.0.0.1", "5432", "--capacity", "9")
    gw.ok("gateway", "forward", "cache", "16379", "--loopback")
    target = {
        **{"site": "gw", "host": "127.0.0.1", "port": 5432, "ready": False, "in_flight": 2},
        **{"error": "refused", "requests_total": 5, "since": "2026-01-01T00:00:01Z"},
    }
    listener = {"host": "127.0.0.1", "port": 16379, "state": "bound", "error": ""}
    router.items(
        "/api/v1/services",
        service("db", 5432, targets=[target, {**target, "site": "far", "host": "1.2.3.4"}]),
        service("cache", 6379, listener=listener, sites=[{"targets_ready": 3}]),
    )
    return gw


def test_everything_about_a_gateway_is_in_its_item(busy: CommandLine, host: Host) -> None:
    (item,) = busy.json("gateway", "status")
    site_id = item.pop("id")
    assert site_id == host.gateway().trust.site_id
    assert item["link"]["certificate_expires"] == "2027-01-01T00:00:00Z"
    assert (item["link"]["state"], item["link"]["cost"]) == ("up", 1)
    assert (item["name"], item["type"], item["state"], item["here"]) == (
        "gw",
        "process",
        "ready",
        True,
    )
    assert item["site"]["name"] == "here"
    assert item["bindings"] == [
        {
            "service": "db",
            "port": 5432,
            "protocol": "tcp",
            "host": "127.0.0.1",
            "target_port": 5432,
            "ready": False,
            "error": "refused",
            "since": "2026-01-01T00:00:01Z",
            "capacity": 9,
            "in_flight": 2,
            "requests_total": 5,
            "declared_here": True,
        }
    ]
    assert item["forwards"] == [
        {
            "service": "cache",
            "port": 6379,
            "protocol": "tcp",
            "host": "127.0.0.1",
            "local_port": 16379,
            "state": "bound",
            "error": "",
            "targets_ready": 3,
        }
    ]
    text = busy.ok("gateway", "status").stdout
    for word in ("gw", "127.0.0.1:5432", "refused", "127.0.0.1:16379", "bound"):
        assert word in text


def test_a_problem_of_its_router_is_exit_3(busy: CommandLine, router: FakeAdmin) -> None:
    problem = {"code": "SW0999", "message": "all is lost", "hint": "sitectl hope"}
    router.item("/api/v1/status", {"ready": True, "version": "1", "problems": [problem]})
    result = busy("gateway", "status")
    assert result.exit_code == 3
    assert "Problem at gw: SW0999 all is lost" in result.stdout


def test_clocks_that_differ_are_told_as_such_and_since_when(
    busy: CommandLine, router: FakeAdmin
) -> None:
    links = router.answers["/api/v1/links"][1]["items"]
    refused = {"state": "refused", "error": "the clocks differ by about 24 h, or more"}
    router.items(
        "/api/v1/links",
        *(
            {**link, **refused, "error_code": "clock", "since": "2026-02-03T00:00:00Z"}
            for link in links
        ),
    )
    problem = {"code": "SW0660", "message": "Link site waits for a clock.", "hint": "Then"}
    router.item("/api/v1/status", {"ready": True, "problems": [problem]})
    (item,) = json.loads(busy("gateway", "status", "-o", "json").stdout)["items"]
    assert (item["link"]["error_code"], item["link"]["since"]) == ("clock", "2026-02-03T00:00:00Z")
    assert "SW0660" in {one["code"] for one in item["problems"]}
    text = busy("gateway", "status").stdout
    for word in ("2026-02-03T00:00:00Z", "SW0660", "the clocks differ by about 24 h"):
        assert word in text


def test_without_its_router_what_is_configured_is_shown(gw: CommandLine) -> None:
    gw.ok("gateway", "bind", "db", "127.0.0.1", "5432")
    gw.ok("gateway", "forward", "cache", "16379")
    (item,) = gw.json("gateway", "status", code=3)
    assert item["state"] == "stopped"
    assert item["link"]["error"] == "the router does not run"
    assert [one["ready"] for one in item["bindings"]] == [False]
    assert [one["state"] for one in item["forwards"]] == ["waiting"]
    for row in (*item["bindings"], *item["forwards"]):
        assert row["error"] == "the router does not run", "nothing is known of services"


def test_a_stopped_gateway_says_what_starts_it(gw: CommandLine) -> None:
    text = gw.ended(3, "gateway", "status").stdout
    assert "Note at gw: its router does not run\n  Next: sitectl gateway init --name gw\n" in text


def test_a_router_that_runs_and_does_not_answer_is_not_called_stopped(
    gw: CommandLine, host: Host, router: FakeAdmin
) -> None:
    gw.ok("gateway", "bind", "db", "127.0.0.1", "5432")
    del router.answers["/api/v1/status"]
    (item,) = gw.json("gateway", "status", code=3)
    assert (item["state"], item["link"]["state"]) == ("unreachable", "unreachable")
    assert (item["link"]["error"], item["problems"]) == ("the router does not answer", [])
    assert [one["error"] for one in item["bindings"]] == ["the router does not answer"]
    text = gw.ended(3, "gateway", "status").stdout
    log = host.gateway().run / "router.log"
    told = f"Note at gw: its router runs and does not answer\n  Next: See what it does: tail {log}"
    assert told in text and "does not run" not in text


def test_the_log_of_a_silent_router_is_its_container_s(
    gw: CommandLine, host: Host, router: FakeAdmin
) -> None:
    (host.gateway().directory / "runtime.yaml").write_text("kind: docker\nname: spillway-gw\n")
    del router.answers["/api/v1/status"]
    text = gw.ended(3, "gateway", "status").stdout
    assert "  Next: See what it does: docker logs spillway-gw\n" in text
    assert "router.log" not in text


def test_a_router_that_begins_to_answer_between_two_questions_is_reached(
    gw: CommandLine, router: FakeAdmin
) -> None:
    """Another command starts it in the same moment."""
    good = router.answers["/api/v1/status"]
    router.answers["/api/v1/status"] = [(503, {}), good]
    (item,) = gw.json("gateway", "status")
    assert item["state"] == "ready"


def test_a_gateway_without_its_link_has_a_problem(gw: CommandLine, router: FakeAdmin) -> None:
    router.items("/api/v1/links", link("connecting", "nobody answers"))
    result = gw("gateway", "status")
    assert result.exit_code == 3
    assert "SW0635 it is not linked to its site: nobody answers" in result.stdout
    assert "sitectl gateway status gw --wait 30" in result.stdout


@pytest.mark.parametrize(
    ("expires", "words"),
    [
        ("2027-01-01T00:00:00Z", "sitectl gateway init --config gw.yaml"),
        (None, "sitectl gateway init --name gw --token gw.yaml"),
    ],
)
def test_a_refused_gateway_is_told_how_it_comes_back(
    gw: CommandLine, router: FakeAdmin, expires: str | None, words: str
) -> None:
    router.items("/api/v1/links", {**link("refused", "barred"), "certificate_expires": expires})
    problem = {
        "code": "SW0404",
        "message": "Link site was refused: barred",
        "hint": "sitectl link delete site, then link with a new token",
    }
    router.item("/api/v1/status", {"ready": True, "version": "1", "problems": [problem]})
    result = gw("gateway", "status")
    assert result.exit_code == 3
    assert words in result.stdout and "link delete" not in result.stdout
    assert "SW0635" not in result.stdout
    waited = gw("gateway", "init", "--name", "gw", "--wait", "1")
    assert waited.exit_code == 1 and "link delete" not in waited.stderr


def test_a_copy_is_made_another_gateway_and_leaves_the_original_let_in(
    gw: CommandLine, host: Host, router: FakeAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The played router answers to the end of the test.
    monkeypatch.setattr("sitectl.gateway.removal.end_site", lambda site, timeout_s: None)
    kept_out = {**link("refused", "this one is a copy and is kept out"), "error_code": "copy"}
    router.items("/api/v1/links", kept_out)
    hint = "Stop one of the two; if both should stay, give one a new identity: sitectl delete, "
    hint += "then sitectl init"
    problem = {"code": "SW0401", "message": "this one is a copy and is kept out", "hint": hint}
    router.item("/api/v1/status", {"ready": True, "version": "1", "problems": [problem]})
    text = gw.ended(3, "gateway", "status").stdout
    assert "Stop one of the two; if both should stay, this one as another gateway: " in text
    assert "sitectl gateway delete --name gw, then sitectl gateway init --config gw.yaml" in text
    gateway_id = host.gateway().trust.site_id
    told = gw.ok("gateway", "delete").stderr
    assert "the access at site here stays: another router has this gateway's identity" in told
    assert not Revocations(gw.state / "here" / "secrets").is_revoked("-", gateway_id)


@pytest.mark.parametrize("state", ["up", "down"])
def test_a_target_of_a_service_that_is_not_known_says_so(
    gw: CommandLine, router: FakeAdmin, state: str
) -> None:
    """Of no other service either, as while the link is down: then a site may declare it."""
    router.items("/api/v1/links", link(state))
    router.items("/api/v1/services", service("db", 5432))
    gw.ok("gateway", "bind", "db", "127.0.0.1", "5432")
    router.items("/api/v1/services")
    (item,) = gw.json("gateway", "status")
    unknown = "no site declares the service, as far as is known here"
    assert [one["error"] for one in item["bindings"]] == [unknown]


@pytest.mark.parametrize(
    ("reason", "advice"),
    [("taken", "Free the port"), ("Permission denied", "ip_unprivileged_port_start=80")],
)
def test_a_port_that_a_forward_cannot_take_is_answered_with_forward(
    busy: CommandLine, router: FakeAdmin, reason: str, advice: str
) -> None:
    why = f"cannot listen on 127.0.0.1:16379: {reason}"
    listener = {"host": "127.0.0.1", "port": 16379, "state": "error", "error": why}
    router.items("/api/v1/services", service("cache", 6379, listener=listener))
    hint = "Free the port, or: sitectl service set cache:6379 --listen [IP:]PORT"
    problem = {"code": "SW0202", "message": f"Service cache:6379: {why}", "hint": hint}
    router.item("/api/v1/status", {"ready": True, "version": "1", "problems": [problem]})
    text = busy("gateway", "status").stdout
    assert "sitectl gateway forward cache PORT --name gw" in text and advice in text
    assert "service set" not in text


def test_commands_for_a_site_are_completed_for_the_gateway(
    busy: CommandLine, router: FakeAdmin, host: Host
) -> None:
    hint = "See why under ERROR: sitectl service status db"
    problem = {"code": "SW0309", "message": "no ready target", "hint": hint}
    router.item("/api/v1/status", {"ready": True, "version": "1", "problems": [problem]})
    place = host.gateway().directory.parent
    text = busy("gateway", "status").stdout
    assert f"ERROR: sitectl --state {place} --site gw service status db" in text
    place_words = ("--state", str(place), "--site", "gw")
    assert busy(*place_words, "service", "status", "db").exit_code == 4  # It is found and asked.


def test_its_state_is_the_routers_and_not_the_containers(
    gw: CommandLine, router: FakeAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = {"runtime": "podman", "state": "running", "image": "x"}
    monkeypatch.setattr(ProcessRuntime, "describe", lambda runtime: described)
    (item,) = gw.json("gateway", "status")
    assert (item["state"], item["image"]) == ("ready", "x")


def test_an_engine_that_does_not_answer_hides_no_other_gateway(
    gw: CommandLine, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    gw.ok("gateway", "init", "--name", "boxed", "--type", "process")
    (host.gateway("boxed").directory / "runtime.yaml").write_text("kind: docker\n")

    def refuse(runtime: DockerRuntime) -> dict[str, object]:
        raise Failure(Exit.FAILED, "SW0611", "docker does not answer", "systemctl start docker")

    monkeypatch.setattr(DockerRuntime, "describe", refuse)
    result = gw("gateway", "status")
    assert result.exit_code == 3
    assert "Problem at boxed: SW0611 docker does not answer" in result.stdout
    assert "gw " in result.stdout


def test_a_damaged_runtime_file_hides_no_other_gateway(gw: CommandLine, host: Host) -> None:
    """One damaged file failed the whole command."""
    gw.ok("gateway", "init", "--name", "other", "--type", "process")
    file = host.gateway("other").directory / "runtime.yaml"
    file.write_text("kind: [\n")
    result = gw("gateway", "status", "-o", "json")
    assert result.exit_code == 3
    items = {item["name"]: item for item in json.loads(result.stdout)["items"]}
    assert (items["other"]["state"], items["other"]["type"]) == ("damaged", None)
    (problem,) = items["other"]["problems"]
    assert problem["message"].startswith(f"{file}: ") and problem["hint"]
    assert [item["state"] for name, item in items.items() if name != "other"]
    text = gw("gateway", "status").stdout
    assert "Problem at other" in text and str(file) in text


def test_an_idle_gateway_says_what_to_type(gw: CommandLine) -> None:
    assert "gateway bind postgres 127.0.0.1 5432" in gw.ended(3, "gateway", "status").stdout


def test_a_half_made_gateway_is_named_and_not_worked_on(gw: CommandLine, host: Host) -> None:
    (host.gateway().config / "link-site.yaml").unlink()
    result = gw("gateway", "status")
    assert result.exit_code == 3
    assert "SW0634" in result.stdout and "gateway init --name gw" in result.stdout
    assert gw("gateway", "bind", "db", "127.0.0.1", "1").exit_code == 5
    gw.ok("gateway", "init", "--name", "gw")
    gw.ok("gateway", "bind", "db", "127.0.0.1", "1")


def test_a_damaged_record_is_named(gw: CommandLine, host: Host) -> None:
    (host.gateway().directory / "gateway.yaml").write_text("platform: moon\n")
    result = gw("gateway", "status", "-o", "json")
    assert result.exit_code == 1
    assert "SW0630" in result.stderr and "gateway.yaml" in result.stderr


def test_gateways_of_the_site_that_run_elsewhere_are_shown(
    here: CommandLine, host: Host, tmp_path: Path
) -> None:
    token = tmp_path / "t.yaml"
    here.ok("token", "create", str(token), "--name", "gateway-far")
    other = "c" * 32
    _, body = make_request(read_file(token), other, "far")
    desk = ClaimDesk(host.grants())
    assert desk.answer("gateway-far", body, "10.0.0.9", time.time()).status == 200
    (item,) = here.json("gateway", "status")
    assert (item["name"], item["here"], item["state"]) == ("far", False, "away")
    assert "elsewhere" in here.ok("gateway", "status").stdout
    with FakeAdmin(here.state / "here" / "run" / "admin.sock") as admin:
        neighbour = {"name": "far", "id": other}
        up = {"name": "far", "neighbour": neighbour, "direction": "incoming", "state": "up"}
        admin.items("/api/v1/links", up)
        admin.item("/api/v1/status", {"problems": []})
        (item,) = here.json("gateway", "status")
        assert (item["state"], item["link"]["state"]) == ("attached", "up")
        of_others = {"code": RUNS_TWICE, "message": "of another gateway", "hint": ""}
        twice = {"code": RUNS_TWICE, "message": f"far ({other}) runs twice.", "hint": "Stop one"}
        of_site = {"code": "SW0201", "message": f"not of {other} as such", "hint": ""}
        admin.item("/api/v1/status", {"problems": [of_others, twice, of_site]})
        result = here("gateway", "status")
        assert result.exit_code == 3
        assert f"Problem at far: {RUNS_TWICE} far ({other}) runs twice." in result.stdout
        assert "of another gateway" not in result.stdout
        assert "SW0201" not in result.stdout
        here.ok("revoke-access", "--link", "far")
    assert here.json("gateway", "status") == []


@pytest.mark.parametrize(
    ("change", "settled"),
    [
        ({}, True),
        ({"link": {"state": "down"}}, False),
        ({"bindings": [{"ready": True}, {"ready": False}]}, False),
        ({"forwards": [{"state": "error", "targets_ready": 1}]}, False),
        ({"forwards": [{"state": "bound", "targets_ready": 0}]}, False),
    ],
)
def test_who_waits_waits_for_link_targets_and_forwards(
    change: dict[str, object], settled: bool
) -> None:
    item = {
        "link": {"state": "up"},
        "bindings": [{"ready": True}],
        "forwards": [{"state": "bound", "targets_ready": 1}],
    }
    assert is_settled({**item, **change}) is settled


def test_waiting_in_vain_for_a_forward_without_a_target_says_so(
    busy: CommandLine, router: FakeAdmin
) -> None:
    listener = {"host": "127.0.0.1", "port": 16379, "state": "bound", "error": ""}
    router.items("/api/v1/services", service("cache", 6379, listener=listener))
    result = busy("gateway", "status", "--wait", "0.1")
    assert result.exit_code == 6
    assert "cache has no target that is ready, at any site" in result.stderr
