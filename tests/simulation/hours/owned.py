"""Whose declaration of a service counts at each router, by what each could know of it."""

import re
from collections.abc import Iterator, Sequence

from router.admin.endpoints.names import NameView
from tests.simulation.hours.omissions import Said
from tests.simulation.hours.truth import JOINED_S, TOLD_S, Truth


class Owned:
    """The owner of one service's name, as each router knows it for sure: all of them agree."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._owners: dict[str, str] = {}
        """By router: a site that alone declared the service, for so long that the router knows."""

    def sample(self) -> None:
        """Note who is known as the owner now; after the service."""
        truth = self._truth
        alone = self._alone()
        for key in truth.keys:
            owner = self._owners.get(key)
            if owner is not None and not self._keeps(owner):
                del self._owners[key]
            elif owner is None and alone is not None and self._has_heard(key):
                self._owners[key] = alone

    def _alone(self) -> str | None:
        """The one site that has declared it for long, as no other one has."""
        truth = self._truth
        found = [name for name in truth.names if truth.lasts("declaring", name) > JOINED_S]
        others = [name for name in truth.names if truth.lasts("undeclaring", name) <= JOINED_S]
        is_alone = len(found) == 1 and found == others and self._is_shown(found[0])
        return found[0] if is_alone else None

    def _is_shown(self, name: str) -> bool:
        """All sites have seen its declaration for long."""
        truth = self._truth
        return truth.lasts("exporting", name) > JOINED_S and truth.is_over("deleted", name) > 0

    def _has_heard(self, key: str) -> bool:
        """It has long been joined to all sites, and uses what they declare."""
        truth = self._truth
        is_joined = all(truth.lasts("joined", key, name) > JOINED_S for name in truth.names)
        return is_joined and truth.lasts("importing", truth.name_of(key)) > JOINED_S

    def _keeps(self, owner: str) -> bool:
        """Its declaration was not withdrawn, for however short a time."""
        truth = self._truth
        return (
            truth.lasts("undeclaring", owner) == 0
            and truth.lasts("exporting", owner) > 0
            and truth.is_over("deleted", owner) > 0
        )

    def owner(self, key: str) -> str | None:
        """As that router knows it; None: unknown, or not sure. An edge knows it from its neighbor,
        which may be any of the others, and for some minutes after it lost that one."""
        if key not in self._truth.network.world.edges:
            return self._owners.get(key)
        known = {self._owners.get(one) for one in self._truth.keys}
        return self._owners.get(key) if len(known) == 1 and self._is_attached(key) else None

    def _is_attached(self, key: str) -> bool:
        """The edge has a way to another site."""
        truth, own = self._truth, self._truth.name_of(key)
        return any(truth.lasts("joined", key, one) > JOINED_S for one in truth.names if one != own)

    def in_force(self, key: str) -> str | None:
        """The site whose declaration has counted at that router for some seconds, if that is sure:
        its own, else the owner's."""
        truth, own, owner = self._truth, self._truth.name_of(key), self.owner(key)
        if truth.lasts("declaring", own) > TOLD_S:
            return own
        is_reached = owner is not None and truth.lasts("joined", key, owner) > JOINED_S
        is_free = truth.lasts("undeclaring", own) > TOLD_S and self._follows_none(key, owner)
        is_used = truth.lasts("importing", own) > JOINED_S
        return owner if is_reached and is_free and is_used else None

    def _follows_none(self, key: str, owner: str | None) -> bool:
        """It is not an edge that may follow the declaration of another site."""
        truth = self._truth
        others = [name for name in truth.names if name != owner]
        is_edge = key in truth.network.world.edges
        return not is_edge or all(truth.lasts("undeclaring", one) > TOLD_S for one in others)

    def wrong(self, key: str, names: Sequence[NameView], said: Said) -> Iterator[str]:
        """What that router says of it and is not so; ``names``: as its API has them."""
        service = self._truth.service.name
        owner, counts = self.owner(key), self.in_force(key)
        for view in names:
            if view.name != service:
                continue
            if counts is not None and view.declared_by != counts:
                yield f"the declaration of {counts} counts, not that of {view.declared_by}"
            if owner is not None and view.owners not in self._shown(key, owner):
                yield f"{owner} owns the name, not {', '.join(view.owners)}"
        text = " ".join(map(said.text, ("SW0304", "SW0340")))
        for one in re.finditer(rf"Service {service} is declared differently by ([^.]*)\.", text):
            yield from _false_in(one[1], self._truth.name_of(key), owner, counts)

    def _shown(self, key: str, owner: str) -> list[tuple[str, ...]]:
        """As that router may show the owner: by its id while it is away, for its name may never
        have been heard in this life."""
        is_away = not self._truth.is_over("away", key, owner)
        sites = self._truth.network.world.sites.values() if is_away else ()
        return [(owner,), *((one.identity.site,) for one in sites if one.name == owner)]


def _false_in(text: str, own: str, owner: str | None, counts: str | None) -> Iterator[str]:
    """In a sentence of site ``own`` on declarations that differ."""
    of = own if re.search(r"this site (?:uses|and its edges? .* use) its own", text) else ""
    if found := re.search("in force here is (?:the nearer one, )?that of ([abc])", text):
        of = found[1]
    if counts is not None and of != counts:
        yield f"that of {counts} counts: {text}"
    if owner is None:
        return
    if "cannot tell who was first" in text:
        yield f"{owner} was first: {text}"
    for named in re.findall(r"\b([abc])(?:, which)? owns the name", text):
        if named != owner:
            yield f"{owner} owns the name: {text}"
    is_concerned = counts == owner or owner in re.split(", ", text.partition(";")[0])
    if own != owner and is_concerned and "owns the name" not in text:
        yield f"it does not say that {owner} owns the name: {text}"
