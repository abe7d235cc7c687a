"""What a balancer answers: frozen values, shown by `why` as they are."""

from typing import Literal

import msgspec

from router.balance.deciding.candidates import Verdict
from router.balance.site.spills import SpillReason
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import RateLoad

OverflowReason = Literal["", "full", "above-mark", "sheddable-share", "higher-level", "sends-away"]

Beside = Literal["nobody", "full", "room"]
"""Of the other sites: the best that one of them could do."""

Outlook = Literal["waits", "full", "too-long"]
"""Of a request that finds every site full: it may wait for a slot; the queue is full, or none may
wait; or so many wait that its time would be up first."""


class Asked(msgspec.Struct, frozen=True):
    """What of a request decides where it goes, whatever was tried.

    ``preferred`` is the site where its session is, None: it has none. ``session``: its key, 0: it
    is of none; it says which router of a site. A ``sheddable`` one leaves out who keeps what is
    free for others.
    """

    preferred: SiteId | None = None
    session: int = 0
    sheddable: bool = False


PLAIN = Asked()
"""Nearly every request."""


class Decision(msgspec.Struct, frozen=True):
    """Where the next request goes.

    ``path`` is the source route for OPEN, the egress last; ``()`` for the local site. ``overflow``:
    a cheaper candidate, to which the policy could have sent it, was passed over because it is full,
    above its mark, keeps its rest from a sheddable request, or is at a higher level (the first of
    these is the ``overflow_reason``, a metric's label). Never so under `failover`.
    ``router``: which one of the site's, where it has several; else empty. Another router of this
    site has ``local`` false and this ``site``. ``spill_reason``: why another site serves it; empty:
    this one does.
    """

    site: SiteId
    local: bool
    path: tuple[RouterId, ...]
    reason: str
    overflow: bool
    overflow_reason: OverflowReason
    router: RouterId = RouterId("")
    spill_reason: SpillReason | Literal[""] = ""

    @property
    def place(self) -> str:
        """What a request remembers an attempt by: the router, else the site."""
        return self.router or self.site


class RemoteWait(msgspec.Struct, frozen=True):
    """A full site at whose egress a request may stand. ``overflow``: a cheaper one is full too."""

    site: SiteId
    path: tuple[RouterId, ...]
    overflow: bool = False
    router: RouterId = RouterId("")

    @property
    def place(self) -> str:
        """As in `Decision`."""
        return self.router or self.site


class NoChoice(msgspec.Struct, frozen=True):
    """Nobody can take it now. ``waitable`` are the full, alive remote sites to which the policy
    would send it, the cheapest first (under `split` those with a weight first).

    They and the local site are named even when excluded: a site that refused for being full is
    where to wait. ``all-full`` says that there is one to wait for.
    """

    reason: Literal["no-route", "all-full"]
    waitable: tuple[RemoteWait, ...]
    local_waitable: bool


class CandidateReport(msgspec.Struct, frozen=True):
    """One candidate of a decision, with its verdict.

    ``free`` None: no capacity. ``rate`` None: no rate.
    ``capacity`` is in slots, ``free`` what it takes now of requests of this kind, permits of a rate
    and what is kept from sheddable ones considered.

    ``is_learnt``: some of the capacity is, from latency. ``level``: what `fill` compares; None:
    another rule decides, or this candidate takes nothing now.

    ``in_flight`` is all that runs there, more than the capacity where that was lowered meanwhile;
    ``waiting`` for a slot there are others. None: that was not kept.

    ``ejected_s``: the site is ejected, and may have a probe after so many seconds; None: it is not.

    ``reserved``: slots of the capacity that only clients of that site get; ``most_for_one``: what
    it lets one neighbor hold at once, None: any number. Of another site; of this one 0 and None.

    ``refuses``: its router is short of memory and takes nothing new. That is called full as well.

    ``path`` is ``()`` for the local site and for an unreachable one. ``age_s`` is that of
    ``in_flight``; infinite (null in JSON): no figure was heard yet.
    """

    site: SiteId
    site_name: str
    path_cost: int
    path: tuple[RouterId, ...]
    targets_ready: int
    capacity: int | None
    in_flight: int
    free: int | None
    age_s: float
    verdict: Verdict
    reason: str
    rate: RateLoad | None = None
    is_learnt: bool = False
    waiting: int | None = None
    level: float | None = None
    ejected_s: float | None = None
    reserved: int = 0
    most_for_one: int | None = None
    refuses: bool = False


class Explanation(msgspec.Struct, frozen=True):
    """A decision and every candidate, in the order considered."""

    policy: str
    decision: Decision | NoChoice
    candidates: tuple[CandidateReport, ...]
