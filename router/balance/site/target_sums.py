"""Sums over the ready targets of a service port, except for requests in flight."""

from collections.abc import Collection

import msgspec

from router.balance.targets.target import Target


class TargetSums(msgspec.Struct, frozen=True, kw_only=True):
    """As of the last change of targets, readiness or capacity.

    ``slots``: the sum; None: none of them configures a number, or one has no limit at all, neither
    slots nor a rate, so that together they are never full. ``configured_slots``: the same with all
    slots of targets that have fewer for now, since they start slowly; ``is_starting``: some do.
    ``all_stated``: each configures a number. ``learns``: some of ``slots`` are learned, and change
    often, so others must not be bound to them.
    """

    slots: int | None
    configured_slots: int | None
    all_stated: bool
    is_starting: bool
    learns: bool


def target_sums(ready: Collection[Target]) -> TargetSums:
    """The sums over ``ready`` targets."""
    stated = [one.capacity for one in ready if one.capacity is not None]
    is_limited = bool(stated) and all(
        one.capacity is not None or one.gate is not None for one in ready
    )
    return TargetSums(
        slots=sum(stated) if is_limited else None,
        configured_slots=sum([one.configured or 0 for one in ready]) if is_limited else None,
        all_stated=len(stated) == len(ready),
        is_starting=any(one.starting is not None for one in ready),
        learns=any(one.auto for one in ready),
    )
