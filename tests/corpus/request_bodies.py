"""Requests whose length is odd: smuggling, chunks, trailers, what follows."""

from collections.abc import Iterator

from tests.corpus.cases import RequestCase, Sent, accepted, get, post, refused, sent, unfinished

CHUNKED = b"Transfer-Encoding: chunked"
POST = b"POST / HTTP/1.1"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"


def sized(body: bytes, *fields: bytes, start: bytes = POST) -> Sent:
    """A request with a Content-Length, as we write it."""
    return sent(*fields, b"Content-Length: %d" % len(body), start=start, body=body)


def streamed(body: bytes, trailers: bytes = b"", *fields: bytes) -> Sent:
    """A request in chunks, as we write it."""
    return sent(*fields, CHUNKED, start=POST, body=body, trailers=trailers)


def lengths() -> Iterator[RequestCase]:
    """Content-Length."""
    why = "RFC 9112, 6.3: one length, of digits only; no list, no repetition"
    for value in (
        *(b"5, 5", b"5,6", b"5,", b",5", b"", b"+5", b"-1", b"-0", b"0x5", b"0b1", b"1_0", b"5 5"),
        *(b"5;", b"5.0", b"1e1", b"five", b"\xd9\xa5", b"\xb5", b'"5"', b"1" * 19, b"9" * 25),
    ):
        raw = post(b"Content-Length: " + value, body=b"hello")
        yield refused(f"length {value!r}", raw, 400, why=why)
    for value in (b"\x0b5", b"5\x0c", b"5\x00"):
        raw = post(b"Content-Length: " + value, body=b"hello")
        yield refused(f"length {value!r}", raw, 400, why="RFC 9110, 5.5: no control bytes")
    for name, second in {
        "the same": b"Content-Length: 5",
        "another": b"Content-Length: 6",
        "in lower case": b"content-length: 0",
        "empty": b"Content-Length:",
    }.items():
        raw = post(b"Content-Length: 5", second, body=b"hello")
        yield refused(f"length twice, {name}", raw, 400, why=why)
    for value in (b"5", b"05", b"0000000000005", b" 5 ", b"\t5\t"):
        raw = post(b"Content-Length:" + value, body=b"hello")
        yield accepted(f"length {value!r}", raw, sized(b"hello"), why="decimal, written anew by us")
    zero = sent(b"Content-Length: 0", start=POST)
    yield accepted("length 0", post(b"Content-Length: 0"), zero, why="9112, 6.3")
    yield accepted("no length", post(), zero, why="9112, 6.3: none means none")
    for method in (b"GET", b"HEAD", b"DELETE", b"OPTIONS"):
        start = method + b" / HTTP/1.1"
        yield accepted(
            f"{method.decode()} with a body",
            post(b"Content-Length: 5", start=start, body=b"hello") + get(),
            sized(b"hello", start=start),
            sent(),
            why="RFC 9110, 9.3.1: it has no meaning, but it is there; who skips it is smuggled to",
        )
    raw = post(body=b"GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n")
    evil = sent(start=b"GET /evil HTTP/1.1", host=b"Host: evil")
    yield accepted("no length, then a request", raw, zero, evil, why="what follows is the next one")
    raw = post(b"Content-Length: 5", body=b"hell")
    yield unfinished("a body without its end", raw, 400, why="never complete at a target")
    raw = post(b"Content-Length: 999999999999999999", body=b"x")
    yield unfinished("a length of 18 digits", raw, 400, why="nothing is allocated for it")


