"""Smooth weighted round-robin among candidates that tie (the rule nginx made known)."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar


class Turning(Protocol):
    """A candidate that can tie with others. ``turn`` starts at 0 and belongs to this module."""

    turn: int

    @property
    def weight(self) -> int: ...


TurningT = TypeVar("TurningT", bound=Turning)


def forget_turns(known: Iterable[Turning]) -> None:
    """Reset all turns."""
    for one in known:
        one.turn = 0


def next_in_turn(tied: Sequence[TurningT]) -> TurningT:
    """The one whose turn it is, the first of equals; changes nothing. ``tied`` is not empty."""
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
    """The one whose turn it is; takes the turn. Each gets its weight's share, as evenly as
    possible.

    The set may differ from call to call: one that was passed over in one set is preferred in the
    next. Being alone takes no turn. No member owes or is owed more than one round per member of the
    set, which none reaches while set and weights stay the same: old turns starve none.
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
