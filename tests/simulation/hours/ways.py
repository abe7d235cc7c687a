"""Which routers have a way to which sites: by documents and cuts, whatever the routers say."""

from collections.abc import Set

from tests.simulation.world import SimSite, World


class Ways:
    """Of this moment. ``cuts``: pairs of routers that no packet passes between."""

    def __init__(self, world: World, cuts: Set[frozenset[str]]) -> None:
        self._world, self._cuts = world, cuts

    def sites_from(self, key: str, running: Set[str]) -> set[str]:
        """Sites that a router has a way to through those that are ``running``, its own too."""
        found, left = {key}, [key] if key in running else []
        while left:
            here = left.pop()
            for other in running - found:
                if self.are_linked(here, other):
                    found.add(other)
                    left.append(other)
        return {self._world[one].name for one in found}

    def are_linked(self, key: str, other: str) -> bool:
        """One of them dials the other, and nothing cuts that."""
        one, two = self._world[key], self._world[other]
        is_dialed = two.ip in _dialed(one) or one.ip in _dialed(two)
        return is_dialed and frozenset((key, other)) not in self._cuts


def _dialed(site: SimSite) -> set[str]:
    """Addresses of the routers that one dials."""
    beside = {other.ip for other in site.siblings}
    return beside | {site.endpoints[name] for name in site.links}
