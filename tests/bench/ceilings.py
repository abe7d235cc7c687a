"""How much a request may cost, in counts: more fails a test, so that it is decided, not slipped in.

To lower: ``make bench-counts`` prints what is counted now; write that and a tenth more here. Who
saves does so in the same commit. To raise: the same, and the commit says what the calls
buy. ``python -m tests.bench.counts --functions 'http R'`` lists the calls by function, to compare
before and after. `tests/simulation/test_ceilings.py` and `tests/scenario/test_ceilings.py` hold
them: counts of Python 3.11, of which newer ones need fewer.
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
        calls=136,
        objects=111,
        sends=2.2,
        system_calls=8.9,
        new_calls=203,
        new_objects=175,
        new_system_calls=20,
    ),
    "http R": Ceiling(
        calls=466,
        objects=353,
        sends=2.4,
        system_calls=22.6,
        new_calls=533,
        new_objects=417,
        new_system_calls=35.5,
    ),
    "tcp L": Ceiling(
        calls=17,
        objects=13,
        sends=2.2,
        system_calls=9.6,
        new_calls=172,
        new_objects=132,
        new_system_calls=40,
    ),
    "tcp R": Ceiling(
        calls=97,
        objects=67,
        sends=2.4,
        system_calls=19.4,
        new_calls=501,
        new_objects=374,
        new_system_calls=70,
    ),
}
