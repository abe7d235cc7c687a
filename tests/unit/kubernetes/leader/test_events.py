"""A router that may not write Events says so, until it writes one."""

import asyncio

import pytest

from router.kubernetes.client.errors import ApiError
from router.kubernetes.leader.events import EventWriter
from router.kubernetes.leader.finding_events import FindingEventWriter, event_of
from router.kubernetes.leader.journal_events import JournalEventWriter
from router.model import limits
from tests.unit.kubernetes.leader.test_finding_events import SETTLED_S, VIEW, Told, finding
from tests.unit.kubernetes.leader.test_journal_events import event
from tests.unit.virtual_loop import run

FORBIDDEN = ApiError(403, "Forbidden", 'events is forbidden: User "router" cannot create')


@pytest.mark.parametrize("who", ["recorder", "teller"])
def test_a_missing_permission_is_a_finding_until_an_event_is_written(who: str) -> None:
    async def story() -> None:
        api = Told()
        events = EventWriter(api)
        changes: list[int] = []
        events.follow_errors(lambda: changes.append(len(events.errors)))
        api.refusal = FORBIDDEN
        recorder = FindingEventWriter(events, lambda: True)
        teller = JournalEventWriter(events, lambda: True)
        async with asyncio.TaskGroup() as tasks:
            if who == "recorder":
                running = tasks.create_task(recorder.run())
                recorder.look(VIEW, [finding()])
            else:
                running = tasks.create_task(teller.run())
                teller.hear(event())
            await asyncio.sleep(SETTLED_S)
            (error,) = events.errors
            assert (error.code, error.severity) == ("SW0443", "warning")
            assert 'resources: ["events"], verbs: ["create", "patch"]' in error.hint
            assert "bind it again" in error.hint, "the RoleBinding may be what is gone"
            api.refusal = None
            await asyncio.sleep(limits.OBJECT_EVENT_RETRY_S + SETTLED_S)
            assert changes == [1, 0]
            running.cancel()

    run(story())


@pytest.mark.parametrize(
    "error",
    [
        ApiError(500, "Internal", "not now"),
        ApiError(403, "Forbidden", "exceeded quota: few, requested: count/events=1"),
    ],
)
def test_another_refusal_lacks_no_permission(error: ApiError) -> None:
    async def story() -> None:
        api = Told()
        api.refusal = error
        events = EventWriter(api)
        with pytest.raises(ApiError):
            await events.write(event_of(finding(), VIEW), 1, "", is_told=False)
        assert events.errors == ()

    run(story())
