"""All cases of what a target may answer."""

from collections.abc import Iterator

from tests.corpus.cases import ResponseCase, lines, message

CHUNKED = b"Transfer-Encoding: chunked"
OK = b"HTTP/1.1 200 OK"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
SIZED = message(OK, b"Content-Length: 5", body=b"hello")


def bad(
    name: str, raw: bytes, *, why: str, method: bytes = b"GET", upgrade: str = ""
) -> ResponseCase:
    """Nothing of it is passed on: 502."""
    return ResponseCase(
        name=name,
        raw=raw,
        why=why,
        method=method,
        upgrade=upgrade,
        complete=False,
        reusable=False,
    )


def cut(name: str, raw: bytes, interims: tuple[bytes, ...], *, why: str) -> ResponseCase:
    """Interim heads are passed on, then 502."""
    return ResponseCase(name=name, raw=raw, why=why, heads=interims, complete=False, reusable=False)


def torn(name: str, raw: bytes, head: bytes, body: bytes, *, why: str) -> ResponseCase:
    """Its head is good: the client sees a reset."""
    return ResponseCase(
        name=name, raw=raw, why=why, heads=(head,), body=body, complete=False, reusable=False
    )


def good(
    name: str,
    raw: bytes,
    *heads: bytes,
    why: str,
    body: bytes = b"",
    trailers: bytes = b"",
    method: bytes = b"GET",
    reusable: bool = True,
    odd: bool = False,
    upgrade: str = "",
) -> ResponseCase:
    """It is passed on."""
    return ResponseCase(
        name=name,
        raw=raw,
        why=why,
        heads=heads,
        body=body,
        trailers=trailers,
        method=method,
        reusable=reusable,
        odd=odd,
        upgrade=upgrade,
    )


def status_lines() -> Iterator[ResponseCase]:
    """Versions, statuses, reasons."""
    why = "RFC 9112, 4: HTTP/1.x SP three digits SP reason"
    for name, start in {
        "garbage": b"SSH-2.0-OpenSSH_9.2",
        "another protocol": b"HTP/1.1 200 OK",
        "a request": b"GET / HTTP/1.1",
        "lower case": b"http/1.1 200 OK",
        "version 2": b"HTTP/2.0 200 OK",
        "version 0.9": b"HTTP/0.9 200 OK",
        "version 1.2": b"HTTP/1.2 200 OK",
        "a long major": b"HTTP/01.1 200 OK",
        "a long minor": b"HTTP/1.01 200 OK",
        "no minor": b"HTTP/1 200 OK",
        "no status": b"HTTP/1.1",
        "no status, a space": b"HTTP/1.1 ",
        "status of one digit": b"HTTP/1.1 2 OK",
        "status of two digits": b"HTTP/1.1 20 OK",
        "status of four digits": b"HTTP/1.1 2000 OK",
        "status 0": b"HTTP/1.1 000 OK",
        "status 099": b"HTTP/1.1 099 OK",
        "a signed status": b"HTTP/1.1 +20 OK",
        "a status of letters": b"HTTP/1.1 2xx OK",
        "digits of another script": b"HTTP/1.1 \xd9\xa2\xd9\xa0\xd9\xa0 OK",
        "two spaces before the status": b"HTTP/1.1  200 OK",
        "a tab before the status": b"HTTP/1.1\t200 OK",
        "a tab after the status": b"HTTP/1.1 200\tOK",
        "a space first": b" HTTP/1.1 200 OK",
        "an empty line first": b"\r\nHTTP/1.1 200 OK",
        "a CR first": b"\rHTTP/1.1 200 OK",
        "NUL in the reason": b"HTTP/1.1 200 O\x00K",
        "a control byte in the reason": b"HTTP/1.1 200 O\x01K",
        "an escape in the reason": b"HTTP/1.1 200 \x1b[2J",
        "DEL in the reason": b"HTTP/1.1 200 O\x7fK",
        "a bare CR in the reason": b"HTTP/1.1 200 O\rK",
        "a bare LF in the reason": b"HTTP/1.1 200 OK\nX: EVIL",
    }.items():
        yield bad(f"status line: {name}", message(start, b"Content-Length: 0"), why=why)
    for start, head in {
        b"HTTP/1.1 200": b"HTTP/1.1 200 ",
        b"HTTP/1.1 200 ": b"HTTP/1.1 200 ",
        b"HTTP/1.1 200 Fine by me": b"HTTP/1.1 200 Fine by me",
        b"HTTP/1.1 200 \xe4\t": b"HTTP/1.1 200 \xe4\t",
        b"HTTP/1.1 599 Odd": b"HTTP/1.1 599 Odd",
        b"HTTP/1.1 999 Odd": b"HTTP/1.1 999 Odd",
    }.items():
        raw = message(start, b"Content-Length: 5", body=b"hello")
        name = f"status line: {start.decode('latin-1')!r}"
        yield good(name, raw, lines(head), body=b"hello", why=why)
    raw = message(b"HTTP/1.0 200 OK", b"Content-Length: 5", body=b"hello")
    yield good("HTTP/1.0", raw, lines(OK), body=b"hello", reusable=False, why="9112, 9.3")


