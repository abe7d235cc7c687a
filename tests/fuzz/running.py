"""Targets by name, each an endless series of inputs that follows from a seed alone."""

import logging
from collections.abc import Callable
from random import Random

import msgspec

from tests.fuzz import exchange, http, link
from tests.fuzz.mutation import Mutator


class BrokenLawError(Exception):
    """An input broke a law: which series, where in it, and the input if it is known."""

    def __init__(self, name: str, seed: int, number: int, data: bytes | None) -> None:
        shown = "see the cause" if data is None else repr(data)
        super().__init__(f"{name}, input {number} of seed {seed}: {shown}")


class Errors(logging.Handler):
    """Nothing that we read may make us log an error: that would be an exception that our code
    caught.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(self.format(record))


class Kept(Mutator):
    """Remembers the last input, for the report."""

    last: bytes | None = None

    def next(self) -> bytes:
        self.last = super().next()
        return self.last


class Series(msgspec.Struct):
    """The inputs of one target. Each call runs one."""

    name: str
    seed: int
    mutator: Kept
    run: Callable[[Mutator], bytes]
    count: int = 0

    def step(self, errors: Errors) -> None:
        """Run the next input. Raises BrokenLawError."""
        self.count += 1
        self.mutator.last = None
        try:
            self.run(self.mutator)
            assert not errors.seen, errors.seen
        except Exception as error:
            raise BrokenLawError(self.name, self.seed, self.count, self.mutator.last) from error


def _lanes(seed: int) -> Callable[[Mutator], bytes]:
    return link.LaneAttack(Random(f"{seed} lane attack")).run


def series_of(name: str, seed: int) -> Series:
    """The series of a target; the same for the same seed."""
    targets = {
        **http.http_targets(),
        "exchanges": (exchange.fuzz_exchanges, http.request_seeds(), http.TOKENS),
        "frames": (link.fuzz_frames, link.frame_seeds(), link.TOKENS),
        "lanes": (_lanes(seed), link.frame_seeds(), link.TOKENS),
        "control": (link.fuzz_control, link.control_seeds(), link.TOKENS),
        "lsas": (link.fuzz_lsas, link.lsa_seeds(), link.TOKENS),
    }
    run, seeds, tokens = targets[name]
    return Series(name, seed, Kept(Random(f"{seed} {name}"), seeds, tokens), run)


NAMES = (
    "requests",
    "responses",
    "chunks",
    "canonical",
    "exchanges",
    "frames",
    "lanes",
    "control",
    "lsas",
)
