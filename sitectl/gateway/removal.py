"""`gateway delete`: withdraw, stop, take back its access at the site, and leave nothing."""

import shutil
from typing import Final

from certs.errors import CertError
from router.model.errors import ConfigError
from sitectl import output
from sitectl.failure import Exit, Failure
from sitectl.gateway.home import Gateway, site_of
from sitectl.options import Settings
from sitectl.site import Site

_NOT_HERE: Final = "the site is not in reach from here"


def remove(settings: Settings, gateway: Gateway) -> None:
    """End the gateway and delete all of it; half made or half deleted, it goes too."""
    from sitectl.verbs.site import end_site

    site = gateway.site
    if site.config.is_dir():
        end_site(site, settings.timeout_s)
    revoke_here(settings, gateway)
    shutil.rmtree(site.directory)


def revoke_here(settings: Settings, gateway: Gateway) -> None:
    """Take back its access at its site; where that cannot be done from here, say how."""
    record = gateway.record
    if record is None:
        return  # Its init ended before anything was made for it elsewhere.
    site_id = _site_id(gateway)
    why = _NOT_HERE
    try:
        site = site_of(settings, gateway)
        if site is not None:
            revoke(site, site_id, record.grant)
            return
    except Failure as failure:
        why = failure.message
    except (CertError, ConfigError, OSError) as error:
        why = str(error)
    output.note(f"the gateway's access at site {record.site} was not revoked: {why}")
    output.note(f"There type: sitectl {record.flags}revoke-access --link {site_id or record.grant}")


def _site_id(gateway: Gateway) -> str:
    from certs.identity import SiteIdentity

    try:
        return SiteIdentity.load(gateway.site.secrets).site_id
    except (CertError, OSError):
        return ""  # Half deleted: its access went before its files.


def revoke(site: Site, site_id: str, grant: str) -> None:
    """Refuse one neighbour at ``site`` from now on, and the claim that was made for it.

    A router that does not run needs no telling: it finds the list when it starts.
    """
    from sitectl.linking import revoke_site

    unused = [one.name for one in site.trust.granted() if one.name == grant and not one.redeemed]
    if unused:
        site.trust.revoke(unused, [], [])
    if not site_id:
        return
    try:
        revoke_site(site, site_id)
    except Failure as failure:
        if failure.exit_code is not Exit.UNREACHABLE:
            raise
