"""`network status`, `why`: what the router knows."""

import urllib.parse
from collections.abc import Mapping
from typing import Any

import click

from router.model import limits
from router.model.requests import RequestSelection
from sitectl.base import output
from sitectl.base.failure import Exit, Failure, usage
from sitectl.base.options import Settings, completes
from sitectl.base.verb import Verb, Verbs
from sitectl.base.watch import Picture, show, watch_flag
from sitectl.flags.services.sessions import require_address
from sitectl.flags.services.sharing import unknown_here
from sitectl.selection import store
from sitectl.show.recent_decisions import past_text
from sitectl.show.site_detail import detail_text, no_site, site_detail
from sitectl.show.site_routers import several_routers
from sitectl.show.why_text import why_text
from sitectl.site.admin import of_another_release
from sitectl.site.completion import remember
from sitectl.site.site import Site


@click.group("network", cls=Verbs)
def group() -> None:
    """All sites together.

    \b
    Example:
      sitectl network status
    """


@group.command("status")
@click.option("-v", "--verbose", is_flag=True, hidden=True)
@click.argument("name", metavar="[SITE]", required=False, shell_complete=completes("network"))
@click.option(
    "--of",
    "only",
    metavar="SITE",
    help="Measure only this site.",
    shell_complete=completes("network"),
)
@watch_flag
@click.pass_context
def network_status(
    ctx: click.Context, verbose: bool, name: str | None, only: str | None, watch: float | None
) -> None:
    """Show every site of the network: cost, next hop, services.

    With SITE: that site's own report of its links, services and targets, with the requests of
    each.

    \b
    Examples:
      sitectl network status west                 its services, targets and links
      sitectl network status --of west
      sitectl network status --watch
    """
    settings = ctx.ensure_object(Settings)
    if name is not None and only is not None:
        raise usage("SITE and --of are two ways to look at one site: give one of them")
    if name is not None:
        show(ctx, lambda: _look_at(settings, name), watch)
    else:
        show(ctx, lambda: _look(settings, only), watch)


def _look(settings: Settings, only: str | None) -> Picture:
    items = store.find_site(settings).admin.get("/api/v1/network")
    remember(settings, "sites", (item["name"] for item in items))
    if only is not None:
        known, items = items, [item for item in items if only in (item["name"], item["id"])]
        if not items:
            raise no_site(only, known)
    return Picture("NetworkStatus", {"items": items}, lambda: _network_table(items))


def _look_at(settings: Settings, name: str) -> Picture:
    item = site_detail(store.find_site(settings), name)
    return Picture("SiteDetail", {"item": item}, lambda: detail_text(item))


def _neighbours(item: dict[str, Any]) -> list[str]:
    named = [f"{one.get('site')} ({one.get('cost')})" for one in item.get("neighbours") or []]
    if item.get("neighbours_known", True):
        return named
    return [*named, "others not known"] if named else ["not known"]


def _network_table(items: list[dict[str, Any]]) -> str:
    if not items:
        return "No sites known yet. Try: sitectl link status"
    return output.rows(
        ("SITE", "ID", "REACHABLE", "COST", "NEXT HOPS", "NEIGHBOURS", "SERVICES", "VERSION"),
        [
            (
                item["name"],
                str(item.get("id"))[:8],
                _reachable(item),
                item.get("path_cost"),
                item.get("next_hops") or [],
                _neighbours(item),
                _services(item),
                item.get("version"),
            )
            for item in items
        ],
        optional=("ID", "VERSION", "NEIGHBOURS"),
    )


def _services(item: dict[str, Any]) -> object:
    """The services of a site; of an unreached one the last known services, and their age."""
    names = [str(service) for service in item.get("services") or []]
    at = str(item.get("services_at") or "")
    return f"{', '.join(names)} (as of {at[11:19]} UTC)" if at else names


def _reachable(item: dict[str, Any]) -> object:
    """Yes or no, and why not, or who put the site out."""
    reached = item.get("reachable")
    reason = item.get("reason") or ""
    barring = [f"{bar['site']} until {bar['until']}" for bar in item.get("barred_by") or []]
    if barring:
        reason = f"barred by {', '.join(barring)}"
    elif item.get("draining") and not reason:
        reason = "draining"
    if not reason:
        return reached
    return f"{'yes' if reached else 'no'}: {reason}"


