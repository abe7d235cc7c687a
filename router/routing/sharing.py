"""What a site sees of the others' services: what is offered to it, and what it takes. Pure."""

import msgspec

from router.model.adverts import Declaration
from router.model.ids import SiteId
from router.model.sharing import Party, SharingRules, any_matches, name_any
from router.routing.leaves import EVERYBODY_IS_FREE, Standing


class View(msgspec.Struct, frozen=True):
    """The view of ``party`` with its ``rules``. What it has itself no rule keeps from it."""

    party: Party
    rules: SharingRules = SharingRules()
    standing: Standing = EVERYBODY_IS_FREE

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
        if self.takes_from(party, service):
            return ""
        return f"importFrom of {self.party.shown} does not name {party.shown} for {service}"

    def is_told(self, party: Party, declaration: Declaration) -> bool:
        """Whether a declaration of ``party`` counts here."""
        return self.is_offered(
            party.site, declaration.name, declaration.export_to
        ) and self.takes_from(party, declaration.name)
