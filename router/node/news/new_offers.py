"""Sites that newly have targets of a service that another site declares.

With open sharing offers need no approval. So an event reports each new one, and `status` and `why`
show it for a while. Known and new offers survive a restart.
"""

from collections.abc import Container, Iterator, Sequence

from certs import clocks
from router.model.events import Note, Tell
from router.model.ids import SiteId
from router.model.limits import (
    EVENT_BUDGETS_MAX,
    KNOWN_OFFERS_MAX,
    NEW_OFFER_EVENTS_BURST,
    NEW_OFFER_EVENTS_PER_S,
    NEW_OFFER_NOTES_MAX,
    NEW_OFFER_SHOWN_S,
    NEW_OFFERS_LEARN_S,
)
from router.model.rights.grants import OFFER, granted
from router.model.rights.sharing import OPEN_TO_ALL, SharingRules
from router.model.token_bucket import TokenBuckets
from router.net.ports import Timer, Timers
from router.node.services.ports import Keeper, OfferingSite
from router.routing.declared import Declared
from router.routing.table import RouteTable

MORE_SHOWN = 3  # Of the offers without a separate note.
SAVE_AFTER_S = 1.0  # Tables follow each other closely while a network comes together.
Offer = tuple[str, SiteId]
"""A service, and a site that has targets of it but neither owns nor declares it."""


class NewOffers:
    """Owns the known offers. A router without stored ones learns them in the first moments after
    reaching another site."""

    __slots__ = (
        "_budgets",
        "_counts",
        "_keeper",
        "_known",
        "_learns_until",
        "_most",
        "_new",
        "_of_owners",
        "_save",
        "_tell",
        "_timers",
        "_unvouched",
    )

    def __init__(self, keeper: Keeper, tell: Tell, timers: Timers) -> None:
        self._keeper, self._tell, self._timers = keeper, tell, timers
        kept = keeper.known_offers()
        ages = {
            (service, one.site): one.new_for_s
            for service, offers in (kept or {}).items()
            for one in offers
        }
        self._known: dict[Offer, None] = dict.fromkeys(ages)
        self._learns_until = timers.now() if kept is not None else None
        self._counts: dict[SiteId, int] = {}
        for _, site in self._known:
            self._counts[site] = self._counts.get(site, 0) + 1
        self._most: SiteId | None = None  # The site with the most offers, while known.
        now = timers.now()
        since = [(now - age, offer) for offer, age in ages.items() if age is not None]
        # By offer, since when.
        self._new: dict[Offer, float] = {offer: at for at, offer in sorted(since)}
        self._budgets = TokenBuckets(
            NEW_OFFER_EVENTS_BURST, NEW_OFFER_EVENTS_PER_S, EVENT_BUDGETS_MAX
        )
        self._save: Timer | None = None
        self._unvouched: list[Offer] = []  # Not granted, and not yet taken.
        self._of_owners: frozenset[Offer] = frozenset()
        """From the last table, or the last in which the owner was reached."""

    def table_changed(self, table: RouteTable) -> None:
        """Look for unknown offers. The leading process of the router does so for all."""
        if not self._keeper.leads:
            return
        now = self._timers.now()
        if self._learns_until is None:
            if not _reaches_others(table):
                return
            self._learns_until = now + NEW_OFFERS_LEARN_S
        former = self._of_owners
        lost = (offer for offer in former if not _is_reached(offer[1], table))
        self._of_owners = frozenset((*_offers(table, of_owners=True), *lost))
        for offer in _offers(table):
            if offer in self._known or not self._has_room(offer[1]):
                continue
            self._remember(offer)
            if now >= self._learns_until and offer not in former:
                self._found(offer, table, now)

    def take_unvouched(self) -> list[Offer]:
        """New offers without a grant of the owner; each is returned once."""
        found, self._unvouched = self._unvouched, []
        return found

    def note_of(
        self, service: str, site: SiteId, table: RouteTable, rules: SharingRules = OPEN_TO_ALL
    ) -> str:
        """The note for `why`; empty: the site is not new, or owns or declares the service
        itself."""
        since, declared = self._new.get((service, site)), table.declarations.get(service)
        now = self._timers.now()
        if since is None or declared is None or now >= since + NEW_OFFER_SHOWN_S:
            return ""
        if site in _with_own_right(service, declared, table):
            return ""
        owner = _owner_shown(service, table)
        by = "importFrom" if rules.names_offers_of(service) else "auto"
        by = "granted" if _is_granted(service, site, table) else by
        age = clocks.span(now - since)
        return f"was first seen here to offer {service} of {owner} {age} ago; approved: {by}"

    def notes(
        self, table: RouteTable, used: Container[str], rules: SharingRules = OPEN_TO_ALL
    ) -> list[Note]:
        """One note for each offer that is new and still there, and one for those beyond a number.

        None for services with a rule here that names sites, and none that the owner granted: these
        were chosen. Services that are ``used`` here come first, then those whose owner is known for
        longest: a site that offers many others hides none of these.
        """
        there = set(_offers(table))
        ranks = {name: rank for rank, name in enumerate(table.owners)}
        found = [
            (service not in used, ranks.get(service, len(ranks)), -since, service, site, text)
            for (service, site), since in self._new.items()
            if (service, site) in there
            and not rules.names_offers_of(service)
            and not _is_granted(service, site, table)
            and (text := self.note_of(service, site, table))
        ]
        found.sort()
        notes = [
            _note(f"Site {_shown(site, table)} {text}.", _hint(service, site, table))
            for *_, service, site, text in found[:NEW_OFFER_NOTES_MAX]
        ]
        if beyond := [(service, site) for *_, service, site, _ in found[NEW_OFFER_NOTES_MAX:]]:
            notes.append(_of_more(beyond, table))
        return notes

    def _found(self, offer: Offer, table: RouteTable, now: float) -> None:
        service, site = offer
        self._new[offer] = now
        if not _is_granted(service, site, table):
            self._unvouched.append(offer)
        while len(self._new) > KNOWN_OFFERS_MAX:
            del self._new[next(iter(self._new))]
        if self._budgets.take(site, now):
            owner = _owner_shown(service, table)
            text = f"Site {_shown(site, table)} has targets of {service}, which {owner} declares. "
            told = f"{text}This site knew of none there before."
            self._tell("warning", "offer-new", service, told, _hint(service, site, table))

    def _has_room(self, site: SiteId) -> bool:
        """Whether there is room: the site with most offers gives way to others, and none to it."""
        if len(self._known) < KNOWN_OFFERS_MAX:
            return True
        if self._most is None:
            self._most = max(sorted(self._counts), key=lambda one: self._counts[one])
        most = self._most
        if self._counts.get(site, 0) >= self._counts[most]:
            return False
        del self._known[next(one for one in self._known if one[1] == most)]
        self._counts[most] -= 1
        if not self._counts[most]:
            del self._counts[most]
        self._most = None
        return True

    def _remember(self, offer: Offer) -> None:
        self._known[offer] = None
        self._counts[offer[1]] = self._counts.get(offer[1], 0) + 1
        if self._save is None:
            self._save = self._timers.call_at(self._timers.now() + SAVE_AFTER_S, self._keep)

    def _keep(self) -> None:
        self._save = None
        now = self._timers.now()
        known: dict[str, list[OfferingSite]] = {}
        for service, site in self._known:
            since = self._new.get((service, site))
            age = None if since is None or now >= since + NEW_OFFER_SHOWN_S else now - since
            known.setdefault(service, []).append(OfferingSite(site, age))
        self._keeper.keep_known_offers(known)


