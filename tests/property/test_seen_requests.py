"""Laws of request ids and of the access log's lines, whatever a client sends."""

import json
import random
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from router.http.http1.forwarding import Forwarding
from router.http.http1.request_heads import RequestHead, read_request_head
from router.model import limits
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.operate.flows.access_log import AccessLog
from router.service.observers import Finished
from router.service.request_ids import RequestIds
from tests.examples import examples

KEY = ServiceKey("shop", 8080)
FORWARDING = Forwarding(site_name=b"west", client=b"192.0.2.7", proto=b"http", host=b"shop")
ID = re.compile(rb"(?i)x-id:[ \t]*([!-~]{1,128})[ \t]*")

NAMES = st.sampled_from((b"X-Id", b"x-ID", b"Accept", b"X-Id-Not", b"Cookie", b"Connection"))
VALUES = st.one_of(
    st.sampled_from((b"abc", b"x-id", b"", b" a", b"a b", b"\xe9", b"x" * 128, b"x" * 129)),
    st.binary(max_size=30).map(lambda value: re.sub(rb"[^\t\x20-\x7e\x80-\xff]", b"", value)),
)
TARGETS = st.text(
    alphabet=[chr(code) for code in range(0x21, 0x7F) if chr(code) != "#"], max_size=300
)


@given(fields=st.lists(st.tuples(NAMES, VALUES), max_size=6), seed=st.integers(0, 9))
def test_a_request_goes_on_with_exactly_one_usable_id_and_nothing_else_changed(
    fields: list[tuple[bytes, bytes]], seed: int
) -> None:
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    parsed = read_request_head(b"GET / HTTP/1.1\r\nHost: s\r\n" + lines + b"\r\n", FORWARDING)
    if not isinstance(parsed, RequestHead):
        return
    ids = RequestIds(random.Random(seed))
    ids.set_name("X-Id")
    head, value = ids.on_request(parsed.head)
    ours = [line for line in head.split(b"\r\n") if line.lower().startswith(b"x-id:")]
    assert len(ours) == 1
    match = ID.fullmatch(ours[0])
    assert match is not None and match[1] == value
    rest = [line for line in head.split(b"\r\n") if line not in ours]
    before = parsed.head.split(b"\r\n")
    assert rest == [line for line in before if not line.lower().startswith(b"x-id:")]
    assert ids.on_request(head) == (head, value), "a second hop changes nothing"


class Sink:
    def __init__(self) -> None:
        self.text = b""

    def write(self, lines: bytes) -> None:
        self.text += lines

    def reopen(self) -> None: ...

    def close(self) -> None: ...


@settings(max_examples=examples(20))
@given(targets=st.lists(TARGETS, min_size=1, max_size=8))
def test_whatever_the_target_of_a_request_its_line_is_one_object(targets: list[str]) -> None:
    sink = Sink()
    log = AccessLog(sink, random.Random(1), lambda: 0.0, lambda reason: None)
    log.share = 1.0
    for target in targets:
        head = f"GET /{target} HTTP/1.1\r\nHost: s\r\n".encode()
        request = Request(key=KEY, protocol="http", head=head)
        log.finished(Finished(key=KEY, protocol="http", client="", request=request, status=200))
    log.close()
    lines = sink.text.split(b"\n")
    assert lines.pop() == b""
    shown = [json.loads(line)["path"] for line in lines]
    cut = limits.ACCESS_PATH_BYTES_MAX
    assert shown == [f"/{target}".partition("?")[0][:cut] for target in targets]