def codings() -> Iterator[RequestCase]:
    """Transfer-Encoding, alone and beside a length."""
    why = "RFC 9112, 6.1 and 6.3: chunked, once and alone; who reads it otherwise is smuggled to"
    for value in (
        *(b"xchunked", b"chunkedx", b"chunke", b"chunkedchunked", b"chunked chunked", b"identity"),
        *(b"chunked, chunked", b"gzip", b"gzip, chunked", b"chunked, gzip", b"chunked, identity"),
        *(b"identity, chunked", b"chunked;q=1", b"chunked;", b",chunked", b"chunked,", b", ,"),
        *(b"", b'"chunked"', b"'chunked'", b"[chunked]", b"\xffchunked", b"ch\xc5\xbfunked"),
        *(b"chunked\xa0", b"chunked\x85", b"trailers", b"x", b"cow"),
    ):
        raw = post(b"Transfer-Encoding: " + value, body=HELLO)
        yield refused(f"coding {value!r}", raw, 400, 501, why=why)
    for value in (b"\x0bchunked", b"chunked\x0c", b"chun\x00ked", b"chunked\x7f"):
        raw = post(b"Transfer-Encoding: " + value, body=HELLO)
        yield refused(f"coding {value!r}", raw, 400, why="RFC 9110, 5.5: no control bytes")
    for name, fields in {
        "CL.TE": (b"Content-Length: 5", CHUNKED),
        "TE.CL": (CHUNKED, b"Content-Length: 5"),
        "CL.TE, length 0": (b"Content-Length: 0", CHUNKED),
        "CL.TE, lower case": (b"content-length: 5", b"transfer-encoding: chunked"),
        "CL with an empty coding": (b"Content-Length: 5", b"Transfer-Encoding:"),
        "CL with identity": (b"Content-Length: 5", b"Transfer-Encoding: identity"),
        "CL with an unknown coding": (b"Content-Length: 5", b"Transfer-Encoding: cow"),
        "TE.TE": (CHUNKED, CHUNKED),
        "TE.TE, one unknown": (CHUNKED, b"Transfer-Encoding: cow"),
        "TE.TE, one unknown, first": (b"Transfer-encoding: cow", CHUNKED),
        "TE.TE, one empty": (b"Transfer-Encoding:", CHUNKED),
        "TE.TE, split list": (b"Transfer-Encoding: gzip", CHUNKED),
        "TE.TE, identity last": (CHUNKED, b"Transfer-Encoding: identity"),
    }.items():
        yield refused(name, post(*fields, body=HELLO), 400, 501, why=why)
    old = post(CHUNKED, start=b"POST / HTTP/1.0", body=HELLO)
    yield refused("a coding on HTTP/1.0", old, 400, why="RFC 9112, 6.1: faulty framing")
    for value in (
        b"chunked",
        b"Chunked",
        b"CHUNKED",
        b" chunked",
        b"chunked ",
        b"\tchunked",
        b"chunked\t",
    ):
        raw = post(b"Transfer-Encoding:" + value, body=HELLO) + get()
        reaches = streamed(b"hello"), sent()
        yield accepted(f"coding {value!r}", raw, *reaches, why="written anew by us")
    raw = get(CHUNKED, body=HELLO) + get()
    both = sent(CHUNKED, body=b"hello"), sent()
    yield accepted("GET in chunks", raw, *both, why="RFC 9110, 9.3.1: the body is there")
    # TE.0 and CL.0: a front that sees no body, a back that does, or the other way round.
    raw = post(CHUNKED, start=b"OPTIONS / HTTP/1.1", body=b"0\r\n\r\nGET /evil HTTP/1.1\r\nX: ")
    first = (sent(CHUNKED, start=b"OPTIONS / HTTP/1.1"),)
    yield unfinished("TE.0", raw, after=first, why="the rest is a request of its own, unfinished")
    raw = get(b"Content-Length: 23", body=b"GET /evil HTTP/1.1\r\nX: ") + get()
    both = (sized(b"GET /evil HTTP/1.1\r\nX: ", start=b"GET / HTTP/1.1"), sent())
    yield accepted("CL.0", raw, *both, why="a body, whatever it looks like")


