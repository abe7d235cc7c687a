"""`revoke-access`: nobody, or one site, may link here any more."""

import sys
import time

import click

from sitectl import output, store
from sitectl.failure import Failure, not_found, usage
from sitectl.linking import incoming_link, revoke_site
from sitectl.options import Settings, Verb, dry_run_flag
from sitectl.site import Site


@click.command("revoke-access", cls=Verb)
@click.option(
    "--link",
    "name",
    metavar="NAME",
    help="Only of the site behind this incoming link, or of that name or id that was let in.",
)
@dry_run_flag
@click.pass_obj
def revoke_access(settings: Settings, name: str | None) -> None:
    """Take back what this site's tokens gave: of all of them, or of one neighbour.

    Without --link the site gets another certificate authority: every token that it ever made is
    void, every link that others dial to it ends and must be made anew. Links dialled here stay.

    A gateway whose bundle was never launched has no link: it is barred by its name or id.

    \b
    Examples:
      sitectl revoke-access --link west
      sitectl revoke-access --yes
    """
    site = store.site_to_change(settings)
    if name is not None:
        _revoke_one(settings, site, name)
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


def _revoke_one(settings: Settings, site: Site, name: str) -> None:
    """Bar the site that ``name`` means: of a link that is there, else of what was granted."""
    incoming = incoming_link(site, name)
    if incoming is not None:
        found = {incoming["neighbour"]["id"]: incoming["neighbour"]["name"]}
    else:
        uses = [(grant, use) for grant in site.trust.granted() for use in grant.redeemed]
        found = {
            use.site_id: use.site_name
            for grant, use in uses
            if name in (grant.name, use.site_id, use.site_name)
        }
    if not found:
        raise not_found(f"no incoming link {name!r} at {site.name}", "sitectl link status")
    if len(found) > 1:
        raise usage(
            f"{name!r} is the name of {len(found)} sites: {', '.join(sorted(found))}",
            f"sitectl revoke-access --link {min(found)}",
        )
    ((site_id, shown),) = found.items()
    if incoming is None and site.trust.is_revoked(site_id):
        text = f"the access of site {shown} is revoked already, unchanged"
        output.report(settings, "Access", name, "unchanged", text)
        return
    try:
        revoke_site(site, site_id)
    except Failure as failure:
        if not site.degrades(failure):
            raise  # A router that does not run finds the list when it starts.
    output.report(settings, "Access", name, "deleted", f"the access of site {shown} is revoked")
