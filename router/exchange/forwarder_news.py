"""Reports of a forwarder on its service ports, for followers."""

from collections.abc import Callable

from router.balance.sites.site_ejection import SiteNews
from router.model.ids import ServiceKey
from router.net.ports import Timers


def _nothing(key: ServiceKey) -> None:
    pass


def _nobody() -> None:
    pass


class ForwarderNews:
    """The news of one `Forwarder`. Each kind has one follower, or none."""

    __slots__ = ("_hear_load", "_hear_sites", "_hear_targets", "_targets_moved", "_timers")

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._hear_load: Callable[[ServiceKey], None] = _nothing
        self._hear_targets: Callable[[], None] = _nobody
        self._hear_sites: Callable[[ServiceKey, SiteNews], None] = lambda *_: None
        self._targets_moved = False  # In this turn.

    def follow_load(self, changed: Callable[[ServiceKey], None]) -> None:
        """Call ``changed`` at the end of a turn in which in-flight or ready targets of a service
        port changed.
        """
        self._hear_load = changed

    def follow_targets(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` at the end of a turn in which ready targets or configured capacity of
        any service port did.
        """
        self._hear_targets = changed

    def follow_sites(self, hear: Callable[[ServiceKey, SiteNews], None]) -> None:
        """Call ``hear`` when a remote site is ejected from a service port, or is back."""
        self._hear_sites = hear

    # Called by services.

    def load_changed(self, key: ServiceKey) -> None:
        """At the end of a turn."""
        self._hear_load(key)

    def targets_changed(self) -> None:
        """At any time."""
        if not self._targets_moved:
            self._targets_moved = True
            self._timers.at_turn_end(self._tell_targets_changed)

    def site_changed(self, key: ServiceKey, news: SiteNews) -> None:
        """A site was ejected, or is back."""
        self._hear_sites(key, news)

    def _tell_targets_changed(self) -> None:
        self._targets_moved = False
        self._hear_targets()
