"""Figures of this site are gathered once for all who ask meanwhile."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from router.admin.views.status import Status
from router.asking.figures_cache import FiguresCache, Gathered, SiteFacts
from router.net.simulated.internet import SimulatedInternet
from router.service.figures import ServiceSnapshot


def test_a_fault_while_figures_are_gathered_costs_those_who_ask_then_and_no_others() -> None:
    faults = [RuntimeError("ours")]

    def snapshots() -> Iterator[ServiceSnapshot]:
        if faults:
            raise faults.pop()
        return iter(())

    facts = SiteFacts(
        status=lambda: cast(Status, None),
        links=tuple,
        service_names=frozenset,
        site_name=str,
        snapshots=lambda: (snapshot for _ in [0] for snapshot in snapshots()),
        histories=cast(Any, None),
    )
    told: list[Gathered] = []
    cache = FiguresCache(SimulatedInternet(1).host("10.0.0.1"), facts)
    with pytest.raises(RuntimeError):
        cache.ask(told.append)
    cache.ask(told.append)
    assert len(told) == 1
