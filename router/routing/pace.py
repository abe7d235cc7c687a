"""When to compute: once per burst of changes, later and later under churn (RFC 8405 in spirit)."""

from router.model.limits import SPF_DELAY_MAX_S, SPF_DELAY_MIN_S


class SpfPace:
    """Delays from `SPF_DELAY_MIN_S`, doubling with each run, back after `SPF_DELAY_MAX_S` quiet.

    Changes that need no new paths (services, names) wait the shortest delay only.
    """

    __slots__ = ("_at", "_delay_s", "_last_change_at", "_needs_paths")

    def __init__(self) -> None:
        self._at: float | None = None
        self._needs_paths = False
        self._delay_s = SPF_DELAY_MIN_S
        self._last_change_at: float | None = None

    @property
    def at(self) -> float | None:
        """When the next run is due; None: nothing changed."""
        return self._at

    @property
    def needs_paths(self) -> bool:
        """Whether that run must compute paths, not only services."""
        return self._needs_paths

    def services_changed(self, now: float) -> None:
        if self._at is None:
            self._at = now + SPF_DELAY_MIN_S

    def paths_changed(self, now: float) -> None:
        last, self._last_change_at = self._last_change_at, now
        if self._needs_paths:
            return
        if last is not None and now - last > SPF_DELAY_MAX_S:
            self._delay_s = SPF_DELAY_MIN_S
        self._needs_paths = True
        self._at = now + self._delay_s

    def has_run(self) -> None:
        """Everything that had changed has been computed."""
        if self._needs_paths:
            self._delay_s = min(2 * self._delay_s, SPF_DELAY_MAX_S)
        self._needs_paths = False
        self._at = None
