"""A scenario, as values. Times are seconds from its start."""

from typing import Literal

import msgspec

from router.model import limits
from router.model.bursts import CalmMarks, SaturatedMarks
from router.model.settings import Isolation, Rebalance
from router.model.specs import PolicyName
from simulator.scenarios.bounds import CLIENT_TIMEOUT_S

ServiceTimeKind = Literal["constant", "exponential", "lognormal", "bimodal", "uniform"]
ArrivalKind = Literal["steady", "poisson", "ramp", "flash", "closed", "replay"]
Action = Literal[
    "add-targets",
    "remove-targets",
    "stop-targets",
    "start-targets",
    "kill-router",
    "start-router",
    "set-policy",
    "set-cost",
    "set-capacity",
    "set-service-time",
    "slow-targets",
    "fail-targets",
    "cut-link",
    "restore-link",
    "freeze-site",
    "thaw-site",
]


class ServiceTime(msgspec.Struct, frozen=True, kw_only=True):
    """How long a backend works on a request. ``mean_s`` is the mean of every kind.

    ``sigma`` (lognormal): of the logarithm. ``spread`` (uniform): from mean x (1 - spread) to mean
    x (1 + spread). bimodal: a ``slow_share`` takes ``slow_factor`` times as long as the others.
    """

    kind: ServiceTimeKind = "constant"
    mean_s: float
    sigma: float = 0.5
    spread: float = 0.5
    slow_share: float = 0.1
    slow_factor: float = 10.0


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A link between two sites; the first of ``between`` dials."""

    between: tuple[str, ...]
    cost: int = 1
    rtt_s: float = 0.02


class ServiceCall(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that one request causes: ``count`` to ``service``, at once if ``parallel``."""

    service: str
    count: int = 1
    parallel: bool = False


class RequestClass(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of request: backends work ``work`` times as long on it and on all requests that it
    causes.

    ``calls``: how often it calls a service, in place of the count of the services' ``calls``.
    """

    name: str
    work: float = 1.0
    calls: dict[str, int] = {}


class ScenarioService(msgspec.Struct, frozen=True, kw_only=True):
    """A service, declared at every site.

    ``hold_s``: how much longer than for a slot a request may wait while a burst wakes a site.
    ``calls``: the calls of its backends to other services once they have worked on a request,
    through the router of their site; a slot waits for its calls. ``answer_bytes``: of one answer,
    to count the bytes that cross links; a link has no bandwidth here. ``max_age_s``, its jitter and
    grace, and ``rebalance`` are as in a Service document, and so are ``sheddable`` and its share: a
    request of a class carries ``X-Class: NAME``.
    """

    name: str
    protocol: Literal["http", "tcp"] = "http"
    policy: PolicyName = "fill"
    weights: dict[str, int] = {}
    spill_at: float | None = None
    queue: int | None = None
    queue_wait_s: float = 1.0
    hold_s: float = limits.HOLD_S
    isolation: Isolation = "none"
    max_age_s: float = 0.0
    max_age_jitter: float = limits.MAX_AGE_JITTER
    max_age_grace_s: float = limits.MAX_AGE_GRACE_S
    rebalance: Rebalance = "off"
    sheddable: str = ""
    sheddable_share: float = limits.SHEDDABLE_SHARE
    calls: tuple[ServiceCall, ...] = ()
    answer_bytes: int = 0


class ScenarioTargets(msgspec.Struct, frozen=True, kw_only=True):
    """Equal backends of one service at one site.

    ``slots``: how many requests each really works on at once, more wait in it. ``capacity``: the
    capacity configured at the router (None: none), with the fields that may accompany a rate.
    """

    site: str
    service: str = ""
    count: int = 1
    slots: int | None = None
    capacity: int | str | None = None
    resume: str = ""
    window_s: float | None = None
    stay_s: float | None = None
    service_time: ServiceTime
    asleep: bool = False


class SitePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The limit of one site for a service in all, as in a Policy document."""

    site: str
    service: str = ""
    site_capacity: int | str | None = None
    resume: str = ""
    window_s: float | None = None
    stay_s: float | None = None
    spill: Literal["excess", "all"] = "excess"


class ScenarioBurst(msgspec.Struct, frozen=True, kw_only=True):
    """A burst hook of ``site``, as in a Burst document, and the targets that it wakes.

    ``wake_s`` after a successful run of the hook, the sleeping targets of the service at the site
    ``wakes`` are up. With ``starts`` router its whole router starts then, and must link first. When
    the site is calm again they go at once. The first ``fails`` runs fail.
    """

    site: str
    service: str = ""
    wakes: str
    wake_s: float
    starts: Literal["targets", "router"] = "targets"
    fails: int = 0
    window_s: float = limits.BURST_WINDOW_S
    saturated: SaturatedMarks
    calm: CalmMarks = CalmMarks()
    cool_down_s: float = limits.BURST_COOL_DOWN_S


class Arrivals(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of the clients at one site, from ``from_s`` until ``until_s`` (None: the end).

    steady, poisson: ``rate`` a second. ramp: from ``rate`` to ``to_rate``. flash: ``rate``, but
    ``peak`` between ``peak_from_s`` and ``peak_until_s``. closed: ``clients`` that wait for the
    answer and think for ``think_s``. replay: the instants of the log ``file``, ``speed`` times as
    fast. A client gives up after ``timeout_s``. ``classes``: their weights; empty: no class.
    """

    site: str
    service: str = ""
    kind: ArrivalKind = "poisson"
    rate: float = 0.0
    to_rate: float = 0.0
    peak: float = 0.0
    peak_from_s: float = 0.0
    peak_until_s: float = 0.0
    clients: int = 0
    think_s: float = 0.0
    file: str = ""
    speed: float = 1.0
    from_s: float = 0.0
    until_s: float | None = None
    connections: Literal["keep-alive", "new"] = "new"
    timeout_s: float = CLIENT_TIMEOUT_S
    classes: dict[str, int] = {}
    instants: tuple[float, ...] = ()
    """Of a replay, read from its file."""


class ScenarioEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event at ``at_s``; which fields count depends on ``do``.

    ``factor``: slow-targets work so many times longer from then on, 1: as before. ``share``: of
    requests that fail-targets answer with 500, 0: none any more.
    """

    at_s: float
    do: Action
    site: str = ""
    service: str = ""
    count: int = 1
    policy: PolicyName = "fill"
    weights: dict[str, int] = {}
    between: tuple[str, ...] = ()
    cost: int = 1
    capacity: int | str | None = None
    service_time: ServiceTime | None = None
    factor: float = 1.0
    share: float = 1.0


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """All inputs of a run. The same scenario gives the same outcome."""

    name: str = ""
    seed: int = 1
    duration_s: float
    sites: tuple[str, ...]
    links: tuple[Link, ...] = ()
    services: tuple[ScenarioService, ...]
    classes: tuple[RequestClass, ...] = ()
    targets: tuple[ScenarioTargets, ...] = ()
    policies: tuple[SitePolicy, ...] = ()
    bursts: tuple[ScenarioBurst, ...] = ()
    arrivals: tuple[Arrivals, ...]
    events: tuple[ScenarioEvent, ...] = ()
