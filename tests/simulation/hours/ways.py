"""Which routers have a way to which sites: by documents and cuts, whatever the routers say."""

from collections.abc import Set
from heapq import heappop, heappush

from tests.simulation.world import SimSite, World


class Ways:
    """Of this moment. ``cuts``: pairs of routers that no packet passes between."""

    def __init__(self, world: World, cuts: Set[frozenset[str]]) -> None:
        self._world, self._cuts = world, cuts

    def sites_from(self, key: str, running: Set[str], *, surely: bool) -> set[str]:
        """Sites that a router has a way to through those that are ``running``, its own too. An edge
        goes by one of its neighbors: ``surely``, whichever that is.
        """
        edges, found = self._world.edges, {key}
        if key in running and key in edges:
            each = [self._interior_from(one, running) for one in self.around(key, running)]
            if each:
                found |= set.intersection(*each) if surely else set.union(*each)
        elif key in running:
            found = self._interior_from(key, running)
        for edge in running & (edges - {key}):
            around = self.around(edge, running)
            if around and (around <= found if surely else around & found):
                found.add(edge)
        return {self._world[one].name for one in found}

    def costs_from(self, key: str, running: Set[str]) -> dict[str, int]:
        """The cost of the cheapest way to each site, where no edge is on it or at its end."""
        found: dict[str, int] = {}
        left = [(0, key)] if key in running - self._world.edges else []
        while left:
            cost, here = heappop(left)
            if here in found:
                continue
            found[here] = cost
            for other in self.around(here, running) - found.keys():
                heappush(left, (cost + self._cost(here, other), other))
        sites = self._world.sites
        return {
            sites[one].name: min(found[o] for o in found if sites[o].name == sites[one].name)
            for one in found
        }

    def _cost(self, key: str, other: str) -> int:
        """Of the link that one dials; none between routers of one site."""
        one, two = self._world[key], self._world[other]
        if one.name == two.name:
            return 0
        return min(
            link.cost or 1
            for site, ip in ((one, two.ip), (two, one.ip))
            for name, link in site.links.items()
            if site.endpoints[name] == ip
        )

    def _interior_from(self, key: str, running: Set[str]) -> set[str]:
        """The routers reached from one, without edges."""
        found, left = {key}, [key]
        while left:
            new = self.around(left.pop(), running) - found
            found |= new
            left.extend(new)
        return found

    def around(self, key: str, running: Set[str]) -> set[str]:
        """The neighbors of a router, without edges."""
        others = running - self._world.edges - {key}
        return {other for other in others if self.are_linked(key, other)}

    def are_linked(self, key: str, other: str) -> bool:
        """One of them dials the other, and nothing cuts that."""
        one, two = self._world[key], self._world[other]
        is_dialed = two.ip in _dialed(one) or one.ip in _dialed(two)
        return is_dialed and frozenset((key, other)) not in self._cuts


def _dialed(site: SimSite) -> set[str]:
    """Addresses of the routers that one dials."""
    beside = {other.ip for other in site.siblings}
    return beside | {site.endpoints[name] for name in site.links}
