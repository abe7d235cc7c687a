"""Links and certificates as operators see them, and their problems."""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from router.admin.views.links import AllowView, LinkView, SiteName
from router.link.sessions.link_status import LinkStatus, in_words, joined
from router.model.events import Note, Problem
from router.model.ids import RouterId, SiteId
from router.model.rights.sharing import FREE, Terms
from router.model.wording.network_words import NO_REMOVALS, link_removal, other_proxy
from router.node.site_router import SiteRouter
from router.node.time_text import short_time, utc_of
from router.routing.table import RouteTable
from router.workers.link_uses import errors_of

_SOON_S = 7 * 86_400.0
_SOON_RENEWED_S = 86_400.0
"""For certificates renewed more than two days before their end: at this point something failed."""
_OTHERWISE_TOLD = ("clock", "copy", "deleted", "token")
"""Link error codes that have their own problem or note."""
HELD_BACK = "the other site holds the link back: it went down too often"
NO_ROOM_THERE = "the other site has no room for the link: it has as many neighbors as it may have"
_NO_ROOM = "this router has no room for the link: it has as many neighbors as it may have"
_LINK_AGAIN = "{removal}, then link with a new token"
_RENEW_FIRST = "When the clocks agree: sitectl link renew {name}. If that fails: " + _LINK_AGAIN
_LINKED_BESIDE = "Its neighbor is linked over {other}. If that will do: {removal}"
_LET_IN = (
    "It comes up by itself once that site has linked here with a new token: sitectl token create "
    "FILE. If it should not: {removal}"
)
_RENEWALS = {
    "leaf": "It is renewed by itself; why it was not: sitectl events",
    "console": "It is renewed by itself; why it was not: sitectl events",
    "ca": "It is replaced by itself; what it waits for: sitectl ca status",
}
"""The next step when one of the site's own certificates is about to end."""


def link_views(
    router: SiteRouter,
    expiries: Mapping[str, float],
    shown_until: Callable[[str], float | None],
    utc: Callable[[float], str],
) -> list[LinkView]:
    """All links, including dialed ones that wait for their certificate and incoming ones that were
    lost in the last minutes.

    ``expiries`` of this site's certificates by name, ``shown_until`` of certificates of peers
    (Unix seconds); ``utc`` converts monotonic seconds.
    """
    routing = router.routing
    views = [
        LinkView(
            name=link.name,
            neighbour=neighbour_of(link, routing.table),
            direction=link.direction,
            cost=link.cost,
            state=link.state,
            since=utc(link.since),
            rtt_ms=None if link.rtt_s is None else round(link.rtt_s * 1000, 3),
            lanes=link.lanes,
            streams=link.streams,
            error=link.error,
            error_code=link.error_code,
            certificate_expires=utc_of(
                expiries.get(f"link/{link.name}")
                if link.direction == "outgoing"
                else shown_until(link.neighbour_site)
            ),
            standby=link.state == "up" and routing.stands_by(RouterId(link.neighbour_router)),
            allow=_allow(link.terms),
            held=_allow(link.held),
            endpoint=link.endpoint,
            via=link.via,
            certificate=link.certificate,
            bytes_in_total=link.bytes_in,
            bytes_out_total=link.bytes_out,
            silent_since=None if link.silent_since is None else utc(link.silent_since),
        )
        for link in joined(_with_errors(router, utc))
    ]
    for name, pending in router.wanted_links.pending.items():
        views.append(
            LinkView(
                name=name,
                neighbour=SiteName(pending.site_name, pending.site_id),
                direction="outgoing",
                cost=pending.cost,
                state=pending.state,
                since=utc(pending.since),
                rtt_ms=None,
                lanes=0,
                streams=0,
                error=pending.error,
                error_code=pending.error_code,
                via=pending.via,
                certificate_expires=None,
            )
        )
    return sorted(marked(views), key=lambda view: (view.direction != "outgoing", view.name))


def _with_errors(router: SiteRouter, utc: Callable[[float], str]) -> list[LinkStatus]:
    """All links, each with why it is not used, if it is not."""
    routing = router.routing
    unused = {
        **dict.fromkeys(router.site_problems.held_by_neighbours(), HELD_BACK),
        **dict.fromkeys(router.site_problems.full_neighbours(), NO_ROOM_THERE),
        **dict.fromkeys(routing.without_room, _NO_ROOM),
    }
    found = []
    for line in map(router.news.deleted.seen, router.links.status()):
        neighbour = RouterId(line.neighbour_router)
        held = _flapping(routing.held.get(neighbour), utc)
        error = line.error or held or unused.get(neighbour, "")
        found.append(msgspec.structs.replace(line, error=error))
    return found


