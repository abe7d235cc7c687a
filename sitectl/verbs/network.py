"""`status`, `network status`, `why`: what the router knows."""

import urllib.parse
from typing import Any

import click

from router.model import limits
from sitectl import output, store
from sitectl.failure import Exit, Failure, not_found, usage
from sitectl.options import Settings, Verb, Verbs
from sitectl.past import past_text
from sitectl.service_status import capacity_text
from sitectl.sessions import require_address, sentences
from sitectl.site import Site


@click.command(cls=Verb)
@click.option("-v", "--verbose", is_flag=True, hidden=True)
@click.pass_context
def status(ctx: click.Context, verbose: bool) -> None:
    """The site in a few lines; exit 3 when it runs with problems.

    \b
    Examples:
      sitectl status
      kubectl exec deploy/spillway-router -- sitectl status
    """
    settings = ctx.ensure_object(Settings)
    site = store.find_site(settings)
    try:
        item = site.admin.get("/api/v1/status")
        running = True
    except Failure as failure:
        if not site.degrades(failure) or site.still_answers():
            raise
        item, running = site.last_status(failure), False
    runtime = site.runtime()
    item |= {"runtime": runtime} if runtime else {}
    output.emit_item(settings, "Status", item, lambda: settings.here(_status_text(item, running)))
    if not running:
        ctx.exit(site.without_router)
    if item.get("problems") or not item.get("ready"):
        ctx.exit(Exit.DEGRADED)


def _status_text(item: dict[str, Any], running: bool) -> str:
    state = "ready" if item.get("ready") else "not ready"
    if not running:
        state = _without_router(item)
    elif item.get("problems"):
        state += ", degraded"
    lines = [
        f"Site:     {output.safe(item.get('name'))} ({output.safe(item.get('id') or 'no id yet')})",
        f"State:    {state}",
    ]
    if item.get("mode"):
        mode, version = output.safe(item["mode"]), output.safe(item.get("version"))
        lines.append(f"Mode:     {mode}, version {version}")
    runtime = item.get("runtime")
    if runtime:
        told = [runtime.get(key) for key in ("unit", "container", "state", "health", "error")]
        lines.append(
            f"Run by:   {output.safe(', '.join([runtime['runtime'], *filter(None, told)]))}"
        )
    if running:
        lines.append(f"Uptime:   {_age(float(item.get('uptime_s') or 0))}")
    lines.append(
        f"Network:  {output.count(item.get('sites'), 'site')}, "
        f"{output.count(item.get('links'), 'link')}, "
        f"{output.count(item.get('services'), 'service')}"
    )
    console = item.get("console") or {}
    if console.get("url"):
        lines.append(f"Console:  {output.safe(console['url'])}")
    for problem in item.get("problems") or []:
        since = f" (since {output.safe(problem['since'])})" if problem.get("since") else ""
        lines.append(f"Problem:  {problem['code']} {output.safe(problem['message'])}{since}")
        if problem.get("hint"):
            lines.append(f"          Next: {output.safe(problem['hint'])}")
    return "\n".join(lines)


def _without_router(item: dict[str, Any]) -> str:
    """What people read when no router answers; ``age_s``: only where somebody else keeps it."""
    if "age_s" not in item:
        return "stopped; this is what is configured\n          Next: sitectl start"
    if item["age_s"] is None:
        return "no router answers; this is what is configured"
    return f"no router answers; this was so {_age(item['age_s'])} ago"


