"""Answers of a balancer: frozen values, which `why` shows unchanged."""

from typing import Literal

import msgspec

from router.balance.deciding.candidates import Verdict
from router.balance.site.spills import SpillReason
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import RateLoad

OverflowReason = Literal["", "full", "above-mark", "sheddable-share", "higher-level", "sends-away"]

Beside = Literal["nobody", "full", "room"]
"""The best that any of the other sites could do."""

Outlook = Literal["waits", "full", "too-long"]
"""The outlook of a request that finds every site full: it may wait for a slot; the queue is full or
not allowed; or so many wait that its time would run out first.
"""


class Asked(msgspec.Struct, frozen=True):
    """The properties of a request that decide where it goes, apart from earlier attempts.

    ``preferred``: the site of its session, None: it has none. ``session``: the key of the session,
    0: none; it selects the router of a site. A ``sheddable`` request leaves out sites that reserve
    their free slots for others.
    """

    preferred: SiteId | None = None
    session: int = 0
    sheddable: bool = False


PLAIN = Asked()
"""Nearly every request."""


class Decision(msgspec.Struct, frozen=True):
    """Where the next request goes.

    ``path`` is the source route for OPEN, the egress last; ``()`` for the local site. ``overflow``:
    a cheaper candidate that the policy could have chosen was passed over because it is full, above
    its mark, reserves its free slots from a sheddable request, or is at a higher level (the first
    of these is the ``overflow_reason``, a metric's label). Never so under `failover`. ``router``:
    the chosen router of a site that has several; else empty. Another router of this site has
    ``local`` false and this ``site``. ``spill_reason``: why another site serves the request; empty:
    this site does.
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
        """The name by which a request remembers an attempt: the router, else the site."""
        return self.router or self.site


class RemoteWait(msgspec.Struct, frozen=True):
    """A full site at whose egress a request may wait. ``overflow``: a cheaper one is full too."""

    site: SiteId
    path: tuple[RouterId, ...]
    overflow: bool = False
    router: RouterId = RouterId("")

    @property
    def place(self) -> str:
        """As in `Decision`."""
        return self.router or self.site


class NoChoice(msgspec.Struct, frozen=True):
    """No site can take the request now. ``waitable``: full, alive remote sites that the policy
    would choose, cheapest first (under `split` those with a weight first).

    Excluded sites, the local one included, are named too: a site that refused for being full is a
    place to wait. ``all-full`` says that there is one to wait for. Routers whose share of the
    capacity is 0 are named only where no other one has slots.
    """

    reason: Literal["no-route", "all-full"]
    waitable: tuple[RemoteWait, ...]
    local_waitable: bool


class CandidateReport(msgspec.Struct, frozen=True):
    """One candidate of a decision, with its verdict.

    ``free`` None: no capacity. ``rate`` None: no rate. ``capacity`` is in slots. ``free`` is what
    the site takes now of requests of this kind, after permits of a rate and slots reserved from
    sheddable requests.

    ``is_learnt``: part of the capacity is learned from latency. ``level``: the figure that `fill`
    compares; None: another rule decides, or this candidate takes nothing now.

    ``in_flight`` counts all requests that run there, more than the capacity where that was lowered
    meanwhile. ``waiting`` counts others, which wait for a slot there; None: not stored.

    ``ejected_s``: the site is ejected, and may have a probe after so many seconds; None: it is not.

    ``reserved``: slots of the capacity that only clients of that site get; ``most_for_one``: the
    most that one neighbor may hold there at once, None: any number. For this site: 0 and None.

    ``refuses``: its router is short of memory and takes nothing new. That counts as full too.

    ``path`` is ``()`` for the local site and for an unreachable one. ``age_s`` is that of
    ``in_flight``; infinite (null in JSON): no figure was reported yet.
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
