"""Smooth weighted round-robin among whoever is tied (the rule nginx made known)."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar


class Turning(Protocol):
    """Somebody who can be tied. ``turn`` starts at 0 and belongs to this module."""

    turn: int

    @property
    def weight(self) -> int: ...


TurningT = TypeVar("TurningT", bound=Turning)


def forget_turns(known: Iterable[Turning]) -> None:
    """Nobody owes or is owed a turn."""
    for one in known:
        one.turn = 0


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

    The set may differ from call to call: whoever was passed over in one set is preferred in the
    next. Being alone takes no turn. Nobody owes or is owed more than one round per member of the
    set, which while set and weights stay nobody comes to: turns of other days starve nobody.
    """
    best = tied[0]
    if len(tied) == 1:
        return best
    total, most, least = 0, best.turn + best.weight - 1, 0
    for one in tied:  # As `next_in_turn`, in one pass: this is on the hot path.
        weight = one.weight
        total += weight
        one.turn = standing = one.turn + weight
        if standing > most:
            best, most = one, standing
        if standing < least:
            least = standing
    bound = total * len(tied)
    if most > bound or least < -bound:
        for one in tied:
            one.turn = max(-bound, min(one.turn, bound))
    best.turn -= total
    return best
