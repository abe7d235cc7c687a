"""Refused messages in words: events and problems name the service and the other site."""

import pytest

from router.model.ids import ServiceKey, SiteId
from router.model.limits import REFUSED_MESSAGE_EVENTS_BURST, REFUSED_MESSAGE_EVENTS_PER_S
from router.node.news.message_news import SHOWN_MAX, MessageNews
from router.service.sites.refused_messages import Refusal, RefusedMessages

SHOP = ServiceKey("shop", 80)


class Journal:
    """Remembers events."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def __call__(
        self, severity: str, code: str, subject: str, message: str, hint: str = ""
    ) -> None:
        self.told.append((severity, code, subject, message, hint))


@pytest.mark.parametrize(
    ("refusal", "begin"),
    [
        ("request-refused-here", "This site refused requests for shop:80 as EAST sent them"),
        ("request-refused-there", "EAST refused requests for shop:80 as this site sent them"),
        ("response-refused-here", "This site refused responses of shop:80 as EAST sent them"),
    ],
)
def test_a_refusal_is_an_event_and_a_problem_for_as_long_as_it_says(
    refusal: Refusal, begin: str
) -> None:
    messages, journal = RefusedMessages(lambda: 0.0), Journal()
    news = MessageNews(messages, str.upper, journal, lambda: 0.0)
    assert news.problems() == []
    messages.note(refusal, SHOP, SiteId("east"))
    ((severity, code, subject, text, hint),) = journal.told
    assert (severity, code, subject) == ("warning", "message-refused", "EAST")
    assert text.startswith(begin)
    (problem,) = news.problems()
    assert (problem.code, problem.hint) == ("SW0330", hint)
    lately = f"{begin} in the last 10 min: "
    assert problem.message.startswith(lately), "it may be over by now"
    assert problem.message.removeprefix(lately) == text.removeprefix(f"{begin}: ")


def test_the_latest_are_shown() -> None:
    messages = RefusedMessages(lambda: 0.0)
    news = MessageNews(messages, str, Journal(), lambda: 0.0)
    for number in range(SHOWN_MAX + 1):
        messages.note("request-refused-here", SHOP, SiteId(f"s{number}"))
    problems = news.problems()
    assert len(problems) == SHOWN_MAX
    assert f"s{SHOWN_MAX} " in problems[0].message


def test_who_sent_it_is_named_and_where_it_came_in_only_as_claimed() -> None:
    messages, journal = RefusedMessages(lambda: 0.0), Journal()
    news = MessageNews(messages, str.upper, journal, lambda: 0.0)
    for claimed in ("alpha", "beta", "mallory"):
        messages.note("request-refused-here", SHOP, SiteId("mallory"), SiteId(claimed))
        (problem,) = news.problems()
        assert problem.message.startswith("This site refused requests for shop:80 as MALLORY sent")
        is_told = f"(it says that they came in at {claimed.upper()})" in problem.message
        assert is_told == (claimed != "mallory")
    assert len(journal.told) == 1
    assert "MALLORY" in journal.told[0]


def test_one_site_causes_only_so_many_events_and_takes_none_from_others() -> None:
    clock = 0.0
    messages, journal = RefusedMessages(lambda: clock), Journal()
    MessageNews(messages, str, journal, lambda: clock)
    for number in range(3 * REFUSED_MESSAGE_EVENTS_BURST):
        messages.note("request-refused-here", ServiceKey(f"s{number}", 80), SiteId("mallory"))
    assert len(journal.told) == REFUSED_MESSAGE_EVENTS_BURST
    messages.note("request-refused-here", SHOP, SiteId("honest"))
    assert journal.told[-1][2] == "honest"
    clock += 1 / REFUSED_MESSAGE_EVENTS_PER_S
    messages.note("request-refused-here", SHOP, SiteId("mallory"))
    assert journal.told[-1][2] == "mallory"
