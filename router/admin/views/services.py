"""Services, their targets and the sites that serve them."""

import msgspec

from router.admin.views.status import ListenerView
from router.model.limits import SHEDDABLE_SHARE


class RateView(msgspec.Struct, frozen=True, kw_only=True):
    """A rate and how it stands. ``state`` calm, over, or sends-away (over, and spilling all).

    ``asked_per_s`` and ``admitted_per_s`` are means over the last ``window_s``, what is asked for
    only since the rate was set. ``free``: how many it would let in at once. Of another site's rate
    some are not known here: None.
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
    hold at once, None: any number. ``note``: which part of it takes no request now, and why, as
    in `why`; empty: none that is known here.
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
    """What is known of a target whose slots are learned; None: nothing yet.

    ``baseline_ms`` is its latency in calm, ``latency_ms`` the last one of a busy time.
    """

    slots: int
    baseline_ms: float | None
    latency_ms: float | None


class TargetView(msgspec.Struct, frozen=True, kw_only=True):
    """One target. ``name`` is its connector's.

    ``error_kind``: not-ready, ejected, drained or leaving; of a ready one no-answer, answers-5xx or
    no-whole-answer; empty: nothing is wrong, or an older router's answer.
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
    error_kind: str = ""


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
    ``requests_total``: requests and connections of this site's clients that ended, also with a
    worker that was killed; ``under_way``: those that a site has now, ``under_way_elsewhere``:
    of them those that another site has. ``spilled_total`` and ``overflow_total`` have some of both.
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
