"""The journal becomes Events: one for each code and subject, counted, few at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from router.kubernetes.client.errors import ApiError
from router.kubernetes.leader.events import EventWriter
from router.kubernetes.leader.journal_events import JournalEventWriter
from router.model import limits
from router.model.errors import Severity
from router.model.events import Event
from tests.unit.kubernetes.kept import seen
from tests.unit.kubernetes.leader.test_finding_events import Told
from tests.unit.virtual_loop import run, running

SITE = {"kind": "ConfigMap", "metadata": {"name": "skupper-site", "uid": "u-9"}}
VIEW = seen("web", {"ConfigMap": {"skupper-site": SITE}})
SETTLED_S = 2 * limits.OBJECT_EVENTS_EVERY_S


def event(code: str = "link-down", subject: str = "east", severity: Severity = "warning") -> Event:
    return Event(
        at="2026-01-01T00:00:00.000Z",
        severity=severity,
        code=code,
        subject=subject,
        message="The last link went down.",
        hint="Look there",
        by="alice (uid 7)",
    )


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("shop is down: refused", "shop is down: refused."),
        ("no answer. Does it run?", "no answer. Does it run?"),
    ],
)
def test_a_message_without_its_full_stop_gets_it_before_the_hint(message: str, shown: str) -> None:
    api = Told()

    async def scene() -> None:
        async with telling(api) as teller:
            teller.hear(msgspec.structs.replace(event(), message=message, by=""))
            await asyncio.sleep(SETTLED_S)
            (made,) = api.events.values()
            assert made["message"] == f"east: {shown} Look there"

    run(scene())


@pytest.mark.parametrize(
    ("subject", "message", "shown"),
    [
        ("backend:1", "Service backend overflows.", "backend: Service backend overflows."),
        ("shop:1", "Service shop:1 overflows.", "shop:1: Service shop:1 overflows."),
        ("k-0123456789abcdef0123:1", "Service web.v2 overflows.", "Service web.v2 overflows."),
    ],
)
def test_a_routing_key_is_named_as_elsewhere(subject: str, message: str, shown: str) -> None:
    api = Told()

    async def scene() -> None:
        async with telling(api) as teller:
            one = event("overflow-begun", subject)
            teller.hear(msgspec.structs.replace(one, message=message, by="", hint=""))
            await asyncio.sleep(SETTLED_S)
            (made,) = api.events.values()
            assert made["message"] == shown

    run(scene())


@contextlib.asynccontextmanager
async def telling(
    api: Told, may_write: Callable[[], bool] = lambda: True
) -> AsyncIterator[JournalEventWriter]:
    teller = JournalEventWriter(EventWriter(api), may_write)
    teller.look(VIEW)
    async with running(teller):
        yield teller


def test_an_event_stands_at_the_site_and_is_counted() -> None:
    api = Told()

    async def scene() -> None:
        async with telling(api) as teller:
            teller.hear(event())
            await asyncio.sleep(SETTLED_S)
            (made,) = api.events.values()
            assert made["involvedObject"] == {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": "skupper-site",
                "namespace": "web",
                "uid": "u-9",
            }
            assert (made["reason"], made["type"], made["count"]) == ("LinkDown", "Warning", 1)
            assert made["message"].startswith("east: The last link went down. By alice (uid 7).")
            teller.hear(event())
            teller.hear(event())
            await asyncio.sleep(SETTLED_S)
            (made,) = api.events.values()
            assert made["count"] == 3
            assert api.writes == 2, "two at once are one write"

    run(scene())


def test_findings_and_pods_that_come_and_go_are_not_told() -> None:
    api = Told()

    async def scene() -> None:
        async with telling(api) as teller:
            for code in ("SW0101", "target-up", "target-down", "document-changed"):
                teller.hear(event(code))
            await asyncio.sleep(SETTLED_S)

    run(scene())
    assert not api.events


def test_nobody_writes_who_may_not_or_shall_not() -> None:
    api = Told()

    async def scene() -> None:
        async with telling(api, lambda: False) as teller:
            teller.hear(event())
            await asyncio.sleep(SETTLED_S)
        async with telling(api) as teller:
            teller.enable(False)
            teller.hear(event())
            await asyncio.sleep(SETTLED_S)

    run(scene())
    assert api.writes == 0


def test_few_are_written_at_a_time_and_a_bounded_number_is_remembered() -> None:
    api = Told()
    most = limits.OBJECT_EVENTS_KEPT

    async def scene() -> None:
        async with telling(api) as teller:
            for number in range(most + 1):
                teller.hear(event(subject=f"s{number}"))
            await asyncio.sleep(limits.OBJECT_EVENTS_EVERY_S + 1)
            assert api.writes == limits.OBJECT_EVENTS_BURST
            await asyncio.sleep(limits.OBJECT_EVENTS_EVERY_S * most)

    run(scene())
    assert len(api.events) == most
    assert not any(made["message"].startswith("s0:") for made in api.events.values())


def test_what_another_router_told_is_counted_on() -> None:
    api = Told()

    async def scene() -> None:
        async with telling(api) as teller:
            teller.hear(event())
            await asyncio.sleep(SETTLED_S)
        async with telling(api) as teller:  # After a restart.
            teller.hear(event())
            await asyncio.sleep(SETTLED_S)

    run(scene())
    (made,) = api.events.values()
    assert made["count"] == 2


@pytest.mark.parametrize("restarts", [False, True])
def test_an_event_has_the_type_of_its_last_occurrence(restarts: bool) -> None:
    """A link that was drained goes down as `info`; the same link, broken, as `warning`."""
    api = Told()
    told: tuple[tuple[Severity, str], ...] = (("info", "Normal"), ("warning", "Warning"))

    async def scene() -> None:
        async with contextlib.AsyncExitStack() as routers:
            for severity, shown in (*told, *told):
                if restarts or not api.events:
                    teller = await routers.enter_async_context(telling(api))
                teller.hear(event(severity=severity))
                await asyncio.sleep(SETTLED_S)
                (made,) = api.events.values()
                assert made["type"] == shown

    run(scene())


def test_what_ran_out_is_made_anew_and_a_refusal_is_tried_again() -> None:
    api = Told()

    async def scene() -> None:
        async with telling(api) as teller:
            teller.hear(event())
            api.refusal = ApiError(500, "Internal", "not now")
            await asyncio.sleep(SETTLED_S)
            assert not api.events
            api.refusal = None
            await asyncio.sleep(SETTLED_S)
            assert len(api.events) == 1
            api.events.clear()
            teller.hear(event())
            await asyncio.sleep(SETTLED_S)

    run(scene())
    (made,) = api.events.values()
    assert made["count"] == 2


def test_a_router_that_takes_over_writes_only_what_its_predecessor_may_have_missed() -> None:
    api, writers = Told(), ["another"]

    async def scene() -> None:
        async with telling(api, lambda: "this one" in writers) as teller:
            teller.hear(event(subject="long ago"))
            await asyncio.sleep(limits.LEASE_S + SETTLED_S)
            teller.hear(event(subject="just now"))
            writers.append("this one")
            await asyncio.sleep(SETTLED_S)

    run(scene())
    (made,) = api.events.values()
    assert made["message"].startswith("just now:")
