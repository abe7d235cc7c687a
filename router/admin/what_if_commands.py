"""The `sitectl` commands that would apply a proposal, for a user to run. Pure."""

import shlex
from collections.abc import Sequence

from router.admin.views.links import LinkView, SiteView
from router.admin.views.services import ServiceSite
from router.admin.views.what_if import WhatIfStep
from router.model import limits

_ALL_SERVICES = "The cost of a link counts for all services."

Change = tuple[ServiceSite, tuple[float, float] | None, tuple[float, float] | None]
"""A site, and (old, new) of its capacity and of the path cost there; None: unchanged."""


def commands(
    own: str,
    service: str,
    policy: str | None,
    changes: Sequence[Change],
    links: Sequence[LinkView],
    network: Sequence[SiteView],
    declared_at: str = "",
) -> tuple[WhatIfStep, ...]:
    """The steps in order; ``own`` is the name of this site. ``declared_at``: the other site that
    declares the service, the only one where its policy can be changed; empty: this one does."""
    steps = []
    if policy is not None:
        command = f"sitectl service set {_word(service)} --policy {policy}"
        where = _shown(declared_at) or own
        steps.append(WhatIfStep(site=where, local=not declared_at, command=command))
    for site, capacity, _ in changes:
        if capacity is not None:
            command = _capacity(service, site, capacity[1])
            steps.append(WhatIfStep(site=_shown(site.site), local=site.local, command=command))
    return (*steps, *_costs(own, changes, links, network))


def _shown(name: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in name)


def _word(name: str) -> str:
    return shlex.quote(_shown(name))


def _capacity(service: str, site: ServiceSite, total: float) -> str:
    """Set each target's capacity; the site's total if that is not a whole number."""
    unit = "/s" if site.capacity_kind == "rate" else ""
    begin = f"sitectl service set {_word(service)}"
    count = site.targets_ready
    if count and total and not total % count:
        return f"{begin} --capacity {total / count:g}{unit}"
    return f"{begin} --site-capacity {total:g}{unit}"


def _costs(
    own: str, changes: Sequence[Change], links: Sequence[LinkView], network: Sequence[SiteView]
) -> list[WhatIfStep]:
    """Set each first link once, by the increase common to all paths over it; the rest are notes."""
    over: dict[tuple[str, str], tuple[LinkView, list[tuple[ServiceSite, float]]]] = {}
    steps = []
    for site, _, cost in changes:
        if site.local:
            continue
        link, direct = _first_link(site, links, network), _direct_link(site, links)
        more = cost[1] - cost[0] if cost else 0.0
        if cost and more < 0 and direct not in (None, link):  # It becomes the path.
            steps.append(_set_link(own, direct, cost[1]))
        elif link is not None:
            over.setdefault((link.direction, link.name), (link, []))[1].append((site, more))
        elif more:
            note = f"No link of {own} leads to {_shown(site.site)}."
            steps.append(WhatIfStep(site=own, local=True, note=note))
    for link, ways in over.values():
        steps += _over_one(own, link, ways)
    return steps


def _first_link(
    site: ServiceSite, links: Sequence[LinkView], network: Sequence[SiteView]
) -> LinkView | None:
    """The first link of the path there, the direct one before others of equal cost."""
    hops = next((one.next_hops for one in network if one.id == site.id), ())
    used = [one for one in links if one.neighbour.name in hops]
    direct = _direct_link(site, links)
    return direct if direct in used or not used else used[0]


def _direct_link(site: ServiceSite, links: Sequence[LinkView]) -> LinkView | None:
    return next((one for one in links if one.neighbour.id == site.id), None)


def _over_one(
    own: str, link: LinkView, ways: Sequence[tuple[ServiceSite, float]]
) -> list[WhatIfStep]:
    """``ways``: each site reached over ``link``, with the proposed increase of its path cost.

    The link takes the increase of its neighbor's cost, or one that all costs share.
    """
    to_neighbour = [more for site, more in ways if site.id == link.neighbour.id]
    all_alike = {more for _, more in ways}
    added = to_neighbour[0] if to_neighbour else all_alike.pop() if len(all_alike) == 1 else 0.0
    steps = [_set_link(own, link, link.cost + added)] if added else []
    neighbour = _shown(link.neighbour.name)
    for site, more in ways:
        if more == added:
            continue
        note = _beyond(own, link, site, more, added)
        steps.append(WhatIfStep(site=neighbour, local=False, note=note))
    return steps


def _beyond(own: str, link: LinkView, site: ServiceSite, more: float, added: float) -> str:
    """The necessary change between the neighbor of ``link`` and ``site``, if ``link`` itself takes
    ``added`` and the path to ``site`` needs ``more``."""
    neighbour, there = _shown(link.neighbour.name), _shown(site.site)
    rest = site.path_cost - link.cost + more - added
    if rest < limits.COST_MIN:
        return (
            f"The way to {there} cannot cost {site.path_cost + more:g}: from {neighbour} on it"
            f" would have to cost {rest:g}, and a link costs {limits.COST_MIN} to"
            f" {limits.COST_MAX}."
        )
    verb = "Raise" if more > added else "Lower"
    return (
        f"{verb} the cost of a link between {neighbour} and {there} by {abs(more - added):g}."
        f" No link of {own} can do it: {_shown(link.name)} leads to other sites too."
    )


def _set_link(own: str, link: LinkView, cost: float) -> WhatIfStep:
    neighbour = _shown(link.neighbour.name)
    if not limits.COST_MIN <= cost <= limits.COST_MAX:
        note = (
            f"{_shown(link.name)} would have to cost {cost:g}, and a link costs"
            f" {limits.COST_MIN} to {limits.COST_MAX}."
        )
        return WhatIfStep(site=own, local=True, note=note)
    if link.direction == "outgoing":
        command = f"sitectl link set {_word(link.name)} --cost {cost:g}"
        return WhatIfStep(site=own, local=True, command=command, note=_ALL_SERVICES)
    note = f"Set the cost of the link to {own} to {cost:g}. Its name is in: sitectl link status."
    return WhatIfStep(site=neighbour, local=False, note=f"{note} {_ALL_SERVICES}")
