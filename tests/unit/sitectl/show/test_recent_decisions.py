"""What `why --last` says of a request that another site served."""

from typing import Any

import pytest

from sitectl.show.recent_decisions import past_text

SPILLED: dict[str, Any] = {
    "service": "shop",
    "port": 8080,
    "at": "2026-11-24T20:30:35.424Z",
    "outcome": "ok",
    "answer": "2xx",
    "site": "hub",
    "reason": "cheapest site with room",
    "spill_reason": "no-target",
    "attempts": 1,
    "candidates": [
        {"site": "near", "path_cost": 0, "verdict": "no-target", "reason": "no target is ready"},
        {"site": "far", "path_cost": 5, "verdict": "draining", "reason": "it is draining"},
        {"site": "hub", "path_cost": 9, "verdict": "chosen", "reason": "cheapest site with room"},
        {"site": "end", "path_cost": 20, "verdict": "full", "reason": "5 in flight"},
    ],
}


def test_each_cheaper_site_is_named_with_why_it_did_not_serve() -> None:
    text = past_text([SPILLED, SPILLED], "shop", "all", whole=False)
    assert "cheapest site with room; passed over: near (no-target), far (draining)\n" in text
    assert "spilled: no-target" in past_text([SPILLED], "shop", "all", whole=False)


def test_a_request_that_no_site_served_names_the_site_that_it_was_sent_to() -> None:
    failed = {**SPILLED, "outcome": "target-reset", "answer": None, "site": None}
    text = past_text([failed, failed], "shop", "all", whole=False)
    assert "target-reset  -     0 ms    sent to hub: cheapest site with room; passed over" in text
    assert "sent to" not in past_text([SPILLED, SPILLED], "shop", "all", whole=False)
    refused = [{"site": "near", "path_cost": 0, "verdict": "full"}]
    nowhere = {**failed, "outcome": "all-full", "reason": "all-full", "candidates": refused}
    assert "sent to" not in past_text([nowhere, nowhere], "shop", "all", whole=False)


@pytest.mark.parametrize(
    ("waits", "shown"),
    [
        ({"waited_s": 0.0, "queue_s": 2.1}, "2.1 s"),  # For a path: it was in no line.
        ({"waited_s": 0.5, "queue_s": 0.0}, "500 ms"),  # In the line of the site that has it.
        ({"waited_s": 0.5}, "500 ms"),  # Of an older router.
        ({"waited_s": 0.0, "queue_s": 0.00016}, "0 ms"),  # It was refused at once.
    ],
)
def test_the_wait_is_that_of_the_client_and_not_only_that_in_the_line(
    waits: dict[str, float], shown: str
) -> None:
    failed = {**SPILLED, "outcome": "no-route", "answer": None, "site": None, **waits}
    lines = past_text([failed, failed], "shop", "failed", whole=False).splitlines()
    assert f"no-route  -     {shown}  " in lines[-1]


def test_a_request_is_headed_by_the_routing_key_of_its_service() -> None:
    assert "shop:8080 at " in past_text([SPILLED], "shop", "all", whole=False)
    carried = {**SPILLED, "service": "k-0123456789abcdef0123", "port": 1, "routing_key": "shop.v2"}
    text = past_text([carried], "shop.v2", "all", whole=False)
    assert "shop.v2 at " in text and "k-0123" not in text


@pytest.mark.parametrize("verdict", ["dearer", "not-chosen"])  # The first of older routers.
def test_of_a_policy_that_passes_no_cheaper_site_over_nothing_is_said(verdict: str) -> None:
    here = [
        {"site": "near", "path_cost": 0, "verdict": verdict},
        {"site": "hub", "path_cost": 9, "verdict": "chosen"},
    ]
    text = past_text([{**SPILLED, "candidates": here}], "shop", "all", whole=False)
    assert "passed over" not in text


def test_a_site_with_free_slots_whose_rate_is_used_up_is_not_called_full() -> None:
    chosen = {"site": "hub", "path_cost": 9, "verdict": "chosen"}

    def passed_over(**of_near: Any) -> str:
        near = {"site": "near", "path_cost": 0, "verdict": "full", **of_near}
        item = {**SPILLED, "candidates": [near, chosen]}
        line = past_text([item, item], "shop", "all", whole=False).splitlines()[-1]
        return line.rpartition("passed over: ")[2]

    over = {"state": "over", "per_s": 5.0}
    assert passed_over(in_flight=0, capacity=100, rate=over) == "near (rate)"
    assert passed_over(in_flight=3, capacity=None, rate=over) == "near (rate)"
    assert passed_over(in_flight=100, capacity=100, rate=over) == "near (full)"
    assert passed_over(in_flight=100, capacity=100, rate=None) == "near (full)"
    gone = passed_over(verdict="no-target", in_flight=0, capacity=None, rate=over)
    assert gone == "near (no-target)"


def test_requests_that_clients_gave_up_are_counted_in_words() -> None:
    gone = {**SPILLED, "outcome": "client-gone", "answer": None}
    text = past_text([SPILLED, gone, gone], "shop", "all", whole=False)
    assert text.count("client gave up  hub") == 2
    assert text.endswith("\nOf these 3, the client gave up 2 times.")
    assert "gave up" not in past_text([SPILLED, SPILLED], "shop", "all", whole=False)


def test_a_tcp_client_that_leaves_a_site_that_has_it_is_not_said_to_give_up() -> None:
    left = {**SPILLED, "outcome": "client-gone", "answer": None, "protocol": "tcp"}
    text = past_text([left, {**left, "site": None}], "db", "all", whole=False)
    assert text.count("client left") == 1
    assert text.endswith("\nOf these 2, the client gave up 1 time.")


def test_a_connection_on_which_nothing_moved_is_told_with_its_time_out() -> None:
    ended = {**SPILLED, "outcome": "cancelled", "answer": None, "departs_for": "half-closed"}
    text = past_text([ended], "shop", "all", whole=False)
    assert "; one side had ended, and nothing moved for the time-out half-closed" in text
