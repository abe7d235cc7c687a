"""What the API tells of the last quarter of an hour: `/api/v1/history`, the overflow river."""

import msgspec


class HistorySite(msgspec.Struct, frozen=True, kw_only=True):
    """A site that served some of it, in the order of cost: this site first.

    ``path_cost`` now; None: no path leads there. ``last_cost``: what the path cost last, which
    keeps a site that is gone at its place. ``id`` empty: the sites that a sample had no room for.
    """

    name: str
    id: str
    local: bool
    path_cost: int | None
    last_cost: int | None = None


class HistorySample(msgspec.Struct, frozen=True, kw_only=True):
    """One step. Lists have one figure for each of `ServiceHistory.sites`.

    ``in_flight``: mean over the step of what came in here and was in flight there. ``served``:
    requests that ended in the step and were served there; ``nowhere``: by no site. ``failed``: of
    all of these, answers of 5xx too; ``gave_up``: those whose client left before an answer began;
    ``shed``: sheddable ones that made way for others, none of ``failed``.
    ``overflow``: those of ``served`` that a cheaper site was too full for. ``capacity`` and
    ``capacity_per_s`` of this site's ready targets at the end of the step, None: not configured.
    ``queued`` at its end. ``p50_s`` and ``p99_s`` of the requests that ended, None: none did.
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
    failed: int = 0  # Older routers tell neither.
    gave_up: int = 0
    shed: int = 0


class ServiceHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One service port as clients of a site met it. ``samples`` oldest first, each of ``step_s``.

    ``site`` tells whose clients: this router's own site, or the one that was asked.
    ``partial_until``: the steps up to this one, which it names by its end, are without figures of
    a worker that ended or does not answer; empty: all are whole.
    """

    service: str
    port: int
    protocol: str
    policy: str
    site: str
    step_s: float
    sites: tuple[HistorySite, ...]
    samples: tuple[HistorySample, ...]
    partial_until: str = ""  # Older routers do not tell it.


class KneeView(msgspec.Struct, frozen=True, kw_only=True):
    """Capacity honesty of one target: where its latency bends, beside what was configured.

    ``levels``: mean seconds a request took, by how many were in flight when it began (ascending),
    at any time of the last quarter of an hour. ``knee``: the fewest in flight at which requests
    took at least ``factor`` times as long as those in calm at the same time; None: it was not seen.
    ``baseline_s`` of calm; None: too few requests yet, or the target has not been calm since.
    """

    service: str
    port: int
    target: str
    stated: int | None
    knee: int | None
    factor: float
    baseline_s: float | None
    levels: tuple[tuple[int, float, int], ...]  # In flight, mean seconds, requests.
