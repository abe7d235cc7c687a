"""Grants that were withdrawn or ended: what is under way by them ends too, not only what is new."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from router.model.grants import CALL, OFFER, Grant, granted, in_force
from router.model.ids import SiteId
from router.model.sharing import SharingRules, name_any
from router.routing.table import RouteTable

ServiceAt = tuple[str, SiteId]
"""A service and a site."""


class Withdrawn(NamedTuple):
    """``offers``: sites that may have no targets of a service any more, for us. ``calls``: sites
    that may not use one here any more."""

    offers: frozenset[ServiceAt]
    calls: frozenset[ServiceAt]


class GrantWatch:
    """Remembers which grants counted here; ``unix`` is the wall clock."""

    __slots__ = ("_calls", "_offers", "_unix", "_used")

    def __init__(self, unix: Callable[[], float] = time.time) -> None:
        self._unix = unix
        self._offers: frozenset[ServiceAt] = frozenset()
        self._calls: frozenset[ServiceAt] = frozenset()
        self._used: frozenset[ServiceAt] = frozenset()  # In strict mode: approved, by whatever.

    def look(self, table: RouteTable, rules: SharingRules) -> Withdrawn:
        """What was granted when it was called last, and is neither granted nor allowed now.

        In strict mode also what a rule or an owner approved, and is barred now.
        """
        unix = self._unix()
        own = {name: rule.grants for name, rule in rules.services.items() if rule.grants}
        of_owners = {name: owner.grants for name, owner in table.owners.items() if owner.grants}
        before = self._offers, self._calls, self._used
        self._offers = _all(of_owners, OFFER, unix) | _all(own, OFFER, unix)
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


def _at(table: RouteTable, *, is_barred: bool) -> frozenset[ServiceAt]:
    return frozenset(
        (key.name, one.site)
        for key, candidates in table.candidates.items()
        for one in candidates
        if bool(one.barred) == is_barred
    )


def _all(given: Mapping[str, tuple[Grant, ...]], verb: str, unix: float) -> frozenset[ServiceAt]:
    return frozenset(
        (service, site)
        for service, grants in given.items()
        for site in granted(in_force(grants, unix), verb)
    )
