"""Grants that were withdrawn or have ended: streams under way by them end too, not only new
ones."""

from collections.abc import Callable, Mapping
from itertools import chain
from math import inf
from typing import NamedTuple

from router.model.ids import SiteId
from router.model.rights.grants import CALL, OFFER, ServiceGrant, first_end, granted, in_force
from router.model.rights.owners import Owner
from router.model.rights.sharing import SharingRules, name_any
from router.routing.table import RouteTable

ServiceAt = tuple[str, SiteId]
"""A service and a site."""


class Withdrawn(NamedTuple):
    """``offers``: sites whose targets of a service this site may no longer use. ``calls``: sites
    that may no longer use a service here."""

    offers: frozenset[ServiceAt]
    calls: frozenset[ServiceAt]


class GrantWatch:
    """Remembers which grants counted here; ``unix`` is the wall clock."""

    __slots__ = ("_calls", "_offers", "_owners_offers", "_unix", "_used")

    def __init__(self, unix: Callable[[], float]) -> None:
        self._unix = unix
        self._owners_offers = _OwnersOffers({}, -inf)
        self._offers: frozenset[ServiceAt] = frozenset()
        self._calls: frozenset[ServiceAt] = frozenset()
        # In strict mode: approved, by whatever means.
        self._used: frozenset[ServiceAt] = frozenset()

    def look(self, table: RouteTable, rules: SharingRules) -> Withdrawn:
        """The grants in force at the last call that no longer apply and that no rule replaces.

        In strict mode also offers that a rule or an owner approved, and that are barred now.
        """
        unix = self._unix()
        own = {name: rule.grants for name, rule in rules.services.items() if rule.grants}
        before = self._offers, self._calls, self._used
        if not self._owners_offers.is_of(table.owners, unix):
            self._owners_offers = _OwnersOffers(table.owners, unix)
        self._offers = self._owners_offers.offers | _all(own, OFFER, unix)
        self._calls = _all(own, CALL, unix)
        self._used = _at(table, is_barred=False) if rules.strict else frozenset()
        offers = before[0] - self._offers
        calls = before[1] - self._calls
        barred = before[2] - self._used
        if not offers and not calls and not barred:
            return _NOTHING
        return Withdrawn(
            (offers - _at(table, is_barred=False)) | (barred & _at(table, is_barred=True)),
            frozenset(
                (service, site)
                for service, site in calls
                if not name_any(rules.of(service).export_to, table.party(site))
            ),
        )


_NOTHING = Withdrawn(frozenset(), frozenset())


class _OwnersOffers:
    """Offers that ``owners`` granted and that hold at ``unix``.

    Nearly all tables have the owners of the previous table, and there may be thousands of them.
    """

    __slots__ = ("_from", "_owners", "_until", "offers")

    def __init__(self, owners: Mapping[str, Owner], unix: float) -> None:
        given = {name: owner.grants for name, owner in owners.items() if owner.grants}
        self._owners = owners
        self._from = unix
        self._until = first_end(chain.from_iterable(given.values()), unix) or inf
        self.offers = _all(given, OFFER, unix)

    def is_of(self, owners: Mapping[str, Owner], unix: float) -> bool:
        """Whether the result is the same for ``owners`` at ``unix``; a clock may be set back."""
        return owners is self._owners and self._from <= unix < self._until


def _at(table: RouteTable, *, is_barred: bool) -> frozenset[ServiceAt]:
    return frozenset(
        (key.name, one.site)
        for key, candidates in table.candidates.items()
        for one in candidates
        if bool(one.barred) == is_barred
    )


def _all(
    given: Mapping[str, tuple[ServiceGrant, ...]], verb: str, unix: float
) -> frozenset[ServiceAt]:
    return frozenset(
        (service, site)
        for service, grants in given.items()
        for site in granted(in_force(grants, unix), verb)
    )
