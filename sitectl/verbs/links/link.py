"""`link create|status|set|delete`; Skupper's `link update` is `link set`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.model.specs import Document, LinkSpec
from sitectl.base import output
from sitectl.base.failure import Exit, Failure, not_allowed, not_found, timed_out, usage
from sitectl.base.options import Settings, TokenFile, completes, dry_run_flag, wait_flag
from sitectl.base.verb import Verbs, also
from sitectl.base.watch import show, watch_flag
from sitectl.flags.links.cost import LinkCost
from sitectl.flags.links.creation import (
    incoming_link,
    keep_link,
    link_to,
    no_link,
    revoke_site,
    wait_until_up,
)
from sitectl.flags.sites.proxy import ProxyFlags, keep_link_login, proxy_flags, read_wish
from sitectl.runtimes import presence
from sitectl.selection import store
from sitectl.show.link_picture import link_picture
from sitectl.site.claims import accepts_links
from sitectl.site.site import Site

if TYPE_CHECKING:
    from certs.ca.rotation import CaState
    from certs.links.register import Admitted
    from certs.token_files.tokens import Token


@click.group("link", cls=Verbs)
def group() -> None:
    """Links to neighbor sites: dialed from here, or accepted here.

    \b
    Examples:
      sitectl link create west.yaml --name west --cost 5     from a token of the other site
      sitectl link status
      sitectl link set west --cost 2                         while it is up
    """


_until_up = wait_flag("Wait until the link is up (exit 0), refused (1), or time is up (6).")


@group.command("create")
@click.argument("file", type=TokenFile())
@click.option("--name", help="[default: link1, link2, …]")
@click.option("--cost", type=LinkCost(), help="[default: the token's, else 1]")
@_until_up
@proxy_flags("proxy")
@dry_run_flag
@click.pass_obj
def create(
    settings: Settings,
    file: str,
    name: str | None,
    cost: int | None,
    wait: float | None,
    proxy: ProxyFlags,
) -> None:
    """Store the token in FILE and dial its site.

    \b
    Examples:
      sitectl link create west.yaml --name west --cost 5 --wait 30
      sitectl link create west.yaml --proxy http://proxy.corp:3128
      sitectl link create west.yaml --proxy http://me@proxy.corp:3128 --proxy-password-file -
    """
    wish = read_wish(proxy)
    site = store.find_site(settings)
    token = _usable_token(site, file)
    with site.held():
        chosen, change = keep_link(site, token, name, cost, wish)
    told = "exists already, unchanged" if change == "unchanged" else "created"
    text = f"link {chosen} to site {token.site_name} {told}"
    if wait is not None and not settings.dry_run:
        try:
            wait_until_up(site, chosen, wait)
        except KeyboardInterrupt:
            output.note(f"{text}; the router dials it. To undo it: sitectl link delete {chosen}")
            raise
        except Failure as failure:
            if failure.exit_code is Exit.UNREACHABLE:
                once = f"{text}, which is dialed once this router runs"
                failure.message = f"{once}: {failure.message}"
            raise
        text += ", up"
    output.report(settings, "Link", chosen, change, text)
    if wait is None and not settings.dry_run:
        next_step = f"link status {chosen} --wait 30"
        if not site.admin.is_running():
            next_step = "check" if site.has_workloads else "start"
        output.note(f"Next: sitectl {next_step}")


def _usable_token(site: Site, file: str) -> "Token":
    from certs.token_files import access_tokens, tokens

    token = access_tokens.read_file(Path(file))
    tokens.check_usable(token, site.trust.site_id, time.time())
    return token


@group.command("status")
@click.argument("name", required=False, shell_complete=completes("links"))
@_until_up
@watch_flag
@click.option("-v", "--verbose", is_flag=True, hidden=True)
@click.pass_context
def status(
    ctx: click.Context, name: str | None, wait: float | None, watch: float | None, verbose: bool
) -> None:
    """Show links both ways: state, cost, round trip, and why one is not up.

    A deleted link, or one whose neighbor stops, is `draining` until its last stream ends. One of an
    edge's links carries everything; the others stand by and take over if it fails. With NAME, the
    link's address, proxy and certificate end are shown too.

    \b
    Examples:
      sitectl link status
      sitectl link status west --wait 30
      sitectl link status --watch
    """
    settings = ctx.ensure_object(Settings)
    if wait is not None:
        wait_until_up(store.find_site(settings), name, wait)
    show(ctx, lambda: link_picture(settings, store.find_site(settings), name), watch)


@group.command("set")
@click.argument("name", shell_complete=completes("links"))
@click.option("--cost", type=LinkCost(), help="New cost; it counts at once, without a reconnect.")
@proxy_flags("proxy")
@dry_run_flag
@click.pass_obj
def set_(settings: Settings, name: str, cost: int | None, proxy: ProxyFlags) -> None:
    """Change a link's cost or proxy while it is up; `link update` is the same.

    With another proxy the link is dialed again; running requests finish on the old lanes.

    \b
    Examples:
      sitectl link set west --cost 5
      sitectl link set west --proxy http://proxy.corp:3128
      sitectl link set west --proxy none
    """
    wish = read_wish(proxy)
    if cost is None and wish is None:
        raise usage("what should change?", f"sitectl link set {name} --cost N, or --proxy URL")
    site = store.site_to_change(settings)
    document = site.find("Link", name)
    if document is None:
        site.require_readable("Link", name)
        dialer = incoming_link(site, name)
        if dialer is None:
            raise no_link(site, name, link_to(site, name), f"link set {{}} {_shown(cost)}")
        other = (dialer.get("neighbour") or {}).get("name")
        raise not_allowed(
            f"link {name!r} is dialed by site {other!r}, which sets its cost and proxy",
            f"At {other}: sitectl link set NAME {_shown(cost)}",
            code="incoming-link",
        )
    assert isinstance(document.spec, LinkSpec)
    known = document.spec
    spec = LinkSpec(
        cost=known.cost if cost is None else cost,
        disabled=known.disabled,
        proxy=known.proxy if wish is None else wish.said,
    )
    site.judge_all([Document("Link", name, spec)], replace=True)  # Before a login is kept.
    another_login = keep_link_login(site, name, wish)
    change = site.put(Document("Link", name, spec))
    if another_login and change == "unchanged":
        change = "updated"
        site.reload()
    said = [f"cost {cost}"] if cost is not None else []
    said += [f"proxy {wish.said}"] if wish is not None else []
    told = f"has {' and '.join(said)}" + (" already, unchanged" if change == "unchanged" else "")
    output.report(settings, "Link", name, change, f"link {name} {told}")


group.add_command(also(set_), "update")


def _shown(cost: int | None) -> str:
    """The flag that was given, to be typed again."""
    return "--proxy URL" if cost is None else f"--cost {cost}"


@group.command("renew")
@click.argument("name", shell_complete=completes("links"))
@wait_flag("Wait for another certificate (exit 0), or until time is up (6).")
@click.pass_obj
def renew(settings: Settings, name: str, wait: float | None) -> None:
    """Renew now the certificate of a link dialed here; the router renews it in time anyhow.

    Running requests go on.

    \b
    Example:
      sitectl link renew west --wait 30
    """
    site = store.find_site(settings)
    before = _certificate_of(site, name)
    site.admin.command("renew", link=name)
    if wait is None:
        output.report(settings, "Link", name, "changed", f"link {name} asks for a certificate")
        return
    if not presence.wait_until(
        lambda: _certificate_of(site, name) not in ("", before), wait, site.poll_s
    ):
        cause = _why_not_renewed(site, name)
        raise timed_out(
            f"link {name} has no other certificate after {wait:g} s{cause and f': {cause}'}",
            "sitectl events",
        )
    ends = _dialed(site, name)["certificate_expires"]
    output.report(settings, "Link", name, "changed", f"link {name} is renewed, until {ends}")


def _why_not_renewed(site: Site, name: str) -> str:
    """The reason why the last renewal failed; empty: the router knows of none."""
    codes = ("certificate-renewed", "certificate-not-renewed")
    told = [
        event
        for event in site.admin.get("/api/v1/events")
        if event["subject"] == name and event["code"] in codes
    ]
    return str(told[-1]["message"]) if told and told[-1]["code"] == codes[1] else ""


def _certificate_of(site: Site, name: str) -> str:
    """The link's certificate by serial: two of the same second have the same end."""
    return str(_dialed(site, name).get("certificate", ""))


