"""Heads judged line by line get the verdict of one expression over the whole head."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.forward.http1 import canonical, grammar
from router.forward.http1.memory import HeadMemory
from router.forward.http1.request_heads import plain_parts
from router.model import limits
from tests.corpus import requests as request_corpus
from tests.corpus import responses as response_corpus
from tests.property.test_http1 import mutated, requests, responses

FORBIDDEN = re.compile(rb"\n(?i:" + grammar.HOP_BY_HOP_ALTERNATIVES + rb"):")
REQUEST = re.compile(
    rb"(" + grammar.TOKEN + rb"++) (/" + grammar.TARGET + rb"*+|\*) HTTP/1\.1\r\n" + grammar.FIELDS
)
RESPONSE = re.compile(rb"HTTP/1\.1 ([1-9][0-9]{2}) " + grammar.VALUE + rb"*+\r\n" + grammar.FIELDS)
HOSTS = re.compile(rb"\n(?i:host):[ \t]*([^\r]*)")
SPECIAL = (
    rb"(?i:host|connection|content-length|transfer-encoding|te|upgrade|keep-alive|proxy-connection"
    rb"|expect|via|http2-settings|x-forwarded-(?:for|host|proto))"
)
OTHERS = rb"(?:(?!" + SPECIAL + rb":)" + grammar.FIELD + rb")*+"
HOST_LINE = rb"(?i:host):[ \t]*+(" + grammar.HOST.pattern + rb")\r\n"
START = rb"((?!CONNECT )" + grammar.TOKEN + rb"++) /" + grammar.TARGET + rb"*+ HTTP/1\.1\r\n"
PLAIN = re.compile(START + OTHERS + HOST_LINE + OTHERS + rb"\r\n")
FIELDS_MAX = limits.HEADERS_CEILING + limits.HEADERS_ADDED_MAX
BYTES_MAX = (
    limits.REQUEST_LINE_BYTES_CEILING
    + limits.HEADER_BLOCK_BYTES_CEILING
    + limits.HEADERS_ADDED_BYTES_MAX
)

PIECES = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"OPTIONS * HTTP/1.1\r\n",
        b"CONNECT / HTTP/1.1\r\n",
        b"GET * HTTP/1.1",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 204 \r\n",
        b"HTTP/1.0 200 OK\r\n",
        b"Host: shop\r\n",
        b"hOsT:\tshop:80 \r\n",
        b"Host: a b\r\n",
        b"Host:\r\n",
        b"Accept: */*\r\n",
        b"Te: x\r\n",
        b"Content-Length: 1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Te : x\r\n",
        b" fold\r\n",
        b"Tea: x\r\n",
        b"X: \x00\r\n",
        b"X: \xff\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"X:",
        b"Via: 1.1 a\r\n",
        b"HTTP2-Settings: x\r\n",
        b"Hosts: x\r\n",
        b"Host:[::1]:1\r\n",
        b"X: " + b"x" * 3000 + b"\r\n",
    ]
)
HEADS = st.lists(PIECES, max_size=8).map(b"".join)


def check(text: bytes) -> None:
    for head in (text, text[:-2], text.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"):
        match, hosts = REQUEST.fullmatch(head), HOSTS.findall(head)
        clean = FORBIDDEN.search(head) is None and len(head) <= BYTES_MAX
        clean = clean and head.count(b"\n") <= FIELDS_MAX + 1
        good = match is not None and clean and len(hosts) == 1
        good = good and grammar.HOST.fullmatch(hosts[0].rstrip(b" \t")) is not None
        wanted = None
        if (
            match
            and good
            and match[1] != b"CONNECT"
            and (match[2], match[1] == b"OPTIONS")
            != (
                b"*",
                False,
            )
        ):
            wanted = canonical.RequestLine(match[1], match[2])
        answer, plain = RESPONSE.fullmatch(head), PLAIN.fullmatch(head)
        for _ in range(2):  # The second time by what is remembered.
            assert canonical.check_request_head(head) == wanted
            status = int(answer[1]) if answer and clean else None
            assert canonical.check_response_head(head) == status
            assert plain_parts(head) == (plain.groups() if plain else (b"", b""))


@pytest.mark.parametrize("raw", [case.raw for case in request_corpus.CASES.values()])
def test_requests_of_the_corpus_are_judged_alike(raw: bytes) -> None:
    check(raw)


@pytest.mark.parametrize("raw", [case.raw for case in response_corpus.CASES.values()])
def test_responses_of_the_corpus_are_judged_alike(raw: bytes) -> None:
    check(raw)


@given(st.one_of(HEADS, mutated(HEADS), mutated(requests()), mutated(responses())))
def test_any_head_is_judged_alike(text: bytes) -> None:
    check(text)


def test_lines_with_credentials_are_forgotten_with_the_heads() -> None:
    head = b"GET / HTTP/1.1\r\nHost: shop\r\nCookie: secret\r\n"
    first = canonical.check_request_head(head)
    assert canonical.check_request_head(bytes(bytearray(head))) is first
    HeadMemory().forget()
    assert canonical.check_request_head(head) is not first


def test_a_large_head_leaves_no_lines_behind() -> None:
    head = b"GET / HTTP/1.1\r\nHost: shop\r\nX: %b\r\n" % (b"x" * limits.HEAD_BY_LINES_BYTES_MAX)
    assert canonical.check_request_head(head) is not canonical.check_request_head(head)
