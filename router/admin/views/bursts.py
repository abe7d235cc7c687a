"""Demand and burst hooks of a service."""

import msgspec


class ScaleView(msgspec.Struct, frozen=True, kw_only=True):
    """Figures for an autoscaler: one port of a service at this site.

    ``demand`` = ``in_flight`` here + ``overflowed`` (in flight elsewhere because this site was full
    or had no target) + ``queued`` + ``refused`` (clients that were turned away and still want to be
    served). ``demand_avg``, ``demand_per_s`` and ``refused_per_s`` are means over 4 s.
    ``capacity_per_target`` is in requests at once, or per second for kind rate; without a ready
    target, its last value. ``targets_wanted``: how many targets meet the demand; None: no capacity.
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
    """A figure over the window, with its two marks; ``queueWait`` in seconds, others are shares."""

    name: str
    now: float
    saturated: float
    calm: float


class BurstRun(msgspec.Struct, frozen=True, kw_only=True):
    """A finished run of a hook. ``number`` counts tests, from 1."""

    event: str
    id: str
    at: str
    ok: bool
    text: str
    hint: str
    number: int


class BurstView(msgspec.Struct, frozen=True, kw_only=True):
    """`burst status`: one Burst document.

    ``window_whole``: False until the first whole window; the state is not judged before. ``owed``:
    the event for which the hook must still run, ``again``: when, after a failure. ``next_allowed``:
    the state does not change before this time (cool-down). ``fires_here``: this one of several
    routers runs hooks. ``refusal``: why this kind of hook does not run here.
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
