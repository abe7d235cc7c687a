"""Latency by requests in flight, next to configured capacities: `/api/v1/knees`."""

from collections.abc import Iterator

from router.admin.views.history import KneeView
from router.balance.learning.knees import FACTOR, knee_of, pooled
from router.node.site_router import SiteRouter


def knees(
    router: SiteRouter, service: str | None = None, port: int | None = None
) -> Iterator[KneeView]:
    """The knee of each target, by service port. The caller may let the router go on between two."""
    for key in router.readings.keys:
        if service not in (None, key.name) or port not in (None, key.port):
            continue
        for state, slices in router.readings.latencies_of(key):
            knee = knee_of(slices)
            yield KneeView(
                service=key.name,
                port=key.port,
                target=state.target,
                stated=state.capacity,
                knee=knee.at,
                factor=FACTOR,
                baseline_s=None if knee.baseline_s is None else round(knee.baseline_s, 6),
                levels=tuple(
                    (level.in_flight, round(level.mean_s, 6), level.count)
                    for level in pooled(slices)
                ),
            )
