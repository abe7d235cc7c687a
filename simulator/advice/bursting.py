"""The cost of requests that another site served, compared with those that stayed. Pure."""

import msgspec

from simulator.runs.measure import RunRecord, SimulatedRequest


class BurstCost(msgspec.Struct, frozen=True, kw_only=True):
    """Requests for ``service`` of ``site`` that ``there`` served.

    ``home_ms``: mean of those that ``site`` served itself, including waiting; None: it served none.
    ``calls_back``: how many calls of one request there left that site again.
    """

    service: str
    site: str
    there: str
    requests: int
    home_ms: float | None
    there_ms: float
    calls_back: float

    @property
    def costs_ms(self) -> float | None:
        """How much longer a request took there; below 0: bursting saved this much."""
        return None if self.home_ms is None else self.there_ms - self.home_ms


def burst_costs(record: RunRecord) -> list[BurstCost]:
    """Costs by service, site and the site that served."""
    served: dict[tuple[str, str, str], list[SimulatedRequest]] = {}
    left: dict[int, int] = {}
    for one in record.requests:
        if one.served_by:
            served.setdefault((one.service, one.site, one.served_by), []).append(one)
        if one.parent is not None and one.served_by not in ("", one.site):
            left[one.parent.number] = left.get(one.parent.number, 0) + 1
    found = []
    for (service, site, there), requests in sorted(served.items()):
        if site == there:
            continue
        home = served.get((service, site, site), [])
        found.append(
            BurstCost(
                service=service,
                site=site,
                there=there,
                requests=len(requests),
                home_ms=_mean_ms(home) if home else None,
                there_ms=_mean_ms(requests),
                calls_back=round(
                    sum(left.get(one.number, 0) for one in requests) / len(requests), 2
                ),
            )
        )
    return found


def _mean_ms(requests: list[SimulatedRequest]) -> float:
    return round(sum(one.latency_s for one in requests) / len(requests) * 1000.0, 3)