def chunks() -> Iterator[RequestCase]:
    """The chunked coding."""
    why = "RFC 9112, 7.1: hexadecimal digits, CR LF, data, CR LF"
    for size in (
        *(b"0_5", b"0x5", b"-0", b"-5", b"+5", b" 5", b"5 ", b"5\t", b"\t5", b"", b"g", b"5,"),
        *(b"0" * 16 + b"5", b"f" * 17, b"\xd9\xa5", b"5\x00", b"5\x0b", b"5h", b"0.5", b"#5"),
    ):
        raw = post(CHUNKED, body=size + b"\r\nhello\r\n0\r\n\r\n")
        yield refused(f"chunk size {size!r}", raw, 400, why=why)
    for name, body in {
        "size ended by LF": b"5\nhello\r\n0\r\n\r\n",
        "size ended by CR": b"5\rhello\r\n0\r\n\r\n",
        "size ended by CR CR LF": b"5\r\r\nhello\r\n0\r\n\r\n",
        "an empty line before the size": b"\r\n5\r\nhello\r\n0\r\n\r\n",
        "longer than said": b"5\r\nhello!\r\n0\r\n\r\n",
        "shorter than said": b"6\r\nhello\r\n0\r\n\r\n",
        "no line end after the data": b"5\r\nhello0\r\n\r\n",
        "data ended by LF": b"5\r\nhello\n0\r\n\r\n",
        "data ended by CR": b"5\r\nhello\r0\r\n\r\n",
        "data ended by other two bytes": b"5\r\nhelloXX0\r\n\r\n",
        "last ended by LF": b"5\r\nhello\r\n0\n\r\n",
        "end ended by LF": b"5\r\nhello\r\n0\r\n\n",
        "end ended by CR and more": b"5\r\nhello\r\n0\r\n\rX",
        "no end, a request at once": b"5\r\nhello\r\n0\r\nGET / HTTP/1.1\r\n\r\n",
    }.items():
        yield refused(f"chunk: {name}", post(CHUNKED, body=body), 400, why=why)
    for name, extension in {
        "CR": b";a=\rb",
        "LF": b";a=\nb",
        "CR CR": b";a=\r",
        "LF before the name": b";\n",
        "LF after the semicolon, a size": b";\n5",
        "CR LF in quotes": b';a="\r\n"',
        "NUL": b";a=\x00",
        "no name": b";",
        "no name before the equals sign": b";=b",
        "two semicolons": b";;a",
        "no value after the equals sign": b";a=",
        "quotes without end": b';a="b',
        "more after the quotes": b';a="b"c',
        "no semicolon": b" a",
        "a space before the semicolon": b" ;a",
        "a space after the semicolon": b"; a",
        "a space before the equals sign": b";a =b",
        "64 KiB": b";" + b"a" * 65_536,
    }.items():
        raw = post(CHUNKED, body=b"5" + extension + b"\r\nhello\r\n0\r\n\r\n")
        strict = "RFC 9112, 7.1.1, without optional blanks; readers skip to different line ends"
        yield refused(f"extension: {name}", raw, 400, why=strict)
    for name, extension in {
        "a name": b";a",
        "a value": b";a=b",
        "several": b";a=b;c;d=e",
        "quotes": b';a="b; c"',
        "escaped quotes": b';a="b\\"c"',
        "bytes above 127 in quotes": b';a="\xe4"',
    }.items():
        raw = post(CHUNKED, body=b"5%b\r\nhello\r\n0%b\r\n\r\n" % (extension, extension)) + get()
        yield accepted(f"extension: {name}", raw, streamed(b"hello"), sent(), why="never sent on")
    for size in (b"5", b"05", b"0000000000000005"):
        raw = post(CHUNKED, body=size + b"\r\nhello\r\n0\r\n\r\n")
        yield accepted(f"chunk size {size!r}", raw, streamed(b"hello"), why=why)
    for end in (b"0", b"00", b"0000000000000000"):
        raw = post(CHUNKED, body=b"5\r\nhello\r\n" + end + b"\r\n\r\n")
        yield accepted(f"last chunk {end!r}", raw, streamed(b"hello"), why=why)
    raw = post(CHUNKED, body=b"A\r\n0\r\n\r\nGET /\r\n0\r\n\r\n") + get()
    yield accepted("data like an end", raw, streamed(b"0\r\n\r\nGET /"), sent(), why=why)
    raw = post(CHUNKED, body=b"1\r\na\r\n" * 20 + b"0\r\n\r\n")
    yield accepted("many small chunks", raw, streamed(b"a" * 20), why=why)
    yield accepted(
        "no chunk but the last", post(CHUNKED, body=b"0\r\n\r\n"), streamed(b""), why=why
    )
    for name, body in {
        "within the data": b"5\r\nhell",
        "after the data": b"5\r\nhello\r\n",
        "after the last size": b"5\r\nhello\r\n0\r\n",
        "before the first size": b"",
        "of 2^64 bytes": b"ffffffffffffffff\r\nhello\r\n",
    }.items():
        raw = post(CHUNKED, body=body)
        yield unfinished(f"chunks cut {name}", raw, 400, why="never complete at a target")


