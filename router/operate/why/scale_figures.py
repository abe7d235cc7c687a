"""The demand for a service at this site, for an autoscaler."""

from router.admin.views.bursts import ScaleView
from router.balance.learning.demand import Each
from router.model.ids import ports_of
from router.node.site_router import SiteRouter


def scaled(router: SiteRouter, service: str, port: int | None) -> ScaleView | None:
    """The present figures. None: no such service port; ``port`` None: the service's first."""
    key = next(iter(ports_of(router.services, service, port)), None)
    figures = router.readings.scale_of(key) if key is not None else None
    if key is None or figures is None:
        return None
    demand, each = figures.demand, figures.each
    kind, per_target = (None, None) if each is None else _stated(each)
    return ScaleView(
        service=key.name,
        port=key.port,
        demand=demand.demand,
        demand_avg=demand.demand_avg,
        demand_per_s=demand.demand_per_s,
        in_flight=demand.in_flight,
        overflowed=demand.overflowed,
        queued=demand.queued,
        refused=demand.refused,
        refused_per_s=demand.refused_per_s,
        targets_ready=figures.targets_ready,
        capacity=figures.capacity,
        capacity_kind=kind,
        capacity_per_target=per_target,
        targets_wanted=figures.targets_wanted,
    )


def _stated(each: Each) -> tuple[str, float | None]:
    """The kind and the capacity of one target: a rate before slots, as everywhere."""
    if each.learnt:
        return "auto", each.slots
    return ("concurrency", each.slots) if each.per_s is None else ("rate", each.per_s)
