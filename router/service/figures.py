"""What other sites and operators are told of a service port, as of one moment."""

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
    """Slots in use of ready targets, how many those are, their stated capacity (None: none)."""

    used: int
    targets_ready: int
    capacity: int | None
    rate: RateLoad | None = None
    is_learnt: bool = False
    """Some of the capacity is: others hear of it as load, and not as what is stated."""
    beyond: int = 0
    """In flight besides: above a lowered capacity, at targets that are down or removed."""
    waiting: int = 0
    """For a slot, here."""
    reserved: int = 0
    """Of the capacity, for clients of this site alone."""
    most_for_one: int | None = None
    """Of the capacity, what one neighbor holds at once; None: any number."""
    refuses: bool = False
    """This router is short of memory, and takes nothing new of any service."""

    @property
    def in_flight(self) -> int:
        """All that is."""
        return self.used + self.beyond

    @property
    def for_others(self) -> int | None:
        """What clients of other sites may have of the capacity; None: none is stated."""
        return None if self.capacity is None else self.capacity - self.reserved


NO_LOAD = Load(0, 0, None)


class Left(msgspec.Struct, frozen=True):
    """Requests that left a service port, by the id of the site, or were refused, by `LegFailure`
    code."""

    by_key: dict[str, int]
    still_open: int = 0
    """What left and is under way still: also requests that are counted only at their end, which
    ``by_key`` lacks."""


class Spills(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that left a service port: because a cheaper site was full, and while no target here
    was ready. ``refused``: requests that no site took, by `LegFailure` code. ``open_to``,
    ``open_for``: those that left and are open still, for any reason, by site and by reason."""

    full: Left = Left({})
    without_target: Left = Left({})
    refused: dict[str, int] = {}
    open_to: dict[SiteId, int] = {}
    open_for: dict[str, int] = {}


class QueueNow(msgspec.Struct, frozen=True):
    """What a request meets that comes now, as every site is full: it waits or is refused.

    ``waiting``: requests that wait; at most ``limit`` may, each for ``wait_s``. ``wake``: the burst
    hook for whose site they may wait so long; None: for none. ``waking_s``: so long it has been
    waking it; None: it would. ``again_s``: it failed, and runs again in so long. ``is_woken``: the
    site answers requests.
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
    "no-answer",  # This and those below: of one that is ready.
    "answers-5xx",
    "no-whole-answer",
]
"""Which kind of sentence an ``error`` of a target is."""


class TargetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One target as ``service status`` shows it. ``error``: why it is not ready, or that it
    is and answers nothing, or 5xx; ``error_kind``: of what kind that is.

    ``ejected``: failed requests took it out, not checks. ``leaving``: nobody binds it any more,
    and it ends what it has in flight. ``since``: when it became ready or ceased to be, in
    monotonic seconds; of one that leaves it says nothing.
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
    """What this router lends of its slots: by neighbor those that its clients hold, and by reason
    how often a client of another site got none of the free ones."""

    borrowers: dict[SiteId, int]
    denied: dict[Denial, int]


class ServiceSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What `service status` and metrics show of one service port, as of one moment.

    ``explanation`` has every candidate site with its figures; the local one is a site of the
    service only if ``has_targets``, ``rate`` is its own. ``declared``: some site declares it.
    ``demand``: see `balance.learning.demand`. ``under_way``: what clients of this site have in
    flight, by site, as of `Service.under_way`. ``lending`` None: clients of other sites get each
    slot.
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
