"""How long a gRPC client waits for its answer: after that it counts the call as DEADLINE_EXCEEDED.

Source: the gRPC over HTTP/2 protocol description, Timeout.
"""

import re
from math import inf
from typing import Final

_LINE: Final = re.compile(rb"\ngrpc-timeout: ([0-9]{1,8})([HMSmun])\r\n")
_UNIT_S: Final = {b"H": 3_600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


def timeout_s(head: bytes) -> float:
    """Seconds from the start of the call; inf: the canonical ``head`` of its request names none."""
    line = _LINE.search(head)
    return int(line[1]) * _UNIT_S[line[2]] if line is not None else inf
