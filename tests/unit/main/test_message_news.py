"""Refused messages in words: events and problems name the service and the other site."""

import pytest

from router.forward.refused_messages import Refusal, RefusedMessages
from router.main.message_news import SHOWN_MAX, MessageNews
from router.model.ids import ServiceKey, SiteId

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
        ("request-refused-here", "This site refuses requests for shop:80 as EAST sends them"),
        ("request-refused-there", "EAST refuses requests for shop:80 as this site sends them"),
        ("response-refused-here", "This site refuses responses of shop:80 as EAST sends them"),
    ],
)
def test_a_refusal_is_an_event_and_a_problem_in_the_same_words(
    refusal: Refusal, begin: str
) -> None:
    messages, journal = RefusedMessages(lambda: 0.0), Journal()
    news = MessageNews(messages, str.upper, journal)
    assert news.problems() == []
    messages.note(refusal, SHOP, SiteId("east"))
    ((severity, code, subject, text, hint),) = journal.told
    assert (severity, code, subject) == ("warning", "message-refused", "EAST")
    assert text.startswith(begin)
    (problem,) = news.problems()
    assert (problem.code, problem.message, problem.hint) == ("SW0330", text, hint)


def test_the_latest_are_shown() -> None:
    messages = RefusedMessages(lambda: 0.0)
    news = MessageNews(messages, str, Journal())
    for number in range(SHOWN_MAX + 1):
        messages.note("request-refused-here", SHOP, SiteId(f"s{number}"))
    problems = news.problems()
    assert len(problems) == SHOWN_MAX
    assert f"s{SHOWN_MAX} " in problems[0].message
