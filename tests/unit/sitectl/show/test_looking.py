"""Verbs that ask the router: status, why, network, events, check."""

import contextlib
import fcntl
import itertools
import json
import os
import re
import socket
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from router.model import limits
from router.model.wording.routing_key_names import hashed_name
from sitectl.show import service_status
from sitectl.show.service_items import not_told
from sitectl.show.service_status import table
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin

STATUS: dict[str, Any] = {
    "name": "here",
    "id": "b" * 32,
    "mode": "interior",
    "version": "0.1.0",
    "ready": True,
    "uptime_s": 3_700.0,
    "links": 1,
    "services": 2,
    "sites": 3,
    "problems": [],
    "console": None,
}
SERVICE: dict[str, Any] = {
    "name": "shop",
    "port": 8080,
    "protocol": "http",
    "policy": "fill",
    "queued": 1,
    "requests_total": 100,
    "overflow_total": 7,
    "listener": {"host": "127.0.0.1", "port": 8080, "state": "up", "error": None},
    "sites": [
        {
            "site": "here",
            "id": "b" * 32,
            "local": True,
            "path_cost": 0,
            "targets_ready": 2,
            "capacity": 20,
            "in_flight": 5,
            "draining": False,
            "age_s": 0.0,
        }
    ],
    "targets": [{"site": "here", "name": "c", "host": "h", "port": 1, "ready": True}],
}


