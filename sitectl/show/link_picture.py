"""One look at the links of a site, for `link status`."""

import time
from typing import Any

from sitectl.base.failure import Exit, Failure
from sitectl.base.options import Settings
from sitectl.base.watch import Picture
from sitectl.flags.links.creation import no_link
from sitectl.show.link_table import link_table
from sitectl.site.claims import accepts_links
from sitectl.site.completion import remember
from sitectl.site.site import Site


def link_picture(settings: Settings, site: Site, name: str | None) -> Picture:
    """The links of ``site``, or the one named; from documents and tokens when no router tells.

    Failure: no such link.
    """
    exit_code, unanswered, note, is_told = Exit.OK, None, "", True
    try:
        items = site.admin.get("/api/v1/links")
        remember(settings, "links", (item["name"] for item in items))
    except Failure as failure:
        if not site.degrades(failure):
            raise
        unanswered = site.unanswered(failure)
        items, exit_code, is_told = _configured(site, unanswered), Exit.DEGRADED, False
        if unanswered is None:
            note = f"stopped: {failure.message}; this is what is configured"
    if name is not None:
        named = [item for item in items if item["name"] == name]
        if not named:
            leading = [item["name"] for item in items if item["neighbour"]["name"] == name]
            only = leading[0] if len(leading) == 1 else None
            raise no_link(site, name, only, "link status {}")
        items = named
    return Picture(
        "LinkStatus",
        {"items": items},
        lambda: link_table(
            items,
            time.time(),
            whole=name is not None,
            is_told=is_told,
            accepts=bool(items) or accepts_links(site),
        ),
        exit_code,
        unanswered,
        note,
    )


def _configured(site: Site, unanswered: Failure | None) -> list[dict[str, Any]]:
    """The links as documents and tokens have them; ``unanswered``: the router runs, and is mute."""
    silence = "unreachable: the router does not answer" if unanswered else ""
    links = site.links
    items: list[dict[str, Any]] = []
    for name, spec in sorted(site.wanted().links.items()):
        neighbour: dict[str, str | None] = {"name": None, "id": None}
        token_cost, error = None, silence or "the router does not run"
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
                "state": "unreachable" if unanswered else "down",
                "since": None,
                "rtt_ms": None,
                "lanes": None if unanswered else 0,
                "streams": None if unanswered else 0,
                "error": error,
                "certificate_expires": None,
            }
        )
    return items
