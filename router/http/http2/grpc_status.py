"""The meaning of a gRPC status for an answer. By HTTP nearly all answers have status 200."""

import re
from typing import Final

FIELD: Final = b"grpc-status: "
"""A head or trailers without these bytes need no further check."""

_LINE: Final = re.compile(rb"(?:\A|\n)grpc-status: ([0-9]{1,2})\r\n")
_UNKNOWN: Final = 500


class StatusOfGrpc(int):
    """An HTTP status that no target sent, equivalent to one of gRPC."""


_HTTP_STATUS: Final = {
    0: 0,
    1: 499,  # CANCELLED
    3: 400,  # INVALID_ARGUMENT
    4: 504,  # DEADLINE_EXCEEDED
    5: 404,  # NOT_FOUND
    6: 409,  # ALREADY_EXISTS
    7: 403,  # PERMISSION_DENIED
    8: 429,  # RESOURCE_EXHAUSTED
    9: 400,  # FAILED_PRECONDITION
    10: 409,  # ABORTED
    11: 400,  # OUT_OF_RANGE
    12: 501,  # UNIMPLEMENTED
    14: 503,  # UNAVAILABLE
    16: 401,  # UNAUTHENTICATED
}
"""By gRPC status, as google.rpc.Code maps them. Others (UNKNOWN, INTERNAL, DATA_LOSS) are 500."""


def http_status(block: bytes) -> int:
    """The HTTP status equivalent to ``grpc-status`` in a canonical head or in trailers; if it is OK
    or missing, 0."""
    if FIELD not in block:
        return 0
    line = _LINE.search(block)
    return _HTTP_STATUS.get(int(line[1]), _UNKNOWN) if line is not None else 0


def status_of_target(block: bytes) -> int:
    """As `http_status`, but distinct from an HTTP status: a `StatusOfGrpc`, which no encoder
    takes."""
    status = http_status(block)
    return StatusOfGrpc(status) if status else 0
