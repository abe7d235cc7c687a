"""What a neighbor with a valid certificate may put where a canonical head or trailers belong."""

REQUEST = b"GET / HTTP/1.1\r\nHost: shop\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\n"

FRAMING_FIELDS = (
    b"Content-Length: 5",
    b"content-length: 0",
    b"CONTENT-LENGTH:5",
    b"Transfer-Encoding: chunked",
    b"transfer-encoding: identity",
    b"Connection: close",
    b"Connection: Host",
    b"Keep-Alive: timeout=9",
    b"Proxy-Connection: close",
    b"TE: trailers",
    b"Upgrade: websocket",
    b"HTTP2-Settings: AAMA",
)

MALFORMED_FIELDS = (
    b"X: a\nY: b",
    b"X: a\rY: b",
    b"X: a\r\n\r\nGET /evil HTTP/1.1\r\nHost: shop",
    b"X: a\r\n Y: b",
    b"X : a",
    b" X: a",
    b"X",
    b": a",
    b"",
    b"X: a\0",
    b"X: \x1b[31m",
    b"X\0: a",
    b"\xe4: a",
    b"X Y: a",
)


def _with(head: bytes, fields: tuple[bytes, ...]) -> dict[str, bytes]:
    return {f"{field!r}": head + field + b"\r\n" for field in fields}


BAD_REQUEST_HEADS: dict[str, bytes] = {
    **_with(REQUEST, FRAMING_FIELDS),
    **_with(REQUEST, MALFORMED_FIELDS),
    "nothing": b"",
    "no line end": REQUEST[:-2],
    "a bare LF at the end": REQUEST[:-2] + b"\n",
    "a blank line": REQUEST + b"\r\n",
    "no host": b"GET / HTTP/1.1\r\n",
    "two hosts": REQUEST + b"host: shop\r\n",
    "an empty host": b"GET / HTTP/1.1\r\nHost: \r\n",
    "a host with user information": b"GET / HTTP/1.1\r\nHost: me@shop\r\n",
    "a host with a path": b"GET / HTTP/1.1\r\nHost: shop/x\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\nHost: shop\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\nHost: shop\r\n",
    "HTTP/0.9": b"GET /\r\nHost: shop\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: shop\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: shop\r\n",
    "a fragment": b"GET /#a HTTP/1.1\r\nHost: shop\r\n",
    "an 8-bit target": b"GET /\xe4 HTTP/1.1\r\nHost: shop\r\n",
    "an absolute target": b"GET http://shop/ HTTP/1.1\r\nHost: shop\r\n",
    "a star": b"GET * HTTP/1.1\r\nHost: shop\r\n",
    "CONNECT": b"CONNECT shop:1 HTTP/1.1\r\nHost: shop:1\r\n",
    "CONNECT of a path": b"CONNECT / HTTP/1.1\r\nHost: shop\r\n",
    "a bare LF in the line": b"GET /\nX: HTTP/1.1\r\nHost: shop\r\n",
    "a response": b"HTTP/1.1 200 OK\r\nHost: shop\r\n",
    "600 fields": REQUEST + b"a: b\r\n" * 600,
    "62 KiB": REQUEST + b"A: " + b"b" * (62 << 10) + b"\r\n",
}

BAD_RESPONSE_HEADS: dict[str, bytes] = {
    **_with(RESPONSE, FRAMING_FIELDS),
    **_with(RESPONSE, MALFORMED_FIELDS),
    "nothing": b"",
    "no line end": RESPONSE[:-2],
    "a blank line": RESPONSE + b"\r\n",
    "two responses": RESPONSE + b"\r\n" + RESPONSE + b"X: EVIL\r\n",
    "a bare LF in the reason": b"HTTP/1.1 200 OK\nX: EVIL\r\n",
    "a control byte in the reason": b"HTTP/1.1 200 O\x01K\r\n",
    "no reason": b"HTTP/1.1 200\r\n",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\n",
    "two digits": b"HTTP/1.1 20 OK\r\n",
    "four digits": b"HTTP/1.1 2000 OK\r\n",
    "status 0": b"HTTP/1.1 000 OK\r\n",
    "a request": REQUEST,
    "600 fields": RESPONSE + b"a: b\r\n" * 600,
    "62 KiB": RESPONSE + b"A: " + b"b" * (62 << 10) + b"\r\n",
}

BAD_TRAILERS: dict[str, bytes] = {
    **_with(b"", FRAMING_FIELDS),
    **_with(b"", MALFORMED_FIELDS),
    **_with(
        b"A: b\r\n",
        (
            *(b"Host: evil", b"Authorization: x", b"Cookie: x", b"Set-Cookie: x", b"Trailer: A"),
            *(b"Content-Type: x", b"Location: x", b"X-Forwarded-For: 1.1.1.1", b"Via: 1.1 x"),
        ),
    ),
    "no line end": b"A: b",
    "a blank line": b"A: b\r\n\r\n",
    "a last chunk": b"A: b\r\n0\r\n",
    "600 fields": b"a: b\r\n" * 600,
}
