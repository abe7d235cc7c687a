"""Which services of other sites a site may use, by both sides' rules. Pure."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from router.model.ids import SiteId
from router.model.messages.adverts import Declaration, RemoteCandidate
from router.model.rights.grants import OFFER, ServiceGrant, ceiling, granted, in_force
from router.model.rights.owners import NOBODY, Owner
from router.model.rights.sharing import OPEN, Party, SharingRules, any_matches, name_any
from router.routing.declared import Declared
from router.routing.site_terms import NO_SITE_HAS_TERMS, SiteTerms


class SharingView(msgspec.Struct, frozen=True):
    """The view of ``party`` with its ``rules``. No rule withholds a site's own targets from it.

    ``owners`` of names and their grants decide who may offer, at ``unix`` seconds. If a name has
    several owners, the one whose declaration counts (``declared``) decides. For a name that this
    site declares, none does: its own declaration counts here, and so do its own grants.
    """

    party: Party
    rules: SharingRules
    standing: SiteTerms = NO_SITE_HAS_TERMS
    owners: Mapping[str, Owner] = NOBODY
    declared: Mapping[str, Declared] = {}
    unix: float = 0.0

    def may_declare(self, site: SiteId, service: str) -> bool:
        """Whether the terms of ``site`` allow it to declare ``service``."""
        return any_matches(self.standing.of(site).declare, service)

    def may_export(self, site: SiteId, service: str) -> bool:
        """Whether the terms of ``site`` allow it to have targets of ``service``."""
        return any_matches(self.standing.of(site).export, service)

    def is_offered(self, site: SiteId, service: str, export_to: tuple[str, ...] | None) -> bool:
        """Whether an offer of ``site`` to the sites of ``export_to`` includes us."""
        if site == self.party.site:
            return True
        own = self.standing.of(self.party.site)
        return name_any(export_to, self.party) and any_matches(own.import_, service)

    def takes_from(self, party: Party, service: str) -> bool:
        """Whether our import rules allow ``party`` for ``service``."""
        return party.site == self.party.site or name_any(self.rules.of(service).import_from, party)

    def why_barred(self, party: Party, service: str) -> str:
        """Why this site does not use an offer of ``party``; empty: it does."""
        if not self.takes_from(party, service):
            return f"importFrom of {self.party.shown} does not name {party.shown} for {service}"
        if not self.rules.strict or self._may_offer(party.site, service):
            return ""
        return f"not-approved: the owner of {service} has not granted {party.shown} to offer it"

    def believed(
        self, service: str, candidates: tuple[RemoteCandidate, ...]
    ) -> tuple[RemoteCandidate, ...]:
        """``candidates`` of one port, with at most as many slots as their sites were granted.

        The routers of one site share its grant: a site can have any number of them.
        """
        grants = self._grants(service)
        found = list(candidates) if grants else []
        for site in dict.fromkeys(grant.site for grant in grants):
            most = None if site == self.party.site else ceiling(grants, site)
            if most is None:
                continue
            places = [at for at, one in enumerate(found) if one.site == site]
            stated = [_slots(found[at]) for at in places]
            for at, slots in zip(places, _shares(most, stated), strict=True):
                found[at] = replace(found[at], capacity=slots)
        return tuple(found) if grants else candidates

    def _may_offer(self, site: SiteId, service: str) -> bool:
        if site == self.party.site or site in self._owner(service)[0]:
            return True
        return site in granted(self._grants(service), OFFER)

    def _owner(self, service: str) -> tuple[tuple[SiteId, ...], tuple[ServiceGrant, ...]]:
        owner, declared = self.owners.get(service), self.declared.get(service)
        return counting_word(self.party.site, owner, declared)

    def _grants(self, service: str) -> tuple[ServiceGrant, ...]:
        """Grants of the owner and of this site: it need not own a name to allow something here."""
        told = self._owner(service)[1]
        own = self.rules.services.get(service, OPEN).grants
        return in_force((*told, *own), self.unix) if told or own else ()

    def is_told(self, party: Party, declaration: Declaration) -> bool:
        """Whether a declaration of ``party`` counts here."""
        return self.is_offered(
            party.site, declaration.name, declaration.export_to
        ) and self.takes_from(party, declaration.name)


def counting_word(
    own: SiteId, owner: Owner | None, declared: Declared | None
) -> tuple[tuple[SiteId, ...], tuple[ServiceGrant, ...]]:
    """The sites besides ``own`` that decide on a service there, and their grants."""
    if owner is None or (declared is not None and declared.site == own):
        return (), ()
    if len(owner.sites) == 1:
        return owner.sites, owner.grants
    if declared is None or declared.site not in owner.sites:
        return (), ()
    return (declared.site,), declared.declaration.grants


def _slots(candidate: RemoteCandidate) -> int | None:
    """Slots of the candidate, 0 if it drains or has no ready target; None: no limit."""
    return 0 if candidate.draining or not candidate.targets_ready else candidate.capacity


def _shares(most: int, stated: Sequence[int | None]) -> list[int]:
    """``most`` in equal parts, none larger than its entry in ``stated``; None: no limit."""
    shares: dict[int, int] = {}
    smallest_first = sorted(
        range(len(stated)), key=lambda at: (stated[at] is None, stated[at] or 0)
    )
    left = most
    for taken, at in enumerate(smallest_first):
        fair, wanted = left // (len(stated) - taken), stated[at]
        shares[at] = fair if wanted is None else min(fair, wanted)
        left -= shares[at]
    return [shares[at] for at in range(len(stated))]
