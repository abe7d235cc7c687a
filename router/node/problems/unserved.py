"""Service ports without a ready target, at the sites whom that concerns: what to report. Pure."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from router.admin.views import WhyCandidate
from router.forward.figures import TargetInfo
from router.model.events import Problem
from router.model.ids import ServiceKey
from router.node.problems.left_out import NOTHING, LeftOut

SITES_NAMED = 3


class UnservedPort(msgspec.Struct, frozen=True, kw_only=True):
    """One service port of which no target is ready, here or at a site that may serve it.

    ``targets``: those of this site. ``elsewhere``: the other sites that have some. ``gone``: sites
    that had some in the last minutes. ``owners``: of the service, without this site. ``left_out``:
    sites that have ready ones and may not serve it.
    """

    key: ServiceKey
    targets: Sequence[TargetInfo] = ()
    elsewhere: Sequence[str] = ()
    gone: Sequence[WhyCandidate] = ()
    owners: Sequence[str] = ()
    left_out: LeftOut = NOTHING


def problems_of(found: Iterable[UnservedPort], utc: Callable[[float], str]) -> list[Problem]:
    """One for each. ``utc``: ISO 8601 of monotonic seconds."""
    return [_problem(one, utc) for one in found]


def _problem(one: UnservedPort, utc: Callable[[float], str]) -> Problem:
    last = max(one.targets, key=lambda target: target.since, default=None)
    return Problem(
        code="SW0309",
        message=f"Service {one.key} has no ready target, here or at any site that is reached and "
        f"may serve it: {_why(one, last)}. {one.left_out.why}".rstrip(),
        hint=". ".join(filter(None, (one.left_out.let_in, _next_step(one)))),
        since=utc(last.since) if last is not None else "",
    )


def _why(one: UnservedPort, last: TargetInfo | None) -> str:
    if last is not None:
        others = f" (and {len(one.targets) - 1} more)" if len(one.targets) > 1 else ""
        return f"{last.error or 'no answer'}{others}"
    if one.elsewhere:
        verb = "has" if len(one.elsewhere) == 1 else "have"
        return f"{_named(one.elsewhere)} {verb} targets, none of them ready"
    if one.gone:
        return "; ".join(f"{site.site}: {site.reason}" for site in one.gone[:SITES_NAMED])
    return "no such site has a target"


def _next_step(one: UnservedPort) -> str:
    status = f"sitectl service status {one.key.name}"
    if one.targets:
        return f"See why under ERROR: {status}"
    if one.elsewhere:
        return f"At {_named(one.elsewhere)}: {status}"
    if one.gone:
        gone = _named([site.site for site in one.gone])
        return f"See the links: sitectl link status. At {gone}: {status}"
    if one.left_out.let_in:
        return ""
    bind = f"sitectl service bind {one.key.name} TYPE NAME"
    return f"Bind a target here: {bind}" + (
        f". Or at {_named(one.owners)}, which owns the service" if one.owners else ""
    )


def _named(sites: Sequence[str]) -> str:
    more = len(sites) - SITES_NAMED
    return ", ".join(sites[:SITES_NAMED]) + (f" and {more} more" if more > 0 else "")
