"""How much requests and idle routers may cost, in counts: more fails a test, and so is decided.

To lower: ``make bench WHAT=counts`` prints the present counts; write them here, with a twenty-fifth
more of bytecode, a twentieth of calls, a tenth of objects and sends, a sixth of system calls, where
timers have a part: those in brackets, which leave out waiting. Lower the ceiling in the commit that
saves. To raise: the same, and the commit says what the bytecode buys.
``python -m tests.bench.counts --functions 'http R'`` lists bytecode and calls by function, to
compare before and after. Time follows bytecode: a call saved by a copy in place saves none of it.
`tests/simulation/test_ceilings.py` and `tests/scenario/test_ceilings.py` hold them; bytecode, calls
and objects are those of CPython 3.11.
"""

from math import inf
from typing import Literal

import msgspec

Path_ = Literal[
    "http L",
    "http R",
    "tcp L",
    "tcp R",
    "http R x2",
    "http2 L",
    "http2 R",
    "http L unique",
    "http R unique",
]
PATHS: tuple[Path_, ...] = ("http L", "http R", "tcp L", "tcp R")
COUNTED: tuple[Path_, ...] = (
    *PATHS,
    *("http R x2", "http2 L", "http2 R", "http L unique", "http R unique"),
)
"""``PATHS`` and the paths that are counted in virtual time alone. ``x2``: both sites have two
routers. ``unique``: no head of a request or answer comes twice.
"""


ALONE: dict[Path_, int] = {"http L": 2_790, "http R": 5_880, "tcp R": 1_370}
"""Bytecode of a request each 0.2 s, with all that follows of it, such as load reports."""

IDLE = 56_700
"""Bytecode of a second without any client, see `counts.counted_idle`."""


class Ceiling(msgspec.Struct, frozen=True, kw_only=True):
    """Of both routers together, per request on a connection that is kept, or per new connection.

    `tests.bench.counts` counts bytecode, calls, objects and sends, with 32 connections;
    `tests.bench.system_calls` the `working` system calls, with one request at a time.
    """

    bytecode: int
    calls: int
    objects: int
    sends: float
    system_calls: float = inf
    new_bytecode: int
    new_calls: int
    new_objects: int
    new_system_calls: float = inf


CALLER_CALLS, CALLER_NEW_CALLS = 4, 7
"""More where callers are named, as they are by default: of a request, and of a new connection from
another host. Three of them count by target. The counts below are without."""

CEILINGS: dict[Path_, Ceiling] = {
    "http L": Ceiling(
        bytecode=1_620,
        calls=34,
        objects=36,
        sends=2.2,
        system_calls=4.8,
        new_bytecode=2_830,
        new_calls=81,
        new_objects=91,
        new_system_calls=14,
    ),
    "http R": Ceiling(
        bytecode=3_610,
        calls=80,
        objects=84,
        sends=2.27,
        system_calls=9.6,
        new_bytecode=4_850,
        new_calls=124,
        new_objects=135,
        new_system_calls=19,
    ),
    "tcp L": Ceiling(
        bytecode=94,
        calls=5,
        objects=5,
        sends=2.2,
        system_calls=4.8,
        new_bytecode=2_280,
        new_calls=80,
        new_objects=85,
        new_system_calls=26,
    ),
    "tcp R": Ceiling(
        bytecode=650,
        calls=22,
        objects=20,
        sends=2.27,
        system_calls=10,
        new_bytecode=6_340,
        new_calls=214,
        new_objects=226,
        new_system_calls=34,
    ),
    "http2 L": Ceiling(
        bytecode=2_930,
        calls=85,
        objects=85,
        sends=0.31,
        new_bytecode=4_500,
        new_calls=178,
        new_objects=161,
    ),
    "http2 R": Ceiling(
        bytecode=4_970,
        calls=131,
        objects=133,
        sends=0.37,
        new_bytecode=6_530,
        new_calls=222,
        new_objects=209,
    ),
    "http R x2": Ceiling(
        bytecode=3_880,
        calls=86,
        objects=90,
        sends=2.27,
        new_bytecode=5_140,
        new_calls=133,
        new_objects=143,
    ),
    "http L unique": Ceiling(
        bytecode=2_070,
        calls=63,
        objects=67,
        sends=2.2,
        new_bytecode=3_270,
        new_calls=109,
        new_objects=122,
    ),
    "http R unique": Ceiling(
        bytecode=4_500,
        calls=135,
        objects=147,
        sends=2.27,
        new_bytecode=5_700,
        new_calls=180,
        new_objects=197,
    ),
}
