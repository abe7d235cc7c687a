"""Another live router with our identity: what operators see of it."""

from collections.abc import Callable, Sequence
from typing import Final

from router.model import limits
from router.model.ids import SiteId
from router.net.ports import Network

UNTIL_STARTED: Final = "has no links until it is started again"


class DuplicateIdentity:
    """A conflict is shown for a while, or permanently once we have left because of it."""

    __slots__ = ("_heard_at", "_here", "_name", "_network", "_text", "has_left")

    def __init__(self, network: Network, name: str, place: str) -> None:
        """``place``: human-readable location of this process; empty: not known."""
        self._network = network
        self._name = name
        self._here = f" ({place})" if place else ""
        self._text = ""
        self._heard_at = float("-inf")
        self.has_left = False
        """Ours is the younger one: no links until we are restarted."""

    def found(self, site: SiteId, linked_to: Sequence[str], *, withdrawn: bool) -> str:
        """Record that it was seen; returns the text. ``linked_to``: names of its neighbors, as far
        as known. ``withdrawn``: it is our router that leaves."""
        there = f", linked to {' and '.join(linked_to)}," if linked_to else ""
        self._text = (
            f"another router{there} runs with the identity of {self._name} ({site}): "
            "it was restored from a backup, or its state directory was copied"
        )
        if withdrawn:
            self._text += f"; this one{self._here} started later, and {UNTIL_STARTED}"
            self.has_left = True
        self._heard_at = self._network.now()
        return self._text

    def problem(self, utc: Callable[[float], str]) -> str:
        """The present problem; empty: none. Whether the other router still runs is not known, so
        the text has the time of the last sign. ``utc``: ISO 8601 of the network's seconds."""
        if self.has_left:
            return self._text
        if self._network.now() >= self._heard_at + limits.CONFLICT_SHOWN_S:
            return ""
        return f"{self._text}. The last sign of it was at {utc(self._heard_at)}"
