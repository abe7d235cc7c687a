"""Events about errors in the configuration: each finding once."""

from collections.abc import Iterable

from router.model.errors import ConfigError
from router.model.events import Tell
from router.net.ports import Timer, Timers
from router.operate.record.audit_log import told_of


class ConfigNews:
    """Reports each finding that lasts for ``settles_s`` or longer.

    Objects of a cluster change one after the other, and its controllers follow: a workload just
    scaled up has no pod for a moment. A file is wrong at once: ``settles_s`` 0.
    """

    __slots__ = ("_settles_s", "_since", "_standing", "_tell", "_timer", "_timers", "_told")

    def __init__(self, timers: Timers, tell: Tell, settles_s: float) -> None:
        self._timers, self._tell, self._settles_s = timers, tell, settles_s
        self._standing: dict[str, ConfigError] = {}
        self._since: dict[str, float] = {}
        self._told: set[str] = set()
        self._timer: Timer | None = None

    def apply(self, findings: Iterable[ConfigError]) -> None:
        """Take all present findings; those that are gone may be reported again later."""
        now = self._timers.now()
        self._standing = {str(one): one for one in findings}
        self._since = {text: self._since.get(text, now) for text in self._standing}
        self._told &= self._standing.keys()
        self._tell_due()

    def _tell_due(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._timers.now()
        waiting = [text for text in self._standing if text not in self._told]
        for text in waiting:
            if now >= self._since[text] + self._settles_s:
                self._told.add(text)
                one = self._standing[text]
                self._tell(one.severity, one.code, one.source, *told_of(one))
        later = [self._since[text] for text in waiting if text not in self._told]
        if later:
            self._timer = self._timers.call_at(min(later) + self._settles_s, self._tell_due)