def marked(views: Sequence[LinkView]) -> list[LinkView]:
    """``views``, marking links that drain while another connection of the same link is up."""
    up = {(one.name, one.direction, one.neighbour) for one in views if one.state == "up"}
    return [
        msgspec.structs.replace(one, succeeded=True)
        if one.state == "draining" and (one.name, one.direction, one.neighbour) in up
        else one
        for one in views
    ]


def neighbour_of(link: LinkStatus, table: RouteTable) -> SiteName:
    """The neighbor with its name in the network, which may differ if another site has the same
    name.
    """
    site = SiteId(link.neighbour_site)
    return SiteName(table.name_of(site, link.neighbour_name), site)


def of_links(
    views: Sequence[LinkView],
    put_out: Collection[str] = (),
    removals: Mapping[str, str] = NO_REMOVALS,
) -> list[Problem]:
    """Problems of links: first those that wait for a clock, for the link itself or its certificate;
    then those that cannot come up by themselves; then those that are down and may. This router
    being a refused copy is a separate problem.

    ``put_out``: ids of sites that this one revoked. ``removals``: by name
    of a dialed link, the command that deletes it where `link delete` refuses to.
    """
    refused = _refused(views, put_out, removals)
    return [*_clocks_differ(views), *refused, *_down(views), *_partly_down(views)]


def _down(views: Sequence[LinkView]) -> list[Problem]:
    """Dialed links that are not up. A link that has just begun has no error yet."""
    return [
        _is_down(link, f"is down: {link.error}", link.since)
        for link in views
        if link.direction == "outgoing"
        and link.state in ("down", "connecting")
        and link.error
        and link.error_code not in _OTHERWISE_TOLD
    ]


def _partly_down(views: Sequence[LinkView]) -> list[Problem]:
    """Links that only some workers have: requests at another worker pass through one of these,
    while it has room for them."""
    return [
        _is_down(
            link,
            f"is up at {link.workers - len(link.workers_down)} of {link.workers} workers, and down "
            f"at {errors_of(link.workers_down)}",
            min(one.since for one in link.workers_down if one.error),
        )
        for link in views
        if any(one.error for one in link.workers_down)
    ]


def _is_down(link: LinkView, how: str, since: str) -> Problem:
    return Problem(
        code="SW0675",
        message=f"{_named(link)} {how}",
        hint=f"sitectl link status {link.name}, and at the other end: sitectl status",
        since=since,
    )


def notes_of_links(
    views: Sequence[LinkView], now: str, removals: Mapping[str, str] = NO_REMOVALS
) -> list[Note]:
    """Notes on silent links, on links to deleted sites, and on lost incoming links: these are only
    a note, because only the neighbor can dial. ``now``: ISO 8601; ``removals`` as in `of_links`."""
    return [*_silent(views, now), *_needless(views, removals), *_incoming_down(views, now)]


def _needless(views: Sequence[LinkView], removals: Mapping[str, str]) -> list[Note]:
    return [
        Note(
            severity="warning",
            code="SW0679",
            message=f"{_named(link)} is not needed any more: {link.error}.",
            hint=_removal(link, removals),
        )
        for link in views
        if link.direction == "outgoing" and link.error_code == "deleted"
    ]


def _silent(views: Sequence[LinkView], now: str) -> list[Note]:
    return [
        Note(
            severity="warning",
            code="SW0677",
            message=f"{_named(link)} is silent: nothing was heard over it since "
            f"{short_time(link.silent_since, now)}.",
            hint=f"Is the router of {link.neighbour.name} alive? There: sitectl status",
        )
        for link in views
        if link.silent_since is not None
    ]


def _incoming_down(views: Sequence[LinkView], now: str) -> list[Note]:
    return [
        Note(
            severity="info",
            code="SW0676",
            message=f"{_named(link)} is down since {short_time(link.since, now)}: "
            f"{link.error.rstrip('.')}.",
            hint=f"{link.neighbour.name} dials it, and is linked over {other}. "
            "There: sitectl link status"
            if (other := _heard_over(views, link))
            else f"{link.neighbour.name} dials it; is its router running? There: sitectl status",
        )
        for link in views
        if link.direction == "incoming" and link.state == "down"
    ]


