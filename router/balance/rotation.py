"""Smooth weighted round-robin among whoever is tied (the rule nginx made known)."""

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Turning(Protocol):
    """Somebody who can be tied. ``turn`` starts at 0 and belongs to this module."""

    turn: int

    @property
    def weight(self) -> int: ...


TurningT = TypeVar("TurningT", bound=Turning)


def next_in_turn(tied: Sequence[TurningT]) -> TurningT:
    """Whose turn it is, the first of equals; changes nothing. ``tied`` is not empty."""
    best = tied[0]
    if len(tied) == 1:
        return best
    most = best.turn + best.weight
    for one in tied:
        standing = one.turn + one.weight
        if standing > most:
            best, most = one, standing
    return best


def take_turn(tied: Sequence[TurningT]) -> TurningT:
    """Whose turn it is; the turn is taken. Each gets its weight's share, as evenly as can be.

    The set may differ from call to call: the sum of all turns stays 0, so whoever was passed over
    in one set is preferred in the next. Being alone takes no turn.
    """
    best = next_in_turn(tied)
    if len(tied) == 1:
        return best
    total = 0
    for one in tied:
        one.turn += one.weight
        total += one.weight
    best.turn -= total
    return best
