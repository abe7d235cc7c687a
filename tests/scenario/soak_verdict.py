"""What a soak run must show, from samples of one router. Pure: no clock, no process."""

from collections.abc import Sequence
from statistics import median

import msgspec

MIB = 2**20
MEMORY_ENDS_WITHIN = 1.05  # Times its start, after a rest.
MEMORY_RISES_BELOW = 1.10  # From the beginning of the load's second half to its end.
END_SHARE = 5  # A fifth of the second half is its beginning, another its end.
SAMPLES_MIN = 4
DESCRIPTORS_MORE_MAX = 2  # An idle connection to a target, the operator's own.
LOG_BYTES = 64 * 1024  # Of any run,
LOG_BYTES_PER_FAULT = 4 * 1024  # and for each fault: each site reports the link and its return.


class Resting(msgspec.Struct, frozen=True, kw_only=True):
    """One router without load."""

    resident_bytes: int
    descriptors: int
    tasks: int
    in_flight: int
    log_bytes: int


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the verdict."""

    router: str
    what: str
    seen: str
    bound: str
    holds: bool


def verdict(
    router: str, start: Resting, loaded_bytes: Sequence[int], end: Resting, faults: int
) -> list[Check]:
    """All checks of one router. ``loaded_bytes``: resident, at even distances, under load."""
    grown = end.resident_bytes / start.resident_bytes
    log_bytes, log_max = end.log_bytes - start.log_bytes, LOG_BYTES + faults * LOG_BYTES_PER_FAULT
    return [
        Check(
            router=router,
            what="memory after rest",
            seen=f"{start.resident_bytes / MIB:.1f} -> {end.resident_bytes / MIB:.1f} MiB",
            bound=f"at most {MEMORY_ENDS_WITHIN - 1:+.0%}",
            holds=grown <= MEMORY_ENDS_WITHIN,
        ),
        _of_second_half(router, loaded_bytes),
        _at_most(router, "descriptors", end.descriptors, start.descriptors + DESCRIPTORS_MORE_MAX),
        _at_most(router, "tasks", end.tasks, start.tasks),
        _at_most(router, "slots in use", end.in_flight, 0),
        _at_most(router, "log bytes", log_bytes, log_max),
    ]


def _of_second_half(router: str, loaded_bytes: Sequence[int]) -> Check:
    half = loaded_bytes[len(loaded_bytes) // 2 :]
    size = len(half) // END_SHARE
    if size < 1 or len(loaded_bytes) < SAMPLES_MIN:
        seen, holds = "too few samples", False
    else:
        begins, ends = median(half[:size]), median(half[-size:])
        seen = f"{begins / MIB:.1f} -> {ends / MIB:.1f} MiB"
        holds = ends < begins * MEMORY_RISES_BELOW
    return Check(
        router=router,
        what="memory, second half",
        seen=seen,
        bound=f"below {MEMORY_RISES_BELOW - 1:+.0%}",
        holds=holds,
    )


def _at_most(router: str, what: str, seen: int, most: int) -> Check:
    return Check(
        router=router, what=what, seen=str(seen), bound=f"at most {most}", holds=seen <= most
    )
