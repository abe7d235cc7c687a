"""What sites tell each other reads back as it was meant; nonsense is nothing; sizes are bounded."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.admin.views.history import HistorySample, HistorySite, ServiceHistory
from router.asking.echo import FINAL_REFUSALS, EchoAnswer, heard
from router.asking.exchange import QuestionReply
from router.asking.history_answer import encoded, read_histories
from router.asking.site_answer import (
    LinkAnswer,
    ProblemAnswer,
    ServedAnswer,
    ServiceAnswer,
    SiteAnswer,
    SiteQuestion,
    assembled,
    read_question,
    read_site,
)
from router.asking.targets import TargetAnswer
from router.link.ports import Refusal
from router.model import limits
from router.model.ids import RouterId
from router.model.messages.packed import pack


def within_bounds(answer: SiteAnswer) -> bytes:
    """As a site sends it."""
    bare = msgspec.structs.replace(answer, services=())
    return assembled(bare, [pack(one) for one in answer.services])


COUNTS = st.integers(0, limits.COUNTER_MAX)
WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
SERVICES = st.from_regex(r"[a-z0-9.-]{1,20}", fullmatch=True)
PORTS = st.integers(1, 65_535)
IDS = st.from_regex("[0-9a-f]{0,32}", fullmatch=True)
FIGURES = st.floats(0, 1e6)
MOMENTS = st.just("2026-11-21T03:00:00Z")
TARGETS = st.builds(
    TargetAnswer,
    SERVICES,
    PORTS,
    st.booleans(),
    COUNTS,
    st.none() | COUNTS,
    COUNTS,
    WORDS,
    st.none() | FIGURES,
)
ANSWERS = st.builds(
    SiteAnswer,
    IDS,
    WORDS,
    WORDS,
    st.booleans(),
    FIGURES,
    COUNTS,
    st.lists(st.builds(ProblemAnswer, st.just("SW0101"), WORDS), max_size=3).map(tuple),
    st.lists(
        st.builds(LinkAnswer, WORDS, IDS, WORDS, COUNTS, WORDS, st.none() | FIGURES, COUNTS),
        max_size=3,
    ).map(tuple),
    st.lists(
        st.builds(
            ServiceAnswer,
            SERVICES,
            PORTS,
            WORDS,
            WORDS,
            *[COUNTS] * 5,
            st.none() | COUNTS,
            st.none() | FIGURES,
            st.lists(st.builds(ServedAnswer, WORDS, COUNTS, COUNTS), max_size=3).map(tuple),
            st.lists(TARGETS, max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    COUNTS,
)


@given(ANSWERS)
def test_a_site_reads_as_it_was_told(answer: SiteAnswer) -> None:
    assert read_site(within_bounds(answer)) == answer


@given(ANSWERS, st.lists(COUNTS | st.text() | st.none(), min_size=1, max_size=3))
def test_what_a_later_release_adds_is_skipped(answer: SiteAnswer, more: list[Any]) -> None:
    rows = msgspec.msgpack.decode(pack(answer))
    assert read_site(pack([*rows, *more])) == answer
    services = [[*service, *more] for service in rows[8]]
    assert read_site(pack([*rows[:8], services, *rows[9:]])) == answer


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_nothing(data: bytes) -> None:
    for read in (read_site, read_question):
        read(data)
    read_histories(data, "west")
    heard(QuestionReply(data, rtt_s=0.1), RouterId("0" * 16))


@given(ANSWERS, st.data())
def test_a_damaged_answer_raises_nothing(answer: SiteAnswer, data: st.DataObject) -> None:
    wire = bytearray(pack(answer))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    found = read_site(bytes(wire))
    if found is not None:
        assert found.version.isprintable()
        assert all(service.name.isprintable() for service in found.services)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "\x1b[2J"},
        {"version": "x" * (2 * limits.NAME_CHARS_MAX + 1)},
        {"uptime_s": -1.0},
        {"uptime_s": float("nan")},
        {"replicas": -1},
        {"replicas": limits.COUNTER_MAX + 1},
        {"site": "not hex"},
        {"problems": (("SW0101", "a\nb"),)},
        {"problems": (("SW0101", "x" * (limits.SITE_TEXT_MAX + 1)),)},
        {"problems": (("SW0101", ""),) * (limits.SITE_PROBLEMS_MAX + 1)},
        {"links": (("w", "0", "in", 1, "up", None, 0),) * (limits.SITE_LINKS_MAX + 1)},
        {"links": (("w", "0", "in", 1, "up", None, 0, "tomorrow\x07"),)},
    ],
)
def test_what_would_paint_a_terminal_or_fill_a_page_is_no_answer(changes: dict[str, Any]) -> None:
    answer = SiteAnswer("0", "1", "interior", True, 1.0, 1, (), (), ())
    assert read_site(pack(answer)) == answer
    assert read_site(pack(msgspec.structs.replace(answer, **changes))) is None


def service(name: str, targets: int = 0) -> ServiceAnswer:
    told = TargetAnswer("t" * 60, 80, False, 0, None, 0, "e" * limits.INQUIRY_ERROR_MAX)
    return ServiceAnswer(name, 80, "http", "fill", 0, 0, 0, 0, 0, None, None, (), (told,) * targets)


def test_as_many_services_are_told_as_there_is_room_for_and_the_others_are_counted() -> None:
    many = tuple(service(f"s{number}", 10) for number in range(300))
    whole = SiteAnswer("0", "1", "interior", True, 1.0, 1, (), (), many, 5)
    wire = within_bounds(whole)
    assert len(wire) <= limits.SITE_ANSWER_BYTES_MAX
    found = read_site(wire)
    assert found is not None
    assert 50 < len(found.services) < 300
    assert found.left_out == 5 + 300 - len(found.services)
    assert len(wire) + len(pack(many[0])) > limits.SITE_ANSWER_BYTES_MAX - 200


@pytest.mark.parametrize("more", [0, 1])
def test_services_have_a_most(more: int) -> None:
    many = tuple(service(f"s{number}") for number in range(limits.SITE_SERVICES_MAX + more))
    found = read_site(within_bounds(SiteAnswer("0", "1", "", True, 1.0, 1, (), (), many)))
    assert found is not None
    assert (len(found.services), found.left_out) == (limits.SITE_SERVICES_MAX, more)


def history(samples: int, sites: int = 3) -> ServiceHistory:
    return ServiceHistory(
        service="shop",
        port=8080,
        protocol="http",
        policy="fill",
        site="west",
        step_s=5.0,
        sites=tuple(
            HistorySite(
                name=f"s{number}",
                id="0" * 32,
                local=not number,
                path_cost=number if number % 2 else None,
                last_cost=number,
            )
            for number in range(sites)
        ),
        samples=tuple(
            HistorySample(
                at=f"2026-11-21T03:{number // 60:02}:{number % 60:02}Z",
                in_flight=(1.5,) * sites,
                served=(number,) * sites,
                nowhere=0,
                overflow=1,
                capacity=10,
                capacity_per_s=None,
                targets_ready=2,
                queued=0,
                p50_s=0.01,
                p99_s=None,
            )
            for number in range(samples)
        ),
    )


@given(st.integers(0, 20), st.integers(1, 5))
def test_a_history_reads_as_it_was_told(samples: int, sites: int) -> None:
    told = history(samples, sites)
    assert read_histories(encoded([told, told]), "west") == (told, told)


def test_of_a_history_that_is_too_long_the_newest_is_told() -> None:
    told = history(limits.SITE_HISTORY_SAMPLES_MAX, limits.SITE_HISTORY_SITES_MAX)
    wire = encoded([told, told])
    assert len(wire) <= limits.SITE_ANSWER_BYTES_MAX
    found = read_histories(wire, "west")
    assert found is not None
    (one,) = found
    assert 100 < len(one.samples) < len(told.samples)
    assert one.samples == told.samples[-len(one.samples) :]


def test_a_history_of_more_samples_or_sites_than_are_told_is_cut() -> None:
    told = history(limits.SITE_HISTORY_SAMPLES_MAX + 1, 1)
    found = read_histories(encoded([told]), "west")
    assert found is not None
    assert len(found[0].samples) == limits.SITE_HISTORY_SAMPLES_MAX
    told = history(2, limits.SITE_HISTORY_SITES_MAX + 1)
    found = read_histories(encoded([told]), "west")
    assert found is not None
    assert len(found[0].sites) == len(found[0].samples[0].served) == limits.SITE_HISTORY_SITES_MAX


def test_a_sample_without_a_figure_for_each_site_is_no_history() -> None:
    rows = msgspec.msgpack.decode(encoded([history(2)]))
    rows[0][6][1][2].pop()
    assert read_histories(pack(rows), "west") is None


@pytest.mark.parametrize("step_s", [1e-9, 0.999, 86_400.5, float("nan"), float("inf")])
def test_a_history_of_steps_that_no_picture_could_hold_is_none(step_s: float) -> None:
    rows = msgspec.msgpack.decode(encoded([history(2)]))
    rows[0][4] = step_s
    assert read_histories(pack(rows), "west") is None


@pytest.mark.parametrize("more", [0, 1])
def test_a_question_has_its_bound(more: int) -> None:
    bare = len(pack(["site", "", 0, 0, ""]))
    pad = limits.SITE_QUESTION_BYTES_MAX - bare - 2 + more  # A longer text has a longer header.
    content = pack(["site", "", 0, 0, "x" * pad])
    assert len(content) == limits.SITE_QUESTION_BYTES_MAX + more
    assert (read_question(content) is None) == bool(more)


@given(st.sampled_from(sorted(FINAL_REFUSALS)), st.floats(0, 2))
def test_a_refusal_that_the_site_alone_gives_is_a_measure(reason: Refusal, rtt_s: float) -> None:
    assert heard(QuestionReply(None, reason, rtt_s), RouterId("r")).rtt_s == rtt_s


@given(st.sampled_from(["busy", "connect-failed", "not-allowed", "no-route"]))
def test_a_refusal_that_may_come_from_the_way_is_none(reason: Refusal) -> None:
    said = heard(QuestionReply(None, reason, 0.1), RouterId("r"))
    assert said.rtt_s is None
    assert said.error


def test_an_echo_of_another_router_is_none() -> None:
    wire = pack(EchoAnswer("r", "1.0"))
    assert heard(QuestionReply(wire, rtt_s=0.1), RouterId("r")).version == "1.0"
    assert heard(QuestionReply(wire, rtt_s=0.1), RouterId("s")).rtt_s is None
    assert SiteQuestion("site") == read_question(pack(["site", "", 0, 0, "more"]))
