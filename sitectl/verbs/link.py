"""`link create|status|set|delete`; Skupper's `link update` is `link set`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.model import limits
from router.model.specs import Document, LinkSpec
from sitectl import output, store
from sitectl.failure import Exit, Failure, not_found, usage
from sitectl.linking import incoming_link, keep_link, revoke_site, wait_until_up
from sitectl.options import Duration, Settings, TokenFile, Verbs, accepted, also, dry_run_flag
from sitectl.site import Site

if TYPE_CHECKING:
    from certs.tokens import Token


@click.group("link", cls=Verbs)
def group() -> None:
    """Links to neighbour sites: dialled from here, or accepted here."""


def _wait_option(function: Any) -> Any:
    return click.option(
        "--wait",
        type=Duration(),
        is_flag=False,
        flag_value="60",
        metavar="SECONDS",
        help="Stay until up (exit 0), refused (1) or out of time (6).",
    )(function)


_COST = click.IntRange(limits.COST_MIN, limits.COST_MAX)


@group.command("create")
@click.argument("file", type=TokenFile())
@click.option("--name", help="[default: link1, link2, …]")
@click.option("--cost", type=_COST, help="[default: the token's, else 1]")
@_wait_option
@accepted("not needed here, the link's path is the site's", "--proxy=")
@dry_run_flag
@click.pass_obj
def create(
    settings: Settings, file: str, name: str | None, cost: int | None, wait: float | None
) -> None:
    """Keep the token in FILE and have the router dial its site.

    \b
    Example:
      sitectl link create west.yaml --name west --cost 5 --wait 30
    """
    site = store.find_site(settings)
    token = _usable_token(site, file)
    with site.held():
        chosen, change = keep_link(site, token, name, cost)
    told = "exists already, unchanged" if change == "unchanged" else "created"
    text = f"link {chosen} to site {token.site_name} {told}"
    if wait is not None and not settings.dry_run:
        wait_until_up(site, chosen, wait)
        text += ", up"
    output.report(settings, "Link", chosen, change, text)
    if wait is None and not settings.dry_run:
        next_step = f"link status {chosen} --wait 30"
        if not site.admin.is_running():
            next_step = "check" if site.has_workloads else "start"
        output.note(settings.here(f"Next: sitectl {next_step}"))


def _usable_token(site: Site, file: str) -> "Token":
    from certs import tokens

    token = tokens.read_file(Path(file))
    tokens.check_usable(token, site.trust.site_id, time.time())
    return token


@group.command("status")
@click.argument("name", required=False)
@_wait_option
@click.option("-v", "--verbose", is_flag=True, hidden=True)
@click.pass_context
def status(ctx: click.Context, name: str | None, wait: float | None, verbose: bool) -> None:
    """Links both ways: state, cost, round trip, and why one is not up.

    A link that is deleted, or whose neighbour stops, is `draining` until its last stream ends. Of
    an edge's links one carries everything; others stand by and take over when it goes.

    \b
    Examples:
      sitectl link status
      sitectl link status west --wait 30
    """
    settings = ctx.ensure_object(Settings)
    site = store.find_site(settings)
    if wait is not None:
        wait_until_up(site, name, wait)
    exit_code = Exit.OK
    try:
        items = site.admin.get("/api/v1/links")
    except Failure as failure:
        if not site.degrades(failure):
            raise
        items, exit_code = _configured(site), site.without_router
        output.note(f"stopped: {failure.message}; this is what is configured")
    if name is not None:
        items = [item for item in items if item["name"] == name]
        if not items:
            raise not_found(f"no link {name!r} at {site.name}", "sitectl link status")
    output.emit_items(settings, "LinkStatus", items, lambda: settings.here(_table(items)))
    ctx.exit(exit_code)


def _configured(site: Site) -> list[dict[str, Any]]:
    links = site.links
    items: list[dict[str, Any]] = []
    for name, spec in sorted(site.wanted().links.items()):
        neighbour: dict[str, str | None] = {"name": None, "id": None}
        token_cost, error = None, "the router does not run"
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
                "state": "down",
                "since": None,
                "rtt_ms": None,
                "lanes": 0,
                "streams": 0,
                "error": error,
                "certificate_expires": None,
            }
        )
    return items


def _table(items: list[dict[str, Any]]) -> str:
    if not items:
        return (
            "No links. Try: sitectl token create FILE here, and sitectl link create FILE "
            "at the other site"
        )
    return output.rows(
        ("LINK", "SITE", "DIRECTION", "COST", "STATE", "STREAMS", "RTT MS", "SINCE", "ERROR"),
        [
            (
                item["name"],
                (item.get("neighbour") or {}).get("name"),
                item.get("direction"),
                item.get("cost"),
                f"{item.get('state')}{', stands by' if item.get('standby') else ''}",
                item.get("streams"),
                item.get("rtt_ms"),
                item.get("since"),
                item.get("error"),
            )
            for item in items
        ],
    )


@group.command("set")
@click.argument("name")
@click.option("--cost", type=_COST, required=True)
@dry_run_flag
@click.pass_obj
def set_(settings: Settings, name: str, cost: int) -> None:
    """Change a link's cost while it is up; `link update` is the same.

    \b
    Example:
      sitectl link set west --cost 5
    """
    site = store.site_to_change(settings)
    document = site.find("Link", name)
    if document is None:
        dialler = incoming_link(site, name)
        if dialler is None:
            raise _no_link(site, name, cost)
        other = (dialler.get("neighbour") or {}).get("name")
        raise Failure(
            Exit.NOT_ALLOWED,
            "incoming-link",
            f"link {name!r} is dialled by site {other!r}, which sets its cost",
            f"At {other}: sitectl link set NAME --cost {cost}",
        )
    assert isinstance(document.spec, LinkSpec)
    spec = LinkSpec(cost=cost, disabled=document.spec.disabled)
    change = site.put(Document("Link", name, spec))
    told = f"has cost {cost} already, unchanged" if change == "unchanged" else f"has cost {cost}"
    output.report(settings, "Link", name, change, f"link {name} {told}")


group.add_command(also(set_), "update")


def _no_link(site: Site, name: str, cost: int) -> Failure:
    """Of `link set`; ``name`` may be the site that a link leads to."""
    links = site.links
    leading = [one for one in links.names() if links.token(one).site_name == name]
    if len(leading) == 1:
        return not_found(
            f"no link {name!r} at {site.name}, the one to site {name} is {leading[0]!r}",
            f"sitectl link set {leading[0]} --cost {cost}",
        )
    return not_found(f"no link {name!r} at {site.name}", "sitectl link status")


@group.command("delete")
@click.argument("name", required=False)
@click.option("--name", "flag", hidden=True)
@dry_run_flag
@click.pass_obj
def delete(settings: Settings, name: str | None, flag: str | None) -> None:
    """Remove a link dialled here; of an incoming one, revoke the neighbour's access.

    A link dialled here drains: nothing new goes over it, either way, and what is under way, of
    other sites too, finishes within the site's `drain_grace_s`; `link status` shows it until then.
    A neighbour whose access is revoked is cut off within a second, with all that is under way.

    \b
    Example:
      sitectl link delete west
    """
    site = store.site_to_change(settings)
    chosen = name or flag
    if chosen is None:
        raise usage("which link?", "sitectl link status")
    links = site.links
    document = site.find("Link", chosen)
    if document is not None or links.exists(chosen):
        site.delete_all([document] if document is not None else [])
        links.remove(chosen)
        output.report(settings, "Link", chosen, "deleted", f"link {chosen} deleted")
        if not settings.dry_run and site.admin.is_running():
            output.note(f"What is under way over it finishes: sitectl link status {chosen}")
        return
    incoming = incoming_link(site, chosen)
    if incoming is None:
        if not site.admin.is_running():
            output.note("the router does not run, so incoming links are not known")
        text = f"no link {chosen} at {site.name}, nothing to delete"
        output.report(settings, "Link", chosen, "unchanged", text)
        return
    neighbour = incoming["neighbour"]
    revoke_site(site, neighbour["id"])
    text = (
        f"link {chosen} deleted: the access of site {neighbour['name']} is revoked, "
        "what was under way is cut"
    )
    output.report(settings, "Link", chosen, "deleted", text)
    if settings.dry_run:
        return
    output.note(
        f"At {neighbour['name']} the link stays configured, until: sitectl link delete NAME"
    )
