"""One router for each remote site: a site may have several for a while, or for good."""

import zlib
from collections.abc import Iterable

from router.model.adverts import RemoteCandidate
from router.model.ids import SiteId


def one_of_each_site(remotes: Iterable[RemoteCandidate], own: SiteId) -> list[RemoteCandidate]:
    """The router by which each site but ``own`` is reached, by (path cost, site).

    One that takes requests comes first, then the nearest; of equals each ingress site has its own,
    so that all of them together use all. Requests never go around to another router of ``own``.
    """
    by_site: dict[SiteId, list[RemoteCandidate]] = {}
    for one in remotes:
        if one.site != own:
            by_site.setdefault(one.site, []).append(one)
    chosen = [
        found[0] if len(found) == 1 else min(found, key=lambda one: _rank(one, own))
        for found in by_site.values()
    ]
    return sorted(chosen, key=lambda one: (one.path_cost, one.site))


def _rank(one: RemoteCandidate, own: SiteId) -> tuple[bool, bool, bool, int, int, str]:
    return (
        one.draining,
        not one.targets_ready,
        one.capacity == 0,
        one.path_cost,
        zlib.crc32(f"{own} {one.router}".encode()),
        one.router,
    )
