"""An answer of a target that comes in parts, passed on to an exchange that may end within it."""

from math import inf

from router.http.http1.heads import DEFAULT
from router.service.targets.answer_in_parts import AnswerInParts
from tests.unit.exchange.fakes_http import RecordingHandler

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
LAST = b"0\r\nX-Sum: 1\r\n\r\n"


class Owner:
    """The connection, which notes each call."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def got_status(self, status: int) -> None:
        self.told.append(status)

    def switched(self) -> None:
        self.told.append("switched")

    def answered(self, idle_s: float) -> None:
        self.told.append(("answered", idle_s))

    def malformed(self, reason: str, first: bytes) -> None:
        self.told.append(("malformed", reason))


class Leaving(RecordingHandler):
    """An exchange that ends as soon as it hears of a body."""

    answer: AnswerInParts

    def received(self, data: memoryview) -> None:
        super().received(data)
        self.answer.close()


def test_an_exchange_that_ends_within_a_read_hears_nothing_of_the_rest() -> None:
    owner, handler = Owner(), Leaving()
    answer = handler.answer = AnswerInParts(owner, handler, b"", DEFAULT, asked_at=inf)
    answer.feed(memoryview(CHUNKED + LAST))
    assert [event[0] for event in handler.events] == ["head", "received"]
    assert owner.told == [200]


def test_garbage_behind_the_end_of_its_exchange_is_nobodys_fault() -> None:
    owner, handler = Owner(), Leaving()
    answer = handler.answer = AnswerInParts(owner, handler, b"", DEFAULT, asked_at=inf)
    answer.feed(memoryview(CHUNKED + b"no chunk\r\n"))
    assert owner.told == [200]


def test_a_connection_may_idle_once_the_answer_is_complete_and_nothing_follows() -> None:
    owner, handler = Owner(), RecordingHandler()
    answer = AnswerInParts(owner, handler, b"1.1 east", DEFAULT, asked_at=inf)
    assert (answer.is_untouched, answer.is_complete) == (True, False)
    answer.feed(memoryview(CHUNKED))
    assert (answer.is_untouched, answer.is_complete) == (False, False)
    answer.feed(memoryview(LAST + b"HTTP"))
    assert (answer.is_complete, answer.has_excess) == (True, True)
    assert answer.idle_s > 0
    assert handler.events[0] == ("head", b"HTTP/1.1 200 OK\r\nVia: 1.1 east\r\n", -1)
