"""Service ports without a ready target, at the sites that this concerns: what to report. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from router.admin.views.why import WhyCandidate
from router.model.events import Problem
from router.model.ids import ServiceKey
from router.node.problems.left_out import NOTHING, LeftOut
from router.node.time_text import ejected_since
from router.service.figures import TargetInfo

SITES_NAMED = 3
ELSEWHERE_IDLE = ("deleted", "no-target", "excluded")
"""Verdicts on sites whose `service status` shows no target, so it cannot say why."""


class UnservedPort(msgspec.Struct, frozen=True, kw_only=True):
    """One service port without a ready target, here or at a site that may serve it.

    ``targets``: those of this site; ``is_bound``: it has connectors. ``elsewhere``: other sites
    with targets, none ready. ``stopping``: sites with targets that take nothing new because they
    stop; ``drained``: because an operator drained the service there. ``gone``: sites that had
    targets in the last minutes. ``owners``: owners of the service, without this site. ``left_out``:
    sites that have ready targets but may not serve it. ``take_all``: the commands that end an
    operator's drain of this site. ``links_not_up``: links of this site, by name, beyond which other
    sites may have targets. ``all_links_up``: every link of this site is up, and there are some.
    """

    key: ServiceKey
    targets: Sequence[TargetInfo] = ()
    is_bound: bool = False
    elsewhere: Sequence[str] = ()
    stopping: Sequence[str] = ()
    drained: Sequence[str] = ()
    gone: Sequence[WhyCandidate] = ()
    owners: Sequence[str] = ()
    left_out: LeftOut = NOTHING
    take_all: str = ""
    links_not_up: Sequence[str] = ()
    all_links_up: bool = False


def problems_of(found: Iterable[UnservedPort], utc: Callable[[float], str]) -> list[Problem]:
    """One problem for each. ``utc``: ISO 8601 of monotonic seconds."""
    return [_problem(one, utc) for one in found]


def _problem(one: UnservedPort, utc: Callable[[float], str]) -> Problem:
    last = max(one.targets, key=lambda target: target.since, default=None)
    are_elsewhere = one.elsewhere or one.stopping or one.drained or one.gone
    return Problem(
        code="SW0309",
        message=f"Service {one.key} has no ready target, here or at any site that is reached and "
        f"may serve it: {'; '.join(_reasons(one, last, utc))}. {one.left_out.why}".rstrip(),
        hint=". ".join(filter(None, (one.left_out.let_in, *_next_steps(one)))),
        since="" if last is None or are_elsewhere else utc(last.since),  # Others may have served.
    )


def _reasons(
    one: UnservedPort, last: TargetInfo | None, utc: Callable[[float], str]
) -> Iterator[str]:
    """Why none of the sites that have or had targets serves."""
    if one.take_all:
        yield "this site is drained of it and takes nothing new"
    elif last is not None:
        others = f" (and {len(one.targets) - 1} more)" if len(one.targets) > 1 else ""
        yield f"{ejected_since(last.error, utc(last.since)) or 'no answer'}{others}"
    elif one.is_bound:
        yield "the connectors of this site have no target"
    if one.elsewhere:
        have = "has" if len(one.elsewhere) == 1 else "have"
        yield f"{_named(one.elsewhere)} {have} targets, none of them ready"
    if one.stopping:
        stop = "stops and takes" if len(one.stopping) == 1 else "stop and take"
        yield f"{_named(one.stopping)} {stop} nothing new"
    if one.drained:
        drain = "drains and takes" if len(one.drained) == 1 else "drain and take"
        yield f"{_named(one.drained)} {drain} nothing new of it"
    gone = [site for site in one.gone if site.verdict != "deleted"] or one.gone
    for site in gone[:SITES_NAMED]:
        yield f"{site.site}: {site.reason}"
    more = len(gone) - SITES_NAMED
    if more > 0:
        yield f"and {more} more site{'s' if more > 1 else ''} that had targets"
    has_some = one.targets or one.elsewhere or one.stopping or one.drained or one.gone
    if not (has_some or one.is_bound):
        links = one.links_not_up
        are = "is" if len(links) == 1 else "are"
        beyond = f", and {_links(links)} {are} not up" if links else ""
        yield f"no such site has a target{beyond}"


def _next_steps(one: UnservedPort) -> Iterator[str]:
    status = f"sitectl service status {one.key.name}"
    if one.take_all:
        yield f"To take all of it here: {one.take_all}"
    elif one.targets:
        yield f"See why under ERROR: {status}"
    elif one.is_bound:
        yield "See what the connectors lack: sitectl check"
    if unreached := [site.site for site in one.gone if site.verdict == "unreachable"]:
        if one.all_links_up:  # The break is between other sites.
            yield f"See where the path ends: sitectl ping {unreached[0]}"
        else:
            yield "See the links: sitectl link status"
    if one.drained:
        yield f"At {_named(one.drained)}, see the command that ends the drain: sitectl status"
    without = [site.site for site in one.gone if site.verdict == "no-target"]
    there = (site.site for site in one.gone if site.verdict not in ELSEWHERE_IDLE)
    sites = [*one.elsewhere, *there]
    if sites:
        yield f"At {_named(sites)}: {status}"
    if without:
        yield f"At {_named(without)}: sitectl check"
    has_some = one.targets or sites or without or one.stopping or one.drained
    if any(site.verdict == "excluded" for site in one.gone):
        yield f"See who may use it: sitectl access {one.key.name}"
    if one.links_not_up and not has_some:
        yield f"Sites beyond {_links(one.links_not_up)} may have targets: sitectl link status"
    elif not (has_some or one.is_bound or one.left_out.let_in):
        bind = f"sitectl service bind {one.key.name} TYPE NAME"
        yield f"Bind a target here: {bind}" + (
            f". Or at {_named(one.owners)}, which owns the service" if one.owners else ""
        )


def _links(names: Sequence[str]) -> str:
    return f"link{'s' if len(names) > 1 else ''} {_named(names)}"


def _named(sites: Sequence[str]) -> str:
    more = len(sites) - SITES_NAMED
    return ", ".join(sites[:SITES_NAMED]) + (f" and {more} more" if more > 0 else "")