def _dialed(site: Site, name: str) -> dict[str, Any]:
    items = site.admin.get("/api/v1/links")
    found = [one for one in items if one["name"] == name and one["direction"] == "outgoing"]
    if not found:
        dialer = next((one["neighbour"]["name"] for one in items if one["name"] == name), None)
        raise not_found(
            f"no link {name!r} is dialed by {site.name}",
            f"At {dialer}: sitectl link renew NAME" if dialer else "sitectl link status",
        )
    return dict(found[0])


def _none_admitted(site: Site) -> str:
    if not accepts_links(site):
        return f"No site may link here: {site.name} accepts no links (ingress: none)."
    return "No site may link here. Try: sitectl token create FILE"


@group.command("access")
@click.pass_obj
def access(settings: Settings) -> None:
    """Show the sites that may link here: by which token, until when, and when each was last seen.

    The token is that of the newest certificate; `-o json` has all in `tokens`, and the serials.
    A site is `old-ca` if its certificate is from a CA that this site replaced: it is refused until
    it renews by itself, or links with a new token.

    \b
    Examples:
      sitectl link access
      sitectl link access -o json
    """
    site = store.find_site(settings)
    ca = site.trust.ca()
    linked = _linked_sites(site)
    items = [_access(site, one, ca, linked) for one in site.trust.admitted()]
    headings = ("SITE", "ID", "TOKEN", "STATE", "EXPIRES", "RENEWED", "LAST SEEN")
    names = ("name", "id", "token", "state", "certificate_expires", "renewed")
    output.emit_items(
        settings,
        "LinkAccess",
        items,
        lambda: (
            output.rows(
                headings,
                [
                    (
                        *(item[name] for name in names),
                        _last_seen(item),
                    )
                    for item in items
                ],
            )
            if items
            else _none_admitted(site)
        ),
    )


