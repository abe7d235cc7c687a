"""`revoke-access`: nobody, or one site, may link here any more."""

import sys
import time

import click

from certs.names import is_site_id
from sitectl import output, store
from sitectl.failure import not_found
from sitectl.linking import incoming_link, revoke_site
from sitectl.options import Settings, Verb, dry_run_flag
from sitectl.site import Site


@click.command("revoke-access", cls=Verb)
@click.option(
    "--link",
    "name",
    metavar="NAME",
    help="Only of the site behind this incoming link; or by its id, or the token it came with.",
)
@dry_run_flag
@click.pass_obj
def revoke_access(settings: Settings, name: str | None) -> None:
    """Take back what this site's tokens gave: of all of them, or of one neighbour.

    Without --link the site gets another certificate authority: every token that it ever made is
    void, every link that others dial to it ends and must be made anew. Links dialled here stay.

    \b
    Examples:
      sitectl revoke-access --link west
      sitectl revoke-access --link gateway-db-host       by its token, up or not
      sitectl revoke-access --yes
    """
    site = store.site_to_change(settings)
    if name is not None:
        neighbours = _meant(site, name)
        if not neighbours and name not in _unused(site):
            raise not_found(f"no incoming link {name!r} at {site.name}", "sitectl link status")
        for site_id in neighbours:
            revoke_site(site, site_id)
        if name in _unused(site):
            site.trust.revoke([name], [], [])
        who = ", ".join(map(str, neighbours.values()))
        text = f"the access of site {who} is revoked"
        if not neighbours:
            text = f"token {name} is revoked, nobody had used it"
        output.report(settings, "Access", name, "deleted", text)
        return
    if sys.stdin.isatty() and not settings.yes and not settings.dry_run:
        click.confirm(f"End every link to {site.name}, for good?", abort=True, err=True)
    site.trust.renew(time.time())
    site.restart_router()
    output.report(
        settings,
        "Access",
        site.name,
        "deleted",
        f"every token of {site.name} is void, its CA is new",
    )
    if not settings.dry_run:
        output.note("Next: sitectl token create FILE, and link again from the other sites")


def _meant(site: Site, name: str) -> dict[str, str]:
    """Names of the neighbours meant, by id: of an incoming link, a site id or a token that was
    made here. What is linked now comes first."""
    incoming = incoming_link(site, name)
    if incoming is not None:
        return {incoming["neighbour"]["id"]: incoming["neighbour"]["name"]}
    uses = [(grant.name, use) for grant in site.trust.granted() for use in grant.redeemed]
    found = {use.site_id: use.site_name for token, use in uses if name in (token, use.site_id)}
    if not found and is_site_id(name):
        return {name: name}
    return found


def _unused(site: Site) -> set[str]:
    """Names of the claims that somebody could still redeem."""
    return {grant.name for grant in site.trust.granted() if grant.uses_left and not grant.revoked}
