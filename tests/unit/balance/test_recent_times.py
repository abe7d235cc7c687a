"""What requests take usually follows the last ones, not all since the start."""

from router.balance.targets.recent_times import RecentTimes
from router.model.latency import FINE_BOUNDS_S, FINE_BUCKETS
from router.model.limits import USUAL_REQUESTS_MIN


class Service:
    def __init__(self) -> None:
        self.times = RecentTimes()
        self.counts = [0] * FINE_BUCKETS

    def took(self, seconds: float, count: int = USUAL_REQUESTS_MIN) -> None:
        self.counts[FINE_BOUNDS_S.index(seconds)] += count

    def look(self) -> float | None:
        self.times.look(self.counts)
        return self.usual()

    def usual(self) -> float | None:
        return self.times.quantile(self.counts, 0.9)


def test_nothing_is_usual_before_a_request_has_ended() -> None:
    service = Service()
    assert service.look() is None
    service.took(0.1, 1)
    assert service.usual() == 0.1


def test_slow_requests_are_forgotten_after_two_looks() -> None:
    service = Service()
    service.took(5.0, 50 * USUAL_REQUESTS_MIN)
    assert service.look() == 5.0
    service.took(0.1)
    assert service.usual() == 5.0
    assert service.look() == 0.1


def test_the_last_requests_count_however_long_ago_they_ended() -> None:
    service = Service()
    service.took(5.0)
    service.look()
    service.took(0.1)
    for _ in range(100):
        assert service.look() == 0.1
    service.took(0.1, USUAL_REQUESTS_MIN - 1)
    assert service.look() == 0.1
