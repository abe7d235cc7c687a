"""What the API shows: frozen snapshots, field for field what `sitectl … -o json` prints.

Times are UTC ISO 8601, ``*_s`` seconds, ids lower-case hex. ``None`` means not known or not
configured.
"""

import msgspec

from router.model.events import Note, Problem
from router.model.limits import SHEDDABLE_SHARE
from router.model.specs import SharingMode


class Console(msgspec.Struct, frozen=True):
    """Where the console is and how one gets in; empty strings: not served.

    ``namespace``: the one that is the site; empty: the site is a directory of a host.
    """

    url: str = ""
    auth: str = ""
    secret: str = ""
    namespace: str = ""


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """One process of a router of several; ``process`` None: it is gone and comes again.

    ``restarts`` since the first one was started. ``silent_since``: the time of its last answer, if
    it has not answered for some seconds.
    """

    index: int
    process: int | None
    ready: bool
    restarts: int
    silent_since: str | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """`status`. ``links``, ``services`` and ``sites`` are counts (sites: those that are reachable,
    this one included). ``sites_known`` also counts sites that were reachable in the last minutes.
    ``links_up`` are the links that carry requests, or could; over ``links_silent`` of them nothing
    was heard for about two seconds, so the router drops them in a second or two.

    ``replicas``: this router and those of its site that it is linked to.
    ``workers``: its processes, the one that answers first; empty: it is one alone.
    ``workers_next``: so many it has from its next start on, as its document says now; None: as many
    as now.
    ``notes``: what is wrong with the wanted state and degrades nothing, a bounded number.
    ``draining``: it stops, so what is under way ends and nothing new begins.
    ``sharing``: strict where what no rule and no grant allows is not allowed.
    """

    name: str
    id: str
    mode: str
    version: str
    ready: bool
    uptime_s: float
    links: int
    services: int
    sites: int
    problems: tuple[Problem, ...]
    links_up: int = 0
    console: Console = Console()
    notes: tuple[Note, ...] = ()
    replicas: int = 1
    workers: tuple[WorkerView, ...] = ()
    workers_next: int | None = None
    sharing: SharingMode = "open"
    draining: bool = False
    links_silent: int = 0
    sites_known: int = 0


class SiteName(msgspec.Struct, frozen=True):
    """A site as people and programs name it."""

    name: str
    id: str


class AllowView(msgspec.Struct, frozen=True, rename={"import_": "import"}):
    """Patterns of services; None: all."""

    declare: tuple[str, ...] | None
    export: tuple[str, ...] | None
    import_: tuple[str, ...] | None


class CaCertificateView(msgspec.Struct, frozen=True):
    """One CA of the site. ``role``: ``issuing``, ``next`` or ``previous``."""

    role: str
    fingerprint: str
    expires: str


class CaWaitView(msgspec.Struct, frozen=True, kw_only=True):
    """A site that a rotation waits for. ``renews``: it is linked now and can take it by itself."""

    site: SiteName
    connected: bool
    renews: bool


class CaView(msgspec.Struct, frozen=True, kw_only=True):
    """`ca status`. ``phase``: ``one`` CA, or of a rotation ``announced`` or ``switched``.

    ``since`` and ``until``: of the phase; it ends sooner when no site is waited for. ``next``: what
    happens then. None: there is no rotation.
    """

    phase: str
    since: str | None
    until: str | None
    next: str
    hurried: bool
    certificates: tuple[CaCertificateView, ...]
    waiting: tuple[CaWaitView, ...]


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """`link status`. ``lanes`` counts data lanes that are up, ``streams`` those open now.

    ``standby``: of an edge's links, one that is up and takes over when the other one goes.
    ``error_code``: ``clock``, the clocks of both ends differ; ``proxy``, the link's proxy refuses;
    else empty. ``endpoint``: where a link that is dialled here is connected; ``via``: its proxy.
    ``certificate``: SHA-256 of what such a link shows, hex. ``allow``: the services that the
    neighbour was let in to declare, export and import; ``held``: those that this site was let in to
    there. None: no terms. ``bytes_in_total``, ``bytes_out_total``: what the link carried since the
    router started, as in `spillway_link_bytes_total`. ``succeeded``: it drains, and the same link
    is up again beside it: no fault, and not counted as a link. ``silent_since``: it is up, and
    nothing was heard over it since then; None: the neighbour is heard.
    """

    name: str
    neighbour: SiteName
    direction: str
    cost: int
    state: str
    since: str
    rtt_ms: float | None
    lanes: int
    streams: int
    error: str
    certificate_expires: str | None
    standby: bool = False
    error_code: str = ""
    allow: AllowView | None = None
    endpoint: str = ""
    certificate: str = ""
    via: str = ""
    held: AllowView | None = None
    bytes_in_total: int = 0
    bytes_out_total: int = 0
    succeeded: bool = False
    silent_since: str | None = None


