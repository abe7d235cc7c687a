"""Another worker of a router, as the first one knows it: what a test says of it."""

from router.model.ids import ServiceKey
from router.workers.recent_port_figures import NONE_COUNTED, PortLately, PortTotals


class OtherWorker:
    """`OtherWorkers`, one of them. ``lately`` None: it has nothing under way."""

    def __init__(self) -> None:
        self.totals: dict[ServiceKey, PortTotals] = {}
        self.lately: dict[ServiceKey, PortLately] = {}

    def totals_beside(self, key: ServiceKey) -> list[PortTotals]:
        return [self.totals.get(key, NONE_COUNTED)]

    def each_beside(self, key: ServiceKey) -> list[PortLately | None]:
        return [self.lately.get(key)]

    def awaiting_beside(self) -> set[ServiceKey]:
        return {key for key, one in self.lately.items() if one.awaited or one.awaited_elsewhere}

    def failing_beside(self) -> set[ServiceKey]:
        return {key for key, one in self.totals.items() if one.errors or one.breaks}
