"""What two real routers tell of a burst, of edits and of a token, and what of it survives."""

import json
import os
import signal
import stat
from collections.abc import Iterator
from typing import Any

import pytest

from certs.token_files import tokens
from router.model.event_codes import EVENT_CODES
from tests.scenario.clients import burst
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

MARKER = "planted-secret-marker"


class Pair:
    """``near`` has two slots, ``far`` has ten at cost 5."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.near, self.far = near, far = net.site("near"), net.site("far")
        self.shop = {site.name: net.http(site.name, 0.05) for site in (near, far)}
        near.declare("shop", SHOP_PORT, queue=100)
        near.connect("shop", self.shop["near"], capacity=2)
        far.connect("shop", self.shop["far"], capacity=10)
        net.link(near, far, 5)
        net.start()
        net.see_each_other()
        net.ready("shop", {"near": 1, "far": 1})


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Network(tmp_path_factory.mktemp("events")) as net:
        yield Pair(net)


def events(site: Site, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.json("events", *words)
    return found


def test_overflow_is_told_when_it_begins_and_with_figures_when_it_ends(pair: Pair) -> None:
    near = pair.near
    burst(near.address, SHOP_PORT, 12)
    until(lambda: events(near, "--code", "overflow-begun"), "overflow began")
    until(lambda: events(near, "--code", "overflow-ended"), "overflow ended", 20)

    (begun,) = events(near, "--code", "overflow-begun")
    (ended,) = events(near, "--code", "overflow-ended", "--service", "shop")
    assert set(ended["overflow"]["to"]) == {"far"}
    assert 1 <= ended["overflow"]["requests"] <= 10
    assert ended["overflow"]["capacity"] == 2
    assert begun["at"] < ended["at"]
    assert "to far" in ended["message"]


def test_requests_that_leave_for_want_of_a_target_are_told_with_figures(pair: Pair) -> None:
    near, far = pair.near, pair.far
    burst(far.address, SHOP_PORT, 3)
    pair.shop["near"].stop()
    pair.net.ready("shop", {"far": 1})
    burst(near.address, SHOP_PORT, 5, at_once=5)
    (begun,) = until(lambda: events(near, "--code", "no-target-begun"), "the event is there")
    assert begun["severity"] == "warning"
    assert "0 of 1 target is ready here; other sites serve its requests: " in begun["message"]
    pair.shop["near"].start()
    pair.net.ready("shop", {"near": 1, "far": 1})
    (ended,) = until(
        lambda: events(near, "--code", "no-target-ended"), "the event of its end is there", 30
    )
    assert ended["without_target"]["to"] == {"far": 5}
    assert "overflow" not in ended or ended["overflow"] is None
    assert not [one for one in events(far) if one["code"].startswith("no-target")]


def test_refusals_are_told_once_with_their_reasons(pair: Pair) -> None:
    near = pair.near
    before = near.service("shop")["requests_total"]
    for name in ("near", "far"):
        pair.shop[name].stop()
    pair.net.ready("shop", {})
    answers = burst(near.address, SHOP_PORT, 7, at_once=7)
    assert {one.status for one in answers} == {503}
    (begun,) = until(lambda: events(near, "--code", "refusing-begun"), "the event is there")
    assert begun["severity"] == "warning"
    assert "refuses requests: " in begun["message"]
    # The message omits requests in flight: there is no target.
    nowhere = "found no ready target at any site that is reached and may serve them."
    assert begun["message"].endswith(nowhere)
    for name in ("near", "far"):
        pair.shop[name].start()
    pair.net.ready("shop", {"near": 1, "far": 1})
    (ended,) = until(
        lambda: events(near, "--code", "refusing-ended"), "the event of its end is there", 30
    )
    assert ended["refused"]["requests"] == sum(ended["refused"]["reasons"].values()) == 7
    assert near.service("shop")["requests_total"] == before + 7
    assert len(events(near, "--code", "refusing-begun")) == 1


def test_an_edit_by_hand_and_one_by_a_command_say_who_and_what(pair: Pair) -> None:
    near = pair.near
    me = f"(uid {os.getuid()})"
    near.ctl("service", "create", "mine", str(SHOP_PORT + 7), "--listen", "none")
    until(
        lambda: [e for e in events(near, "--kind", "audit") if e["subject"] == "Service/mine"],
        "the router has read it before it changes",
    )
    near.ctl("service", "set", "mine", "--policy", "spread")
    until(lambda: events(near, "--code", "policy-changed"), "the policy is told")
    (switched,) = events(near, "--code", "policy-changed")
    assert switched["kind"] == "audit"
    assert switched["by"].endswith(f"{me}, by a command")
    assert {"field": "policy.name", "old": "", "new": "spread"} in switched["changes"]

    near.document(
        "Burst",
        "hook",
        {
            "service": "shop",
            "saturated": {"full": 0.9},
            "webhook": {"url": f"https://hooks.example/{MARKER}"},
        },
    )
    until(
        lambda: [e for e in events(near, "--kind", "audit") if e["subject"] == "Burst/hook"],
        "the edit is told",
    )
    (added,) = [e for e in events(near) if e["subject"] == "Burst/hook"]
    assert me in added["by"]
    assert "(not shown)" in json.dumps(added)


def test_a_token_is_told_when_it_is_made_and_used_without_its_secret(pair: Pair) -> None:
    far = pair.far
    (claimed,) = events(far, "--code", "claim-redeemed")
    (token,) = until(  # The router looks for it every two seconds.
        lambda: [one for one in far.json("token", "list") if one["state"] == "used"], "it is used"
    )

    assert claimed["subject"] == token["name"]
    assert token["claimed"][0]["site"] == "near"

    path = pair.net.token(far, "--name", "kept")
    until(
        lambda: [e for e in events(far, "--code", "token-made") if e["subject"] == "kept"], "told"
    )
    secret = tokens.read_file(path).secret
    assert len(secret) >= 16
    for site in (pair.near, pair.far):
        for kept in site.directory.joinpath("run").glob("*.log*"):
            assert secret not in kept.read_text()
    assert secret not in json.dumps([events(far), far.json("token", "list")])


def test_a_token_that_is_used_at_once_is_told_in_the_order_of_what_happened(pair: Pair) -> None:
    near, far = pair.near, pair.far
    path = pair.net.token(far, "--name", "quick")
    near.ctl("link", "create", str(path), "--name", "quick", "--cost", "50")

    def codes() -> list[str]:
        return [one["code"] for one in events(far) if one["subject"] == "quick"]

    until(lambda: "token-used" in codes(), "the token is used up")
    assert codes() == ["token-made", "claim-redeemed", "token-used"]
    near.ctl("link", "delete", "quick")


def test_events_survive_a_kill_and_are_read_without_a_router(pair: Pair) -> None:
    near = pair.near
    before = events(near)
    log = near.directory / "run" / "events.log"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    near.kill()

    kept = events(near, "--since", "1h")
    assert kept[: len(before)] == before
    near.start()
    again = events(near)
    assert again[: len(before)] == before
    assert [e["code"] for e in again if e["code"] == "router-started"] == ["router-started"] * 2


def test_no_event_of_these_routers_has_an_unknown_code_or_a_planted_secret(pair: Pair) -> None:
    for site in (pair.near, pair.far):
        told = events(site)
        assert not {e["code"] for e in told if not e["code"].startswith("SW")} - EVENT_CODES.keys()
        assert MARKER not in json.dumps(told)
        assert MARKER not in (site.directory / "run" / "events.log").read_text()


def test_a_log_that_was_moved_away_is_opened_anew_at_sighup(pair: Pair) -> None:
    log = pair.far.directory / "run" / "events.log"
    log.rename(log.with_name("moved"))
    pair.far.signal(signal.SIGHUP)
    pair.net.token(pair.far, "--name", "after-hup")
    until(lambda: log.exists() and "after-hup" in log.read_text(), "the new file has it")
