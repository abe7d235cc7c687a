"""One look at the links of a site, for `link status`."""

import datetime
import time
from collections.abc import Sequence
from typing import Any, Final

from router.model.wording.network_words import state_word
from sitectl.base import output
from sitectl.base.failure import Exit, Failure
from sitectl.base.options import Settings
from sitectl.base.watch import Picture
from sitectl.flags.links.creation import no_link
from sitectl.flags.services.terms import terms_text
from sitectl.show import ages
from sitectl.show.site_routers import several_routers
from sitectl.site.claims import accepts_links
from sitectl.site.completion import remember
from sitectl.site.site import Site


def link_picture(settings: Settings, site: Site, name: str | None) -> Picture:
    """The links of ``site``, or the one named; from documents and tokens if no router answers.

    Failure: no such link.
    """
    exit_code, unanswered, note, unread = Exit.OK, None, "", None
    is_told, routers = True, 0
    try:
        items = site.admin.get("/api/v1/links")
        is_absent = not items if name is None else all(item["name"] != name for item in items)
        routers = several_routers(site) if is_absent else 0
        remember(settings, "links", (item["name"] for item in items))
    except Failure as failure:
        if not site.degrades(failure):
            raise
        unanswered = site.unanswered(failure)
        may_serve, unread = site.may_serve(failure), site.links_unread()
        silence = _silence(may_serve=may_serve, is_mute=unanswered is not None)
        items = _configured(site, silence, may_serve=may_serve)
        exit_code, is_told = Exit.DEGRADED, False
        if unanswered is None:
            state = "unreachable" if may_serve else "stopped"
            note = f"{state}: {failure.message}; this is what is configured"
    if name is not None:
        named = [item for item in items if item["name"] == name]
        if not named:
            leading = [item["name"] for item in items if item["neighbour"]["name"] == name]
            only = leading[0] if len(leading) == 1 else None
            raise no_link(site, name, only, "link status {}", routers)
        items = named
    return Picture(
        "LinkStatus",
        {"items": items},
        lambda: _link_table(
            items,
            time.time(),
            whole=name is not None,
            is_told=is_told,
            routers=routers,
            accepts=bool(items) or accepts_links(site),
            unread=unread,
        ),
        exit_code,
        unanswered,
        note,
    )


def _silence(*, may_serve: bool, is_mute: bool) -> str:
    """Why no router says how the links are."""
    if not may_serve:
        return "the router does not run"
    return f"unreachable: the router {'does not answer' if is_mute else 'could not be asked'}"


def _configured(site: Site, silence: str, *, may_serve: bool) -> list[dict[str, Any]]:
    """The links as documents and tokens have them; ``may_serve``: a router may run."""
    links = site.links
    items: list[dict[str, Any]] = []
    for name, spec in sorted(site.wanted().links.items()):
        neighbour: dict[str, str | None] = {"name": None, "id": None}
        token_cost, error = None, silence
        if links.exists(name):
            token = links.token(name)
            neighbour, token_cost = {"name": token.site_name, "id": token.site_id}, token.cost
        else:
            error = "its token is missing"
        items.append(
            {
                "name": name,
                "neighbour": neighbour,
                "direction": "outgoing",
                "cost": spec.cost or token_cost or 1,
                "state": "unreachable" if may_serve else "down",
                "since": None,
                "rtt_ms": None,
                "lanes": None if may_serve else 0,
                "streams": None if may_serve else 0,
                "error": error,
                "certificate_expires": None,
            }
        )
    return items


NEAR_S: Final = 86_400.0
"""A certificate renews itself more than two days before its end: one with less is a finding."""


def _link_table(
    items: Sequence[dict[str, Any]],
    now: float,
    *,
    whole: bool,
    is_told: bool = True,
    routers: int = 0,
    accepts: bool = True,
    unread: Failure | None = None,
) -> str:
    """The table, and below it the facts without a column.

    ``whole``: also the address of each connection and the end of its certificate, near or not.
    ``now``: Unix seconds. ``is_told``: the items are from the router, which also knows links that
    other sites dial. ``routers``: of the site, if there are several: each knows its own links.
    ``accepts``: other sites may dial this one. ``unread``: why the configured links are unknown,
    too.
    """
    if not items and unread is not None:
        return f"No link is known: {unread.message}\nNext: {unread.hint}"
    if not items and routers:
        return f"No links at this router, one of {routers} of this site. Each shows its own links."
    if not items:
        none, step = "No links.", "Try: sitectl token create FILE"
        if not is_told:
            none = "No links are dialed from here. Only the router knows those that others dial."
            step = "For a new one: sitectl token create FILE"
        if not accepts:
            return f"{none} Make a token at the other site, and here: sitectl link create FILE"
        return f"{none} {step}, and at the other site: sitectl link create FILE"
    text = output.rows(
        ("LINK", "SITE", "DIRECTION", "COST", "STATE", "STREAMS", "RTT", "AGE", "ERROR"),
        [
            (
                item["name"],
                (item.get("neighbour") or {}).get("name"),
                item.get("direction"),
                item.get("cost"),
                f"{state_word(item)}{', stands by' if item.get('standby') else ''}",
                item.get("streams"),
                output.round_trip(item.get("rtt_ms")),
                ages.since(item.get("since"), now),
                item.get("error"),
            )
            for item in items
        ],
        optional=("STREAMS", "DIRECTION", "AGE"),
    )
    for item in items:
        for line in _lines(item, now, whole=whole):
            text += f"\n{output.safe(item['name'])} {output.safe(line)}"
    return text


def _lines(item: dict[str, Any], now: float, *, whole: bool) -> list[str]:
    """The lines on one link below the table, without its name."""
    lines = []
    if item.get("allow"):
        lines.append(f"is let in on terms: {terms_text(item['allow'])}")
    if item.get("held"):
        lines.append(f"lets this site in on terms: {terms_text(item['held'])}")
    through = f" through {item['via']}" if item.get("via") else ""
    if whole and item.get("endpoint"):
        lines.append(f"is connected to {item['endpoint']}{through}")
    ends = item.get("certificate_expires")
    if ends:
        left_s = datetime.datetime.fromisoformat(ends).timestamp() - now
        if whole or left_s < NEAR_S:
            until = "until" if left_s > 0 else "that expired at"
            lines.append(f"has a certificate {until} {ends}")
    return lines
