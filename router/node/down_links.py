"""Since when the links that this site dials are down, remembered over restarts."""

from router.link.links import Links
from router.net.ports import Timer, Timers
from router.node.services.ports import Keeper

SAVE_AFTER_S = 1.0  # A link that was just lost is usually up again soon.


class DownLinks:
    """Gives ``links`` the times that ``keeper`` stored, and stores changes."""

    __slots__ = ("_keeper", "_links", "_save", "_stored", "_timers")

    def __init__(self, keeper: Keeper, timers: Timers, links: Links) -> None:
        self._keeper, self._timers, self._links = keeper, timers, links
        now = timers.now()
        self._stored = {name: now - age for name, age in keeper.links_down().items()}
        self._save: Timer | None = None
        links.remember_down(self._stored)

    def changed(self) -> None:
        """The state of a link that this site dials may have changed."""
        if self._save is None:
            self._save = self._timers.call_at(self._timers.now() + SAVE_AFTER_S, self._store)

    def _store(self) -> None:
        self._save = None
        lines = [line for line in self._links.status() if line.direction == "outgoing"]
        up = {line.name for line in lines if line.state in ("up", "draining")}
        down = {line.name: line.since for line in lines if line.name not in up}
        if down != self._stored:
            self._stored, now = down, self._timers.now()
            self._keeper.keep_links_down({name: now - since for name, since in down.items()})
