"""Another live router with our identity: what is known of it, for people."""

from router.model import limits
from router.model.ids import SiteId
from router.net.ports import Network


class Twin:
    """A conflict is shown for a while, or for good once we have left because of it."""

    __slots__ = ("_name", "_network", "_text", "_until", "has_left")

    def __init__(self, network: Network, name: str) -> None:
        self._network = network
        self._name = name
        self._text = ""
        self._until = 0.0
        self.has_left = False
        """Ours is the younger one: no links until we are started anew."""

    def found(self, site: SiteId, *, withdrawn: bool) -> str:
        """It was heard of; what to say. ``withdrawn``: it is us who leave."""
        self._text = (
            f"another router runs with the identity of {self._name} ({site}): "
            "its state directory was copied"
        )
        if withdrawn:
            self._text += "; this one started later and has closed its links"
            self.has_left = True
        self._until = self._network.now() + limits.CONFLICT_SHOWN_S
        return self._text

    @property
    def problem(self) -> str:
        """What is wrong now; empty: nothing."""
        return self._text if self.has_left or self._network.now() < self._until else ""