def _reaches_others(table: RouteTable) -> bool:
    return any(route.reachable for site, route in table.sites.items() if site != table.site)


def _is_reached(site: SiteId, table: RouteTable) -> bool:
    """True also for a site that is forgotten: it was away for long."""
    route = table.sites.get(site)
    return route is None or route.reachable


def _offers(table: RouteTable, *, of_owners: bool = False) -> Iterator[Offer]:
    """Offers of other sites that we use, for services declared elsewhere; or those ``of_owners``.

    None at a port that the declaration in force here lacks: no request of ours goes there. No offer
    of a service's owner, even where this site declares the service too: the owner was first.
    """
    for key, candidates in table.candidates.items():
        declared = table.declarations.get(key.name)
        if declared is not None:
            own_right = _with_own_right(key.name, declared, table)
            if not of_owners and key.port not in declared.declaration.spec.ports:
                continue
            for one in candidates:
                if (one.site in own_right) == of_owners and not one.barred:
                    yield key.name, one.site


def _with_own_right(service: str, declared: Declared, table: RouteTable) -> tuple[SiteId, ...]:
    """Sites whose offers need no approval: the declaring site, the owners, and this site."""
    owner = table.owners.get(service)
    return (declared.site, table.site, *(owner.sites if owner is not None else ()))


def _is_granted(service: str, site: SiteId, table: RouteTable) -> bool:
    owner = table.owners.get(service)
    return owner is not None and site in granted(owner.grants, OFFER)


def _note(message: str, hint: str) -> Note:
    return Note(severity="warning", code="SW0347", message=message, hint=hint)


def _of_more(offers: Sequence[Offer], table: RouteTable) -> Note:
    """One note on offers without a separate one."""
    shown = [f"{service} at {_shown(site, table)}" for service, site in offers[:MORE_SHOWN]]
    rest = f" and {len(offers) - MORE_SHOWN} more" if len(offers) > MORE_SHOWN else ""
    return _note(
        f"{len(offers)} more offers of services that other sites declare are new: "
        f"{', '.join(shown)}{rest}.",
        "See who has targets of a service: sitectl why SERVICE. To choose from whom it is taken: "
        "sitectl service set SERVICE --import-from SITE",
    )


def _shown(site: SiteId, table: RouteTable) -> str:
    return f"{table.party(site).shown.partition('@')[0]} ({site[:8]})"


def _owners(service: str, table: RouteTable) -> tuple[SiteId, ...]:
    """The owners of the name. A site whose declaration counts here is none if another site owns
    it."""
    owner = table.owners.get(service)
    return owner.sites if owner is not None else (table.declarations[service].site,)


def _owner_shown(service: str, table: RouteTable) -> str:
    return ", ".join(table.party(one).shown for one in _owners(service, table))


def _hint(service: str, site: SiteId, table: RouteTable) -> str:
    owners = _owners(service, table)
    at_owner = "" if table.site in owners else f"at {_owner_shown(service, table)}: "
    offers = table.party(site).shown
    return (
        f"If it is meant, {at_owner}sitectl service grant {service} --site {offers} --offer. "
        f"If it should have none, name the sites that may: sitectl service set {service} "
        "--import-from SITE"
    )