def trailers() -> Iterator[RequestCase]:
    """Fields after the last chunk."""

    def ended(*lines: bytes) -> bytes:
        return post(CHUNKED, body=b"5\r\nhello\r\n0\r\n" + b"\r\n".join((*lines, b"", b"")))

    why = "RFC 9112, 7.1.2: fields like any other"
    for name, line in {
        "no colon": b"nothing",
        "NUL": b"A: b\x00",
        "a bare CR": b"A: b\rc",
        "a bare LF": b"A: b\nc: d",
        "a fold": b"A: b\r\n c",
        "a space before the colon": b"A : b",
        "a space first": b" A: b",
    }.items():
        yield refused(f"trailer: {name}", ended(line), 400, why=why)
    yield refused("trailers: too many", ended(*(b"a: b",) * 99), 431, why="limit: headers")
    yield refused("trailers: too large", ended(b"A: " + b"b" * 9000), 431, why="limit: field")
    raw = ended(b"Sum: 1", b"B:2") + get()
    yield accepted("trailers", raw, streamed(b"hello", b"Sum: 1\r\nB:2\r\n"), sent(), why=why)
    for line in (
        *(CHUNKED, b"TRANSFER-ENCODING: x", b"Connection: close", b"connection:"),
        *(b"Keep-Alive: x", b"Proxy-Connection: x", b"Upgrade: x"),
    ):
        of_connections = "a field of the connection, as over HTTP/2: RFC 9113, 8.2.2"
        yield refused(f"trailer: {line.decode()}", ended(b"Sum: 1", line), 400, why=of_connections)
    dropped = "RFC 9110, 6.5.1: framing, routing and credentials never come from trailers"
    for line in (
        *(b"Host: evil", b"Content-Length: 9", b"content-length:0", b"Content-Encoding: gzip"),
        *(b"Authorization: x", b"Cookie: x", b"Content-Type: x", b"TE: x", b"Trailer: x"),
        *(
            b"X-Forwarded-For: 1.1.1.1",
            b"Via: 1.1 x",
            b"Expect: 100-continue",
            b"HTTP2-Settings: x",
        ),
    ):
        name = line.partition(b":")[0].decode()
        yield accepted(
            f"trailer: {name}",
            ended(line, b"Sum: 1") + get(),
            streamed(b"hello", b"Sum: 1\r\n"),
            sent(),
            why=dropped,
        )


