"""Our own answers to requests over HTTP/2, in a form in which a gRPC client sees a status too."""

import random
from urllib.parse import quote

from router.http.http1.grammar import HttpError
from router.http.http1.render import retry_after_s
from router.http.http2.heads import Fields

_UNAVAILABLE, _DEADLINE_EXCEEDED = 14, 4

GRPC_STATUS = {
    408: _DEADLINE_EXCEEDED,
    502: _UNAVAILABLE,
    503: _UNAVAILABLE,
    504: _DEADLINE_EXCEEDED,
}
"""The gRPC status for an HTTP status of ours; others go out as HTTP, and gRPC maps them itself."""


def own_answer(error: HttpError, rng: random.Random, *, grpc: bool) -> tuple[Fields, bytes]:
    """Head and body. ``rng`` spreads the return of clients that found all sites full."""
    fields: Fields
    text = b""
    status = GRPC_STATUS.get(error.status) if grpc else None
    if status is not None:
        fields = [
            (b":status", b"200"),
            (b"content-type", b"application/grpc"),
            (b"grpc-status", b"%d" % status),
            (b"grpc-message", quote(error.sentence, safe=" ;,.-").encode("ascii")),
        ]
    else:
        text = error.sentence.encode("ascii") + b"\n"
        fields = [
            (b":status", b"%d" % error.status),
            (b"content-type", b"text/plain"),
            (b"content-length", b"%d" % len(text)),
        ]
    fields.append((b"spillway-error", error.code.encode("ascii")))
    if error.code in ("all-full", "shed", "overloaded"):
        fields.append((b"retry-after", b"%d" % retry_after_s(error, rng)))
    return fields, text
