"""What would make a proposal true: `sitectl` commands, for people to run. Pure."""

import shlex
from collections.abc import Sequence

from router.admin.views import LinkView, ServiceSite, SiteView
from router.admin.what_if_views import WhatIfStep

Change = tuple[ServiceSite, tuple[float, float] | None, tuple[float, float] | None]
"""A site, and (old, new) of its capacity and of the cost of the way there; None: it stays."""


def commands(
    own: str,
    service: str,
    policy: str | None,
    changes: Sequence[Change],
    links: Sequence[LinkView],
    network: Sequence[SiteView],
) -> tuple[WhatIfStep, ...]:
    """In the order to run them; ``own`` is the name of this site."""
    steps = []
    if policy is not None:
        command = f"sitectl service set {_word(service)} --policy {policy}"
        steps.append(WhatIfStep(site=own, local=True, command=command))
    for site, capacity, cost in changes:
        if capacity is not None:
            command = _capacity(service, site, capacity[1])
            steps.append(WhatIfStep(site=_shown(site.site), local=site.local, command=command))
        if cost is not None:
            steps.append(_cost(own, site, cost, links, network))
    return tuple(steps)


def _shown(name: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in name)


def _word(name: str) -> str:
    return shlex.quote(_shown(name))


def _capacity(service: str, site: ServiceSite, total: float) -> str:
    """Each target's; the site's in all where that is no whole number."""
    unit = "/s" if site.capacity_kind == "rate" else ""
    begin = f"sitectl service set {_word(service)}"
    count = site.targets_ready
    if count and total and not total % count:
        return f"{begin} --capacity {total / count:g}{unit}"
    return f"{begin} --site-capacity {total:g}{unit}"


def _cost(
    own: str,
    site: ServiceSite,
    cost: tuple[float, float],
    links: Sequence[LinkView],
    network: Sequence[SiteView],
) -> WhatIfStep:
    """The first link of the way carries the whole difference."""
    old, new = cost
    there = _shown(site.site)
    hops = next((one.next_hops for one in network if one.id == site.id), ())
    way = [one for one in links if one.neighbour.id == site.id] or [
        one for one in links if one.neighbour.name in hops
    ]
    if not way:
        return WhatIfStep(site=own, local=True, note=f"No link of {own} leads to {there}.")
    link = way[0]
    neighbour = _shown(link.neighbour.name)
    beside = "" if link.neighbour.id == site.id else f"This is the first link to {there}."
    wanted = max(1.0, link.cost + new - old)
    if link.direction == "outgoing":
        command = f"sitectl link set {_word(link.name)} --cost {wanted:g}"
        return WhatIfStep(site=own, local=True, command=command, note=beside)
    note = f"Set the cost of the link to {own} to {wanted:g}. Its name is in: sitectl link status."
    return WhatIfStep(site=neighbour, local=False, note=f"{note} {beside}".strip())
