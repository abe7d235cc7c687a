"""Figures of a service port at one moment, for other sites and operators."""

from typing import Literal

import msgspec

from router.balance.deciding.decisions import Explanation, Outlook
from router.balance.learning.capacity_learning import LearntTarget
from router.balance.site.lending import Denial
from router.balance.site.spills import LocalTargets
from router.balance.site.wake_hold import Wake
from router.balance.site_gate import RateState
from router.model.ids import ServiceKey, SiteId
from router.model.messages.adverts import RateLoad
from router.model.specs import ServiceSpec
from router.service.counters import CountersSnapshot


class ListenerState(msgspec.Struct, frozen=True, kw_only=True):
    """One listener as it is. ``port`` is the bound one; ``error`` empty while listening.

    ``hint``: the next step, if it is another than freeing the address.
    """

    key: ServiceKey
    host: str
    port: int
    listening: bool
    error: str
    hint: str = ""


class Load(msgspec.Struct, frozen=True):
    """Slots in use of ready targets, the number of those targets, their configured capacity (None:
    none).
    """

    used: int
    targets_ready: int
    capacity: int | None
    rate: RateLoad | None = None
    is_learnt: bool = False
    """Some of the capacity is learned: other sites get it as load, and not as a signed figure."""
    beyond: int = 0
    """Further requests in flight: above a lowered capacity, at targets that are down or removed."""
    waiting: int = 0
    """Requests that wait here for a slot."""
    reserved: int = 0
    """Slots of the capacity for clients of this site only."""
    most_for_one: int | None = None
    """The most slots of the capacity that one neighbor may hold at once; None: any number."""
    refuses: bool = False
    """This router is short of memory, and takes nothing new of any service."""
    asked_per_s: float | None = None
    """As in `LoadReport`."""

    @property
    def in_flight(self) -> int:
        """All requests in flight."""
        return self.used + self.beyond

    @property
    def for_others(self) -> int | None:
        """The part of the capacity that clients of other sites may have; None: none is
        configured.
        """
        return None if self.capacity is None else self.capacity - self.reserved


NO_LOAD = Load(0, 0, None)


class SpillCount(msgspec.Struct, frozen=True):
    """Requests that spilled from a service port, by the id of the site, or were refused, by
    `LegFailure` code.
    """

    by_key: dict[str, int]
    still_open: int = 0
    """Spilled requests still under way, including those counted only at their end, which ``by_key``
    lacks.
    """


class SpillTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that spilled from a service port: because a cheaper site was full, and while no
    target here was ready. ``refused``: requests that no site took, by `LegFailure` code.
    ``open_to``, ``open_for``: spilled requests that are still open, for any reason, by site and by
    reason.
    """

    full: SpillCount = SpillCount({})
    without_target: SpillCount = SpillCount({})
    refused: dict[str, int] = {}
    open_to: dict[SiteId, int] = {}
    open_for: dict[str, int] = {}


class QueueNow(msgspec.Struct, frozen=True):
    """The queue for a request that arrives now, as every site is full: it waits or is refused.

    ``waiting``: requests that wait; at most ``limit`` may, each for ``wait_s``. ``wake``: the burst
    hook for whose site they may wait so long; None: for none. ``waking_s``: how long the hook has
    been waking it; None: it has not begun. ``again_s``: it failed, and runs again after this time.
    ``is_woken``: the site answers requests.
    """

    outlook: Outlook
    waiting: int
    limit: int
    wait_s: float
    wake: Wake | None = None
    waking_s: float | None = None
    again_s: float | None = None
    is_woken: bool = False


TargetErrorKind = Literal[
    "",  # It is ready, and nothing is wrong with it.
    "not-ready",
    "ejected",
    "drained",
    "leaving",
    "no-answer",  # This and those below: the target is ready.
    "answers-5xx",
    "no-whole-answer",
]
"""The kind of a target's ``error``."""


class TargetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One target as ``service status`` shows it. ``error``: why it is not ready, or that it is
    ready and does not answer, or answers 5xx; ``error_kind``: the kind of that error.

    ``ejected``: failed requests took it out, not checks. ``leaving``: no connector binds it any
    more, and it finishes its requests in flight. ``since``: when it became ready or stopped being
    ready, in monotonic seconds; meaningless for one that is leaving.
    """

    name: str
    host: str
    port: int
    ready: bool
    in_flight: int
    capacity: int | None
    requests_total: int
    error: str
    error_kind: TargetErrorKind = ""
    ejected: bool = False
    leaving: bool = False
    since: float = 0.0
    rate: RateState | None = None
    learnt: LearntTarget | None = None


class LendingFigures(msgspec.Struct, frozen=True):
    """The lending of this router: slots held by the clients of each neighbor, and how often, by
    reason, a client of another site got none of the free slots.
    """

    borrowers: dict[SiteId, int]
    denied: dict[Denial, int]


class ServiceSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One service port at one moment, for `service status` and metrics.

    ``explanation`` has every candidate site with its figures; the local one is a site of the
    service only if ``has_targets``, ``rate`` is its own. ``declared``: some site declares it.
    ``demand``: see `balance.learning.demand`. ``under_way``: requests in flight of clients of this
    site, by site, as in `Service.under_way`. ``lending`` None: clients of other sites may have
    every slot.
    """

    key: ServiceKey
    config: ServiceSpec
    declared: bool
    has_targets: bool
    queued: int
    demand: int
    load: Load
    targets: tuple[TargetInfo, ...]
    explanation: Explanation
    counters: CountersSnapshot
    refused_connections: int
    tls_failures: int
    listener: ListenerState | None
    rate: RateState | None = None
    local_targets: LocalTargets = LocalTargets()
    under_way: dict[SiteId, int] = {}
    lending: LendingFigures | None = None
