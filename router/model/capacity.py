"""How much a target, or a site, takes: stated by who owns the targets, or learnt."""

from typing import Literal

import msgspec

CapacityKind = Literal["concurrency", "rate", "auto"]
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


class TargetTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Capacity terms of one target, as a ledger receives them.

    ``name``: the target's or its connector's. ``capacity``: slots, None: none configured.
    ``auto``: the slots are learned from its latency.
    """

    name: str
    capacity: int | None = None
    rate: Rate | None = None
    auto: bool = False
