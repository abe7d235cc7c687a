"""When to compute: once per burst of changes, later and later under churn (RFC 8405 in spirit)."""

from router.model.limits import (
    SPF_DELAY_MAX_S,
    SPF_DELAY_MIN_S,
    SPF_INTERVAL_S,
    TABLE_BURST_CPU_S,
    TABLE_INTERVAL_PER_ROUTER_S,
    TABLE_REST_FACTOR,
    TABLE_REST_S_MAX,
)


class CpuBudget:
    """Allows `TABLE_BURST_CPU_S` at once, then 1 / ``TABLE_REST_FACTOR`` of a core."""

    __slots__ = ("_paid_at",)

    def __init__(self) -> None:
        self._paid_at = float("-inf")
        """When all spent CPU time is available again."""

    @property
    def ready_at(self) -> float:
        """Earliest start of the next run (monotonic seconds)."""
        return self._paid_at - TABLE_BURST_CPU_S * TABLE_REST_FACTOR

    def spend(self, cost_s: float, now: float) -> None:
        """A run that began at ``now`` took ``cost_s`` of CPU time."""
        most = now + TABLE_BURST_CPU_S * TABLE_REST_FACTOR + TABLE_REST_S_MAX
        self._paid_at = min(max(self._paid_at, now) + cost_s * TABLE_REST_FACTOR, most)


class SpfPace:
    """Delays from `SPF_DELAY_MIN_S`, doubling with each run, back after `SPF_DELAY_MAX_S` without
    changes.

    Paths are computed at most every `SPF_INTERVAL_S`. Changes that need no paths (services, names)
    wait only the shortest delay, but long enough that tables cost little: the more routers, the
    longer. The caller reports the cost of each run (`took`), and expensive runs cause rests: see
    `CpuBudget`. Paths and mere tables have separate budgets, so that services do not delay the loss
    of a path.
    """

    __slots__ = (
        "_at",
        "_delay_s",
        "_last_change_at",
        "_needs_paths",
        "_paths_at",
        "_paths_budget",
        "_spending",
        "_table_at",
        "_tables_budget",
        "runs",
    )

    def __init__(self) -> None:
        self._at: float | None = None
        self._needs_paths = False
        self._delay_s = SPF_DELAY_MIN_S
        self._last_change_at: float | None = None
        self._paths_at = self._table_at = float("-inf")  # When last computed.
        self._paths_budget, self._tables_budget = CpuBudget(), CpuBudget()
        self._spending = self._tables_budget
        self.runs = 0

    @property
    def at(self) -> float | None:
        """When the next run is due; None: nothing changed."""
        return self._at

    @property
    def rested_at(self) -> float:
        """Earliest start of a table without a change, within the CPU budget (monotonic seconds)."""
        return self._tables_budget.ready_at

    @property
    def paths_at(self) -> float:
        """When paths were computed last."""
        return self._paths_at

    @property
    def needs_paths(self) -> bool:
        """Whether that run must compute paths, not only services."""
        return self._needs_paths

    def services_changed(self, routers: int, now: float) -> None:
        """Services changed: plan a run. ``routers``: number of known routers."""
        if self._at is None:
            spaced = self._table_at + routers * TABLE_INTERVAL_PER_ROUTER_S
            self._at = max(now + SPF_DELAY_MIN_S, spaced, self._tables_budget.ready_at)

    def paths_changed(self, now: float) -> None:
        """The graph changed: plan a run with new paths."""
        last, self._last_change_at = self._last_change_at, now
        if self._needs_paths:
            return
        if last is not None and now - last > SPF_DELAY_MAX_S:
            self._delay_s = SPF_DELAY_MIN_S
        self._needs_paths = True
        self._at = max(now + self._delay_s, self._soonest())

    def neighbour_lost(self, now: float) -> bool:
        """An adjacency of this router is lost. True: compute at once."""
        self.paths_changed(now)
        soonest = self._soonest()
        if now >= soonest:
            return True
        self._at = soonest
        return False

    def has_run(self, now: float) -> None:
        """All changes have been computed."""
        self.runs += 1
        self._spending = self._paths_budget if self._needs_paths else self._tables_budget
        if self._needs_paths:
            self._delay_s = min(2 * self._delay_s, SPF_DELAY_MAX_S)
            self._paths_at = now
        self._table_at = now
        self._needs_paths = False
        self._at = None

    def took(self, cost_s: float, now: float) -> None:
        """The last run, with all its consequences, took ``cost_s`` of CPU time."""
        self._spending.spend(cost_s, now)

    def _soonest(self) -> float:
        return max(self._paths_at + SPF_INTERVAL_S, self._paths_budget.ready_at)
