import asyncio
from typing import Any

import pytest

from router.admin.connections import application
from router.admin.endpoints.events import EventsApi
from router.admin.events import EventLog
from router.model import limits
from router.model.events import Event
from router.model.wording.routing_key_names import hashed_name
from tests.unit.admin.asked import asked


def event(number: int, **fields: Any) -> Event:
    told = {
        "at": f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}.000Z",
        "severity": "info",
        "code": "link-up",
        "subject": f"s{number}",
        "message": "x",
    }
    return Event(**(told | fields))


def ask(log: EventLog, query: str) -> tuple[int, Any]:
    async def run() -> tuple[int, Any]:
        app = application()
        EventsApi(log).add_to(app.router)
        async with asked(app) as client:
            answer = await client.get(f"/api/v1/events{query}")
            return answer.status, await answer.json()

    return asyncio.run(run())


def subjects(log: EventLog, query: str) -> list[str]:
    status, body = ask(log, query)
    assert status == 200, body
    return [item["subject"] for item in body["items"]]


def filled(*events: Event) -> EventLog:
    log = EventLog()
    for one in events:
        log.add(one)
    return log


def test_events_are_chosen_by_severity_service_code_kind_and_time() -> None:
    log = filled(
        event(1, subject="shop:8080", service="shop"),
        event(2, severity="warning"),
        event(3, severity="error", code="link-down"),
        event(4, kind="audit", subject="Service/shop", service="shop"),
        event(5, subject="shop:8080"),
    )

    assert subjects(log, "?severity=warning") == ["s2", "s3"]
    assert subjects(log, "?service=shop") == ["shop:8080", "Service/shop", "shop:8080"]
    assert subjects(log, "?service=shop:8080") == ["shop:8080", "shop:8080"]
    assert subjects(log, "?code=link-down") == ["s3"]
    assert subjects(log, "?kind=audit") == ["Service/shop"]
    assert subjects(log, "?since=2026-01-01T01:00:04%2B01:00") == ["Service/shop", "shop:8080"]
    assert subjects(log, "?count=1") == ["shop:8080"]
    assert len(subjects(log, "")) == 5


def test_events_of_a_routing_keys_service_are_chosen_by_the_key_though_it_is_gone() -> None:
    name = hashed_name("shop.v2/web")
    log = filled(event(1, subject=f"{name}:1"), event(2, subject="shop:1"))
    assert subjects(log, "?service=shop.v2/web") == [f"{name}:1"]
    assert subjects(log, f"?service={name}") == [f"{name}:1"]
    assert subjects(log, "?service=shop.v2") == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?severity=loud", "bad-severity"),
        ("?kind=x", "bad-kind"),
        ("?code=no-such-code", "bad-code"),
        ("?since=yesterday", "bad-since"),
        ("?after=-1", "bad-after"),
        ("?count=0", "bad-count"),
        (f"?count={limits.EVENTS_ANSWER_MAX + 1}", "bad-count"),
    ],
)
def test_what_is_asked_wrongly_is_refused_with_the_next_step(query: str, code: str) -> None:
    status, body = ask(EventLog(), query)

    assert (status, body["code"]) == (400, code)
    assert body["hint"]


def test_what_memory_forgot_is_read_from_where_it_is_kept() -> None:
    reads = 0

    def older() -> list[tuple[int, Event]]:
        nonlocal reads
        reads += 1
        return [(n, event(n)) for n in range(1, 4)]

    most = limits.EVENTS_KEPT
    log = EventLog([(3 + n, event(3 + n)) for n in range(most)], older)

    assert subjects(log, "?since=2026-01-01T00:00:03Z")[0] == "s3"
    assert reads == 0, "memory goes back that far"
    found = subjects(log, "?since=2026-01-01T00:00:01Z")
    assert found[:4] == ["s1", "s2", "s3", "s4"], "none twice"
    assert reads == 1


def test_a_client_that_polls_gets_each_event_once() -> None:
    log = filled(event(1), event(2, severity="warning"))

    _, first = ask(log, "?after=0")
    log.add(event(3))
    _, second = ask(log, f"?after={first['newest']}")
    _, third = ask(log, f"?after={second['newest']}")

    told = [[item["subject"] for item in answer["items"]] for answer in (first, second, third)]
    assert told == [["s1", "s2"], ["s3"], []]
    assert [answer["newest"] for answer in (first, second, third)] == [2, 3, 3]
    assert ask(filled(), "?after=3")[1]["newest"] == 0, "a journal that began again says so"


def test_a_stream_begins_after_the_number_that_is_asked_for() -> None:
    async def run() -> bytes:
        app = application()
        EventsApi(filled(event(1), event(2))).add_to(app.router)
        following = {"Accept": "text/event-stream"}
        async with asyncio.timeout(10), asked(app) as client:
            path = "/api/v1/events?after=1"
            async with client.get(path, headers=following) as answer:
                return await answer.content.readline()

    assert asyncio.run(run()) == b"id: 2\n"


def test_numbers_go_on_after_a_restart() -> None:
    log = EventLog([(41, event(1))])

    assert log.add(event(2)) == 42
    assert [number for number, _ in log.after(41)] == [42]


def test_who_asks_for_the_head_of_a_stream_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EVENT_CLIENTS_MAX", 1)

    async def run() -> list[int]:
        app = application()
        EventsApi(filled()).add_to(app.router)
        following = {"Accept": "text/event-stream"}
        statuses = []
        async with asyncio.timeout(10), asked(app) as client:
            for method in ("HEAD", "HEAD", "GET"):
                async with client.request(method, "/api/v1/events", headers=following) as answer:
                    statuses.append(answer.status)
        return statuses

    assert asyncio.run(run()) == [200, 200, 200]