def test_status_of_a_stopped_site_shows_what_is_configured(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    item = here.json("status", code=3)
    assert (item["name"], item["ready"], item["services"]) == ("here", False, 1)
    assert "stopped" in here.ended(3, "status").stdout
    assert here.json("link", "status", code=3) == []
    assert here.json("service", "status", "shop", code=3)[0]["listener"]["state"] == "stopped"


def test_status_has_the_same_fields_whether_the_router_runs_or_not(here: CommandLine) -> None:
    console = here.json("status", code=3)["console"]
    assert console == {"url": "", "auth": "", "secret": ""}


@pytest.mark.parametrize("words", [("link", "create"), ("token", "status")])
def test_a_token_file_that_is_not_there_is_not_found(
    here: CommandLine, words: tuple[str, ...]
) -> None:
    result = here(*words, "nowhere.token")
    assert result.exit_code == 4
    assert "no file nowhere.token" in result.stderr


def test_service_set_of_a_service_of_another_site_names_the_place(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.items("/api/v1/services", {"name": "shop", "port": 8080})
    result = here("service", "set", "shop", "--policy", "balanced")
    assert result.exit_code == 4
    assert "At that site: sitectl service set shop" in result.stderr


def test_a_document_that_cannot_be_read_has_its_code_and_may_be_what_set_misses(
    here: CommandLine, admin: FakeAdmin
) -> None:
    path = here.state / "here" / "config" / "connector-shop.yaml"
    path.symlink_to(path)  # No user can open it, not even root.
    assert levels(here, "check")["SW0110"] == "error"
    admin.items("/api/v1/services", {"name": "shop", "port": 8080})
    result = here("service", "set", "shop", "--capacity", "9")
    assert result.exit_code == 4
    assert "correct config/connector-shop.yaml first: sitectl check" in result.stderr


def test_status_passes_on_what_the_router_says(here: CommandLine, admin: FakeAdmin) -> None:
    admin.item("/api/v1/status", STATUS)
    assert here.json("status") == STATUS
    assert "Uptime:   1h1m" in here.ok("status").stdout


def test_status_with_problems_is_degraded(here: CommandLine, admin: FakeAdmin) -> None:
    problem = {"code": "SW0301", "message": "port \x1b[1m taken", "hint": "use another"}
    admin.item("/api/v1/status", {**STATUS, "problems": [problem]})
    result = here("status")
    assert result.exit_code == 3
    assert "SW0301 port \\x1b[1m taken" in result.stdout
    assert here("status", "-o", "json").exit_code == 3


def test_of_very_many_problems_status_shows_the_first_and_says_how_many_there_are(
    here: CommandLine, admin: FakeAdmin
) -> None:
    problems = [
        {"code": "SW0309", "message": f"Service team-{n} has no ready target.", "hint": "See why"}
        for n in range(300)
    ]
    admin.item("/api/v1/status", {**STATUS, "problems": problems})
    lines = here.ended(3, "status").stdout.splitlines()
    assert sum(line.startswith("Problem:") for line in lines) == 10
    assert lines[-1].split() == ["290", "more", "problems:", "sitectl", "check"]
    assert len(here.json("status", code=3)["problems"]) == 300


def test_service_status_verbose_says_that_it_lists_the_targets_of_this_site_alone(
    here: CommandLine, admin: FakeAdmin
) -> None:
    note = (
        "The targets listed are this site's. For those of other sites: sitectl service status NAME"
    )
    local = SERVICE["sites"][0]
    east = {**local, "site": "east", "id": "e" * 32, "local": False, "path_cost": 1}
    both = {**SERVICE, "sites": [local, east]}
    admin.items("/api/v1/services", both)
    admin.items("/api/v1/services/shop", both)
    assert here.ok("service", "status", "-v").stdout.endswith(f"\n\n{note}\n")
    assert note not in here.ok("service", "status").stdout
    assert note not in here.ok("service", "status", "shop").stdout, "the other site was asked"
    for others in ([], [{**east, "targets_ready": 0}]):
        admin.items("/api/v1/services", {**SERVICE, "sites": [local, *others]})
        assert note not in here.ok("service", "status", "-v").stdout, "nothing is left out"


def test_why_prints_the_decision_and_every_candidate(here: CommandLine, admin: FakeAdmin) -> None:
    item = {
        "service": "shop",
        "port": 8080,
        "policy": "fill",
        "decision": {"site": "west", "path": ["mid", "west"], "reason": "cheapest with room"},
        "candidates": [
            {"site": "here", "path": [], "path_cost": 0, "verdict": "full", "reason": "20 of 20"},
            {"site": "west", "path": ["mid", "west"], "path_cost": 2, "verdict": "chosen"},
        ],
    }
    admin.item("/api/v1/why/shop:8080", item)
    assert here.json("why", "shop:8080") == item
    text = here.ok("why", "shop:8080").stdout
    assert "goes to west through mid" in text
    assert "20 of 20" in text
    assert here("why", "nope").exit_code == 4


SERVED: dict[str, Any] = {
    "service": "shop",
    "port": 8080,
    "at": "2026-01-01T00:00:02.500Z",
    "outcome": "ok",
    "answer": "2xx",
    "site": "here",
    "reason": "local site has room",
    "waited_s": 0.0,
    "total_s": 0.012,
    "attempts": 1,
    "in_flight": 3,
    "capacity": 10,
    "candidates": [],
}
DENIED: dict[str, Any] = {
    "service": "shop",
    "port": 8080,
    "at": "2026-01-01T00:00:01.000Z",
    "outcome": "all-full",
    "site": None,
    "reason": "every site that may serve it is full, and no slot came free in time",
    "waited_s": 2.0,
    "total_s": 2.0,
    "attempts": 2,
    "retried_for": "busy",
    "policy": "fill",
    "decided_at": "2026-01-01T00:00:01.001Z",
    "candidates": [
        {"site": "west", "verdict": "full", "reason": "20 in flight, its capacity is 20"},
    ],
    "further": 4,
}


def test_why_prints_how_the_last_requests_were_decided(here: CommandLine, admin: FakeAdmin) -> None:
    admin.items("/api/v1/why/shop?last=20", SERVED, DENIED)
    admin.items("/api/v1/why/shop?last=1", DENIED)
    admin.items("/api/v1/why/shop?denied=1")
    admin.items("/api/v1/why/shop?failed=1")
    admin.items("/api/v1/why/shop?last=1&failed=1", DENIED)
    table = here.ok("why", "shop", "--last", "20").stdout
    heading, served, denied = table.splitlines()
    assert heading.split() == ["TIME", "OUTCOME", "SITE", "WAITED", "REASON"]
    assert "ok 2xx" in served
    assert served.endswith("local site has room (3 in flight, capacity 10)")
    assert "all-full" in denied
    assert denied.endswith("no slot came free in time; attempt 2 after busy")
    whole = here.ok("why", "shop", "--last", "20", "-v").stdout
    assert whole.startswith(table.rstrip())
    assert here.ok("why", "shop", "--last", "1").stdout.count("west") == 1  # Of one: whole.
    assert "20 in flight, its capacity is 20" in whole
    assert "and 4 costlier ones" in whole
    assert here.json("why", "shop", "--last", "1") == [DENIED]
    assert "No request of shop was denied" in here.ok("why", "shop", "--denied").stdout
    assert "No request of shop failed" in here.ok("why", "shop", "--failed").stdout
    assert here.json("why", "shop", "--failed", "--last", "1") == [DENIED]
    admin.items("/api/v1/why/shop?last=1", {**SERVED, "answer": "5xx"})
    failed = here.ok("why", "shop", "--last", "1").stdout
    assert "answered 5xx" in failed
    assert "ok" not in failed
    admin.items("/api/v1/why/shop?last=1", {**SERVED, "capacity": None})  # A rate, maybe.
    assert "(3 in flight, no slots configured)" in here.ok("why", "shop", "--last", "1").stdout


def test_a_router_that_does_not_keep_failed_requests_apart_is_not_believed(
    here: CommandLine, admin: FakeAdmin
) -> None:
    """It is of an older release, and tells of the next request, or of all."""
    admin.item("/api/v1/why/shop?failed=1", {"service": "shop"})
    admin.items("/api/v1/why/shop?last=2&failed=1", SERVED, DENIED)
    for words in ((), ("--last", "2")):
        done = here.ended(1, "why", "shop", "--failed", *words)
        assert "does not know why --failed: it is of another release" in done.stderr


def test_why_says_whose_requests_it_has_where_a_site_has_several_routers(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.items("/api/v1/why/shop?last=2", SERVED, DENIED)
    admin.items("/api/v1/why/shop?denied=1")
    assert "router" not in here.ok("why", "shop", "--last", "2").stdout
    admin.item("/api/v1/status", {**STATUS, "replicas": 3})
    told = "These requests and the figures are those of this router, one of 3.\n"
    assert here.ok("why", "shop", "--last", "2").stdout.endswith(told)
    none = "No request of shop was denied at this router, one of 3, since its router knows it.\n"
    assert here.ok("why", "shop", "--denied").stdout == none


def test_why_of_two_ports_at_once_says_which(here: CommandLine, admin: FakeAdmin) -> None:
    admin.items("/api/v1/why/shop?last=2", SERVED, {**SERVED, "port": 9090})
    text = here.ok("why", "shop", "--last", "2").stdout
    assert [line.split()[1] for line in text.splitlines()] == ["PORT", "8080", "9090"]


@pytest.mark.parametrize(
    "words",
    [
        ("--last", "0"),
        ("--last", str(limits.DECISIONS_KEPT + 1)),
        ("--last", "many"),
        ("--last", "3", "--client", "10.0.0.9"),
        ("--denied", "--cookie", "x"),
        ("--failed", "--sheddable"),
        ("-v",),
    ],
)
def test_a_wrong_question_about_the_past_is_a_usage_error(
    here: CommandLine, admin: FakeAdmin, words: tuple[str, ...]
) -> None:
    assert here("why", "shop", *words).exit_code == 2


def test_why_tells_how_sessions_are_handled_and_where_the_one_asked_for_is(
    here: CommandLine, admin: FakeAdmin
) -> None:
    item: dict[str, Any] = {
        "service": "shop",
        "port": 8080,
        "policy": "fill",
        "affinity": {"by": "cookie", "name": "sid"},
        "session": None,
        "decision": {"site": "west", "path": ["west"], "reason": "session stays at west"},
        "candidates": [],
    }
    admin.item("/api/v1/why/shop", item)
    # A full target's requests go to another one, and later ones return: the last one says nothing.
    assert (
        "Sessions: requests alike in cookie sid stay at the site that served them last, and there "
        "at one target, while both have room."
    ) in here.ok("why", "shop").stdout
    item["session"] = {"key": "0a", "site": "west", "target": None}
    admin.item("/api/v1/why/shop?cookie=a.b%3B", item)
    assert "Session 0a is at west." in here.ok("why", "shop", "--cookie", "a.b;").stdout
    item["affinity"] = {"by": "client", "name": ""}
    item["session"] = {"key": "0a", "site": None, "target": "h:1"}
    admin.item("/api/v1/why/shop?client=%3A%3A1", item)
    text = here.ok("why", "shop", "--client", "::1").stdout
    assert "requests alike in the client's address" in text
    assert "at no site yet that is known here; its target here is h:1." in text
    assert here("why", "shop", "--client", "::1", "--header", "x").exit_code == 2
    assert "not an IP address" in here("why", "shop", "--client", "ann").stderr
    refusal = {"code": "bad-session", "message": "Not by header.", "hint": "sitectl why shop"}
    admin.answers["/api/v1/why/shop?header=x"] = (400, refusal)
    result = here("why", "shop", "--header", "x")
    assert result.exit_code == 2
    assert "Not by header." in result.stderr


def test_service_status_shows_the_affinity(here: CommandLine, admin: FakeAdmin) -> None:
    item = {**SERVICE, "affinity": {"by": "header", "name": "X-User"}}
    admin.items("/api/v1/services/shop", item)
    assert "Sessions by header:X-User" in here.ok("service", "status", "shop").stdout


def test_what_needs_the_router_says_that_it_does_not_run(here: CommandLine) -> None:
    for words in (("why", "shop"), ("network", "status"), ("events",)):
        result = here(*words)
        assert result.exit_code == 8
        assert "Next: sitectl --site here start" in result.stderr


def test_a_failing_router_answer_keeps_its_words(here: CommandLine, admin: FakeAdmin) -> None:
    refusal = {"error": {"code": "SW9", "message": "no", "hint": "ask later", "retryable": True}}
    admin.answers["/api/v1/network"] = (503, refusal)
    result = here("network", "status", "-o", "json")
    assert result.exit_code == 8
    assert json.loads(result.stderr) == refusal["error"]


def test_network_status_lists_sites(here: CommandLine, admin: FakeAdmin) -> None:
    site = {
        "name": "west",
        "id": "c" * 32,
        "path_cost": 1,
        "next_hops": ["west"],
        "neighbours": [{"site": "here", "cost": 1}],
        "services": ["shop"],
        "reachable": True,
        "version": "0.1.0",
    }
    admin.items("/api/v1/network", site)
    assert here.json("network", "status") == [site]
    assert "here (1)" in here.ok("network", "status").stdout


def test_network_status_says_why_a_known_site_is_not_reachable(
    here: CommandLine, admin: FakeAdmin
) -> None:
    far = {
        "name": "far",
        "id": "f" * 32,
        "path_cost": None,
        "next_hops": [],
        "neighbours": [{"site": "near", "cost": 1}],
        "services": [],
        "reachable": False,
        "version": "0.1.0",
        "reason": "farther than 32 routers",
    }
    admin.items("/api/v1/network", far)
    assert "no: farther than 32 routers" in here.ok("network", "status").stdout


def test_service_status_shows_sites_and_targets(here: CommandLine, admin: FakeAdmin) -> None:
    admin.items("/api/v1/services", SERVICE)
    admin.items("/api/v1/services/shop", SERVICE)
    assert here.json("service", "status") == [SERVICE]
    assert "2 at 1 site" in here.ok("service", "status").stdout
    assert "h:1" in here.ok("service", "status", "shop").stdout
    admin.items("/api/v1/services/shop:8080", SERVICE)
    assert here.json("service", "status", "shop:8080") == [SERVICE]
    assert here("service", "status", "shop:1").exit_code == 4
    assert here("service", "status", "nope").exit_code == 4


def test_a_routing_key_names_its_service_in_every_command(
    here: CommandLine, admin: FakeAdmin
) -> None:
    key = "shop.db/v2"
    name = hashed_name(key)
    carrier = SERVICE | {"name": name, "port": 1, "routing_key": key}
    admin.items("/api/v1/services", SERVICE, carrier)
    admin.items(f"/api/v1/services/{quote(key, safe=':')}", carrier)
    assert here.json("service", "status", key) == [carrier]
    assert name in here.ok("service", "drain", key, "--to", "50%").stdout
    unknown = here("service", "drain", "no.such/key", "--to", "50%")
    assert unknown.exit_code == 2 and "no.such/key" in unknown.stderr
    missing = here("service", "set", "shop.db/v3", "--policy", "fill")
    assert missing.exit_code == 4 and "did you mean shop.db/v2?" in missing.stderr


def test_a_port_alone_names_no_service(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    assert [item["name"] for item in here.json("service", "status", "shop:8080", code=3)] == [
        "shop"
    ]
    assert here("service", "status", ":8080").exit_code == 4


def test_a_router_of_an_older_release_is_asked_for_the_service_of_a_port(
    here: CommandLine, admin: FakeAdmin
) -> None:
    unknown = {"error": {"code": "not-found", "message": "No service", "hint": "y"}}
    admin.answers["/api/v1/services/shop:8080"] = (404, unknown)
    admin.answers["/api/v1/services/shop:9999"] = (404, unknown)
    admin.items("/api/v1/services/shop", SERVICE, SERVICE | {"port": 9090})
    shown = here.json("service", "status", "shop:8080")
    assert [(one["name"], one["port"]) for one in shown] == [("shop", 8080)]
    refused = here("service", "status", "shop:9999")
    assert (refused.exit_code, "Next: y" in refused.stderr) == (4, True)


def test_figures_without_those_of_a_worker_that_ended_are_said_to_be(
    here: CommandLine, admin: FakeAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sitectl.show.history.people_look", lambda settings: True)
    monkeypatch.setattr("sitectl.verbs.services.service.people_look", lambda settings: True)
    until = "2026-01-01T00:00:10Z"
    history = {
        **{"service": "shop", "port": 8080, "step_s": 5.0, "sites": [{"local": True}]},
        **{"samples": [{"served": [10], "nowhere": 0}] * 3},
    }
    admin.items("/api/v1/services", SERVICE)
    admin.item("/api/v1/status", STATUS)
    admin.items("/api/v1/history", history)
    assert "worker" not in here.ok("service", "status").stdout
    assert "worker" not in here.ok("status").stdout
    admin.items("/api/v1/history", history | {"partial_until": until})
    assert (
        f"REQ/S up to {until}: without a worker that ended" in here.ok("service", "status").stdout
    )
    assert f"up to {until} without a worker that ended" in here.ok("status").stdout


def test_service_status_names_sites_that_offered_it_not_long_ago(
    here: CommandLine, admin: FakeAdmin
) -> None:
    gone = {
        **{"site": "far", "path_cost": 7, "in_flight": 2},
        **{"verdict": "unreachable", "reason": "link link1 to far is down"},
    }
    admin.items("/api/v1/services/shop", SERVICE | {"absent": [gone]})
    told = here.ok("service", "status", "shop").stdout
    assert "far: unreachable, link link1 to far is down" in told
    assert re.search(r"^far +no +7 +- +2 ", told, re.MULTILINE), told


def test_in_flight_at_a_site_that_is_not_reached_is_unknown(
    here: CommandLine, admin: FakeAdmin
) -> None:
    """Its own clients may have requests there, of which this site hears nothing: a dash, not 0."""
    absent = [
        {"site": site, "path_cost": 7, "in_flight": 0, "verdict": verdict, "reason": "…"}
        for site, verdict in (("far", "unreachable"), ("old", "deleted"), ("hub", "no-target"))
    ]
    admin.items("/api/v1/services/shop", SERVICE | {"absent": absent})
    told = here.ok("service", "status", "shop").stdout
    for site, in_flight in (("far", "-"), ("old", "-"), ("hub", "0")):
        assert re.search(rf"^{site} +no +7 +- +{in_flight} ", told, re.MULTILINE), told


def test_a_note_of_one_of_several_services_says_of_which(
    here: CommandLine, admin: FakeAdmin
) -> None:
    noted = {**SERVICE, "sites": [{**SERVICE["sites"][0], "note": "5 of 10 slots work"}]}
    admin.items("/api/v1/services", noted)
    assert "\nhere: 5 of 10 slots work" in here.ok("service", "status").stdout
    keyed = {**noted, "name": "k-e39f", "port": 1, "routing_key": "shop.db"}
    admin.items("/api/v1/services", noted, keyed, {**SERVICE, "name": "other"})
    told = here.ok("service", "status").stdout
    assert "\nshop:8080 at here: 5 of 10 slots work\n" in told
    assert "\nshop.db at here: 5 of 10 slots work" in told


def test_a_router_whose_socket_is_gone_is_not_said_to_be_stopped(here: CommandLine) -> None:
    run = here.state / "here" / "run"
    run.mkdir(exist_ok=True)
    with (run / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = here("status")
        assert result.exit_code == 8
        assert "unreachable: the router runs and does not answer" in result.stdout
    assert "stopped" in here.ended(3, "status").stdout


def test_a_site_without_its_documents_is_not_taken_for_another_one(here: CommandLine) -> None:
    here.ok("init", "hera")
    directory = here.state / "here"
    (directory / "config").rename(directory / "away")
    result = here("--site", "here", "status")
    assert result.exit_code == 4
    assert f"{directory} is a site without its folder config" in result.stderr
    assert "Next: Put that folder back" in result.stderr


def test_service_status_of_a_stopped_site_names_what_it_has_targets_of(here: CommandLine) -> None:
    here.ok("service", "bind", "shop", "host", "h", "--target-port", "1")
    told = here.ended(3, "service", "status").stdout
    assert "It has targets of other sites' shop." in told and "create" not in told
    here.ok("service", "create", "own", "8080")
    told = here.ended(3, "service", "status").stdout
    assert "This site has targets of services that other sites declare, too: shop." in told


def test_a_service_that_only_the_router_could_know_is_not_called_unknown(
    here: CommandLine,
) -> None:
    """Its router hangs or is stopped: another site may declare the service."""
    here.ok("service", "bind", "shop", "host", "h", "--target-port", "1")
    for name, documents in (
        ("shop:8080", "no document of here declares service 'shop:8080', which has targets here"),
        ("cart", "no document of here declares service 'cart'"),
    ):
        failed = here.ended(8, "service", "status", name)
        assert "router of site 'here' is not running" in failed.stderr
        assert documents in failed.stderr and "Next: sitectl --site here start" in failed.stderr


def test_service_status_of_a_stopped_site_shows_what_is_configured(here: CommandLine) -> None:
    assert "No services." in here.ended(3, "service", "status").stdout
    here.ok("service", "create", "shop", "8080")
    here.ok("service", "bind", "shop", "host", "h", "--target-port", "1", "--capacity", "4")
    item = here.json("service", "status", code=3)[0]
    assert item["listener"]["state"] == "stopped"
    (row,) = table([not_told(item)], detailed=False, now=0.0, drawn={}).splitlines()[1:]
    assert row.split()[-6:] == ["1", "-", "-", "-", "-", "-"]
    assert "unreachable" in row
    assert [(t["host"], t["port"], t["capacity"]) for t in item["targets"]] == [("h", 1, 4)]


def test_events_are_listed_and_followed(here: CommandLine, admin: FakeAdmin) -> None:
    event = {
        "at": "2026-01-01T00:00:00Z",
        "severity": "info",
        "code": "link-up",
        "subject": "west",
        "message": "up",
        "hint": "",
    }
    admin.items("/api/v1/events", event)
    admin.events = [event, event]
    assert here.json("events") == [event]
    lines = here.ended(8, "events", "-f", "-o", "json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [event, event]
    assert "link-up" in here.ended(8, "events", "-f").stdout


def test_who_follows_events_is_told_that_the_router_ended(
    here: CommandLine, admin: FakeAdmin
) -> None:
    """It ended with 0 and without a word, also when the router was killed."""
    ended = here.ended(8, "events", "-f")
    assert ended.stdout == ""
    assert ended.stderr.splitlines() == [
        "Error: the stream of events of site 'here' ended",
        "Next: See whether its router runs: sitectl status",
    ]


def levels(here: CommandLine, *words: str) -> dict[str, str]:
    items = json.loads(here(*words, "-o", "json").stdout)["items"]
    return {item["code"]: item["level"] for item in items}


def test_check_of_a_sound_stopped_site_is_well(here: CommandLine) -> None:
    found = levels(here, "check")
    del found["SW0514"]  # Whether the port is free is the machine's business.
    assert set(found.values()) <= {"ok", "info"}
    assert (found["SW0510"], found["SW0511"], found["SW0513"]) == ("ok", "ok", "info")


def test_check_says_which_setting_moves_what_has_a_taken_port(here: CommandLine) -> None:
    with contextlib.ExitStack() as held:
        taken = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(4)]
        links, admin, console, shop = (one.getsockname()[1] for one in taken)
        document = here.state / "here" / "config" / "site-here.yaml"
        document.write_text(
            "apiVersion: spillway/v1\nkind: Site\nname: here\nspec:\n"
            f"  bindPort: {links}\n  ingressBindIp: 127.0.0.1\n  bindIp: 127.0.0.1\n"
            f"  admin: 127.0.0.1:{admin}\n  console: {{bind: '127.0.0.1:{console}'}}\n"
        )
        here.ok("service", "create", "shop", str(shop))
        told = here.ended(1, "check").stdout
    for port, setting in (
        (links, "bindPort"),
        (admin, "admin"),
        (console, "console.bind"),
        (shop, "bindIp"),
    ):
        (hint,) = (
            after
            for line, after in itertools.pairwise(told.splitlines())
            if f"127.0.0.1:{port} (" in line
        )
        assert hint.endswith(f"or set another {setting} in config/site-here.yaml"), hint


def test_check_names_open_keys_and_bad_documents(here: CommandLine) -> None:
    (here.state / "here" / "secrets" / "identity.key").chmod(0o644)
    (here.state / "here" / "config" / "x.yaml").write_text("kind: Link\n")
    result = here("check")
    assert result.exit_code == 1
    assert "chmod go-rwx" in result.stdout
    assert result.stdout.count("ERROR    SW0511") == 1
    assert "config/x.yaml:1:1" in result.stdout


@pytest.mark.parametrize(
    ("name", "text"),
    [("state.json", '{"router'), ("owners.json", "xx"), ("known-offers.json", "[]")],
)
def test_check_names_a_file_with_which_the_router_does_not_start(
    here: CommandLine, name: str, text: str
) -> None:
    path = here.state / "here" / name
    path.write_text(text)
    told = here.ended(1, "check").stdout
    assert f"SW0505  {path} is damaged, and the router does not start with it:" in told
    assert f"rm {path}" in told


@pytest.mark.parametrize("name", ["state.json", "owners.json", "listeners.json"])
def test_check_waits_for_no_pipe_in_the_place_of_a_state_file(here: CommandLine, name: str) -> None:
    """The owner of the directory may put one there, and root may run the check."""
    path = here.state / "here" / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    told = here.ended(1, "check").stdout
    assert f"SW0505  {path} is no regular file, and the router does not start with it" in told


def test_check_of_a_running_site_looks_at_links_and_services(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.item("/api/v1/status", STATUS)
    link = {"name": "west", "state": "down", "error": "host is dead", "cost": 1}
    admin.items("/api/v1/links", link)
    admin.items("/api/v1/services", SERVICE)
    result = here("check")
    assert result.exit_code == 3
    assert "link west is down: host is dead" in result.stdout
    found = levels(here, "check")
    assert (found["SW0513"], found["SW0515"], found["SW0517"]) == ("ok", "warning", "ok")


@pytest.mark.parametrize(
    ("draining", "text"),
    [
        (True, "router draining: it stops once requests have ended"),
        (False, "router not ready"),
    ],
)
def test_check_says_whether_a_router_that_is_not_ready_stops(
    here: CommandLine, admin: FakeAdmin, draining: bool, text: str
) -> None:
    admin.item("/api/v1/status", STATUS | {"ready": False, "draining": draining})
    admin.items("/api/v1/links")
    admin.items("/api/v1/services")
    told = here.ended(1, "check").stdout
    assert f"ERROR    SW0513  {text}\n" in told
    assert told.split(text)[1].split()[:4] == ["Next:", "sitectl", "status", "--watch"]


def test_check_warns_of_missing_targets_as_soon_as_the_router_does_and_not_before(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.item("/api/v1/status", STATUS)
    admin.items("/api/v1/links", {"name": "west", "state": "up", "cost": 1})
    admin.items("/api/v1/services", {**SERVICE, "sites": []})
    assert levels(here, "check")["SW0517"] == "info"
    assert (
        "any site that is reached. It is a problem once a client here asks for it."
        in here.ok("check").stdout
    )

    reported = {"code": "SW0309", "message": "Service shop:8080 has no ready target, here or at x"}
    admin.item("/api/v1/status", {**STATUS, "problems": [reported]})
    no_sites: list[object] = []
    for sites in (no_sites, SERVICE["sites"]):  # Those of a site that is drained are ready.
        admin.items("/api/v1/services", {**SERVICE, "sites": sites})
        found = levels(here, "check")
        assert (found["SW0309"], "SW0517" in found) == ("warning", False)


def test_check_says_that_ready_targets_are_at_sites_that_may_not_serve(
    here: CommandLine, admin: FakeAdmin
) -> None:
    barred = {**SERVICE["sites"][0], "site": "far", "local": False, "left_out": "its policy"}
    admin.item("/api/v1/status", STATUS)
    admin.items("/api/v1/links")
    admin.items("/api/v1/services", {**SERVICE, "sites": [barred]})
    result = here("check")
    assert (
        "service shop:8080: no target is ready at any site that may serve it; far may not. "
        "It is a problem once a client here asks for it."
    ) in " ".join(result.stdout.split())


def test_check_waits_until_nothing_is_wrong(here: CommandLine, admin: FakeAdmin) -> None:
    def answer(*links: Any) -> tuple[int, Any]:
        return 200, {"apiVersion": "spillway/v1", "kind": "X", "items": list(links)}

    down = {"name": "west", "state": "down", "error": "host is dead", "cost": 1}
    admin.item("/api/v1/status", STATUS)
    admin.items("/api/v1/services", SERVICE)
    admin.answers["/api/v1/links"] = [answer(down), answer(down), answer({**down, "state": "up"})]
    assert "link west is up" in here.ok("check", "--wait", "30").stdout
    admin.items("/api/v1/links", down)
    late = here("check", "--wait", "0.1", "-o", "json")
    assert late.exit_code == 6
    assert json.loads(late.stderr)["message"] == "not well after 0.1 s: 1 warning"
    left = [one["code"] for one in json.loads(late.stdout)["items"] if one["level"] == "warning"]
    assert left == ["SW0515"]
    here.ok("check", "--wait", "0.1", "--threshold", "error")


def test_check_says_of_a_connection_that_drains_only_that_its_link_is_up(
    here: CommandLine, admin: FakeAdmin
) -> None:
    """Its link may have been up all the time, by a connection to another worker."""
    admin.item("/api/v1/status", STATUS)
    admin.items("/api/v1/services", SERVICE)
    up = {"name": "west", "direction": "incoming", "state": "up", "cost": 1}
    drains = {**up, "state": "draining", "succeeded": True, "streams": 2}
    admin.items("/api/v1/links", up, drains)
    told = here("check").stdout
    assert "link west is up; its connection that drains ends with 2 streams" in told


def test_check_does_not_wait_for_a_file_or_a_machine(here: CommandLine) -> None:
    for words in (("--pre",), ("-f", "x.yaml"), ("--traffic", "shop")):
        assert here("check", "--wait", "1", *words).exit_code == 2
    late = here("check", "--wait", "0.1")
    assert (late.exit_code, "the router does not run" in late.stderr) == (6, True)


def test_check_repeats_what_the_router_says_with_its_code_and_nothing_twice(
    here: CommandLine, admin: FakeAdmin
) -> None:
    messages = {
        "SW0202": "Service shop:8080 has no listener here: it is taken",
        "SW0309": "Service shop:8080 has no ready target, here or at any site that is reached and "
        "may serve it: no such site has a target.",
        "SW0675": "Link west to cloud is down: host is dead",
    }
    problems = [{"code": code, "message": text, "hint": ""} for code, text in messages.items()]
    admin.item("/api/v1/status", {**STATUS, "problems": problems})
    links = [{"name": one, "state": "down", "error": "host is dead"} for one in ("west", "west-2")]
    admin.items("/api/v1/links", *links)
    dead = {**SERVICE, "sites": [], "listener": {"state": "error", "error": "it is taken"}}
    admin.items("/api/v1/services", dead)
    items = json.loads(here("check", "-o", "json").stdout)["items"]
    warnings = [(one["code"], one["message"]) for one in items if one["level"] == "warning"]
    assert warnings == [*messages.items(), ("SW0515", "link west-2 is down: host is dead")]


def test_check_says_once_that_a_site_is_a_copy_however_many_links_are_refused_for_it(
    here: CommandLine, admin: FakeAdmin
) -> None:
    problem = {"code": "SW0401", "message": "far closed: it is a copy", "hint": ""}
    admin.item("/api/v1/status", {**STATUS, "problems": [problem]})
    refused = {"state": "refused", "error": "closed: it is a copy", "error_code": "copy"}
    admin.items("/api/v1/links", {"name": "far", **refused}, {"name": "near", **refused})
    admin.items("/api/v1/services", SERVICE)
    items = json.loads(here("check", "-o", "json").stdout)["items"]
    assert [one["code"] for one in items if one["level"] == "warning"] == ["SW0401"]


def test_check_says_once_that_the_secret_of_a_link_has_no_usable_token(
    here: CommandLine, admin: FakeAdmin
) -> None:
    error = "Secret/far: no link is made of it: tls.key does not belong to tls.crt"
    admin.item("/api/v1/status", {**STATUS, "problems": [{"code": "SW0441", "message": error}]})
    refused = {"state": "refused", "error": f"{error}. Copy it again", "error_code": "token"}
    admin.items("/api/v1/links", {"name": "far", **refused})
    admin.items("/api/v1/services", SERVICE)
    items = json.loads(here("check", "-o", "json").stdout)["items"]
    assert [one["code"] for one in items if one["level"] == "warning"] == ["SW0441"]


def test_a_listener_at_all_addresses_is_shown_with_its_port(
    here: CommandLine, admin: FakeAdmin
) -> None:
    listener = {"host": "", "port": 1024, "state": "bound", "error": ""}
    for path in ("/api/v1/services", "/api/v1/services/shop"):
        admin.items(path, SERVICE | {"listener": listener})
    assert "*:1024 bound" in here("service", "status", "shop").stdout


def test_a_listener_that_is_not_wanted_is_shown_without_a_place(
    here: CommandLine, admin: FakeAdmin
) -> None:
    error = "wanted so (a routing key: no Listener of this site says where)"
    listener = {"host": "", "port": 1, "state": "none", "error": error}
    admin.items("/api/v1/services/shop", {**SERVICE, "listener": listener})
    assert f" none: {error} " in here("service", "status", "shop").stdout
    assert "*:1" not in here("service", "status", "shop").stdout


def test_check_does_not_warn_of_a_listener_that_is_not_wanted(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.item("/api/v1/status", STATUS)
    admin.items("/api/v1/links")
    for error, level in (("wanted so (listen: none)", "info"), ("no door", "warning")):
        admin.items("/api/v1/services", {**SERVICE, "listener": {"state": "none", "error": error}})
        assert levels(here, "check")["SW0516"] == level


def test_check_tells_of_a_missing_certificate_how_to_bring_it(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.item("/api/v1/status", STATUS)
    admin.items("/api/v1/links")
    error = "it must speak TLS: secrets/tls/shop/tls.crt is not there"
    admin.items("/api/v1/services", SERVICE | {"listener": {"state": "error", "error": error}})
    result = here("check")
    assert "sitectl service set shop --tls-cert FOLDER" in result.stdout
    assert "Free the port" not in result.stdout


def test_check_before_init_and_of_a_file(here: CommandLine, tmp_path: Any) -> None:
    assert {"SW0501", "SW0502", "SW0504"} <= levels(here, "check", "--pre").keys()
    path = tmp_path / "f.yaml"
    path.write_text("kind: Link\nname: a\n")
    assert here("check", "-f", str(path)).exit_code == 1
    path.write_text("apiVersion: spillway/v1\nkind: Link\nname: a\n")
    assert here("check", "-f", str(path)).exit_code == 0


@pytest.mark.parametrize(
    ("used_up", "what"), [({"f_bavail": 3, "f_bfree": 3}, "space"), ({"f_favail": 0}, "inodes")]
)
def test_a_full_disk_keeps_no_sites(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch, used_up: dict[str, int], what: str
) -> None:
    names = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree")
    whole = dict.fromkeys((*names, "f_favail", "f_flag", "f_namemax"), 4_096)
    monkeypatch.setattr(os, "statvfs", lambda place: SimpleNamespace(**(whole | used_up)))
    checked = here.ended(3, "check", "--pre").stdout
    assert "WARNING  SW0505" in checked and f"has no {what} left" in checked
    monkeypatch.setattr(os, "statvfs", lambda place: SimpleNamespace(**whole | {"f_files": 0}))
    assert "sites can be kept in" in here("check", "--pre").stdout, "it counts no inodes"


def test_a_file_that_is_no_text_or_not_there_is_named(here: CommandLine, tmp_path: Any) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"kind: \xff\n")
    for verb in ("check", "apply"):
        result = here(verb, "-f", str(path))
        assert (result.exit_code, "is not UTF-8 text: byte 6" in result.stderr) == (2, True)
        result = here(verb, "-f", str(tmp_path / "none.yaml"))
        assert (result.exit_code, "none.yaml" in result.stderr) == (4, True)


def test_version_and_completion(here: CommandLine) -> None:
    assert here.json("version").keys() == {"version", "python", "loop"}
    assert "_SITECTL_COMPLETE" in here.ok("completion", "zsh").stdout


def test_service_status_tells_where_the_time_went(here: CommandLine, admin: FakeAdmin) -> None:
    phases = {
        "queue": {"p50_s": 0.0, "p99_s": 0.0125},
        "network": {"p50_s": 0.0004, "p99_s": 1.5},
        "target": {"p50_s": None, "p99_s": None},
    }
    admin.items("/api/v1/services/shop", {**SERVICE, "phases": phases})
    shown = here.ok("service", "status", "shop").stdout
    assert "p50/p99 since the start: queue <0.1 ms/<12.5 ms, network <0.4 ms/<1.5 s\n" in shown
    assert here.json("service", "status", "shop")[0]["phases"] == phases


def test_status_counts_the_routers_of_a_site_that_has_several(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.item("/api/v1/status", {**STATUS, "replicas": 2})
    told = here.ok("status").stdout
    assert (
        "Routers:  2 of this site, linked to each other;\n"
        "          links and rates here are those of the router that answers\n"
    ) in told
    assert "1 link at this router, " in told, "each knows its own links"
    admin.item("/api/v1/status", {**STATUS, "replicas": 1})
    told = here.ok("status").stdout
    assert "Routers" not in told and "router, " not in told


def test_service_status_says_whose_figures_it_shows_of_several_routers(
    here: CommandLine, admin: FakeAdmin
) -> None:
    told = (
        "Requests, queues and this site's targets are as the router that answers counts them, "
        "one of 2.\n"
    )
    admin.items("/api/v1/services", SERVICE)
    assert told not in here.ok("service", "status").stdout
    admin.item("/api/v1/status", {**STATUS, "replicas": 2})
    assert told in here.ok("service", "status").stdout


def test_check_does_not_say_of_one_of_several_routers_that_the_site_has_no_link(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.item("/api/v1/status", {**STATUS, "replicas": 2})
    admin.items("/api/v1/links")
    admin.items("/api/v1/services")
    assert "no link at this router, one of 2 of this site\n" in here("check").stdout


def test_check_says_when_no_other_router_of_the_site_is_linked(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.items("/api/v1/links")
    admin.items("/api/v1/services")
    admin.item("/api/v1/status", {**STATUS, "replicas": 1})
    assert "other router" not in here("check").stdout
    here.ok("update", "--peer", "w2.example:55671")
    alone = here("check").stdout
    assert "no other router of this site is linked; its peers are w2.example:55671" in alone
    assert "sitectl update --peer HOST:PORT" in alone
    message = "The router 10.0.0.2:55671 of this site is not linked since 12:00:00 UTC."
    note = {"code": "SW0684", "severity": "warning", "message": message, "hint": ""}
    admin.item("/api/v1/status", {**STATUS, "replicas": 1, "notes": [note]})
    named = " ".join(here("check").stdout.split())
    assert message in named and "no other router" not in named
    admin.item("/api/v1/status", {**STATUS, "replicas": 2})
    assert "2 routers of this site are linked to each other" in here("check").stdout


def test_sites_that_are_ejected_are_named_beside_the_ready_targets(
    here: CommandLine, admin: FakeAdmin
) -> None:
    (own,) = SERVICE["sites"]
    rogues = [
        {**own, "site": name, "local": False, "targets_ready": 1, "ejected_s": 3.0}
        for name in ("east", "north", "west")
    ]
    admin.items("/api/v1/services", {**SERVICE, "sites": [own, rogues[0]]})
    assert "3 at 2 sites, east ejected" in here.ok("service", "status").stdout
    admin.items("/api/v1/services", {**SERVICE, "sites": [own, *rogues]})
    assert "5 at 4 sites, east, north and 1 more ejected" in here.ok("service", "status").stdout


def test_sites_that_a_rule_leaves_out_are_named_beside_the_ready_targets(
    here: CommandLine, admin: FakeAdmin
) -> None:
    """A site that declares the service otherwise was counted as one that serves it."""
    (own,) = SERVICE["sites"]
    far = {**own, "site": "far", "local": False, "targets_ready": 1, "left_out": "it is tcp there"}
    admin.items("/api/v1/services", {**SERVICE, "sites": [own, far]})
    assert "3 at 2 sites, far left out" in here.ok("service", "status").stdout
    admin.items("/api/v1/services", {**SERVICE, "sites": [own, {**far, "targets_ready": 0}]})
    assert "left out" not in here.ok("service", "status").stdout


def test_a_load_that_was_told_long_ago_is_marked_stale(here: CommandLine, admin: FakeAdmin) -> None:
    for age_s, shown in ((60.0, "5 "), (95.0, "5, stale 1m35s")):
        site = {**SERVICE["sites"][0], "age_s": age_s}
        admin.items("/api/v1/services/shop", {**SERVICE, "sites": [site]})
        text = here.ok("service", "status", "shop").stdout
        assert shown in text
        assert ("stale" in text) == (age_s > service_status.STALE_S)


def test_sites_that_are_not_reachable_are_not_left_out(here: CommandLine, admin: FakeAdmin) -> None:
    admin.item("/api/v1/status", {**STATUS, "sites": 2, "sites_known": 3})
    assert "2 of 3 sites reachable, " in here.ok("status").stdout
