"""The `sitectl` commands that would make a proposal true, for people to run. Pure."""

import shlex
from collections.abc import Sequence

from router.admin.views import LinkView, ServiceSite, SiteView

Change = tuple[ServiceSite, tuple[float, float] | None, tuple[float, float] | None]
"""A site, and (old, new) of its capacity and of the cost of the way there; None: it stays."""


def commands(
    service: str,
    policy: str | None,
    changes: Sequence[Change],
    links: Sequence[LinkView],
    network: Sequence[SiteView],
) -> tuple[str, ...]:
    """In the order to run them. What is to be run at another site says so before it."""
    lines = [] if policy is None else [f"sitectl service set {_word(service)} --policy {policy}"]
    for site, capacity, cost in changes:
        if capacity is not None:
            lines.append(_at(site, _capacity(service, site, capacity[1])))
        if cost is not None:
            lines.append(_cost(site, cost, links, network))
    return tuple(lines)


def _word(name: str) -> str:
    return shlex.quote("".join(sign if sign.isprintable() else "?" for sign in name))


def _at(site: ServiceSite, command: str) -> str:
    return command if site.local else f"at {_word(site.site)}: {command}"


def _capacity(service: str, site: ServiceSite, total: float) -> str:
    """Each target's; the site's in all where that is no whole number."""
    unit = "/s" if site.capacity_kind == "rate" else ""
    begin = f"sitectl service set {_word(service)}"
    count = site.targets_ready
    if count and total and not total % count:
        return f"{begin} --capacity {total / count:g}{unit}"
    return f"{begin} --site-capacity {total:g}{unit}"


def _cost(
    site: ServiceSite,
    cost: tuple[float, float],
    links: Sequence[LinkView],
    network: Sequence[SiteView],
) -> str:
    """The first link of the way carries the whole difference."""
    old, new = cost
    hops = next((one.next_hops for one in network if one.id == site.id), ())
    way = [one for one in links if one.neighbour.id == site.id] or [
        one for one in links if one.neighbour.name in hops
    ]
    if not way:
        return f"no link of this site leads to {_word(site.site)}"
    link = way[0]
    beside = "" if link.neighbour.id == site.id else f" # the first link to {_word(site.site)}"
    wanted = max(1.0, link.cost + new - old)
    if link.direction == "outgoing":
        return f"sitectl link set {_word(link.name)} --cost {wanted:g}{beside}"
    here = f"at {_word(link.neighbour.name)}: "
    return f"{here}sitectl link set NAME --cost {wanted:g}{beside} # sitectl link status"
