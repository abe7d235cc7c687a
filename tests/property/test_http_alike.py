"""HTTP/1 and HTTP/2 judge alike: methods, and fields of trailers."""

from hypothesis import example, given
from hypothesis import strategies as st

from router.http.http1 import grammar
from router.http.http1.chunks import ChunkDecoder
from router.http.http1.forwarding import Forwarding
from router.http.http1.grammar import HttpError
from router.http.http1.request_heads import RequestHead, read_request_head
from router.http.http2.heads import JudgedRequest, Malformed, read_request, read_trailers
from router.model.settings import ServiceLimits

HERE = Forwarding(site_name=b"west", client=b"192.0.2.7", proto=b"http", host=b"shop")
BOUNDS = ServiceLimits()
TOKENS = st.text("!#$%&'*+-.^_`|~09AZaz", min_size=1, max_size=20).map(str.encode)
METHODS = TOKENS | st.sampled_from(
    [b"GET", b"HEAD", b"PUT", b"PATCH", b"CONNECT", b"connect", b"PRI", b"QUERY", b"DESCRIBE"]
)
NAMES = TOKENS.map(bytes.lower) | st.sampled_from(
    sorted({*grammar.NOT_IN_TRAILERS, *grammar.OF_CONNECTIONS, b"grpc-status", b"sum"})
)
VALUES = st.sampled_from([b"", b"1", b"close", b"a b", b"a\tb", b"chunked", b"\xe4"])


@given(method=METHODS, body=st.booleans())
def test_any_token_is_a_method_but_connect(method: bytes, body: bool) -> None:
    length = b"Content-Length: 5\r\n" if body else b""
    head = method + b" /a HTTP/1.1\r\nHost: shop\r\n" + length + b"\r\n"
    fields = [(b":method", method), (b":scheme", b"http"), (b":path", b"/a")]
    fields += [(b":authority", b"shop")]
    fields += [(b"content-length", b"5")] if body else []
    first = read_request_head(head, HERE)
    second = read_request(fields, not body, HERE, BOUNDS)
    if method == b"CONNECT":
        assert isinstance(first, HttpError) and first == second
        assert first.status == 501
        return
    assert isinstance(first, RequestHead) and isinstance(second, JudgedRequest)
    assert first.head.startswith(method + b" /a HTTP/1.1\r\n")
    assert second.head.startswith(method + b" /a HTTP/1.1\r\n")
    for read in (first, second):
        assert read.idempotent is (method in grammar.IDEMPOTENT)
        assert (read.head_only, read.body_bytes) == (method == b"HEAD", 5 if body else 0)


@given(fields=st.lists(st.tuples(NAMES, VALUES), max_size=6))
@example([(b"content-length", b"5"), (b"sum", b"1")])
@example([(b"sum", b"1"), (b"connection", b"close")])
def test_trailers_of_either_are_judged_by_one_rule(fields: list[tuple[bytes, bytes]]) -> None:
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    chunks = ChunkDecoder(0)
    chunks.decode(memoryview(b"0\r\n" + lines + b"\r\n"))
    second = read_trailers(fields, BOUNDS)
    names = {name for name, _ in fields}
    if names & grammar.OF_CONNECTIONS:
        assert chunks.error is not None
        assert isinstance(second, Malformed)
        return
    kept = [field for field in fields if field[0] not in grammar.NOT_IN_TRAILERS]
    assert chunks.error is None and chunks.complete
    assert chunks.trailers == second == b"".join(b"%b: %b\r\n" % field for field in kept)
