"""What a site sees of the others' services: what is offered to it, and what it takes. Pure."""

from collections.abc import Mapping

import msgspec

from router.model.adverts import Declaration
from router.model.grants import OFFER, Grant, ceiling, granted, in_force
from router.model.ids import SiteId
from router.model.owners import NOBODY, Owner
from router.model.sharing import OPEN, Party, SharingRules, any_matches, name_any
from router.routing.leaves import EVERYBODY_IS_FREE, Standing


class View(msgspec.Struct, frozen=True):
    """The view of ``party`` with its ``rules``. What it has itself no rule keeps from it.

    ``owners`` of names and their grants say who may offer, at ``unix`` seconds.
    """

    party: Party
    rules: SharingRules = SharingRules()
    standing: Standing = EVERYBODY_IS_FREE
    owners: Mapping[str, Owner] = NOBODY
    unix: float = 0.0

    def may_declare(self, site: SiteId, service: str) -> bool:
        """Whether ``site`` was let in on terms that allow it to."""
        return any_matches(self.standing.of(site).declare, service)

    def may_export(self, site: SiteId, service: str) -> bool:
        """Whether ``site`` was let in on terms that allow it to have targets of ``service``."""
        return any_matches(self.standing.of(site).export, service)

    def is_offered(self, site: SiteId, service: str, export_to: tuple[str, ...] | None) -> bool:
        """Whether what ``site`` offers to ``export_to`` alone is for us."""
        if site == self.party.site:
            return True
        own = self.standing.of(self.party.site)
        return name_any(export_to, self.party) and any_matches(own.import_, service)

    def takes_from(self, party: Party, service: str) -> bool:
        """Whether our own rules let us."""
        return party.site == self.party.site or name_any(self.rules.of(service).import_from, party)

    def why_barred(self, party: Party, service: str) -> str:
        """Why we do not use what ``party`` offers us; empty: we do."""
        if not self.takes_from(party, service):
            return f"importFrom of {self.party.shown} does not name {party.shown} for {service}"
        if not self.rules.strict or self._may_offer(party.site, service):
            return ""
        return f"not-approved: the owner of {service} has not granted {party.shown} to offer it"

    def believed(self, site: SiteId, service: str, capacity: int | None) -> int | None:
        """Slots of ``site``, which says ``capacity``: at most what it was granted."""
        grants = self._grants(service)
        most = ceiling(grants, site) if grants else None
        if most is None:
            return capacity
        return most if capacity is None else min(capacity, most)

    def _may_offer(self, site: SiteId, service: str) -> bool:
        owner = self.owners.get(service)
        is_owner = site == self.party.site or (owner is not None and site in owner.sites)
        return is_owner or site in granted(self._grants(service), OFFER)

    def _grants(self, service: str) -> tuple[Grant, ...]:
        """Of the owner, or of this site: it need not own a name to allow something here."""
        owner = self.owners.get(service)
        told = () if owner is None else owner.grants
        own = self.rules.services.get(service, OPEN).grants
        return in_force((*told, *own), self.unix) if told or own else ()

    def is_told(self, party: Party, declaration: Declaration) -> bool:
        """Whether a declaration of ``party`` counts here."""
        return self.is_offered(
            party.site, declaration.name, declaration.export_to
        ) and self.takes_from(party, declaration.name)