@click.command(cls=Verb)
@click.argument("service", metavar="SERVICE[:PORT]", shell_complete=completes("services"))
@click.option("--client", metavar="ADDRESS", help="Show the session of this client.")
@click.option("--header", metavar="VALUE", help="Show the session with this header value.")
@click.option("--cookie", metavar="VALUE", help="Show the session with this cookie.")
@click.option("--sheddable", is_flag=True, help="Show what a sheddable request would meet.")
@click.option(
    "--last",
    type=click.IntRange(1, limits.DECISIONS_KEPT),
    metavar="N",
    help="Show the last N requests instead, newest first.",
)
@click.option(
    "--denied", is_flag=True, help="Show requests that no site took; alone: all that are stored."
)
@click.option(
    "--failed",
    is_flag=True,
    help="Show requests that failed, also those that no site took; alone: all that are stored.",
)
@click.option(
    "-v", "--verbose", is_flag=True, help="With --last: show the candidates of each, too."
)
@click.pass_obj
def why(
    settings: Settings,
    service: str,
    client: str | None,
    header: str | None,
    cookie: str | None,
    sheddable: bool,
    last: int | None,
    denied: bool,
    failed: bool,
    verbose: bool,
) -> None:
    """Show where the next request of a service would go from here, and why not elsewhere.

    The question takes no slot and changes nothing. With --last, --denied or --failed: the
    decisions for its last requests, the figures they were based on, and their outcomes. WAITED is
    the time before the last attempt: for a slot, for a path, and in earlier attempts.

    \b
    Examples:
      sitectl why shop
      sitectl why shop:8080 --client 10.0.0.9     of that client, for affinity client
      sitectl why shop --sheddable                of a request that makes way for others
      sitectl why shop --last 20                  where the last 20 requests went, and why
      sitectl why shop --denied                   the last that no site took, kept apart
      sitectl why shop --failed                   the last that failed, also after a site took them
      sitectl why shop --last 1 -v                with every candidate as it was then
    """
    site = store.find_site(settings)
    which: RequestSelection = "failed" if failed else "denied" if denied else "all"
    if last is not None or which != "all":
        if client is not None or header is not None or cookie is not None:
            raise usage("the past is not asked for by session: what a client sent is not kept")
        if sheddable:
            raise usage("the past has requests of both kinds", "sitectl why SERVICE --last 20")
        _why_past(settings, site, service, last, which, whole=verbose)
        return
    if verbose:
        raise usage("-v is for the past", "sitectl why SERVICE --last 1 -v")
    asked = {"client": client, "header": header, "cookie": cookie}
    given = {by: value for by, value in asked.items() if value is not None}
    if client is not None:
        require_address(client)
    if len(given) > 1:
        raise usage("a session is asked for in one way: --client, --header or --cookie")
    if sheddable and given:
        raise usage("ask for a session or for --sheddable, one at a time")
    if sheddable:
        given = {"sheddable": "1"}
    item = _asked_why(site, service, given)
    output.emit_item(settings, "Why", item, lambda: why_text(item))


def _asked_why(site: Site, service: str, asked: Mapping[str, str | int]) -> Any:
    """The router's answer. Failure 4 explains a service that it does not know."""
    query = f"?{urllib.parse.urlencode(asked)}" if asked else ""
    try:
        return site.admin.get(f"/api/v1/why/{urllib.parse.quote(service, safe=':')}{query}")
    except Failure as failure:
        if failure.exit_code is not Exit.NOT_FOUND:
            raise
        raise unknown_here(site, service, failure) from None


def _why_past(
    settings: Settings,
    site: Site,
    service: str,
    last: int | None,
    which: RequestSelection,
    *,
    whole: bool,
) -> None:
    """Print how the last requests were decided."""
    asked = ({} if last is None else {"last": last}) | ({} if which == "all" else {which: 1})
    items = _asked_why(site, service, asked)
    if which == "failed" and not (isinstance(items, list) and all(map(_has_failed, items))):
        raise Failure(Exit.FAILED, "bad-answer", *of_another_release("why --failed"))
    routers = several_routers(site) if settings.output == "table" else 0
    output.emit_items(
        settings,
        "PastDecisions",
        items,
        lambda: past_text(items, service, which, whole=whole, routers=routers),
    )


def _has_failed(past: Mapping[str, Any]) -> bool:
    return past.get("outcome") != "ok" or past.get("answer") in ("5xx", "error")
