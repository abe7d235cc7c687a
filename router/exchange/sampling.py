"""Periodic samples: demand, times and latencies of the service ports here."""

from collections.abc import Callable, Collection
from typing import Final

from router.exchange.active_exchanges import ActiveExchanges
from router.model import limits
from router.service.service import Service

IDLE_SAMPLES: Final = limits.DEMAND_WINDOW_S + limits.UNSERVED_S_MAX
"""So many seconds after the last stream, demand is zero, and older samples no longer count."""


class Sampling:
    """Samples of every service port; hardly any work while no client is connected."""

    __slots__ = (
        "_exchanges",
        "_forget",
        "_forgotten_at",
        "_idle_samples",
        "_is_active",
        "_now",
        "_services",
    )

    def __init__(
        self,
        services: Collection[Service],
        exchanges: ActiveExchanges,
        now: Callable[[], float],
        forget: Callable[[], None],
    ) -> None:
        """``services``: live. ``now``: monotonic seconds.

        ``forget``: drop remembered heads, each `limits.HEADS_FORGOTTEN_S`.
        """
        self._services, self._exchanges, self._now, self._forget = services, exchanges, now, forget
        self._forgotten_at = now()
        self._is_active = True  # A client may have come since demand was sampled.
        self._idle_samples = 0

    def sample_demand(self) -> None:
        """Call once a second: sample the demand for every service port."""
        if self._is_active:
            self._idle_samples = 0
            if self._exchanges.is_empty:
                self._is_active = False
                self._exchanges.on_next_activity(self._activity_began)
        if self._idle_samples <= IDLE_SAMPLES:  # Missing samples count as zero.
            self._idle_samples += 1
            for service in self._services:
                service.sample_demand()
        now = self._now()
        if now - self._forgotten_at >= limits.HEADS_FORGOTTEN_S:
            self._forgotten_at = now
            self._forget()

    def _activity_began(self) -> None:
        self._is_active = True

    def sample_latency(self) -> None:
        """Time a few requests of every service port."""
        for service in self._services:
            service.sample_latency()

    def follow_times(self, now: float) -> None:
        """Call each second: record recent durations of requests, each time for some
        service ports.
        """
        turn = int(now) % limits.USUAL_SPAN_S
        for number, service in enumerate(self._services):
            if number % limits.USUAL_SPAN_S == turn and service.own_targets.are_there:
                service.recent_times.look(service.counters.target_times())
