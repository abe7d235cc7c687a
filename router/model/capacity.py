"""How much a target, or a site, takes: stated by who owns the targets, or learnt."""

from typing import Literal

import msgspec

Spill = Literal["excess", "all"]


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """At most ``per_s`` requests (tcp: connections) a second, measured over ``window_s``.

    Above it requests spill, and it is over once fewer than ``resume_per_s`` have been asked for a
    second, not before ``stay_s`` in that state. 0 < ``resume_per_s`` <= ``per_s``.
    """

    per_s: float
    resume_per_s: float
    window_s: float
    stay_s: float


class SiteCap(msgspec.Struct, frozen=True, kw_only=True):
    """What one site takes of a service, over all its targets: ``slots`` at once, or at a rate.

    ``spill``: beyond it only the excess leaves, or all that is new until the rate has come down.
    """

    slots: int | None = None
    rate: Rate | None = None
    spill: Spill = "excess"


class LendingTerms(msgspec.Struct, frozen=True, kw_only=True):
    """How much of its slots of a service a site lends to clients of other sites.

    ``reserve_for_own``: the share that only clients of this site use. ``max_share``: the largest
    share that one neighbor holds at once. Both are 0 to 1. ``capped_before``: of the slots that
    `SiteCap` gives the whole site, those of its routers before this one.
    """

    reserve_for_own: float = 0.0
    max_share: float = 1.0
    capped_before: int = 0


class TargetTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Capacity terms of one target, as a ledger receives them.

    ``name``: the target's or its connector's. ``capacity``: slots, None: none configured.
    ``auto``: the slots are learned from its latency. ``before``: of the slots that the target has
    for the whole site, those of the site's routers before this one.
    """

    name: str
    capacity: int | None = None
    rate: Rate | None = None
    auto: bool = False
    before: int = 0
