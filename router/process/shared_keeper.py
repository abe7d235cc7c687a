"""What outlives a restart, where all routers of a site remember together who owns which name."""

from collections.abc import Mapping

from router.model.rights.owners import Owner
from router.node.services.ports import Keeper, SharedOwners


class SharedKeeper:
    """Implements `Keeper`: owners are ``shared``, everything else is this router's ``own``."""

    def __init__(self, own: Keeper, shared: SharedOwners) -> None:
        self._own, self._shared = own, shared
        self.keep_epoch = own.keep_epoch
        self.declared_at = own.declared_at
        self.keep_declared = own.keep_declared
        self.keep_learnt = own.keep_learnt
        self.learnt = own.learnt
        self.keep_listeners = own.keep_listeners
        self.listeners = own.listeners
        self.keep_known_offers = own.keep_known_offers
        self.known_offers = own.known_offers
        self.keep_links_down = own.keep_links_down
        self.links_down = own.links_down
        self.rule_pins = own.rule_pins
        self.keep_rule_pins = own.keep_rule_pins

    @property
    def leads(self) -> bool:
        """As the router's own."""
        return self._own.leads

    def keep_owners(self, owners: Mapping[str, Owner]) -> None:
        """Write them down here, and have them written where all routers read them."""
        self._own.keep_owners(owners)
        self._shared.changed()

    def owners(self) -> Mapping[str, Owner]:
        """What all agreed on, and what this router has yet to tell them."""
        return self._shared.begin(self._own.owners())
