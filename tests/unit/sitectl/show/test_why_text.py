"""`why` of a request that no site has room for: who is held, and what the hook does."""

from typing import Any

import pytest

from sitectl.show.why_text import why_text

QUEUE = {"outlook": "waits", "waiting": 5, "limit": 4_096, "wait_s": 50.0, "held_by": "wake"}


@pytest.mark.parametrize(
    ("queue", "said", "unsaid"),
    [
        ({}, "makes burst wake wake a site", "began"),
        (
            {"waking_s": 7.25},
            "Burst wake began to wake a site 7.25 s ago: requests are held",
            "fail",
        ),
        (
            {"waking_s": 7.25, "again_s": 23.5},
            "Burst wake failed to wake a site and runs again in 23.5 s: requests are held",
            "began",
        ),
        (
            {"waking_s": 20.0, "woken": True},
            "What burst wake woke answers: held requests go on as slots get free",
            "began",
        ),
    ],
)
def test_what_a_hook_does_for_those_who_wait_is_said_as_it_is(
    queue: dict[str, Any], said: str, unsaid: str
) -> None:
    item = {
        "service": "shop",
        "port": 8080,
        "policy": "fill",
        "decision": {"kind": "none", "reason": "all-full"},
        "queue": {**QUEUE, **queue},
        "candidates": [],
    }
    shown = why_text(item)
    assert said in shown and unsaid not in shown


@pytest.mark.parametrize("waking", [{}, {"waking_s": 5.25}, {"waking_s": 5.25, "again_s": 2.0}])
@pytest.mark.parametrize(
    ("queue", "said"),
    [
        (
            {"waiting": 0, "limit": 0},
            "Every site is full, and no request may wait: the queue of this service is 0. To let",
        ),
        (
            {"waiting": 4_096, "limit": 4_096},
            "Every site is full, and so is the queue: 4096 of 4096 wait.",
        ),
    ],
)
def test_a_refused_request_is_not_said_to_be_held(
    queue: dict[str, Any], said: str, waking: dict[str, float]
) -> None:
    item = {
        "service": "shop",
        "port": 8080,
        "policy": "fill",
        "decision": {"site": None, "reason": "all-full", "text": "every site is full"},
        "queue": {**QUEUE, "outlook": "full", **queue, **waking},
        "candidates": [],
    }
    shown = why_text(item)
    assert said in shown
    assert ("held" in shown or "wake a site" in shown) == bool(queue["limit"])


def test_that_no_site_has_room_is_said_in_the_words_of_the_router() -> None:
    item = {
        "service": "shop",
        "port": 8080,
        "policy": "fill",
        "decision": {"site": None, "reason": "all-full", "text": "every site is full or gone"},
        "queue": {"outlook": "too-long", "waiting": 3, "limit": 10, "wait_s": 1.0},
        "candidates": [],
    }
    assert "\nEvery site is full or gone. At present 3 wait" in why_text(item)


@pytest.mark.parametrize("held_by", ["", "wake"])
def test_a_free_place_in_the_queue_is_not_said_to_be_enough(held_by: str) -> None:
    item = {
        "service": "shop",
        "port": 8080,
        "policy": "fill",
        "decision": {"site": None, "reason": "all-full", "text": "every site is full"},
        "queue": {**QUEUE, "held_by": held_by, "waking_s": 2.0 if held_by else None},
        "candidates": [],
    }
    said = why_text(item)
    assert "At present 5 wait and at most 4096 may: a request is refused if" in said
    assert ("if as many wait as can be served within 50 s" in said) == (not held_by)


def test_a_request_that_displaces_another_one_is_not_said_to_be_refused_by_a_full_queue() -> None:
    item = {
        "service": "shop",
        "port": 8080,
        "policy": "fill",
        "decision": {"site": None, "reason": "all-full", "text": "every site is full"},
        "queue": {"outlook": "waits", "waiting": 2, "limit": 2, "wait_s": 3.0},
        "candidates": [],
    }
    said = why_text(item)
    assert "the next request waits" in said
    assert (
        "At present 2 wait and no more may: the next request takes the place of one from another "
        "site, or of a sheddable one, and is refused if no slot is free for it within 3 s."
    ) in said
    assert "if the queue is full" not in said


@pytest.mark.parametrize(
    ("waiting", "said"),
    [
        (3, "Every site is full, and so is the queue: 3 of 3 wait."),
        (
            4,
            "Every site is full, and so is the queue of 3: 4 wait, with those of other sites here "
            "and those of this site elsewhere.",
        ),
    ],
)
def test_a_queue_is_not_said_to_hold_more_than_it_has_places(waiting: int, said: str) -> None:
    full = {"site": None, "reason": "all-full", "text": "every site is full"}
    queue = {"outlook": "full", "waiting": waiting, "limit": 3, "wait_s": 1.0}
    assert said in next_request(decision=full, queue=queue)


def next_request(**further: Any) -> str:
    item = {
        "service": "shop",
        "port": 8080,
        "policy": "fill",
        "decision": {"kind": "local", "site": "near", "reason": "local site has room"},
        "candidates": [],
        **further,
    }
    return why_text(item)


def test_a_service_that_carries_a_routing_key_is_named_by_it() -> None:
    shown = next_request(service="k-e248970702064f425102", port=1, routing_key="Orders.EU")
    assert shown.startswith("Orders.EU (fill): the next request goes to near")


def test_a_service_without_its_listener_has_no_next_request() -> None:
    shown = next_request(
        closed="Service shop:8080 has no listener here: it must speak TLS.",
        hint="sitectl service set shop --tls-cert FOLDER",
    )
    assert shown.splitlines()[:3] == [
        "No client can connect here. Service shop:8080 has no listener here: it must speak TLS.",
        "Next: sitectl service set shop --tls-cert FOLDER",
        "If one could: shop:8080 (fill): the next request goes to near (local site has room)",
    ]


@pytest.mark.parametrize(
    "queue",
    [
        {"outlook": "waits", "waiting": 1, "limit": 9, "wait_s": 1.0},
        {"outlook": "full", "waiting": 0, "limit": 0, "wait_s": 1.0},
        *({**QUEUE, **held} for held in ({}, {"waking_s": 7.0}, {"waking_s": 7.0, "woken": True})),
    ],
)
def test_a_tcp_service_has_connections_and_no_requests(queue: dict[str, Any]) -> None:
    item = {
        "service": "db",
        "port": 5432,
        "policy": "fill",
        "protocol": "tcp",
        "decision": {"site": None, "reason": "all-full"},
        "queue": queue,
    }
    said = why_text(item)
    assert said.startswith("db:5432 (fill): the next connection ")
    assert "request" not in said


def test_without_candidates_only_sites_that_are_reached_are_said_to_have_none() -> None:
    item = {
        "service": "shop",
        "port": 8080,
        "policy": "fill",
        "decision": {"kind": "none", "reason": "no-route"},
        "candidates": [],
    }
    shown = why_text(item)
    assert "No candidates: no site that is reached has a target." in shown
    assert "Try: sitectl service bind shop TYPE NAME, or: sitectl link status" in shown
