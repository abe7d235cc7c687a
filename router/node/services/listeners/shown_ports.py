"""How many ports of other sites' services are planned here at all. Pure.

Ports without a listener or a target here cost memory in every part of the router. A member can
declare as many services as it likes, and invent as many sites.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from math import inf

from router.documents import Wanted
from router.model import limits
from router.model.ids import SiteId
from router.model.messages.adverts import Declaration

LOST = ""
"""The holder of sites that no way leads to."""


def shown_ports(
    wanted: Wanted,
    declared: Mapping[str, Declaration],
    origins: Mapping[str, SiteId],
    ranks: Mapping[str, int],
    holders: Callable[[], Mapping[SiteId, str]],
) -> dict[str, int]:
    """By service, how many of its ports are planned, if not all are.

    The names known longest come first: ``ranks``. ``holders``: by site, its holder, see
    `routing.sites_behind.holders`; called only if there is not enough room for all.
    """
    used = {*wanted.services, *(connector.service for connector in wanted.connectors.values())}
    used.update(listener.service for listener in wanted.listeners.values())
    foreign = [(name, site) for name, site in origins.items() if name not in used]
    foreign.sort(key=lambda one: (ranks.get(one[0], inf), one[0]))
    counts = {name: len(declared[name].spec.ports) for name, _ in foreign}
    asked: Counter[SiteId] = Counter()
    for name, site in foreign:
        asked[site] += counts[name]
    of_site = {site: min(n, limits.SERVICE_PORTS_OF_SITE_MAX) for site, n in asked.items()}
    behind: Mapping[SiteId, str] = {}
    of_holder: dict[str, int] = {LOST: sum(of_site.values())}
    if of_holder[LOST] > limits.SERVICE_PORTS_OF_SITES_MAX:
        behind = holders()
        sums: Counter[str] = Counter()
        for site, count in of_site.items():
            sums[behind.get(site, LOST)] += count
        of_holder = _parts(sums, limits.SERVICE_PORTS_OF_SITES_MAX)
    shown: dict[str, int] = {}
    for name, site in foreign:
        holder, count = behind.get(site, LOST), counts[name]
        room = min(of_site[site], of_holder[holder])
        taken = min(count, room)
        of_site[site] -= taken
        of_holder[holder] -= taken
        if count > taken:
            shown[name] = taken
    return shown


def _parts(asked: Mapping[str, int], total: int) -> dict[str, int]:
    """``total`` in equal parts; a holder that asks for less leaves the rest to the others."""
    parts: dict[str, int] = {}
    left = total
    for number, (who, count) in enumerate(sorted(asked.items(), key=lambda one: (one[1], one[0]))):
        parts[who] = min(count, left // (len(asked) - number))
        left -= parts[who]
    return parts
