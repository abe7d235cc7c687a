"""Another worker of a router, as the first one knows it: what a test says of it."""

from router.model.ids import ServiceKey
from router.workers.recent_port_figures import NONE_COUNTED, PortLately, PortPart, PortTotals


class OtherWorker:
    """`OtherWorkers`, one of them. ``lately``: of what it has something under way."""

    def __init__(self) -> None:
        self.totals: dict[ServiceKey, PortTotals] = {}
        self.lately: dict[ServiceKey, PortLately] = {}
        self.parts: dict[ServiceKey, PortPart] = {}

    def have(self, lately: PortLately) -> None:
        """It says so."""
        self.lately[lately.key], self.parts[lately.key] = lately, lately.part

    def totals_beside(self, key: ServiceKey) -> list[PortTotals]:
        return [self.totals.get(key, NONE_COUNTED)]

    def each_beside(self, key: ServiceKey) -> list[PortLately | None]:
        return [self.lately.get(key)]

    def full_beside(self, key: ServiceKey) -> list[set[str]]:
        return [self.parts.get(key, PortPart()).full]

    def awaiting_beside(self) -> set[ServiceKey]:
        return {key for key, one in self.lately.items() if one.awaited or one.awaited_elsewhere}

    def failing_beside(self) -> set[ServiceKey]:
        return {key for key, one in self.totals.items() if one.errors or one.breaks}
