"""Requests whose start line, fields or host are odd."""

from collections.abc import Iterator

from tests.corpus.cases import RequestCase, accepted, get, message, refused, sent, unfinished


def start_lines() -> Iterator[RequestCase]:
    """Methods, targets, versions and what stands between them."""
    grammar = "RFC 9112, 3: method SP target SP version, nothing else"
    for name, start in {
        "no version": b"GET /",
        "no target": b"GET  HTTP/1.1",
        "no method": b" / HTTP/1.1",
        "two spaces before the target": b"GET  / HTTP/1.1",
        "two spaces before the version": b"GET /  HTTP/1.1",
        "a tab before the target": b"GET\t/ HTTP/1.1",
        "a tab before the version": b"GET /\tHTTP/1.1",
        "a space at the end": b"GET / HTTP/1.1 ",
        "a vertical tab at the end": b"GET / HTTP/1.1\x0b",
        "a space first": b" GET / HTTP/1.1",
        "a byte order mark first": b"\xef\xbb\xbfGET / HTTP/1.1",
        "a space in the target": b"GET /a b HTTP/1.1",
        "a version in the target": b"GET / HTTP/1.1 HTTP/1.1",
        "NUL in the target": b"GET /\x00 HTTP/1.1",
        "a control byte in the target": b"GET /\x1f HTTP/1.1",
        "DEL in the target": b"GET /\x7f HTTP/1.1",
        "an 8-bit target": b"GET /\xe4 HTTP/1.1",
        "a fragment": b"GET /a#b HTTP/1.1",
        "NUL in the method": b"G\x00ET / HTTP/1.1",
        "a colon in the method": b"GET: / HTTP/1.1",
        "an 8-bit method": b"G\xcbT / HTTP/1.1",
        "a version in lower case": b"GET / http/1.1",
        "a version of another script": b"GET / HTTP/\xd9\xa1.\xd9\xa1",
        "a version without minor": b"GET / HTTP/1",
        "a version without slash": b"GET / HTTP1.1",
        "a version with a comma": b"GET / HTTP/1,1",
        "a version of three numbers": b"GET / HTTP/1.1.1",
        "a version with a long major": b"GET / HTTP/01.1",
        "a version with a long minor": b"GET / HTTP/1.10",
        "a version with a space": b"GET / HTTP /1.1",
        "a negative version": b"GET / HTTP/-1.1",
        "another protocol's version": b"GET / RTSP/1.0",
        "a streaming protocol's version": b"GET / ICE/1.0",
        "garbage before the version": b"GET / xHTTP/1.1",
    }.items():
        yield refused(name, get(start=start), 400, why=grammar)
    for name, start in {
        "version 1.2": b"GET / HTTP/1.2",
        "version 0.9": b"GET / HTTP/0.9",
        "version 2.0": b"GET / HTTP/2.0",
        "version 3.0": b"GET / HTTP/3.0",
        "version 9.9": b"GET / HTTP/9.9",
    }.items():
        yield refused(name, get(start=start), 505, why="RFC 9110, 15.6.6")
    yield refused(
        "the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, why="RFC 9113, 3.4"
    )
    yield refused("a line of HTTP/0.9", b"GET /\r\n", 400, why=grammar)
    yield refused("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, why=grammar)
    yield refused("bytes above 127", b"\xff\xfe\xfd", 400, why=grammar)
    connect = get(start=b"CONNECT shop:80 HTTP/1.1", host=b"Host: shop:80")
    yield refused("CONNECT", connect, 501, why="no tunnels: RFC 9110, 9.3.6")
    yield refused("CONNECT to a path", get(start=b"CONNECT / HTTP/1.1"), 501, why="9110, 9.3.6")
    any_token = "RFC 9110, 9.1: any token is a method; for framing all but CONNECT are alike"
    for name, method in {
        "a new method": b"BREW",
        "a method in lower case": b"get",
        "a method that begins like another": b"GETS",
        "a method that begins like CONNECT": b"CONNECTS",
        "a method of all marks": b"!#$%&'*+-.^_`|~0",
        "a method of RTSP": b"ANNOUNCE",
        "a method of icecast": b"SOURCE",
        "the first word of HTTP/2's preface": b"PRI",
    }.items():
        start = method + b" / HTTP/1.1"
        yield accepted(name, get(start=start), sent(start=start), why=any_token)
        raw = get(b"Content-Length: 5", start=start, body=b"hello") + get()
        reaches = sent(b"Content-Length: 5", start=start, body=b"hello")
        yield accepted(f"{name}, with a body", raw, reaches, sent(), why=any_token)
    for method in (b"HEAD", b"OPTIONS", b"DELETE", b"PROPFIND", b"TRACE"):
        start = method + b" /a?b=c HTTP/1.1"
        yield accepted(
            f"{method.decode()} of a path", get(start=start), sent(start=start), why="9110, 9"
        )
    yield from line_ends()
    yield from targets()


def line_ends() -> Iterator[RequestCase]:
    """CR and LF that do not come as a pair."""
    why = "RFC 9112, 2.2: only CR LF ends a line; a bare one is where two readers part"
    for name, raw in {
        "bare LF throughout": b"GET / HTTP/1.1\nHost: shop\n\n",
        "bare LF after the request line": b"GET / HTTP/1.1\nHost: shop\r\n\r\n",
        "bare LF after a field": b"GET / HTTP/1.1\r\nHost: shop\nA: b\r\n\r\n",
        "bare LF as the blank line": b"GET / HTTP/1.1\r\nHost: shop\r\n\n",
        "bare LF hides a length": get(b"A: b\nContent-Length: 5", body=b"hello"),
        "bare LF hides a coding": get(b"A: b\nTransfer-Encoding: chunked", body=b"0\r\n\r\n"),
        "bare CR after the request line": b"GET / HTTP/1.1\rHost: shop\r\n\r\n",
        "bare CR in a value": get(b"A: b\rc"),
        "bare CR hides a coding": get(b"A: b\rTransfer-Encoding: chunked", body=b"0\r\n\r\n"),
        "bare CR hides a host": get(b"A:\rHost: evil"),
        "bare CR in a name": get(b"Content\rLength: 5"),
        "bare CR as the blank line": b"GET / HTTP/1.1\r\nHost: shop\r\n\rX",
        "bare CR, then another request": get()[:-2] + b"\rGET /evil HTTP/1.1\r\n\r\n",
        "CR CR LF after a field": get(b"A: b\r"),
        "CR CR LF after the request line": get(start=b"GET / HTTP/1.1\r"),
        "LF CR as a line end": b"GET / HTTP/1.1\n\rHost: shop\n\r\n\r",
        "LF in the request line": b"GET /\nHTTP/1.1\r\nHost: shop\r\n\r\n",
        "LF first": b"\n" + get(),
        "CR first": b"\r" + get(),
        "two empty lines first": b"\r\n\r\n" + get(),
        "NEL as a line end": get(b"A: b\xc2\x85\nB: c"),
    }.items():
        yield refused(name, raw, 400, why=why)
    yield accepted("one empty line first", b"\r\n" + get(), sent(), why="RFC 9112, 2.2")


def targets() -> Iterator[RequestCase]:
    """Forms of the target, and the host they name."""
    why = "RFC 9112, 3.2"
    for name, target in {
        "no slash": b"index.html",
        "a query alone": b"?a",
        "an authority": b"shop:80",
        "another scheme": b"ftp://shop/",
        "a scheme alone": b"http:",
        "one slash after the scheme": b"http:/shop/",
        "no authority": b"http:///",
        "an authority of a query": b"http://?a",
        "user information": b"http://me@shop/",
        "a bad port": b"http://shop:8x/",
        "an empty port": b"http://shop:/",
        "an address without its end": b"http://[::1/",
        "a quote in the authority": b'http://sh"op/',
        "a backslash in the authority": b"http://shop\\@evil/",
        "a star without OPTIONS": b"*",
        "a star with more": b"*/",
    }.items():
        yield refused(f"target: {name}", get(start=b"GET " + target + b" HTTP/1.1"), 400, why=why)
    for name, target, path, host in (
        ("absolute", b"http://shop/a?b", b"/a?b", b"shop"),
        ("absolute without path", b"http://shop", b"/", b"shop"),
        ("absolute with a query alone", b"http://shop?a", b"/?a", b"shop"),
        ("absolute in capitals", b"HTTP://SHOP/", b"/", b"SHOP"),
        ("absolute over TLS", b"https://shop/", b"/", b"shop"),
        ("absolute, an address", b"http://[::1]:80/", b"/", b"[::1]:80"),
        ("absolute, another host than Host", b"http://other:81/x", b"/x", b"other:81"),
    ):
        raw = get(start=b"GET " + target + b" HTTP/1.1")
        reaches = sent(start=b"GET " + path + b" HTTP/1.1", host=b"Host: " + host)
        yield accepted(f"target: {name}", raw, reaches, why="9112, 3.2.2: it replaces Host")
    raw = get(start=b"GET http://other/ HTTP/1.1", host=b"")
    yield refused(
        "target: absolute without Host", raw, 400, why="9112, 3.2: Host is needed all the same"
    )
    raw = get(b"Host: evil", start=b"GET http://other/ HTTP/1.1")
    yield refused("target: absolute with two hosts", raw, 400, why="9112, 3.2")
    raw = get(start=b"OPTIONS * HTTP/1.1")
    yield accepted("target: star", raw, sent(start=b"OPTIONS * HTTP/1.1"), why="9112, 3.2.4")
    raw = get(start=b"OPTIONS http://shop HTTP/1.1")
    yield accepted(
        "target: absolute star", raw, sent(start=b"OPTIONS * HTTP/1.1"), why="9112, 3.2.4"
    )
    opaque = "we route by the listener alone: a path is passed on as it is, never taken apart"
    for name, target in {
        "two slashes first": b"//evil/x",
        "dots": b"/../../etc/passwd",
        "encoded dots and slashes": b"/%2e%2e%2f",
        "an encoded NUL": b"/%00",
        "encoded line ends": b"/%0d%0aX:%20y",
        "a bad encoding": b"/%zz%",
        "a backslash": b"/a\\b",
        "brackets and a bar": b'/[a]{b}|^`<>"',
        "an absolute target within": b"/http://evil/",
    }.items():
        start = b"GET " + target + b" HTTP/1.1"
        yield accepted(f"target: {name}", get(start=start), sent(start=start), why=opaque, odd=True)


def fields() -> Iterator[RequestCase]:
    """Names, colons and values."""
    why = "RFC 9112, 5.1: token, colon, value; a proxy that repairs invents a second reading"
    for name, field in {
        "a space before the colon": b"A : b",
        "a tab before the colon": b"A\t: b",
        "a space before the colon of a length": b"Content-Length : 5",
        "a space before the colon of a coding": b"Transfer-Encoding : chunked",
        "a space in a name": b"A B: c",
        "no colon": b"nothing",
        "no name": b": b",
        "a colon alone": b":",
        "NUL in a name": b"A\x00: b",
        "NUL after the name of a coding": b"Transfer-Encoding\x00: chunked",
        "a control byte before the name of a coding": b"\x0bTransfer-Encoding: chunked",
        "DEL in a name": b"A\x7f: b",
        "an 8-bit name": b"\xe4: b",
        "a name of another script": b"\xd0\xa1ontent-Length: 5",
        "an at sign in a name": b"A@: b",
        "a slash in a name": b"A/B: c",
        "a bracket in a name": b"A[0]: c",
        "a quote in a name": b'"A": c',
        "a comma in a name": b"A,B: c",
        "NUL in a value": b"A: b\x00c",
        "a control byte in a value": b"A: b\x01c",
        "a backspace in a value": b"A: b\x08",
        "a form feed in a value": b"A: b\x0c",
        "a vertical tab in a value": b"A: \x0bb",
        "an escape in a value": b"A: \x1b[31m",
        "DEL in a value": b"A: b\x7fc",
    }.items():
        yield refused(f"field: {name}", get(field), 400, why=why)
    yield refused(
        "field: the first begins with a space", get(b"A: b", host=b" Host: shop"), why=why
    )
    fold = "RFC 9112, 5.2: a folded line is refused"
    for name, folded in {
        "by a space": (b"A: b", b" c"),
        "by a tab": (b"A: b", b"\tc"),
        "to nothing": (b"A: b", b" "),
        "a coding": (b"Transfer-Encoding:", b" chunked"),
        "a coding's end": (b"Transfer-Encoding: chunked", b" , identity"),
        "a length": (b"Content-Length:", b" 5"),
        "a name": (b"Content-Length", b" : 5"),
        "an expectation": (b"Expect: y", b" 100-continue"),
        "a length under another": (b"A: b", b" Content-Length: 38"),
    }.items():
        yield refused(f"folded: {name}", get(*folded), 400, why=fold)
    yield refused("folded: a host", get(b" .evil"), 400, why=fold)
    kept = "RFC 9110, 5.5: a value is passed on byte by byte"
    for name, field in {
        "no space after the colon": b"A:b",
        "much space around a value": b"A: \t  b \t",
        "no value": b"A:",
        "only blanks for a value": b"A: \t ",
        "a colon in a value": b"A: b: c",
        "quotes and commas": b'A: "b, c", d',
        "bytes above 127": b"A: \x80\x85\xa0\xff",
        "odd but legal name bytes": b"!#$%&'*+-.^_`|~: b",
        "a name of a digit": b"1: b",
    }.items():
        yield accepted(f"field: {name}", get(field), sent(field), why=kept)
    dashes = "a legal name without meaning for us; no body is taken for it, and none is sent on"
    for field in (b"Content_Length: 5", b"Transfer_Encoding: chunked", b"Content-Length-: 5"):
        yield accepted(f"field: {field.decode()}", get(field), sent(field), why=dashes, odd=True)
    yield accepted("field: the same twice", get(b"A: b", b"A: c"), sent(b"A: b", b"A: c"), why=kept)
    yield refused("300 fields", get(*(b"a: b",) * 300), 431, why="limit: headers")
    yield refused("a field of 50,000 bytes", get(b"A: " + b"b" * 50_000), 431, why="limit: field")
    yield refused(
        "a target of 9,000 bytes",
        get(start=b"GET /" + b"a" * 9000 + b" HTTP/1.1"),
        414,
        why="limit",
    )
    raw = b"GET / HTTP/1.1\r\nHost: shop\r\nA: b"
    yield unfinished("a head without its end", raw, why="nobody is owed an answer")
    yield unfinished("a head without its blank line", raw + b"\r\n", why="nobody is owed an answer")
    yield unfinished("nothing", b"", why="nobody is owed an answer")


def hosts() -> Iterator[RequestCase]:
    """Exactly one valid host."""
    why = "RFC 9112, 3.2: exactly one valid Host, the one that everybody after us reads"
    for name, host in {
        "none": b"",
        "empty": b"Host:",
        "blank": b"Host:   ",
        "a list": b"Host: a, b",
        "user information": b"Host: me@shop",
        "a path": b"Host: shop/x",
        "a query": b"Host: shop?x",
        "a fragment": b"Host: shop#x",
        "a backslash": b"Host: shop\\x",
        "a scheme": b"Host: http://shop",
        "a space": b"Host: a b",
        "a quote": b'Host: a"b',
        "angle brackets": b"Host: <a>",
        "a port of letters": b"Host: shop:8x",
        "a negative port": b"Host: shop:-1",
        "an empty port": b"Host: shop:",
        "a port of six digits": b"Host: shop:123456",
        "a port alone": b"Host: :80",
        "two ports": b"Host: shop:80:81",
        "an address without brackets": b"Host: ::1",
        "an address without its end": b"Host: [::1",
        "a name in brackets": b"Host: [shop]",
        "bytes above 127": b"Host: sh\xf6p",
        "longer than a name can be": b"Host: " + b"a" * 256,
    }.items():
        yield refused(f"host: {name}", get(host=host), 400, why=why)
    for name, second in {
        "the same": b"Host: shop",
        "another": b"host: evil",
        "empty": b"HOST:",
    }.items():
        yield refused(f"host: twice, {name}", get(second), 400, why=why)
    for host in (b"shop:8080", b"SHOP", b"127.0.0.1", b"[::1]:80", b"a_b.c-d", b"shop."):
        line = b"Host: " + host
        yield accepted(f"host: {host.decode()}", get(host=line), sent(host=line), why=why)
    opaque = "RFC 3986, 3.2.2 allows it; for us it is a name, the same one behind us as before"
    for host in (b"shop%2fx", b"a;b=c", b"shop:99999"):
        line = b"Host: " + host
        yield accepted(
            f"host: {host.decode()}", get(host=line), sent(host=line), why=opaque, odd=True
        )
    old = b"GET / HTTP/1.0"
    yield accepted(
        "HTTP/1.0 with a host",
        message(old, b"Host: shop"),
        sent(),
        why="we speak for it in HTTP/1.1",
    )
    yield refused("HTTP/1.0 with two hosts", get(b"Host: b", start=old), 400, why=why)


CASES = (*start_lines(), *fields(), *hosts())