class ListenerView(msgspec.Struct, frozen=True, kw_only=True):
    """Where clients of a service connect here. ``state``: bound, none or error."""

    host: str
    port: int
    state: str
    error: str


class RateView(msgspec.Struct, frozen=True, kw_only=True):
    """A rate and how it stands. ``state`` calm, over, or sends-away (over, and spilling all).

    ``asked_per_s`` and ``admitted_per_s`` are means over the last ``window_s``; ``free``: how many
    it would let in at once. Of another site's rate some are not known here: None.
    """

    per_s: float
    resume_per_s: float | None = None
    window_s: float | None = None
    asked_per_s: float | None = None
    admitted_per_s: float | None = None
    free: int | None = None
    state: str = "calm"


class ServiceSite(msgspec.Struct, frozen=True, kw_only=True):
    """One site's part in a service. ``age_s``: how old ``in_flight`` is; 0 for this site.

    ``in_flight`` is all that runs there, more than the capacity where that was lowered meanwhile;
    ``waiting`` for a slot there are others, 0 where an older router does not say.

    ``ejected_s``: failed requests ejected the site, and one may be its probe after so many seconds;
    None: they did not.

    ``capacity_kind`` concurrency, rate or auto; None: none. ``capacity`` is in requests at once,
    beside a rate those that are configured too; ``in_flight`` counts requests whatever the kind.
    ``left_out``: the rule by which it may not serve this site; empty: it may. ``reserved``: slots
    of the capacity that only clients of that site get; ``most_for_one``: what it lets one neighbor
    hold at once, None: any number. ``note``: which part of this site takes no request now, and
    why, as in `why`; empty: none.
    """

    site: str
    id: str
    local: bool
    path_cost: int
    targets_ready: int
    capacity: int | None
    capacity_kind: str | None
    in_flight: int
    draining: bool
    age_s: float | None
    rate: RateView | None = None
    waiting: int = 0
    ejected_s: float | None = None
    left_out: str = ""
    reserved: int = 0
    most_for_one: int | None = None
    note: str = ""


class LearntView(msgspec.Struct, frozen=True):
    """What is known of a target whose slots are learnt; None: nothing yet.

    ``baseline_ms`` is its latency in calm, ``latency_ms`` the last one of a busy time.
    """

    slots: int
    baseline_ms: float | None
    latency_ms: float | None


class TargetView(msgspec.Struct, frozen=True, kw_only=True):
    """One target. ``name`` is its connector's.

    ``since``: when it became ready, or ceased to be; None: its site does not say, or no connector
    binds it any more.
    """

    site: str
    name: str
    host: str
    port: int
    ready: bool
    in_flight: int
    capacity: int | None
    requests_total: int
    error: str
    since: str | None = None
    capacity_kind: str | None = None
    rate: RateView | None = None
    learnt: LearntView | None = None


class AffinityView(msgspec.Struct, frozen=True):
    """What makes requests one session; ``name`` of the cookie or header field."""

    by: str
    name: str


class PhaseView(msgspec.Struct, frozen=True):
    """A phase of requests that a target served since the router started; None: no request.

    The upper bounds of buckets: half of the requests, and 99 of 100, took no longer, and up to a
    fifth less. The longest that it can tell is 100 s.
    """

    p50_s: float | None
    p99_s: float | None


class TargetCount(msgspec.Struct, frozen=True):
    """How many targets connectors of a site name for a service port, and how many are ready."""

    total: int = 0
    ready: int = 0


class AbsentSite(msgspec.Struct, frozen=True, kw_only=True):
    """A site that offered a service not long ago and does not now. As in `WhyCandidate`."""

    site: str
    path_cost: int | None = None
    in_flight: int = 0
    verdict: str
    reason: str


