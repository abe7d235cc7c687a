"""The router that writes asks the others of its site, and reports what only they have."""

from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest

from router.admin.events import EventLog
from router.admin.views.status import Status
from router.asking import sibling_news
from router.asking.exchange import QuestionReply, QuestionSender
from router.asking.sibling_news import SiblingNews
from router.asking.site_answer import SiteQuestion
from router.model import limits
from router.model.events import Change, Event, Note, Problem, Spill
from router.model.ids import RouterId
from router.model.messages.packed import pack, read
from router.net.simulated.internet import SimulatedInternet
from router.node.time_text import ago
from router.operate.record.journal import Journal
from router.operate.record.replica_news import (
    ReplicaNews,
    ReplicaReport,
    SiblingAnswers,
    with_others,
)

OTHER = RouterId("2" * 16)
PROBLEM = Problem(code="SW0338", message="7/s fail", hint="")
NOTE = Note(severity="warning", code="SW0348", message="no byte", hint="")


def event(subject: str, at: str = "") -> Event:
    text = "Requests leave"
    return Event(
        at=at or ago(0), severity="warning", code="no-target-begun", subject=subject, message=text
    )


class OtherRouter:
    """Answers with `SiblingAnswers`. ``is_old``: it is of a release without such questions."""

    def __init__(self, now: Callable[[], float] = lambda: 0.0) -> None:
        self.events = EventLog(now=now)
        self.asked: list[int] = []
        self.is_old = False
        answers = SiblingAnswers("pod-2", self.events, self.status, lambda: 0.0)
        self._answer = answers.answer

    def ask(self, path: Any, flag: int, done: Any, *, question: bytes, bytes_max: int) -> None:
        after = read(question, SiteQuestion).after
        self.asked.append(after)
        content = self._answer(after)
        assert len(content) <= bytes_max
        done(QuestionReply(None if self.is_old else content))

    def status(self) -> Status:
        return Status(
            name="west",
            id="w",
            mode="interior",
            version="1",
            ready=True,
            uptime_s=1.0,
            links=0,
            services=0,
            sites=1,
            problems=(PROBLEM,),
            notes=(NOTE,),
        )


class Scene:
    """The router that writes, with another one."""

    def __init__(self) -> None:
        self.internet = SimulatedInternet(1)
        network = self.internet.host("10.0.0.1")
        self.other, self.siblings, self.writes = OtherRouter(network.now), {OTHER}, True
        self.leaving: set[RouterId] = set()
        self.heard: list[str] = []
        self.journal = Journal(EventLog(), lambda number, one: None, lambda: ago(0))
        self.news = ReplicaNews(
            network,
            cast(QuestionSender, self.other),
            lambda: self.siblings,
            lambda: self.siblings - self.leaving,
            lambda: self.writes,
            self.journal,
            lambda one: self.heard.append(f"{one.subject}: {one.message}"),
        )
        self._now = network.now

    def wait(self, seconds: float = 2 * limits.SIBLING_NEWS_EVERY_S) -> None:
        self.internet.run_until(self._now() + seconds + limits.WORKER_EVENT_HELD_S)


def test_an_event_of_another_router_is_reported_once_with_its_name() -> None:
    scene = Scene()
    scene.wait()
    scene.other.events.add(event("shop"))
    scene.wait()
    scene.wait()
    assert scene.heard == ["shop: Router pod-2: Requests leave"]
    assert scene.other.asked[-1] == 1, "it asks for what comes after"
    (report,) = scene.news.reports
    assert (report.name, report.problems, report.notes) == ("pod-2", (PROBLEM,), (NOTE,))


def test_an_event_that_this_router_has_too_is_its_own() -> None:
    scene = Scene()
    scene.other.events.add(event("shop"))
    scene.journal.add(event("shop"))
    scene.wait()
    assert scene.heard == []


def test_a_router_that_begins_to_write_hears_only_of_the_last_seconds() -> None:
    scene = Scene()
    scene.writes = False
    scene.wait()
    scene.other.events.add(event("old"))
    scene.wait(limits.LEASE_S)
    scene.other.events.add(event("new"))
    scene.writes = True
    scene.wait()
    assert scene.heard == ["new: Router pod-2: Requests leave"]
    assert [one for one in scene.other.asked if one != sibling_news.NO_EVENTS][:2] == [
        sibling_news.RECENT,
        2,
    ]


@pytest.mark.parametrize("set_by_s", [-3600.0, 3600.0])
def test_what_is_recent_does_not_depend_on_a_clock_that_was_set(set_by_s: float) -> None:
    """A clock set ahead hid the events of the seconds before, and one set back brought up all
    events of the hour before."""
    scene = Scene()
    scene.writes = False
    scene.other.events.add(event("old", ago(set_by_s + limits.LEASE_S)))
    scene.wait(limits.LEASE_S)
    scene.other.events.add(event("new", ago(set_by_s)))
    scene.writes = True
    scene.wait()
    assert scene.heard == ["new: Router pod-2: Requests leave"]


def test_a_router_that_does_not_write_hears_findings_alone() -> None:
    scene = Scene()
    scene.writes = False
    scene.other.events.add(event("shop"))
    scene.wait()
    assert set(scene.other.asked) == {sibling_news.NO_EVENTS}
    assert scene.heard == []
    (report,) = scene.news.reports
    assert report.problems == (PROBLEM,)


