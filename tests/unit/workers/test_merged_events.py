"""Events that only one worker reports are events of the router, each once."""

from router.model.events import Event, Severity
from router.model.limits import WORKER_EVENT_HELD_S, WORKER_EVENT_SAME_S
from router.workers.merged_events import MergedEvents


def event(severity: Severity, code: str, subject: str = "10.0.0.1:80") -> Event:
    return Event(
        at="2026-01-01T00:00:00Z", severity=severity, code=code, subject=subject, message=f"{code}."
    )


DOWN, UP = event("warning", "target-down"), event("info", "target-up")


class Router:
    """Reports due events, as the journal does."""

    def __init__(self) -> None:
        self.events = MergedEvents()
        self.now = 100.0

    def wait(self, seconds: float = WORKER_EVENT_HELD_S) -> list[str]:
        self.now += seconds
        found = self.events.due(self.now)
        for one in found:
            self.events.reported(one, self.now)
        return [one.message for one in found]


def test_a_warning_of_one_worker_is_reported_with_its_number_and_so_is_its_end() -> None:
    router = Router()
    router.events.reported(UP, router.now)
    router.events.heard("Worker 2", DOWN, router.now)
    assert not router.wait(WORKER_EVENT_HELD_S / 2)
    assert router.wait() == ["Worker 2: target-down."]
    assert not router.wait()
    router.events.heard("Worker 2", UP, router.now)
    assert router.wait() == ["Worker 2: target-up."]
    router.wait(WORKER_EVENT_SAME_S)
    router.events.heard("Worker 2", UP, router.now)
    assert not router.wait()


def test_what_is_well_at_the_start_of_a_worker_is_no_event() -> None:
    router = Router()
    router.events.heard("Worker 1", UP, router.now)
    assert not router.wait()


def test_what_the_first_worker_reports_before_or_after_is_not_reported_again() -> None:
    router = Router()
    router.events.reported(DOWN, router.now)
    router.events.heard("Worker 1", DOWN, router.now)
    assert not router.wait()
    router.wait(WORKER_EVENT_SAME_S)
    router.events.heard("Worker 1", DOWN, router.now)
    router.events.reported(DOWN, router.now)
    assert not router.wait()


def test_two_workers_that_report_the_same_make_one_event() -> None:
    router = Router()
    router.events.heard("Worker 1", DOWN, router.now)
    router.events.heard("Worker 2", DOWN, router.now)
    router.events.heard("Worker 3", event("warning", "target-down", "10.0.0.2:80"), router.now)
    assert router.wait() == ["Worker 1: target-down.", "Worker 3: target-down."]


def test_the_same_event_much_later_is_another_one() -> None:
    router = Router()
    for _ in range(2):
        router.events.heard("Worker 1", DOWN, router.now)
        assert router.wait() == ["Worker 1: target-down."]
        router.wait(2 * WORKER_EVENT_SAME_S)
