"""What `check --traffic` says of each outcome."""

from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest

from router.service.ports import LegCode
from sitectl.base.findings import Finding
from sitectl.show.traffic import by_each_site
from sitectl.site.site import Site


def one(outcome: str, status: int = 0, reason: str = "", site: str = "east") -> dict[str, Any]:
    latency_ms = 12.34 if outcome != "no-target" else None
    return {
        "site": site,
        "id": "0" * 32,
        "local": False,
        "outcome": outcome,
        "status": status,
        "latency_ms": latency_ms,
        "reason": reason,
    }


def findings(*sites: dict[str, Any], protocol: str = "http") -> list[Finding]:
    """Of what a router answers."""

    def post(path: str) -> dict[str, Any]:
        assert path == "/api/v1/traffic/shop:80"
        return {"service": "shop", "port": 80, "protocol": protocol, "sites": list(sites)}

    site = SimpleNamespace(admin=SimpleNamespace(post=post))
    return list(by_each_site(cast(Site, site), "shop:80"))


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        (one("ok", 200), "ok", "east answered 200 in 12.3 ms"),
        (one("ok", 404), "ok", "east answered 404"),
        (one("ok", 503), "error", "a target at east answered 503"),
        (
            one("busy"),
            "warning",
            "east has no room: no slot was free, or its router is short of memory",
        ),
        (one("no-target"), "warning", "east has no ready target"),
        (one("connect-failed", reason="refused"), "error", "takes a connection: refused"),
        (one("bad-head"), "error", "east refused the request head"),
        (one("bad-answer"), "error", "a response that this site refuses"),
        (one("link-lost"), "error", "east lost the link"),
        (one("late"), "error", "east did not answer in time"),
        (one("of a later release"), "error", "no whole answer (of a later release)"),
    ],
)
def test_each_outcome_has_its_level_and_its_words(
    answer: dict[str, Any], level: str, words: str
) -> None:
    (found,) = findings(answer)
    assert (found.level, found.code) == (level, "SW0520")
    assert found.message.startswith("shop:80: ")
    assert words in found.message
    assert bool(found.hint) == (level != "ok")


def test_a_connection_of_tcp_is_one() -> None:
    (found,) = findings(one("ok"), protocol="tcp")
    assert found.message == "shop:80: east took a connection in 12.3 ms"


def test_what_routers_disagree_on_leads_to_both_versions_and_a_lost_link_to_ping() -> None:
    refused, lost = findings(one("bad-head"), one("no-route", site="west"))
    assert "SW0330" in refused.hint
    assert "sitectl version" in refused.hint
    assert lost.hint == "sitectl ping west"


def test_a_service_without_targets_anywhere_is_an_error() -> None:
    (found,) = findings()
    assert found.level == "error"
    assert "no site has targets" in found.message


def test_what_another_site_is_called_controls_no_terminal() -> None:
    (found,) = findings(one("late", site="a\x1b[31m"))
    assert "\x1b" not in found.message + found.hint


@pytest.mark.parametrize("code", [*get_args(LegCode), "late"])
def test_each_code_that_a_request_may_end_with_has_a_sentence(code: str) -> None:
    (found,) = findings(one(code))
    assert "no whole answer" not in found.message


def test_a_site_that_did_not_answer_is_to_be_pinged() -> None:
    (found,) = findings(one("unanswered"))
    assert "east neither took nor refused the request in time" in found.message
    assert found.hint == "sitectl ping east"


def test_sentences_have_the_routing_key_and_commands_the_name() -> None:
    name = "k-e248970702064f425102"

    def post(path: str) -> dict[str, Any]:
        return {
            "service": name,
            "port": 1,
            "protocol": "tcp",
            "sites": [one("no-target")],
            "routing_key": "Orders.EU_primary",
        }

    site = cast(Site, SimpleNamespace(admin=SimpleNamespace(post=post)))
    (found,) = by_each_site(site, name)
    assert found.message.startswith("Orders.EU_primary: east has no ready target")
    assert found.hint == f"At east: sitectl service status {name}"