def fields() -> Iterator[ResponseCase]:
    """Header fields and line ends."""
    why = "RFC 9112, 5.1, and 2.2"
    for name, field in {
        "a space before the colon": b"A : b",
        "a space first": b" A: b",
        "no colon": b"nothing",
        "no name": b": b",
        "NUL in a name": b"A\x00: b",
        "NUL in a value": b"A: b\x00",
        "a control byte in a value": b"A: \x01",
        "a bare CR in a value": b"A: b\rX: EVIL",
        "a bare LF in a value": b"A: b\nX: EVIL",
        "CR CR LF": b"A: b\r",
        "a fold": b"A: b\r\n c",
        "a fold by a tab": b"A: b\r\n\tc",
        "a fold of a coding": b"Transfer-Encoding:\r\n chunked",
        "an 8-bit name": b"\xe4: b",
        "a form feed": b"A: \x0c",
    }.items():
        yield bad(f"field: {name}", message(OK, field, b"Content-Length: 0"), why=why)
    yield bad("bare LF throughout", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", why=why)
    yield bad("bare LF as the blank line", b"HTTP/1.1 200 OK\r\nA: b\r\n\n", why=why)
    yield bad("200 fields", message(OK, *(b"a: b",) * 200, b"Content-Length: 0"), why="limit")
    yield bad("a field of 1 MiB", message(OK, b"A: " + b"b" * (1 << 20)), why="limit")
    yield bad(
        "a reason of 9,000 bytes", message(OK + b"K" * 9000, b"Content-Length: 0"), why="limit"
    )
    for name, field in {
        "empty": b"A:",
        "8-bit": b"A: \x80\x85\xff",
        "blanks": b"A: \t b \t",
    }.items():
        raw = message(OK, field, b"Content-Length: 5", body=b"hello")
        yield good(f"field: {name}", raw, lines(OK, field), body=b"hello", why="9110, 5.5")
    hop = (b"Connection: X-Hop, Set-Cookie", b"X-Hop: 1", b"Keep-Alive: timeout=9")
    raw = message(OK, *hop, b"Set-Cookie: a=b", b"Content-Length: 5", body=b"hello")
    head = lines(OK, b"Set-Cookie: a=b")
    yield good("hop-by-hop fields", raw, head, body=b"hello", why="9110, 7.6.1")
    raw = message(
        OK, b"Upgrade: h2c", b"Proxy-Connection: close", b"Content-Length: 5", body=b"hello"
    )
    yield good("more hop-by-hop fields", raw, lines(OK), body=b"hello", why="9110, 7.6.1")
    raw = message(OK, b"Connection: close", b"Content-Length: 5", body=b"hello")
    yield good("close", raw, lines(OK), body=b"hello", reusable=False, why="9112, 9.6")


def framing() -> Iterator[ResponseCase]:
    """Lengths and codings."""
    why = "RFC 9112, 6.3: two readers that differ make two responses of it"
    for value in (
        b"+5",
        b"-1",
        b"5, 5",
        b"5,6",
        b"",
        b"0x5",
        b"5 5",
        b"\xd9\xa5",
        b"1" * 25,
        b"5;",
    ):
        raw = message(OK, b"Content-Length: " + value, body=b"hello")
        yield bad(f"length {value!r}", raw, why=why)
    for name, each in {
        "two lengths": (b"Content-Length: 5", b"Content-Length: 6"),
        "the same length twice": (b"Content-Length: 5", b"content-length: 5"),
        "length and coding": (b"Content-Length: 5", CHUNKED),
        "coding and length": (CHUNKED, b"Content-Length: 5"),
        "two codings": (CHUNKED, CHUNKED),
        "coding and identity": (CHUNKED, b"Transfer-Encoding: identity"),
        "length and an empty coding": (b"Content-Length: 5", b"Transfer-Encoding:"),
    }.items():
        yield bad(name, message(OK, *each, body=HELLO), why=why)
    for value in (
        *(
            b"gzip, chunked",
            b"chunked, gzip",
            b"gzip",
            b"identity",
            b"xchunked",
            b"chunked, chunked",
        ),
        *(b",chunked", b"chunked;q=1", b"", b"\x0bchunked", b"chunked\xa0", b"chunkedchunked"),
    ):
        raw = message(OK, b"Transfer-Encoding: " + value, body=HELLO)
        yield bad(f"coding {value!r}", raw, why=why)
    raw = message(b"HTTP/1.0 200 OK", CHUNKED, body=HELLO)
    yield bad("coding from HTTP/1.0", raw, why="RFC 9112, 6.1")
    for value in (b"5", b"005", b" 5 "):
        raw = message(OK, b"Content-Length:" + value, body=b"hello")
        yield good(f"length {value!r}", raw, lines(OK), body=b"hello", why="written anew by us")
    raw = message(OK, b"Transfer-Encoding: Chunked", body=HELLO)
    yield good("chunks", raw, lines(OK), body=b"hello", why="9112, 7.1")
    raw = message(OK, CHUNKED, body=b'5;a="b"\r\nhello\r\n0;c\r\nSum: 1\r\nHost: EVIL\r\n\r\n')
    yield good("trailers", raw, lines(OK), body=b"hello", trailers=b"Sum: 1\r\n", why="9110, 6.5.1")
    for dropped in (b"Content-Length", b"content-length", b"Trailer", b"Set-Cookie"):
        raw = message(OK, CHUNKED, body=HELLO[:-2] + dropped + b": 9\r\nSum: 1\r\n\r\n")
        named = f"{dropped.decode()} in trailers"
        sum_ = b"Sum: 1\r\n"
        yield good(named, raw, lines(OK), body=b"hello", trailers=sum_, why="dropped: 9110, 6.5.1")
    for value in (b"\tchunked", b"chunked\t", b" \tchunked \t"):
        raw = message(OK, b"Transfer-Encoding:" + value, body=HELLO)
        yield good(f"coding {value!r}", raw, lines(OK), body=b"hello", why="9110, 5.6.3")
    yield good(
        "no length", message(OK, body=b"hello"), lines(OK), body=b"hello", reusable=False, why=why
    )
    old = message(b"HTTP/1.0 200 OK", b"Connection: keep-alive", body=b"hello")
    yield good("no length from HTTP/1.0", old, lines(OK), body=b"hello", reusable=False, why=why)
    yield good("length 0", message(OK, b"Content-Length: 0"), lines(OK), why=why)
    for excess in (b"EVIL", SIZED, b"\r\n", b"HTTP/1.1 200 EVIL\r\nContent-Length: 0\r\n\r\n"):
        raw = message(OK, b"Content-Length: 5", body=b"hello" + excess)
        name = f"a body, then {excess[:9]!r}"
        yield good(name, raw, lines(OK), body=b"hello", reusable=False, why="nobody asked for more")
        raw = message(OK, CHUNKED, body=HELLO + excess)
        name = f"chunks, then {excess[:9]!r}"
        yield good(name, raw, lines(OK), body=b"hello", reusable=False, why="nobody asked for more")
    head = lines(OK)
    tear = "the head is out: it must not look whole (N2)"
    for name, fields_, sent, got in (
        ("a short body", b"Content-Length: 9", b"hello", b"hello"),
        ("no body", b"Content-Length: 9", b"", b""),
        ("no last chunk", CHUNKED, b"5\r\nhello\r\n", b"hello"),
        ("no end after the last chunk", CHUNKED, b"5\r\nhello\r\n0\r\n", b"hello"),
        ("trailers without end", CHUNKED, b"5\r\nhello\r\n0\r\nA: b\r\n", b"hello"),
        ("a bad second chunk", CHUNKED, b"5\r\nhello\r\nzz\r\n", b"hello"),
        ("a chunk too short", CHUNKED, b"5\r\nhello\r\n3\r\nab\r\n0\r\n\r\n", b"helloab\r"),
        ("a chunk too long", CHUNKED, b"5\r\nhello!\r\n0\r\n\r\n", b"hello"),
        ("a chunk with a bare LF", CHUNKED, b"5\r\nhello\n0\r\n\r\n", b"hello"),
        ("a bad extension", CHUNKED, b"5\r\nhello\r\n5;\nx\r\nevil!\r\n0\r\n\r\n", b"hello"),
        ("a bad trailer", CHUNKED, b"5\r\nhello\r\n0\r\nA : b\r\n\r\n", b"hello"),
        ("a coding in trailers", CHUNKED, HELLO[:-2] + CHUNKED + b"\r\n\r\n", b"hello"),
        ("connection in trailers", CHUNKED, HELLO[:-2] + b"Connection: x\r\n\r\n", b"hello"),
        ("100 trailers", CHUNKED, b"5\r\nhello\r\n0\r\n" + b"a: b\r\n" * 100 + b"\r\n", b"hello"),
    ):
        yield torn(name, message(OK, fields_, body=sent), head, got, why=tear)


def bodiless() -> Iterator[ResponseCase]:
    """Responses without a body, whatever they say."""
    why = "RFC 9112, 6.3: no body follows; if bytes do, the connection is not used again"
    for start in (b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified"):
        code = start[9:12].decode()
        yield good(code, message(start), lines(start), why=why)
        for name, field in {"a length": b"Content-Length: 4", "a coding": CHUNKED}.items():
            yield good(f"{code} with {name}", message(start, field), lines(start), why=why)
            raw = message(start, field, body=b"4\r\nEVIL\r\n0\r\n\r\n")
            yield good(f"{code} with {name} and a body", raw, lines(start), reusable=False, why=why)
        raw = message(start, b"Content-Length: 4", b"Content-Length: 5")
        yield bad(f"{code} with two lengths", raw, why="a target that we cannot follow")
    for name, field in {"a length": b"Content-Length: 4", "a coding": CHUNKED}.items():
        yield good(f"HEAD, {name}", message(OK, field), lines(OK), method=b"HEAD", why=why)
        raw = message(OK, field, body=b"EVIL")
        yield good(
            f"HEAD, {name} and a body", raw, lines(OK), method=b"HEAD", reusable=False, why=why
        )
    yield good("HEAD, nothing said", message(OK), lines(OK), method=b"HEAD", why=why)


def interims() -> Iterator[ResponseCase]:
    """1xx before the response, and 101."""
    why = "RFC 9110, 15.2: any number, passed on; they have no body"
    hint = lines(b"HTTP/1.1 103 Early Hints", b"Link: a")
    go = lines(b"HTTP/1.1 100 Continue")
    raw = go + b"\r\n" + hint + b"\r\n" + SIZED
    yield good("interim responses", raw, go, hint, lines(OK), body=b"hello", why=why)
    for name, field in {"a length": b"Content-Length: 5", "a coding": CHUNKED}.items():
        first = message(b"HTTP/1.1 103 Early Hints", field)
        heads = (lines(b"HTTP/1.1 103 Early Hints"), lines(OK))
        yield good(f"an interim with {name}", first + SIZED, *heads, body=b"hello", why=why)
        raw = first + HELLO
        yield cut(f"an interim with {name} and a body", raw, heads[:1], why="it is no response")
    yield cut("an interim alone", go + b"\r\n", (go,), why="no response followed")
    large = lines(b"HTTP/1.1 103 Early Hints", b"Link: " + b"x" * 8000)
    flood = "limits: heads and interim bytes of one request"
    for name, one, most in (("32 interims", go, 31), ("129 KiB of interims", large, 16)):
        yield cut(name, (one + b"\r\n") * 40 + SIZED, (one,) * most, why=flood)
    agreed = b"Connection: upgrade", b"Upgrade: WebSocket"
    switch = b"HTTP/1.1 101 Switching Protocols"
    why = "RFC 9110, 15.2.2: only to what was asked for, and said in full"
    yield bad("101 unasked", message(switch, *agreed), why=why)
    for name, fields_ in {
        "to another protocol": (b"Connection: upgrade", b"Upgrade: h2c"),
        "to two": (b"Connection: upgrade", b"Upgrade: websocket, h2c"),
        "without saying to what": (b"Connection: upgrade",),
        "that Connection does not name": (b"Upgrade: websocket",),
    }.items():
        yield bad(f"101 {name}", message(switch, *fields_), upgrade="websocket", why=why)
    raw = message(
        switch, *agreed, b"Sec-WebSocket-Accept: x", body=b"\x81\x00HTTP/1.1 200 OK\r\n\r\n"
    )
    yield good(
        "101",
        raw,
        lines(switch, b"Sec-WebSocket-Accept: x"),
        body=b"\x81\x00HTTP/1.1 200 OK\r\n\r\n",
        reusable=False,
        upgrade="websocket",
        why=why,
    )


def unfinished() -> Iterator[ResponseCase]:
    """The target went within the head."""
    for raw in (b"", b"HTT", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"):
        yield bad(f"cut after {len(raw)} bytes", raw, why="no response")


CASES = {
    case.name: case
    for part in (status_lines, fields, framing, bodiless, interims, unfinished)
    for case in part()
}
