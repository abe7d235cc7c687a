"""Paths of equal cost share traffic evenly by first hop."""

from collections.abc import Iterable, Sequence
from itertools import chain, islice, zip_longest
from math import lcm

from router.model.ids import RouterId

Path = tuple[RouterId, ...]
"""A source route: the routers after the first, the destination last."""


def in_turn(paths: Sequence[Path]) -> tuple[Path, ...]:
    """One round over ``paths``: first hops take turns, and so do the paths of each first hop.

    At most 36 entries for the 8 paths that are kept.
    """
    if len(paths) < 2:
        return tuple(paths)
    groups = _by_first_hop(paths)
    rounds = lcm(*map(len, groups))
    return tuple(group[turn % len(group)] for turn in range(rounds) for group in groups)


def kept(paths: Iterable[Path], count_max: int) -> tuple[Path, ...]:
    """At most ``count_max`` of ``paths``, sorted: the first paths of each first hop, in turn."""
    in_order = sorted(paths)
    if len(in_order) <= count_max:
        return tuple(in_order)
    taken = chain.from_iterable(zip_longest(*_by_first_hop(in_order)))
    return tuple(sorted(islice((path for path in taken if path is not None), count_max)))


def _by_first_hop(paths: Iterable[Path]) -> list[list[Path]]:
    groups: dict[tuple[RouterId, ...], list[Path]] = {}
    for path in paths:
        groups.setdefault(path[:1], []).append(path)
    return list(groups.values())
