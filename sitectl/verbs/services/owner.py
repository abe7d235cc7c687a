"""`service adopt`: whose declaration of a name counts here."""

import click

from sitectl.base import output
from sitectl.base.options import Settings, completes, dry_run_flag
from sitectl.base.verb import Verb
from sitectl.flags.services.name_ownership import look
from sitectl.flags.services.names import service_meant
from sitectl.selection import store


@click.command("adopt", cls=Verb)
@click.argument("name", shell_complete=completes("services"))
@click.option(
    "--from",
    "owner",
    required=True,
    metavar="SITE",
    shell_complete=completes("network"),
    help="Name or ID of the site whose declaration counts here from now on.",
)
@dry_run_flag
@click.pass_obj
def adopt(settings: Settings, name: str, owner: str) -> None:
    """Make another site the owner of a service's name, as this site sees it.

    The site that declares a name first owns it, until it withdraws the declaration. You choose the
    owner of a name that several sites declared before this site knew any of them, or whose owner
    will not come back. Run this at other sites, too.

    \b
    Example:
      sitectl service adopt shop --from east
    """
    site = store.site_to_change(settings)
    name = service_meant(site, name)
    if settings.dry_run:
        output.report(settings, "Service", name, "updated", f"{owner} would own {name}")
        return
    before = look(site, name)
    site.admin.command("adopt", service=name, site=owner)
    change = "unchanged" if look(site, name) == before else "updated"
    already = " already" if change == "unchanged" else ""
    output.report(settings, "Service", name, change, f"service {name}: {owner} owns it{already}")