class ServiceView(msgspec.Struct, frozen=True, kw_only=True):
    """`service status`: one port of a service. ``affinity`` None: no sessions.

    ``absent``: sites that offered it in the last ten minutes and do not now. ``local_targets``:
    of this router; ``targets`` may have those of other sites too. ``phases``: queue, network and
    target. ``export_to`` and ``import_from``: patterns of sites, of this site's own rules; None:
    all. ``spill_at``: the share of its slots from which a site is passed over while another is
    below it. ``max_age_s``: at that age, more or less, connections of clients are asked to end; 0:
    at none. ``sheddable`` and ``sheddable_share`` as of `ServiceSpec`. ``takes``: the share of its
    capacity that this site takes; ``reserve_for_own``: of its slots only its own clients use that
    share, ``max_share``: one neighbor holds at most that one. ``rebalance`` as of `ServiceSpec`.
    ``rule_sites``: by name the id of the site that it means in them; empty: the name is pending and
    matches no site. ``removed``: it was removed here, and what that still waits for.
    """

    name: str
    port: int
    protocol: str
    policy: str
    spill_at: float | None = None
    reserve_for_own: float = 0.0
    max_share: float = 1.0
    isolation: str = "none"
    max_age_s: float = 0.0
    sheddable: str = ""
    sheddable_share: float = SHEDDABLE_SHARE
    rebalance: str = "off"
    takes: float = 1.0
    removed: str = ""
    affinity: AffinityView | None = None
    queued: int
    demand: int
    requests_total: int
    overflow_total: int
    spilled_total: int = 0  # Served by other sites, whatever the reason.
    gave_up_total: int = 0  # Their clients left before an answer began: no failure of the service.
    listener: ListenerView
    tls_cert: str  # The credential that listeners show, empty: they speak no TLS.
    routing_key: str = ""  # Of Skupper v2, which the service carries; its port is nominal then.
    sites: tuple[ServiceSite, ...]
    absent: tuple[AbsentSite, ...] = ()
    targets: tuple[TargetView, ...]
    local_targets: TargetCount = TargetCount()
    phases: dict[str, PhaseView] = {}
    export_to: tuple[str, ...] | None = None
    import_from: tuple[str, ...] | None = None
    rule_sites: dict[str, str] = {}


class NeighbourCost(msgspec.Struct, frozen=True):
    """An adjacency as its site reports it."""

    site: str
    cost: int


class BarView(msgspec.Struct, frozen=True, kw_only=True):
    """``site`` put another one out, and says so ``until`` then."""

    site: str
    id: str
    until: str


class SiteView(msgspec.Struct, frozen=True, kw_only=True):
    """`network status`: one known site. ``path_cost`` None: not reachable, for this ``reason``.

    ``reason`` is empty when no path is known. ``barred_by``: the sites that put it out;
    ``put_out``: what it declares and offers counts for nothing at this site.
    """

    name: str
    id: str
    path_cost: int | None
    next_hops: tuple[str, ...]
    neighbours: tuple[NeighbourCost, ...]
    services: tuple[str, ...]
    reachable: bool
    version: str
    reason: str = ""
    barred_by: tuple[BarView, ...] = ()
    put_out: bool = False


class WhyDecision(msgspec.Struct, frozen=True):
    """The site that the next request goes to; None: nowhere, ``reason`` says why."""

    site: str | None
    path: tuple[str, ...]
    reason: str


class WhyQueue(msgspec.Struct, frozen=True, kw_only=True):
    """What the next request meets while every site that may serve it is full.

    ``outlook``: waits (refused with 503 if no slot is free within ``wait_s``), full (refused:
    ``limit`` requests wait, or none may) or too-long (refused: as many wait as can be served in
    that time). ``held_by``: the burst hook that wakes a site, or would, for which a request may
    wait so long; ``waking_s``: for how long it has; None: it would. ``again_s``: it failed, and
    runs again in so long. ``woken``: what it woke answers, and those that wait go on.
    """

    outlook: str
    waiting: int
    limit: int
    wait_s: float
    held_by: str = ""
    waking_s: float | None = None
    again_s: float | None = None
    woken: bool = False


class WhyCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """One site in the order considered. ``path`` names the sites after this one.

    ``in_flight`` and ``waiting`` as in `ServiceSite`; waiting None: not kept, with ``--last``.
    ``level``: what `fill` compares, the path cost, without a configured capacity + in flight /
    ready targets; None: another rule decides, or the site takes nothing now. ``ejected_s``: failed
    requests ejected the site, and a request may be its probe after so many seconds; None: they did
    not. ``note``: what else is to be known of the site, such as that its offer is new.
    ``reserved`` and ``most_for_one`` as in `ServiceSite`; of this site, whose clients get each
    slot, 0 and None.
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


class WhyTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One ready target of this site, as it stands to the next request.

    ``verdict``: chosen, cold (as good, and more in use), hot (others answer sooner: used while none
    of them has room) or full. ``expected_s``: how soon it would answer; None: not known, or full.
    """

    target: str
    name: str
    in_flight: int
    capacity: int | None
    verdict: str
    expected_s: float | None
    reason: str


