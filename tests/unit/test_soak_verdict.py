"""The verdict of `make soak`, on made-up figures."""

import msgspec
import pytest

from tests.scenario.soak_verdict import (
    LOG_BYTES,
    LOG_BYTES_PER_FAULT,
    MIB,
    Resting,
    verdict,
)

START = Resting(resident_bytes=100 * MIB, descriptors=30, tasks=8, in_flight=0, log_bytes=1_000_000)
EVEN = [120 * MIB] * 100


def failed(end: Resting, loaded: list[int] = EVEN, faults: int = 0) -> list[str]:
    """What does not hold."""
    return [check.what for check in verdict("a", START, loaded, end, faults) if not check.holds]


def test_a_router_that_is_as_before_passes() -> None:
    assert failed(START) == []
    assert failed(msgspec.structs.replace(START, resident_bytes=50 * MIB)) == []


@pytest.mark.parametrize(
    ("field", "allowed", "more", "what"),
    [
        ("resident_bytes", 105 * MIB, MIB, "memory after rest"),
        ("descriptors", 32, 1, "descriptors"),
        ("tasks", 8, 1, "tasks"),
        ("in_flight", 0, 1, "slots in use"),
        ("log_bytes", START.log_bytes + LOG_BYTES + 3 * LOG_BYTES_PER_FAULT, 1, "log bytes"),
    ],
)
def test_each_figure_has_a_bound(field: str, allowed: int, more: int, what: str) -> None:
    assert failed(msgspec.structs.replace(START, **{field: allowed}), faults=3) == []
    assert failed(msgspec.structs.replace(START, **{field: allowed + more}), faults=3) == [what]


def test_only_the_second_half_of_the_load_must_be_level() -> None:
    filling = [number * MIB for number in range(50)]
    assert failed(START, filling + [100 * MIB] * 50) == []
    assert failed(START, [100 * MIB] * 50 + [(100 + number) * MIB for number in range(50)]) == [
        "memory, second half"
    ]
    one_peak = [100 * MIB] * 98 + [900 * MIB] + [100 * MIB]
    assert failed(START, one_peak) == []


def test_a_run_too_short_to_judge_does_not_pass() -> None:
    assert failed(START, [100 * MIB] * 3) == ["memory, second half"]
