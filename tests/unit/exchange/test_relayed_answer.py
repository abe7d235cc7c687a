"""How an answer that comes in parts is framed for its client, in all cases."""

from itertools import product

import pytest

from router.exchange.clients.http1.relayed_answer import RelayedAnswer
from router.http.http1.request_heads import RequestHead

REASONS = {200: b"OK", 204: b"No Content", 304: b"Not Modified"}


def request_of(*, old: bool, keep_alive: bool, head_only: bool) -> RequestHead:
    return RequestHead(
        head=b"",
        body_bytes=0,
        idempotent=True,
        head_only=head_only,
        upgrade="",
        keep_alive=keep_alive,
        old=old,
        expects=False,
        fields=0,
        is_usual=False,
        client_end=0,
    )


def fields_of(head: bytes) -> dict[bytes, bytes]:
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")[1:]
    return {name: text for name, _, text in (line.partition(b": ") for line in lines)}


@pytest.mark.parametrize("status", REASONS)
@pytest.mark.parametrize("head_only", [False, True])
def test_a_client_knows_where_each_answer_ends_and_whether_another_may_follow(
    status: int, head_only: bool
) -> None:
    for old, keep_alive, closes, body_bytes in product(
        (False, True), (False, True), (False, True), (-1, 0, 3)
    ):
        request = request_of(old=old, keep_alive=keep_alive, head_only=head_only)
        head = b"HTTP/1.1 %d %b\r\n" % (status, REASONS[status])
        answer = RelayedAnswer(head, body_bytes, request, b"1.1 west", closes=closes)
        has_body = not head_only and status == 200
        until_close = has_body and old and body_bytes < 0
        fields = fields_of(answer.head)
        case = old, keep_alive, closes, body_bytes

        assert answer.status == status
        assert answer.closes is (closes or until_close or not keep_alive), case
        shown = b"close" if answer.closes else b"keep-alive" if old else None
        assert fields.get(b"Connection") == shown, case
        length = b"%d" % body_bytes if body_bytes >= 0 and status != 204 else None
        assert fields.get(b"Content-Length") == length, case
        is_chunked = has_body and body_bytes < 0 and not old
        assert (fields.get(b"Transfer-Encoding") == b"chunked") is is_chunked, case

        expected = body_bytes if has_body else 0
        assert (answer.last_part() is None) is (expected > 0), "none of the body came yet"
        if expected >= 0:
            assert answer.parts(memoryview(b"x" * (expected + 1))) is None, case
        else:
            whole = b"".join(answer.parts(memoryview(b"abc")) or ())
            assert whole == (b"3\r\nabc\r\n" if is_chunked else b"abc")
            assert answer.last_part() == (b"0\r\n\r\n" if is_chunked else b"")
