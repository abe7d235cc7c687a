"""Capacity of a target or a site: configured by the owner of the targets, or learned."""

from typing import Literal

import msgspec

Spill = Literal["excess", "all"]


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """At most ``per_s`` requests (tcp: connections) a second, measured over ``window_s``.

    Above it requests spill. Spilling ends once demand is below ``resume_per_s``, but not before
    ``stay_s`` have passed. 0 < ``resume_per_s`` <= ``per_s``.
    """

    per_s: float
    resume_per_s: float
    window_s: float
    stay_s: float


class SiteCap(msgspec.Struct, frozen=True, kw_only=True):
    """A site's cap for a service, over all its targets: ``slots`` at once, or a rate.

    ``spill``: above the rate, only the excess goes to other sites, or all new requests until the
    rate has come down.
    """

    slots: int | None = None
    rate: Rate | None = None
    spill: Spill = "excess"


class LendingTerms(msgspec.Struct, frozen=True, kw_only=True):
    """How much of its slots of a service a site lends to clients of other sites.

    ``reserve_for_own``: the share that only clients of this site use. ``max_share``: the largest
    share that one neighbor holds at once. Both are 0 to 1. ``capped_before``: how many of the
    site's `SiteCap` slots belong to its routers before this one.
    """

    reserve_for_own: float = 0.0
    max_share: float = 1.0
    capped_before: int = 0


class TargetTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Capacity terms of one target, as a ledger receives them.

    ``name``: the target's or its connector's. ``capacity``: slots, None: none configured. ``auto``:
    the slots are learned from latency. ``before``: how many of the target's slots for the whole
    site belong to the site's routers before this one.
    """

    name: str
    capacity: int | None = None
    rate: Rate | None = None
    auto: bool = False
    before: int = 0