def _last_seen(item: dict[str, Any]) -> str | None:
    """``last_seen`` is written once a day: the site may have linked again within it."""
    if item["linked"]:
        return "linked now"
    return f"after {item['last_seen']}" if item["last_seen"] else None


def _linked_sites(site: Site) -> frozenset[str] | None:
    """Ids of the sites linked now; None: no router answers."""
    links = site.told("/api/v1/links")
    if links is None:
        return None
    up = (one for one in links if one["state"] == "up" and not one.get("silent_since"))
    return frozenset(one["neighbour"]["id"] for one in up)


def _access(
    site: Site, one: "Admitted", ca: "CaState", linked: frozenset[str] | None
) -> dict[str, Any]:
    """``linked``: as of `_linked_sites`. ``last_seen`` is written once a day."""
    from certs.ca import rotation
    from certs.clocks import utc

    newest = one.issued[-1].chain if one.issued else ""
    state = "old-ca" if newest and not rotation.admits(ca, newest) else "valid"
    state = "expired" if time.time() >= one.expires else state
    return {
        "name": one.name,
        "id": one.site_id,
        "token": (one.tokens or (one.by,))[-1],
        "tokens": list(one.tokens),
        "state": "revoked" if site.trust.is_revoked(one.site_id) else state,
        "since": utc(one.since) if one.since else None,
        "certificate_expires": utc(one.expires) if one.issued else None,
        "renewed": utc(one.renewed) if one.renewed else None,
        "linked": None if linked is None else one.site_id in linked,
        "last_seen": utc(one.seen) if one.seen else None,
        "serials": list(one.serials),
    }


@group.command("delete")
@click.argument("name", required=False, shell_complete=completes("links"))
@click.option("--name", "flag", hidden=True)
@dry_run_flag
@click.pass_obj
def delete(settings: Settings, name: str | None, flag: str | None) -> None:
    """Remove a link dialed here; for an incoming one, revoke the neighbor's access.

    A link dialed here drains: it takes no new requests, either way, and running ones, of other
    sites too, may finish within the site's `drain_grace_s`; `link status` shows it until then.
    A neighbor whose access is revoked is cut off within a second, with all its requests.

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
        carries = not settings.dry_run and _is_up(site, chosen)
        site.delete_all([document] if document is not None else [])
        links.remove(chosen)
        output.report(settings, "Link", chosen, "deleted", f"link {chosen} deleted")
        if carries:
            output.note(
                "What is under way over it finishes; until then it drains: sitectl link status"
            )
        return
    incoming = incoming_link(site, chosen)
    if incoming is None:
        if not site.admin.is_running():
            output.note("no router answers, so incoming links are not known")
        text = f"no link {chosen} at {site.name}, nothing to delete"
        leading = link_to(site, chosen)
        if leading is not None:
            text += f"; the one to site {chosen} is {leading}"
        output.report(settings, "Link", chosen, "unchanged", text)
        if leading is not None:
            output.note(f"Next: sitectl link delete {leading}")
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


def _is_up(site: Site, name: str) -> bool:
    """Whether link ``name``, which this site dials, is up, according to the router."""
    return any(
        one["name"] == name and one["direction"] == "outgoing" and one["state"] == "up"
        for one in site.told("/api/v1/links") or ()
    )