def connections() -> Iterator[RequestCase]:
    """Hop-by-hop fields, expectations and upgrades."""
    hop = "RFC 9110, 7.6.1: what is named ends here, but nothing that others need"
    for name, fields, kept in (
        ("names a field", (b"Connection: X-A", b"X-A: 1", b"X-B: 2"), (b"X-B: 2",)),
        ("names Host", (b"Connection: Host",), ()),
        ("names cookies", (b"Connection: Cookie", b"Cookie: a"), (b"Cookie: a",)),
        (
            "names credentials",
            (b"Connection: Authorization", b"Authorization: a"),
            (b"Authorization: a",),
        ),
        ("is empty", (b"Connection:",), ()),
        ("has empty members", (b"Connection: ,, x ,",), ()),
        ("is no token", (b'Connection: "close", @',), ()),
    ):
        yield accepted(f"Connection {name}", get(*fields), sent(*kept), why=hop)
    for field in (
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: close",
        b"TE: trailers",
        b"TE: gzip",
    ):
        yield accepted(f"hop by hop: {field.decode()}", get(field), sent(), why=hop)
    for name, field in {
        "Content-Length": b"Content-Length: 5",
        "Transfer-Encoding": CHUNKED,
    }.items():
        body = b"hello" if field is not CHUNKED else HELLO
        raw = post(b"Connection: " + name.encode(), field, body=body) + get()
        reaches = sized(b"hello") if field is not CHUNKED else streamed(b"hello")
        yield accepted(f"Connection names {name}", raw, reaches, sent(), why=hop)
    closing: dict[str, tuple[bytes, ...]] = {
        "close": (b"Connection: close",),
        "close among others": (b"Connection: keep-alive, CLOSE",),
        "close in the second": (b"Connection: keep-alive", b"Connection: close"),
    }
    for name, given in closing.items():
        raw = get(*given) + get(start=b"GET /evil HTTP/1.1")
        yield accepted(f"Connection: {name}, then more", raw, sent(), why="9112, 9.6: no more")
    raw = get(start=b"GET / HTTP/1.0") + get(start=b"GET /evil HTTP/1.1")
    yield accepted("HTTP/1.0, then more", raw, sent(), why="9112, 9.3: it closes")
    raw = get(b"Connection: keep-alive", start=b"GET / HTTP/1.0") + get()
    yield accepted("HTTP/1.0 that stays, then more", raw, sent(), sent(), why="9112, 9.3")
    why = "RFC 9110, 10.1.1"
    for value in (b"200-ok", b"", b"100-continue, x", b"100-continue;q=1", b"100-continu"):
        raw = get(b"Expect: " + value)
        yield refused(f"Expect: {value.decode()}", raw, 417, why=why)
    twice = get(b"Expect: 100-continue", b"Expect: 100-continue")
    yield refused("Expect twice", twice, 417, why="two readings")
    yield refused("Expect, a control byte", get(b"Expect: 100-continue\x0b"), 400, why="9110, 5.5")
    raw = post(b"Expect: miracles", b"Content-Length: 5", body=b"hello")
    yield refused("an expectation with a body", raw, 417, why="nothing of the body is a request")
    for value in (b"100-continue", b"100-Continue"):
        field = b"Expect: " + value
        raw = post(field, b"Content-Length: 5", body=b"hello") + get()
        yield accepted(f"Expect: {value.decode()}", raw, sized(b"hello", field), sent(), why=why)
    raw = post(b"Expect: x", b"Content-Length: 5", start=b"POST / HTTP/1.0", body=b"hello")
    yield accepted("Expect on HTTP/1.0", raw, sized(b"hello"), why="it means nothing there")
    asked = b"Connection: upgrade", b"Upgrade: websocket"
    agreed = "RFC 9110, 7.8: asked for in one clear way, or not at all; here it is declined"
    yield accepted("an upgrade", get(*asked), sent(*asked), why=agreed)
    unclear: dict[str, tuple[bytes, ...]] = {
        "that Connection does not name": (b"Upgrade: websocket",),
        "to nothing": (b"Connection: upgrade",),
        "to HTTP/2": (
            b"Connection: upgrade, HTTP2-Settings",
            b"Upgrade: h2c",
            b"HTTP2-Settings: A",
        ),
        "to one of two": (b"Connection: upgrade", b"Upgrade: websocket, x"),
        "in two fields": (*asked, b"Upgrade: x"),
        "to no token": (b"Connection: upgrade", b"Upgrade: web socket"),
    }
    for name, given in unclear.items():
        raw = get(*given) + get()
        yield accepted(f"an upgrade {name}", raw, sent(), sent(), why=agreed)
    raw = post(*asked, b"Content-Length: 5", body=b"hello") + get()
    yield accepted("an upgrade with a body", raw, sized(b"hello"), sent(), why=agreed)
    raw = get(*asked, start=b"GET / HTTP/1.0")
    yield accepted("an upgrade on HTTP/1.0", raw, sent(), why="9110, 7.8: ignored")


def pipelines() -> Iterator[RequestCase]:
    """More than one request, and bytes after a request that are none."""
    several = get() + post(b"Content-Length: 5", body=b"hello") + post(CHUNKED, body=HELLO) + get()
    reaches = sent(), sized(b"hello"), streamed(b"hello"), sent()
    yield accepted("four requests at once", several, *reaches, why="9112, 9.3.2: in order")
    yield accepted(
        "an empty line between two", get() + b"\r\n" + get(), sent(), sent(), why="9112, 2.2"
    )
    why = "the first is answered whole, then 400; nothing of the rest is quoted"
    for name, rest in {
        "garbage": b"EVIL\r\n\r\n",
        "a bare LF": b"\n" + get(),
        "two empty lines": b"\r\n\r\n" + get(),
        "bare LFs": b"GET / HTTP/1.1\nHost: shop\n\n",
        "a lonely chunk": HELLO + get(),
        "a bad length": post(b"Content-Length: +5", body=b"hello"),
    }.items():
        yield refused(f"a request, then {name}", get() + rest, 400, why=why, after=(sent(),))
        raw = post(b"Content-Length: 5", body=b"hello") + rest
        yield refused(f"a body, then {name}", raw, 400, why=why, after=(sized(b"hello"),))
    loop = get(b"Via: 1.1 near, 1.1 far", b"Via: 1.1 NEAR, 1.1 near")
    yield refused("a request that was here before", loop, 508, why="it would go round for ever")
    raw = post(b"Content-Length: 5", body=b"hello!")
    yield unfinished("a byte too many", raw, after=(sized(b"hello"),), why="one byte is no request")


CASES = (*lengths(), *codings(), *chunks(), *trailers(), *connections(), *pipelines())
