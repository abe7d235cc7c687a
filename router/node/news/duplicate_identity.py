"""Another live router with our identity: what is known of it, for people."""

from collections.abc import Sequence

from router.model import limits
from router.model.ids import SiteId
from router.net.ports import Network


class Twin:
    """A conflict is shown for a while, or for good once we have left because of it."""

    __slots__ = ("_here", "_name", "_network", "_text", "_until", "has_left")

    def __init__(self, network: Network, name: str, place: str) -> None:
        """``place``: where this process runs, for people; empty: not known."""
        self._network = network
        self._name = name
        self._here = f" ({place})" if place else ""
        self._text = ""
        self._until = 0.0
        self.has_left = False
        """Ours is the younger one: no links until we are started anew."""

    def found(self, site: SiteId, linked_to: Sequence[str], *, withdrawn: bool) -> str:
        """It was heard of; what to say. ``linked_to``: names of its neighbours, as far as they are
        known. ``withdrawn``: it is us who leave."""
        there = f", linked to {' and '.join(linked_to)}," if linked_to else ""
        self._text = (
            f"another router{there} runs with the identity of {self._name} ({site}): "
            "it was restored from a backup, or its state directory was copied"
        )
        if withdrawn:
            self._text += f"; this one{self._here} started later and has closed its links"
            self.has_left = True
        self._until = self._network.now() + limits.CONFLICT_SHOWN_S
        return self._text

    @property
    def problem(self) -> str:
        """What is wrong now; empty: nothing."""
        return self._text if self.has_left or self._network.now() < self._until else ""
