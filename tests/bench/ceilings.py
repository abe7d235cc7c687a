"""How much a request may cost, in counts: more fails a test, so that it is decided, not slipped in.

To lower: ``make bench-counts`` prints what is counted now; write that and a tenth more here (for
system calls, where timers have a part, a sixth). Who saves does so in the same commit. To raise:
the same, and the commit says what the calls buy. ``python -m tests.bench.counts --functions
'http R'`` lists the calls by function, to compare before and after.
`tests/simulation/test_ceilings.py` and `tests/scenario/test_ceilings.py` hold them; calls and
objects are those of CPython 3.11.
"""

from typing import Literal

import msgspec

Path_ = Literal["http L", "http R", "tcp L", "tcp R"]
PATHS: tuple[Path_, ...] = ("http L", "http R", "tcp L", "tcp R")


class Ceiling(msgspec.Struct, frozen=True, kw_only=True):
    """Of both routers together, per request on a connection that is kept, or per new connection.

    What is counted is told by `tests.bench.counts` (calls, objects, sends, at 32 connections) and
    `tests.bench.system_calls` (one request at a time).
    """

    calls: int
    objects: int
    sends: float
    system_calls: float
    new_calls: int
    new_objects: int
    new_system_calls: float


CEILINGS: dict[Path_, Ceiling] = {
    "http L": Ceiling(
        calls=44,
        objects=41,
        sends=2.2,
        system_calls=9.4,
        new_calls=94,
        new_objects=95,
        new_system_calls=24,
    ),
    "http R": Ceiling(
        calls=165,
        objects=135,
        sends=2.3,
        system_calls=20,
        new_calls=212,
        new_objects=182,
        new_system_calls=34,
    ),
    "tcp L": Ceiling(
        calls=9,
        objects=8,
        sends=2.2,
        system_calls=9.6,
        new_calls=109,
        new_objects=98,
        new_system_calls=32,
    ),
    "tcp R": Ceiling(
        calls=43,
        objects=34,
        sends=2.3,
        system_calls=20,
        new_calls=310,
        new_objects=264,
        new_system_calls=56,
    ),
}
