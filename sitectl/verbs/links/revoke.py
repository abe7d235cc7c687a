"""`revoke-access`: all sites, or one site, may no longer link here."""

import time
from collections.abc import Container

import click

from certs.names import is_site_id
from sitectl.base import output
from sitectl.base.failure import Failure, not_found, usage
from sitectl.base.options import Settings, dry_run_flag
from sitectl.base.verb import Verb
from sitectl.flags.links.creation import incoming_link, link_to, revoke_site
from sitectl.selection import store
from sitectl.site.site import Site


@click.command("revoke-access", cls=Verb)
@click.option(
    "--link",
    "name",
    metavar="NAME",
    help="Revoke only the site of this incoming link; also its name, its ID or its token's name.",
)
@dry_run_flag
@click.pass_obj
def revoke_access(settings: Settings, name: str | None) -> None:
    """Revoke the access that this site's tokens gave: all of it, or one neighbor's.

    Without --link the site gets a new certificate authority: every token that it ever made is void,
    and every link from another site ends within a second and must be made again. Links dialed here
    stay. To replace the CA while all links stay up: sitectl ca rotate.

    A gateway whose bundle was never launched has no link: name it by its name or ID.

    \b
    Examples:
      sitectl revoke-access --link west
      sitectl revoke-access --link gateway-db-host       by its token, up or not
      sitectl revoke-access --yes
    """
    site = store.site_to_change(settings)
    if name is not None:
        _revoke_one(settings, site, name)
        return
    settings.confirm(f"End every link to {site.name}, for good?")
    follows = _router_follows(site)
    site.trust.renew(time.time())
    site.note_change()
    if follows:
        site.reload()
    else:
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


def _router_follows(site: Site) -> bool:
    """Whether its router reports that it applies a new CA by itself; older routers restart."""
    try:
        site.admin.get("/api/v1/ca")
    except Failure:
        return False
    return True


def _revoke_one(settings: Settings, site: Site, name: str) -> None:
    """Revoke the site that ``name`` means, or the unused token of that name."""
    is_linked, found = _meant(site, name)
    unused = _is_unused(site, name)
    if not found and not unused:
        text = f"no incoming link, site or token {name!r} at {site.name}"
        leading = link_to(site, name)
        if leading is not None:
            raise not_found(
                f"{text}, but it dials {name} by link {leading!r}", f"sitectl link delete {leading}"
            )
        raise not_found(text, "sitectl link access")
    living = {one: called for one, called in found.items() if not site.trust.is_revoked(one)}
    found = living or found  # A name that was barred and came back with another identity.
    if len(living) > 1:
        raise usage(
            f"{name!r} is the name of {len(found)} sites: {', '.join(sorted(found))}",
            f"sitectl revoke-access --link {min(found)}",
        )
    who = ", ".join(dict.fromkeys(found.values()))
    if not is_linked and not unused and not living:
        text = f"the access of site {who} is revoked already, unchanged"
        output.report(settings, "Access", name, "unchanged", text)
        return
    if unused:
        site.trust.revoke([name], [], [])
    try:
        for site_id in found:
            revoke_site(site, site_id)
    except Failure as failure:
        if not site.degrades(failure):
            raise  # A router that does not run finds the list when it starts.
    site.note_change()
    text = f"the access of site {who} is revoked"
    if not found:
        text = f"token {name} is revoked, it was never used"
    output.report(settings, "Access", name, "deleted", text)
    _name_others(site, name, found)


def _name_others(site: Site, name: str, revoked: Container[str]) -> None:
    """Report the sites that ``name`` means too, and that may still link here."""
    for other, called in sorted(_admitted(site, name).items()):
        if other not in revoked and not site.trust.is_revoked(other):
            which = f"another site named {name}"
            if called != name:
                which = f"site {called}, which token {name} admitted,"
            output.note(f"Note: {which} may still link here: {other}")
            output.note(f"Next: sitectl revoke-access --link {other}")


def _meant(site: Site, name: str) -> tuple[bool, dict[str, str]]:
    """Whether ``name`` is linked now, and the names of the sites that it means, by id.

    ``name`` is an incoming link (which comes first), an admitted site, its id, or the token that
    admitted it.
    """
    incoming = incoming_link(site, name)
    if incoming is not None:
        return True, {incoming["neighbour"]["id"]: incoming["neighbour"]["name"]}
    found = _admitted(site, name)
    if not found and is_site_id(name):
        return False, {name: name}
    return False, found


def _admitted(site: Site, name: str) -> dict[str, str]:
    """The names of the sites that hold a certificate for links to here, by ID, where ``name`` is
    the site's name, its ID or its token's name. Revoked sites count."""
    uses = [(grant, use) for grant in site.trust.granted() for use in grant.redeemed]
    found = {
        use.site_id: use.site_name
        for grant, use in uses
        if name in (grant.name, use.site_id, use.site_name)
    }
    for one in site.trust.admitted():
        if name in (one.site_id, one.name, *one.tokens):
            found.setdefault(one.site_id, one.name)
    return found


def _is_unused(site: Site, name: str) -> bool:
    """Whether ``name`` is a claim that a site could still redeem."""
    granted = site.trust.granted()
    return any(one.name == name and one.uses_left and not one.revoked for one in granted)