def test_one_that_is_gone_or_does_not_answer_has_nothing_to_report() -> None:
    scene = Scene()
    scene.wait()
    assert scene.news.reports
    scene.other.is_old = True
    scene.wait(0.0)
    assert scene.news.reports, "one answer may be late"
    scene.wait((limits.SIBLING_NEWS_MISSED + 1) * limits.SIBLING_NEWS_EVERY_S)
    assert not scene.news.reports
    scene.other.is_old = False
    scene.wait()
    assert scene.news.reports
    scene.siblings = set()
    scene.wait()
    assert not scene.news.reports


def test_the_findings_of_a_router_that_stops_are_left_out_and_its_events_are_not() -> None:
    scene = Scene()
    scene.wait()
    assert scene.news.reports
    scene.leaving = {OTHER}
    assert not scene.news.reports, "at once, not with the next answer"
    scene.other.events.add(event("shop"))
    scene.wait()
    assert scene.heard == ["shop: Router pod-2: Requests leave"]
    assert not scene.news.reports


def test_routers_that_ask_within_a_second_share_one_status() -> None:
    now, made = 0.0, list[float]()

    def own_status() -> Status:
        made.append(now)
        return OtherRouter().status()

    log = EventLog()
    answers = SiblingAnswers("pod-2", log, own_status, lambda: now)
    for _ in range(3):
        assert read(answers.answer(0), SiblingNews).problems == (PROBLEM,)
    log.add(event("shop"))
    assert [one.subject for one in read(answers.answer(0), SiblingNews).events] == ["shop"]
    assert made == [0.0]
    now = 1.0
    answers.answer(0)
    assert made == [0.0, 1.0]


def test_an_answer_is_bounded_and_the_next_one_goes_on() -> None:
    long = "x" * 1_000_000
    value = "x" * limits.EVENT_VALUE_CHARS_MAX
    changes = (Change(field="targets[0].host", old=value, new=value),) * limits.EVENT_CHANGES_MAX
    to = {f"site-{number}": number for number in range(1_000)}
    spill = Spill(began=ago(9), lasted_s=9, requests=9, to=to, in_flight_max=9, capacity=9)
    log = EventLog()
    for number in range(limits.SIBLING_NEWS_MAX + 1):
        log.add(
            msgspec.structs.replace(
                event(f"s{number}"), message=long, hint=long, changes=changes, overflow=spill
            )
        )
    status = msgspec.structs.replace(
        OtherRouter().status(), problems=(Problem(code="SW0338", message=long, hint=long),) * 200
    )
    answers = SiblingAnswers("pod-2", log, lambda: status, lambda: 0.0)
    content = answers.answer(0)
    assert len(content) <= limits.SITE_ANSWER_BYTES_MAX
    first = read(content, SiblingNews)
    assert (first.last, len(first.events)) == (limits.SIBLING_NEWS_MAX, limits.SIBLING_NEWS_MAX)
    second = read(answers.answer(first.last), SiblingNews)
    assert [one.subject for one in second.events] == [f"s{limits.SIBLING_NEWS_MAX}"]
    assert read(pack(SiblingNews("pod-2", 0)), SiblingNews).events == ()


def status(*problems: Problem) -> Status:
    return msgspec.structs.replace(OtherRouter().status(), problems=problems, notes=())


def problem(message: str) -> Problem:
    return Problem(code="SW0338", message=message, hint="look")


FAILS = "Service {}: {}/s requests fail"
HERE = "Service shop:80 at this router"


def test_a_problem_that_only_another_router_has_is_told_with_its_name() -> None:
    other = ReplicaReport("pod-2", (problem(FAILS.format("shop:80", 7)),), ())
    found = with_others(status(), [other])
    assert [one.message for one in found.problems] == [
        "Router pod-2: Service shop:80: 7/s requests fail"
    ]


def test_a_long_sentence_that_another_router_cut_is_told_once() -> None:
    rest = ", ".join(f"site-{n} is full" for n in range(60))
    theirs = status(problem(f"12.5/s fail: {rest}"))
    answers = SiblingAnswers("pod-2", EventLog(), lambda: theirs, lambda: 0.0)
    news = read(answers.answer(0), SiblingNews)
    assert len(news.problems[0].message) == limits.STATUS_TEXT_CHARS_MAX < len(rest)
    others = [ReplicaReport(news.name, news.problems, ())]
    assert len(with_others(status(problem(f"7/s fail: {rest}")), others).problems) == 1


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (FAILS.format("shop:80", 7), FAILS.format("shop:80", 12.5), True),
        (FAILS.format("shop:80", 7), FAILS.format("shop:81", 7), False),
        (FAILS.format("shop-1", 7), FAILS.format("shop-2", 7), False),
        (FAILS.format("shop1", 7), FAILS.format("shop2", 7), False),
        ("10.0.0.5:80 hangs for 10 s", "10.0.0.6:80 hangs for 12 s", False),
        ("10.0.0.5:80 hangs for 10 s", "10.0.0.5:80 hangs for 12 s", True),
        ("down since 19:44:55 UTC", "down since 19:44:57 UTC", True),
        (f"{HERE}: 3/s go to b", f"{HERE}: requests wait", True),
        (f"{HERE}: 3/s go to b", "Service shop:81 at this router: 3/s go to b", False),
    ],
)
def test_the_same_sentence_with_other_figures_is_told_once(
    first: str, second: str, same: bool
) -> None:
    others = [ReplicaReport(f"pod-{n}", (problem(second),), ()) for n in (2, 3)]
    found = with_others(status(problem(first)), others)
    assert len(found.problems) == (1 if same else 2)
    note = Note(severity="warning", code="SW0348", message=second, hint="")
    noted = [ReplicaReport("pod-2", (), (note,)), ReplicaReport("pod-3", (), (note,))]
    assert [one.message for one in with_others(status(), noted).notes] == [
        f"Router pod-2: {second}"
    ]
