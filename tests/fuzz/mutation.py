"""Changing bytes: by bit, by token, by line, and by splicing in another seed."""

from collections.abc import Callable, Sequence
from random import Random

CHANGES_MAX = 4
SINGLES_MAX = 200  # Single bytes of one input.
BYTES_MAX = 4_000  # Of a mutated seed: time goes into many inputs, not into long ones.


class Mutator:
    """Mutated copies of ``seeds``. ``tokens`` are bytes that mean something to the reader."""

    def __init__(self, rng: Random, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> None:
        self.rng = rng
        self._seeds = [seed for seed in seeds if len(seed) <= BYTES_MAX]
        self._tokens = tokens
        self._changes: tuple[Callable[[bytearray], None], ...] = (
            self._flip,
            self._set,
            self._token,
            self._token,
            self._token_over,
            self._remove,
            self._repeat,
            self._splice,
            self._swap_lines,
            self._repeat_line,
            self._cut,
        )

    def seed(self) -> bytes:
        """One of the seeds as it is."""
        return self.rng.choice(self._seeds)

    def next(self) -> bytes:
        """One of the seeds, a few times changed; now and then not at all."""
        return self.mutate(self.seed())[:BYTES_MAX]

    def mutate(self, data: bytes) -> bytes:
        """``data`` a few times changed."""
        text = bytearray(data)
        for _ in range(self.rng.randrange(CHANGES_MAX + 1)):
            self.rng.choice(self._changes)(text)
        return bytes(text)

    def cut(self, data: bytes) -> list[bytes]:
        """``data`` in pieces."""
        rng = self.rng
        if rng.random() < 0.2:
            start = rng.randrange(max(1, len(data) - SINGLES_MAX // 2))
            end = min(len(data), start + SINGLES_MAX)
            singles = [data[at : at + 1] for at in range(start, end)]
            return [data[:start], *singles, data[end:]]
        edges = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(1, 6)))
        return [data[a:b] for a, b in zip([0, *edges], [*edges, len(data)], strict=True)]

    def _at(self, text: bytearray) -> int:
        return self.rng.randrange(len(text) + 1)

    def _flip(self, text: bytearray) -> None:
        if text:
            text[self.rng.randrange(len(text))] ^= 1 << self.rng.randrange(8)

    def _set(self, text: bytearray) -> None:
        if text:
            text[self.rng.randrange(len(text))] = self.rng.randrange(256)

    def _token(self, text: bytearray) -> None:
        at = self._at(text)
        text[at:at] = self.rng.choice(self._tokens)

    def _token_over(self, text: bytearray) -> None:
        at, token = self._at(text), self.rng.choice(self._tokens)
        text[at : at + len(token)] = token

    def _remove(self, text: bytearray) -> None:
        at = self._at(text)
        del text[at : at + self.rng.choice((1, 1, 2, 4, 9, 40))]

    def _repeat(self, text: bytearray) -> None:
        at = self._at(text)
        text[at:at] = text[at : at + self.rng.choice((1, 2, 5, 30, 100))]

    def _splice(self, text: bytearray) -> None:
        other = self.rng.choice(self._seeds)
        start = self.rng.randrange(len(other) + 1)
        text[self._at(text) :] = other[start:]

    def _swap_lines(self, text: bytearray) -> None:
        rows = text.split(b"\r\n")
        if len(rows) > 2:
            a, b = self.rng.randrange(len(rows)), self.rng.randrange(len(rows))
            rows[a], rows[b] = rows[b], rows[a]
            text[:] = b"\r\n".join(rows)

    def _repeat_line(self, text: bytearray) -> None:
        rows = text.split(b"\r\n")
        rows.insert(self.rng.randrange(len(rows)), self.rng.choice(rows))
        text[:] = b"\r\n".join(rows)

    def _cut(self, text: bytearray) -> None:
        del text[self._at(text) :]
