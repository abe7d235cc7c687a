"""The value of a run for its clients. Pure."""

from collections.abc import Mapping

import msgspec

from simulator.outcomes.figures import percentile
from simulator.runs.measure import RunRecord
from simulator.scenarios.scenario import Scenario

_FAILED_MORE, _FASTER, _AS_FAST, _FEWER_BYTES = 0.001, 0.98, 1.02, 0.9


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Score of the clients' requests: the requests that they cause elsewhere count as theirs.

    ``failed``: share that was refused or lost. ``crossings``, ``bytes_away``: for one request and
    its calls, how often another site than the asking one served it, and the size of the answers
    across links.
    """

    failed: float
    mean_ms: float
    p99_ms: float
    crossings: float
    bytes_away: float

    def beats(self, other: "Score") -> bool:
        """Faster for as many, or as fast with fewer bytes between sites."""
        if self.failed > other.failed + _FAILED_MORE:
            return False
        if self.failed < other.failed - _FAILED_MORE or self.mean_ms < _FASTER * other.mean_ms:
            return True
        is_as_fast = self.mean_ms <= _AS_FAST * other.mean_ms
        return is_as_fast and self.bytes_away < _FEWER_BYTES * other.bytes_away


def score_of(scenario: Scenario, record: RunRecord) -> Score:
    """The score of all requests of clients; a run without an answer is worth nothing."""
    bytes_of: Mapping[str, int] = {one.name: one.answer_bytes for one in scenario.services}
    asked = [one for one in record.requests if one.parent is None]
    latencies = sorted(one.latency_s * 1000.0 for one in asked if one.served_by)
    away = [one for one in record.requests if one.served_by not in ("", one.site)]
    count = max(len(asked), 1)
    return Score(
        failed=1.0 - len(latencies) / count,
        mean_ms=round(sum(latencies) / len(latencies), 3) if latencies else 1e9,
        p99_ms=round(percentile(latencies, 0.99) or 1e9, 3),
        crossings=round(len(away) / count, 4),
        bytes_away=round(sum(bytes_of[one.service] for one in away) / count, 1),
    )
