"""The last quarter of an hour, for the overflow chart: `/api/v1/history`."""

import msgspec


class HistorySite(msgspec.Struct, frozen=True, kw_only=True):
    """A site that served some of the requests, in the order of cost: this site first.

    ``path_cost``: present; None: no path leads there. ``last_cost``: the last path cost, which
    keeps a site that is gone in its place. ``id`` empty: the sites that a sample had no room for.
    """

    name: str
    id: str
    local: bool
    path_cost: int | None
    last_cost: int | None = None


class HistorySample(msgspec.Struct, frozen=True, kw_only=True):
    """One step. Lists have one figure for each of `ServiceHistory.sites`.

    ``in_flight``: mean over the step of this site's client requests in flight there. ``served``:
    requests that ended in the step and were served there; ``nowhere``: by no site. ``failed``: of
    all of these, including answers of 5xx; ``gave_up``: those whose client left before an answer
    began; ``shed``: sheddable ones that made way for others, not part of ``failed``. ``overflow``:
    those of ``served`` that a cheaper site was too full for. ``capacity`` and ``capacity_per_s`` of
    this site's ready targets at the end of the step, None: not configured. ``queued`` at its end.
    ``p50_s`` and ``p99_s`` of the requests that ended, None: none did.
    """

    at: str
    in_flight: tuple[float, ...]
    served: tuple[int, ...]
    nowhere: int
    overflow: int
    capacity: int | None
    capacity_per_s: float | None
    targets_ready: int
    queued: int
    p50_s: float | None
    p99_s: float | None
    failed: int = 0  # Older routers report neither this nor the next.
    gave_up: int = 0
    shed: int = 0


class ServiceHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One service port, as clients of a site experienced it. ``samples``: oldest first, each of
    ``step_s``.

    ``site``: the clients' site: this router's own, or the one that was asked. ``partial_until``:
    steps up to this one, named by its end, lack figures of a worker that ended or does not answer;
    empty: all are complete.
    """

    service: str
    port: int
    protocol: str
    policy: str
    site: str
    step_s: float
    sites: tuple[HistorySite, ...]
    samples: tuple[HistorySample, ...]
    partial_until: str = ""  # Older routers do not report it.


class KneeView(msgspec.Struct, frozen=True, kw_only=True):
    """Capacity honesty of one target: where its latency bends, next to its configured capacity.

    ``levels``: mean seconds of a request, by the number in flight when it began (ascending), over
    the last quarter of an hour. ``knee``: the fewest in flight at which requests took at least
    ``factor`` times as long as those in calm at the same time; None: none was seen. ``baseline_s``:
    latency in calm; None: too few requests yet, or the target has not been calm since.
    """

    service: str
    port: int
    target: str
    stated: int | None
    knee: int | None
    factor: float
    baseline_s: float | None
    levels: tuple[tuple[int, float, int], ...]  # In flight, mean seconds, requests.
