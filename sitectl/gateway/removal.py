"""`gateway delete`: withdraw, stop, take back its access at the site, and leave nothing."""

import shutil
from typing import Final

from certs.errors import CertError
from router.model.errors import ConfigError
from sitectl.base import output
from sitectl.base.failure import Exit, Failure
from sitectl.base.options import Settings
from sitectl.gateway import advice
from sitectl.gateway.advice import is_kept_out
from sitectl.gateway.gateway_init import GRANT_PREFIX
from sitectl.gateway.gateway_status import link_of
from sitectl.gateway.home import HostGateway, site_of
from sitectl.runtimes.site_lifecycle import end_site
from sitectl.site.site import Site

_BY_TOKEN: Final = "the gateway came with a token file, which does not say how to manage that site"


def remove(settings: Settings, gateway: HostGateway) -> None:
    """End the gateway and delete all of it; half made or half deleted, it goes too."""
    site = gateway.site
    is_copy = False
    if site.config.is_dir():
        is_copy = is_kept_out(link_of(site))
        with advice.naming(site):
            end_site(site, settings.timeout_s)
    if is_copy and gateway.record is not None:
        output.note(
            f"the access at site {gateway.record.site} stays: another router has this gateway's "
            "identity, and is linked there"
        )
    else:
        revoke_here(settings, gateway)
    shutil.rmtree(site.directory)


def revoke_here(settings: Settings, gateway: HostGateway) -> None:
    """Take back its access at its site; where that cannot be done from here, say how."""
    record = gateway.record
    if record is None:
        return  # Its init ended before anything was made for it elsewhere.
    site_id = _site_id(gateway)
    try:
        site = site_of(settings, gateway)
        if site is not None:
            revoke(site, site_id, record.grant)
            return
        why = _BY_TOKEN
        if record.platform:
            why = "the site of that name is another one now, with another id"
    except Failure as failure:
        why = failure.message
    except (CertError, ConfigError, OSError) as error:
        why = str(error)
    output.note(f"the gateway's access at site {record.site} was not revoked: {why}")
    output.note(f"There type: sitectl {record.flags}revoke-access --link {site_id or record.grant}")


def _site_id(gateway: HostGateway) -> str:
    from certs.identity import SiteIdentity

    try:
        return SiteIdentity.load(gateway.site.secrets).site_id
    except (CertError, OSError):
        return ""  # Half deleted: its access went before its files.


def revoke(site: Site, site_id: str, grant: str) -> None:
    """Refuse one neighbor at ``site`` from now on, and the claim that was made for it.

    A router that does not run needs no telling: it finds the list when it starts.
    """
    from sitectl.flags.links.creation import revoke_site

    granted = [one for one in site.trust.granted() if one.name == grant]
    unused = [one.name for one in granted if not one.redeemed]
    if unused:
        site.trust.revoke(unused, [], [])
    # By its own claim too: who took the gateway over may have laid another key into its directory.
    own = [one for one in granted if grant.startswith(GRANT_PREFIX) and len(one.redeemed) == 1]
    barred = {site_id, *(use.site_id for one in own for use in one.redeemed)} - {""}
    for whom in sorted(barred):
        try:
            revoke_site(site, whom)
        except Failure as failure:
            if failure.exit_code is not Exit.UNREACHABLE:
                raise
