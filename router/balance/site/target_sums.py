"""What the ready targets of a service port have together, but for what is in flight."""

from collections.abc import Collection

import msgspec

from router.balance.targets.target import Target


class TargetSums(msgspec.Struct, frozen=True, kw_only=True):
    """As of the last change of targets, readiness or capacity.

    ``slots``: the sum; None: none of them configures a number, or one has no limit at all, neither
    slots nor a rate, so that together they are never full. ``configured_slots``: the same, but for
    those that have fewer for now, since they start slowly; ``is_starting``: some do.
    ``all_stated``: each configures a number. ``learns``: some of ``slots`` is learnt, and changes
    often: it is nothing to bind others to.
    """

    slots: int | None = None
    configured_slots: int | None = None
    all_stated: bool = True
    is_starting: bool = False
    learns: bool = False


def target_sums(ready: Collection[Target]) -> TargetSums:
    """Of ``ready`` targets."""
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