def _age(seconds: float) -> str:
    days, rest = divmod(int(seconds), 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    if days:
        return f"{days}d{hours}h"
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


@click.group("network", cls=Verbs)
def group() -> None:
    """All sites together."""


@group.command("status")
@click.option("-v", "--verbose", is_flag=True, hidden=True)
@click.option("--of", "only", metavar="SITE", help="Only this site of the network.")
@click.pass_obj
def network_status(settings: Settings, verbose: bool, only: str | None) -> None:
    """Every site of the network: how far, through whom, with which services.

    \b
    Example:
      sitectl network status --of west
    """
    site = store.find_site(settings)
    items = site.admin.get("/api/v1/network")
    if only is not None:
        items = [item for item in items if only in (item["name"], item["id"])]
        if not items:
            raise not_found(f"no site {only!r} in the network", "sitectl network status")
    output.emit_items(
        settings, "NetworkStatus", items, lambda: settings.here(_network_table(items))
    )


def _network_table(items: list[dict[str, Any]]) -> str:
    if not items:
        return "No sites known yet. Try: sitectl link status"
    return output.rows(
        ("SITE", "ID", "REACHABLE", "COST", "NEXT HOPS", "NEIGHBOURS", "SERVICES", "VERSION"),
        [
            (
                item["name"],
                str(item.get("id"))[:8],
                item.get("reachable"),
                item.get("path_cost"),
                item.get("next_hops") or [],
                [f"{n.get('site')} ({n.get('cost')})" for n in item.get("neighbours") or []],
                [str(service) for service in item.get("services") or []],
                item.get("version"),
            )
            for item in items
        ],
    )


@click.command(cls=Verb)
@click.argument("service", metavar="SERVICE[:PORT]")
@click.option("--client", metavar="ADDRESS", help="For the session of this client.")
@click.option("--header", metavar="VALUE", help="For the session with this header value.")
@click.option("--cookie", metavar="VALUE", help="For the session with this cookie.")
@click.option(
    "--last",
    type=click.IntRange(1, limits.DECISIONS_KEPT),
    metavar="N",
    help="The last N requests instead, newest first.",
)
@click.option("--denied", is_flag=True, help="Of those that nobody took; alone: all that are kept.")
@click.option("-v", "--verbose", is_flag=True, help="With --last: the candidates of each, too.")
@click.pass_obj
def why(
    settings: Settings,
    service: str,
    client: str | None,
    header: str | None,
    cookie: str | None,
    last: int | None,
    denied: bool,
    verbose: bool,
) -> None:
    """Where the next request of a service would go from here, and why not elsewhere.

    Takes no slot and moves no tie: asking changes nothing. With --last or --denied: how its last
    requests were decided, by the figures of then, and what came of them.

    \b
    Examples:
      sitectl why shop
      sitectl why shop:8080 --client 10.0.0.9     of that client, for affinity client
      sitectl why shop --last 20                  where the last 20 requests went, and why
      sitectl why shop --denied                   the last that nobody took, kept apart
      sitectl why shop --last 1 -v                with every candidate as it was then
    """
    site = store.find_site(settings)
    if last is not None or denied:
        if client is not None or header is not None or cookie is not None:
            raise usage("the past is not asked for by session: what a client sent is not kept")
        _why_past(settings, site, service, last, denied=denied, whole=verbose)
        return
    if verbose:
        raise usage("-v is for the past", "sitectl why SERVICE --last 1 -v")
    asked = {"client": client, "header": header, "cookie": cookie}
    given = {by: value for by, value in asked.items() if value is not None}
    if client is not None:
        require_address(client)
    if len(given) > 1:
        raise usage("a session is asked for in one way: --client, --header or --cookie")
    query = f"?{urllib.parse.urlencode(given)}" if given else ""
    item = site.admin.get(f"/api/v1/why/{urllib.parse.quote(service, safe=':')}{query}")
    output.emit_item(settings, "Why", item, lambda: settings.here(_why_text(item)))


def _why_past(
    settings: Settings, site: Site, service: str, last: int | None, *, denied: bool, whole: bool
) -> None:
    """Print how the last requests were decided."""
    asked = {"last": last or limits.DECISIONS_KEPT} | ({"denied": 1} if denied else {})
    name, query = urllib.parse.quote(service, safe=":"), urllib.parse.urlencode(asked)
    items = site.admin.get(f"/api/v1/why/{name}?{query}")
    output.emit_items(
        settings,
        "PastDecisions",
        items,
        lambda: past_text(items, service, denied=denied, whole=whole),
    )


def _why_text(item: dict[str, Any]) -> str:
    decision = item.get("decision") or {}
    where, path = decision.get("site"), decision.get("path") or []
    through = f" through {' > '.join(map(output.safe, path[:-1]))}" if len(path) > 1 else ""
    goes = f"goes to {output.safe(where)}{through}" if where else "goes nowhere"
    reason = output.safe(decision.get("reason"))
    head = (
        f"{output.safe(item.get('service'))}:{item.get('port')} ({item.get('policy')}): "
        f"the next request {goes} ({reason})"
    )
    about_sessions = sentences(item)
    if about_sessions:
        head += f"\n{about_sessions}"
    candidates = item.get("candidates") or []
    if not candidates:
        return head + "\nNo candidates: no site has a target. Try: sitectl service bind"
    table = output.rows(
        ("SITE", "PATH", "COST", "READY", "IN FLIGHT", "CAPACITY", "FREE", "VERDICT", "REASON"),
        [
            (
                c.get("site"),
                " > ".join(map(str, c.get("path") or [])),
                c.get("path_cost"),
                c.get("targets_ready"),
                c.get("in_flight"),
                capacity_text(c),
                c.get("free"),
                c.get("verdict"),
                c.get("reason"),
            )
            for c in candidates
        ],
    )
    return f"{head}\n\n{table}"
