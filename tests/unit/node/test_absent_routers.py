"""Other routers of a site that do not serve, as a note names them."""

from collections.abc import Iterable

import msgspec

from router.documents import RefusedPods, UnreadyPod
from router.link.sessions.link_status import LinkStatus
from router.link.sessions.lost_races import LinkState
from router.model import limits
from router.model.events import Note
from router.model.ids import RouterId
from router.node.problems.absent_routers import (
    notes_of_lost_links,
    notes_of_peers,
    notes_of_pods,
    notes_of_refusal,
)

NOON = 1_767_268_800.0
"""12:00:00 UTC, Unix seconds."""
LINK = LinkStatus(
    name="router 10.0.0.2:55671",
    neighbour_name="west",
    neighbour_site="w",
    neighbour_router="2",
    direction="outgoing",
    cost=1,
    state="down",
    since=100.0,
    rtt_s=None,
    lanes=0,
    streams=0,
    error="connection refused",
    error_code="",
    bytes_in=0,
    bytes_out=0,
)


def said(notes: Iterable[Note]) -> list[str]:
    found = list(notes)
    assert all((note.severity, note.code) == ("warning", "SW0684") for note in found)
    return [note.message for note in found]


def of_peer(
    link: LinkStatus, *linked: str, age_s: float = limits.ROUTER_ABSENT_S, others: int = 0
) -> list[str]:
    up = [msgspec.structs.replace(link, state="up") for _ in range(others)]
    at = link.since + age_s
    routers = list(map(RouterId, linked))
    return said(notes_of_peers([link, *up], routers, at, lambda at: f"2026-01-01T12:01:{at:.0f}"))


def test_a_pod_that_is_not_ready_is_named_once_it_is_so_for_a_while() -> None:
    why = "its pod is not ready"
    unready = {
        "spillway-router-b": UnreadyPod(NOON, f"{why}: CrashLoopBackOff"),
        "spillway-router-a": UnreadyPod(NOON + 1, why),
    }
    late = NOON + limits.ROUTER_ABSENT_S
    assert said(notes_of_pods(unready, late - 0.1)) == []
    first = (
        "The router of pod spillway-router-b does not serve since 12:00:00 UTC: its pod is not "
        "ready: CrashLoopBackOff."
    )
    assert said(notes_of_pods(unready, late)) == [first]
    assert said(notes_of_pods(unready, late + 1)) == [
        "The router of pod spillway-router-a does not serve since 12:00:01 UTC: its pod is not "
        "ready.",
        first,
    ]


def test_a_pod_that_is_made_has_more_time() -> None:
    unready = {"spillway-router-b": UnreadyPod(NOON, "its pod is not ready", starts=True)}
    late = NOON + limits.ROUTER_STARTS_S
    assert said(notes_of_pods(unready, late - 0.1)) == []
    assert len(said(notes_of_pods(unready, late))) == 1


def test_a_peer_is_named_once_its_link_is_down_for_a_while() -> None:
    link = msgspec.structs.replace(LINK, since=30.0)
    expected = "The router 10.0.0.2:55671 of this site is not linked since 12:01:30 UTC"
    assert of_peer(link) == [f"{expected}: connection refused."]
    assert of_peer(msgspec.structs.replace(link, error="")) == [f"{expected}."]
    asking = msgspec.structs.replace(link, error="refused. Does it run?")
    assert of_peer(asking) == [f"{expected}: refused. Does it run?"]
    assert of_peer(link, age_s=limits.ROUTER_ABSENT_S - 0.1) == []
    assert of_peer(msgspec.structs.replace(link, state="up")) == []


def test_a_peer_that_dials_this_router_is_not_missed() -> None:
    assert of_peer(LINK, "2") == [], "it is who was reached there last"
    assert of_peer(LINK, "3") == [], "as many are linked as are dialed"
    assert of_peer(LINK, "3", others=1), "one of two is not"
    assert of_peer(LINK, "2", others=1) == []


def test_a_second_family_of_a_router_that_is_linked_is_not_missed() -> None:
    def link(address: str, state: LinkState) -> LinkStatus:
        router = RouterId("2" if state == "up" else "")
        return msgspec.structs.replace(
            LINK, name=f"router {address}", state=state, neighbour_router=router
        )

    def missed(*links: LinkStatus) -> list[str]:
        late = LINK.since + limits.ROUTER_ABSENT_S
        linked = {RouterId(one.neighbour_router) for one in links if one.state == "up"}
        return [
            text.split()[2]
            for text in said(notes_of_peers(links, linked, late, lambda at: "2026-01-01T12:01:00"))
        ]

    second_4, second_6 = link("10.0.0.2:55671", "up"), link("[fd00::2]:55671", "down")
    third_4, third_6 = link("10.0.0.3:55671", "down"), link("[fd00::3]:55671", "down")
    assert missed(second_4, second_6) == []
    assert missed(second_4, second_6, third_4, third_6) == ["10.0.0.3:55671"]
    assert missed(third_4, third_6) == ["10.0.0.3:55671"]
    assert missed(second_6) == ["[fd00::2]:55671"]


def test_a_pod_whose_router_serves_and_is_no_longer_linked_is_named() -> None:
    def at(now: float) -> list[str]:
        lost = {"spillway-router-b": 100.0, "spillway-router-c": 110.0}
        return said(notes_of_lost_links(lost, now, lambda at: f"2026-01-01T12:01:{at - 100:02.0f}"))

    assert at(100 + limits.ROUTER_ABSENT_S - 0.1) == []
    (message,) = at(100 + limits.ROUTER_ABSENT_S)
    assert message == (
        "The router of pod spillway-router-b is not linked to this one since 12:01:00 UTC: "
        "requests go from one to the other over other sites, if at all."
    )
    assert len(at(110 + limits.ROUTER_ABSENT_S)) == 2


def test_a_router_that_the_cluster_refuses_to_make_is_told_with_the_servers_words() -> None:
    refused = RefusedPods(NOON, 'pods "r" is forbidden: exceeded quota: q', "raise it")
    assert said(notes_of_refusal(None, NOON)) == []
    late = NOON + limits.ROUTER_ABSENT_S
    assert said(notes_of_refusal(refused, late - 0.1)) == []
    (note,) = notes_of_refusal(refused, late)
    assert note.message == (
        "The cluster makes no further router of this site since 12:00:00 UTC: "
        'pods "r" is forbidden: exceeded quota: q'
    )
    assert note.hint == "raise it"
