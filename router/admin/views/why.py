"""Where requests go and went, and why."""

import msgspec

from router.admin.views.services import AffinityView, RateView


class WhyDecision(msgspec.Struct, frozen=True):
    """The site of the next request; None: none, ``reason`` says why.

    ``text``: the reason as a clause to print; only for ``all-full`` and ``no-route`` it differs.
    """

    site: str | None
    path: tuple[str, ...]
    reason: str
    text: str = ""


class WhyQueue(msgspec.Struct, frozen=True, kw_only=True):
    """The outlook of the next request while every site that may serve it is full.

    ``outlook``: waits (refused with 503 if no slot is free within ``wait_s``), full (refused:
    ``limit`` requests wait, or none may) or too-long (refused: as many wait as can be served in
    that time). ``held_by``: the burst hook that is waking a site, or would, for which a request may
    wait this long; ``waking_s``: for how long it has been; None: it would. ``again_s``: it failed,
    and runs again after this time. ``woken``: the site that it woke answers, and waiting requests
    proceed. ``declared_at``: the site that alone may change the queue's settings; empty: this one.
    """

    outlook: str
    waiting: int
    limit: int
    wait_s: float
    held_by: str = ""
    waking_s: float | None = None
    again_s: float | None = None
    woken: bool = False
    declared_at: str = ""


class WhyCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """One site in the order considered. ``path`` names the sites after this one.

    ``in_flight`` and ``waiting`` as in `ServiceSite`; waiting None: not stored, with ``--last``.
    ``free``: slots that the request would find; fewer for a sheddable one than for others.
    ``level``: the value that `fill` compares: the path cost, plus, without a configured capacity,
    in flight / ready targets; None: another rule decides, or the site takes nothing now.
    ``ejected_s``: failed requests ejected the site, and after so many seconds a request may be its
    probe; None: not ejected. ``note``: further facts about the site, such as a new offer.
    ``reserved`` and ``most_for_one`` as in `ServiceSite`; 0 and None for this site, whose clients
    get every slot. ``refuses``: its router is short of memory and takes nothing new.
    """

    site: str
    path: tuple[str, ...]
    path_cost: int | None
    targets_ready: int
    capacity: int | None
    in_flight: int
    free: int | None
    age_s: float | None
    verdict: str
    reason: str
    capacity_kind: str | None = None
    rate: RateView | None = None
    waiting: int | None = None
    level: float | None = None
    ejected_s: float | None = None
    note: str = ""
    reserved: int = 0
    most_for_one: int | None = None
    refuses: bool = False


class WhyTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One ready target of this site, from the next request's view.

    ``verdict``: chosen, cold (as good, and more in use), hot (others answer sooner: used while none
    of them has room) or full. ``expected_s``: the expected response time; None: unknown, or full.
    """

    target: str
    name: str
    in_flight: int
    capacity: int | None
    verdict: str
    expected_s: float | None
    reason: str


class WhySession(msgspec.Struct, frozen=True):
    """The session asked about: its ``site`` (None: unknown here), and its ``key`` in hex.

    ``target``: the target of this site for it; None: it goes elsewhere.
    """

    key: str
    site: str | None
    target: str | None


class WhyView(msgspec.Struct, frozen=True, kw_only=True):
    """`why`: the fate of the next request of a service, decided by the production code.

    ``session`` of that request; None: none that is known. ``queue``: for a decision ``all-full``;
    otherwise None. ``left_out``: while no site takes the request, the rules that leave out sites
    with room, in sentences; ``let_in``: the commands that would admit those. ``targets``: of this
    site, if the decision is for it and it chooses among several. ``sheddable``: whether the request
    is. ``protocol``: with tcp the request is a connection. ``closed``: why no client can connect
    here, with the next step in ``hint``; the rest says where a request would go.
    """

    service: str
    port: int
    policy: str
    affinity: AffinityView | None = None
    session: WhySession | None = None
    decision: WhyDecision
    candidates: tuple[WhyCandidate, ...]
    queue: WhyQueue | None = None
    removed: str = ""  # As in `ServiceView`.
    left_out: str = ""
    let_in: str = ""
    targets: tuple[WhyTarget, ...] = ()
    sheddable: bool = False
    routing_key: str = ""  # As in `ServiceView`.
    protocol: str = ""
    closed: str = ""
    hint: str = ""


class PastDecision(msgspec.Struct, frozen=True, kw_only=True):
    """`why --last`: one request, its decision and its outcome.

    ``protocol`` of the service; empty: it is gone. ``site``: the serving one, or, with ``outcome``
    ``under-way``, its present one; None: none.
    ``outcome``: ``ok``, ``under-way`` or why the exchange failed; ``answer``: the status class of a
    whole answer, ``ok`` for tcp. ``waited_s``: in the queue only. ``queue_s``: until its last
    attempt began, or until its end if it ended between attempts; so it includes waits for a path
    and earlier attempts, as the phase ``queue`` does. ``retried_for``: why the second-last attempt
    failed. ``held_by``: the burst hook for whose site it waited longer than for a slot.
    ``departs_for``: why its connection was asked to end before its client ended it, ``age`` or
    ``rebalance``; or the time-out that ended it without traffic, ``tunnel`` or ``half-closed``.
    ``session``: its hash. ``spill_reason``: why this site did not serve it, as ``reason`` of
    `spillway_spilled_total`; empty: it did, or none did. ``candidates`` are as they were at
    ``decided_at``, under ``policy``, with ``further`` costlier ones that are not stored; requests
    that are sent the same way within 2 ms share them. They are empty, and the two None, if the
    request was simply for this site: then ``in_flight`` and ``capacity`` are those of this site,
    without requests that took no slot at a target that was down; None for a site with several
    routers or workers, where the one that decided knew only its own part.
    """

    service: str
    port: int
    at: str
    outcome: str
    site: str | None
    answer: str | None
    reason: str
    overflow_reason: str
    spill_reason: str
    waited_s: float
    total_s: float
    attempts: int
    retried_for: str | None
    departs_for: str | None = None
    held_by: str | None = None
    session: str | None
    policy: str | None
    decided_at: str | None
    in_flight: int | None
    capacity: int | None
    candidates: tuple[WhyCandidate, ...]
    further: int
    routing_key: str = ""  # As in `ServiceView`.
    protocol: str = ""
    queue_s: float = 0.0
