"""Services, their targets and the sites that serve them."""

import msgspec

from router.admin.views.status import ListenerView
from router.model.limits import SHEDDABLE_SHARE


class RateView(msgspec.Struct, frozen=True, kw_only=True):
    """A rate and its state: calm, over, or sends-away (over, and spilling all).

    ``asked_per_s`` and ``admitted_per_s`` are means over the last ``window_s``, the former only
    since the rate was set. ``free``: how many requests it would admit at once. For another site's
    rate some fields are unknown here: None.
    """

    per_s: float
    resume_per_s: float | None = None
    window_s: float | None = None
    asked_per_s: float | None = None
    admitted_per_s: float | None = None
    free: int | None = None
    state: str = "calm"


class ServiceSite(msgspec.Struct, frozen=True, kw_only=True):
    """One site's part in a service. ``age_s``: how old ``in_flight`` is; 0 for this
    site, if it has one router.

    ``in_flight``: all requests there, more than the capacity if that was lowered meanwhile;
    ``waiting``: further ones that wait for a slot there, 0 if an older router does not report them.
    ``ejected_s``: failed requests ejected the site, and after so many seconds one may be its probe;
    None: not ejected. ``capacity_kind``: concurrency, rate or auto; None: none. ``capacity``: in
    requests at once, also those configured next to a rate; ``in_flight`` counts requests for any
    kind. ``left_out``: the rule that keeps it from serving this site; empty: none. ``reserved``:
    slots of the capacity that only clients of that site get; ``most_for_one``: the most that one
    neighbor may hold at once, None: any number. ``note``: which part of it takes no request now,
    and why, as in `why`; empty: none known here.
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
    """The measurements of a target whose slots are learned; None: nothing yet.

    ``baseline_ms``: its latency in calm, ``latency_ms``: the last one of a busy time.
    """

    slots: int
    baseline_ms: float | None
    latency_ms: float | None


class TargetView(msgspec.Struct, frozen=True, kw_only=True):
    """One target. ``name`` is its connector's.

    ``error_kind``: not-ready, ejected, drained or leaving; for a ready one no-answer, answers-5xx,
    no-whole-answer or, if not every worker uses it, partly-ready; empty: no error, or an older
    router's answer. ``since``: when it became ready, or ceased to be; None: its site does not
    report it, only another worker uses it, or no connector binds the target any more.
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
    error_kind: str = ""


class AffinityView(msgspec.Struct, frozen=True):
    """How requests form a session; ``name`` of the cookie or header field."""

    by: str
    name: str


class PhaseView(msgspec.Struct, frozen=True):
    """A phase of requests that a target served since the router started; None: no request.

    The upper bounds of buckets: half of the requests, or 99 of 100, took at most this long; the
    exact value may be a fifth lower. The highest possible value is 100 s.
    """

    p50_s: float | None
    p99_s: float | None


class TargetCount(msgspec.Struct, frozen=True):
    """The number of targets that connectors of a site name for a service port, and the ready
    ones."""

    total: int = 0
    ready: int = 0


class AbsentSite(msgspec.Struct, frozen=True, kw_only=True):
    """A site that recently offered a service and does not now. As in `WhyCandidate`."""

    site: str
    path_cost: int | None = None
    in_flight: int = 0
    verdict: str
    reason: str


class ServiceView(msgspec.Struct, frozen=True, kw_only=True):
    """`service status`: one port of a service. ``affinity`` None: no sessions.

    ``absent``: sites that offered it in the last ten minutes and do not now. ``local_targets``: of
    this router; ``targets`` may include those of other sites. ``phases``: queue, network and
    target. ``export_to`` and ``import_from``: patterns of sites in this site's own rules; None:
    all. ``spill_at``: the share of its slots from which a site is passed over while another is
    below it. ``max_age_s``: the approximate age at which client connections are asked to end; 0:
    never. ``sheddable`` and ``sheddable_share`` as in `ServiceSpec`. ``takes``: the share of its
    capacity that this site takes; ``reserve_for_own``: the share of its slots for its own clients
    only, ``max_share``: the largest share for one neighbor. ``rebalance`` as in `ServiceSpec`.
    ``rule_sites``: the site id of each name in these patterns; empty: the name is pending and
    matches no site. ``removed``: the service was removed here, and why it is still shown.
    ``requests_total``: requests and connections of this site's clients that ended, also with a
    worker that was killed; ``under_way``: those that have not ended, also if they wait,
    ``under_way_elsewhere``: those at another site. ``spilled_total`` and ``overflow_total`` include
    both ended ones and ones in flight.
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
    under_way: int = 0
    under_way_elsewhere: int = 0
    overflow_total: int
    spilled_total: int = 0  # Served by other sites, for any reason.
    gave_up_total: int = 0  # Their clients left before an answer began: no failure of the service.
    listener: ListenerView
    tls_cert: str  # The listeners' credential; empty: no TLS.
    routing_key: str = ""  # Of Skupper v2, carried by the service; its port is nominal then.
    sites: tuple[ServiceSite, ...]
    absent: tuple[AbsentSite, ...] = ()
    targets: tuple[TargetView, ...]
    local_targets: TargetCount = TargetCount()
    phases: dict[str, PhaseView] = {}
    export_to: tuple[str, ...] | None = None
    import_from: tuple[str, ...] | None = None
    rule_sites: dict[str, str] = {}
