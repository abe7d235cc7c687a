"""`revoke-access`: nobody, or one site, may link here any more."""

import sys
import time

import click

from sitectl import output, store
from sitectl.failure import not_found
from sitectl.linking import incoming_link, revoke_site
from sitectl.options import Settings, Verb, dry_run_flag


@click.command("revoke-access", cls=Verb)
@click.option("--link", "name", metavar="NAME", help="Only of the site behind this incoming link.")
@dry_run_flag
@click.pass_obj
def revoke_access(settings: Settings, name: str | None) -> None:
    """Take back what this site's tokens gave: of all of them, or of one neighbour.

    Without --link the site gets another certificate authority: every token that it ever made is
    void, every link that others dial to it ends and must be made anew. Links dialled here stay.

    \b
    Examples:
      sitectl revoke-access --link west
      sitectl revoke-access --yes
    """
    site = store.site_to_change(settings)
    if name is not None:
        incoming = incoming_link(site, name)
        if incoming is None:
            raise not_found(f"no incoming link {name!r} at {site.name}", "sitectl link status")
        neighbour = incoming["neighbour"]
        revoke_site(site, neighbour["id"])
        text = f"the access of site {neighbour['name']} is revoked"
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