class WhySession(msgspec.Struct, frozen=True):
    """The session asked about: ``site`` where it is (None: not known here), in hex its ``key``.

    ``target`` of this site is the one it would go to; None: it goes elsewhere.
    """

    key: str
    site: str | None
    target: str | None


class WhyView(msgspec.Struct, frozen=True, kw_only=True):
    """`why`: what the next request of a service would meet, decided by the production code.

    ``session``: of which session that request is; None: of none that is known. ``queue``: of a
    decision ``all-full``; else None. ``left_out``: while no site takes the request, the rules that
    leave out sites with room, in sentences; ``let_in``: the commands that would let those in.
    ``targets``: of this site, while the decision is for it and it chooses among several.
    ``sheddable``: the request is. ``closed``: no client can connect here, and why, with the next
    step in ``hint``; the rest says where a request would go.
    """

    service: str
    port: int
    policy: str
    affinity: AffinityView | None = None
    session: WhySession | None = None
    decision: WhyDecision
    candidates: tuple[WhyCandidate, ...]
    queue: WhyQueue | None = None
    removed: str = ""  # As of `ServiceView`.
    left_out: str = ""
    let_in: str = ""
    targets: tuple[WhyTarget, ...] = ()
    sheddable: bool = False
    routing_key: str = ""  # As of `ServiceView`.
    closed: str = ""
    hint: str = ""


class PastDecision(msgspec.Struct, frozen=True, kw_only=True):
    """`why --last`: one request, how it was decided and what came of it.

    ``site``: who served it, while ``outcome`` is ``under-way`` where it is; None: nowhere.
    ``outcome``: ``ok``, ``under-way`` or why the exchange failed; ``answer``: the class of a whole
    answer's status, ``ok`` for tcp. ``waited_s`` in the queue. ``retried_for``: why the attempt
    before the last failed. ``held_by``: the burst hook for whose site it waited longer than for
    a slot. ``departs_for``: why its connection was asked to end before its client
    ended it, ``age`` or ``rebalance``. ``session``: its hash. ``spill_reason``: why this site did
    not serve it, as ``reason`` of `spillway_spilled_total`; empty: it did, or none did.

    ``candidates`` are as they were at ``decided_at``, under ``policy``, with ``further`` costlier
    ones that are not kept. Empty, and the two None, when it was simply for this site: then
    ``in_flight`` and ``capacity`` are those that this site had; None of a site with several routers
    or workers, of which the one that decided knew its own part.
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


class ScaleView(msgspec.Struct, frozen=True, kw_only=True):
    """What an autoscaler goes by: one port of a service at this site.

    ``demand`` = ``in_flight`` here + ``overflowed`` (in flight elsewhere because this site was
    full or had no target) + ``queued`` + ``refused`` (clients that were turned away and still want
    to be served). ``demand_avg``, ``demand_per_s`` and ``refused_per_s`` are means over 4 s.
    ``capacity_per_target`` is in requests at once, of kind rate a second; as it was last when no
    target is ready. ``targets_wanted`` take the demand; None: no capacity.
    """

    service: str
    port: int
    demand: int
    demand_avg: float
    demand_per_s: float
    in_flight: int
    overflowed: int
    queued: int
    refused: int
    refused_per_s: float
    targets_ready: int
    capacity: int | None
    capacity_kind: str | None
    capacity_per_target: float | None
    targets_wanted: int | None


class BurstFigure(msgspec.Struct, frozen=True):
    """A figure over the window and its two marks; ``queueWait`` in seconds, others are shares."""

    name: str
    now: float
    saturated: float
    calm: float


class BurstRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a hook that ended. ``number`` counts tests, from 1."""

    event: str
    id: str
    at: str
    ok: bool
    text: str
    hint: str
    number: int


class BurstView(msgspec.Struct, frozen=True, kw_only=True):
    """`burst status`: one Burst document.

    ``window_whole``: False: it has not been looked at for a whole window, and is not judged yet.
    ``owed``: the event that the hook is still to be run for, ``again`` when after a failure.
    ``next_allowed``: before it the state does not change (cool-down). ``fires_here``: of several
    routers this one runs hooks. ``refusal``: why this kind of hook is not run here.
    """

    name: str
    service: str
    hook: str
    state: str
    since: str | None
    figures: tuple[BurstFigure, ...]
    window_s: float
    window_whole: bool
    requests: int
    demand: float
    next_allowed: str | None
    fires_here: bool
    refusal: str
    running: bool
    owed: str | None
    again: str | None
    last: BurstRun | None
    last_test: BurstRun | None
    runs: dict[str, int]