def _heard_over(views: Sequence[LinkView], link: LinkView) -> str:
    """Another working link to the same site, which shows that its router runs; empty: there is
    none.
    """
    working = (
        one.name
        for one in views
        if one.neighbour.id == link.neighbour.id
        and one is not link
        and one.state == "up"
        and one.silent_since is None
    )
    return next(working, "")


def _named(link: LinkView) -> str:
    words = in_words(link.name, link.direction, link.neighbour.name)
    return words[0].upper() + words[1:]


def _refused(
    views: Sequence[LinkView], put_out: Collection[str], removals: Mapping[str, str]
) -> list[Problem]:
    """Links that cannot come up by themselves."""
    return [
        Problem(
            code="SW0404",
            message=f"Link {link.name} was refused: {link.error or 'no reason given'}",
            hint=_way_back(link, views, put_out, _removal(link, removals)),
        )
        for link in views
        if link.state == "refused" and link.error_code not in _OTHERWISE_TOLD
    ]


def _removal(link: LinkView, removals: Mapping[str, str]) -> str:
    return link_removal(link.name, removals if link.direction == "outgoing" else NO_REMOVALS)


def _way_back(
    link: LinkView, views: Sequence[LinkView], put_out: Collection[str], removal: str
) -> str:
    if link.direction == "outgoing" and link.neighbour.id in put_out:
        return _LET_IN.format(removal=removal)
    if other := _heard_over(views, link):
        return _LINKED_BESIDE.format(other=other, removal=removal)
    if link.error_code == "proxy":
        return other_proxy(link.name)
    again = _RENEW_FIRST if link.error_code == "expired" else _LINK_AGAIN
    return again.format(name=link.name, removal=removal)


def _clocks_differ(views: Sequence[LinkView]) -> list[Problem]:
    """Links that cannot come up, or get their certificate, while a clock is wrong.

    Either of two clocks may be wrong. If this host's clock differs from those of several neighbors,
    and of most of them, check this host first.
    """
    everyone = {one.neighbour.id or one.name for one in views}
    differing = {one.neighbour.id or one.name for one in views if one.error_code == "clock"}
    hint = "Then the link comes up by itself within half a minute"
    if len(differing) > 1 and 2 * len(differing) > len(everyone):
        count = f"{len(differing)} of {len(everyone)} neighbors"
        hint = f"The clocks of {count} differ from this host's: check this host first. {hint}"
    return [
        Problem(
            code="SW0660",
            message=f"Link {link.name} waits for a clock to be set right: {link.error}.",
            hint=hint,
        )
        for link in views
        if link.error_code == "clock"
    ]


def of_expiries(
    expiries: Mapping[str, float], now: float, tls_place: Callable[[str], str]
) -> list[Problem]:
    """Certificates that end soon, or have ended. ``now``: Unix seconds, as in ``expiries``.
    ``tls_place``: see `ProcessFacts`."""
    return [
        Problem(
            code="SW0402",
            message=f"The certificate {name} {_ends(expires, now)} at {utc_of(expires)}.",
            hint=_renewal_of(name, tls_place),
        )
        for name, expires in expiries.items()
        if expires < now + (_SOON_RENEWED_S if _is_renewed(name) else _SOON_S)
    ]


def _renewal_of(name: str, tls_place: Callable[[str], str]) -> str:
    """The next step when the certificate of that name is about to end."""
    kind, _, rest = name.partition("/")
    if kind == "tls":
        return f"Put a new one into {tls_place(rest)}"
    if kind == "link":
        return (
            "It is renewed by itself, unless SW0670 says why it was not; at once: sitectl link "
            f"renew {rest}. If that fails, link again with a new token of the other site"
        )
    return _RENEWALS[name]


def _ends(expires: float, now: float) -> str:
    return "ends" if now < expires else "ended"


def _flapping(until: float | None, utc: Callable[[float], str]) -> str:
    return "" if until is None else f"flaps: counts again at {utc(until)}"


def _allow(terms: Terms) -> AllowView | None:
    return None if terms == FREE else AllowView(terms.declare, terms.export, terms.import_)


def _is_renewed(name: str) -> bool:
    """Whether the certificate of that name renews itself."""
    return name in ("leaf", "console") or name.startswith("link/")
