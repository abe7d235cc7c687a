"""Connections at full rate that end in any way; `make churn` makes a hundred thousand."""

from pathlib import Path

from tests.bench.machine import raise_file_limit
from tests.scenario.churning import churn
from tests.scenario.harness import Network

CONNECTIONS, WARM = 2_000, 1_000


def test_churn_leaves_no_warning_no_descriptor_and_no_memory_behind(tmp_path: Path) -> None:
    raise_file_limit()
    with Network(tmp_path) as net:
        scene = churn(net, CONNECTIONS, 7, warm=WARM, rounds=2)
    assert sum(scene.clients.counts.values()) == CONNECTIONS + WARM
