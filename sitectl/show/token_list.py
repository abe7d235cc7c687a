"""Claim tokens of a site, as its router knows them, or as they are kept when none answers."""

import time
from typing import TYPE_CHECKING, Any

from certs.errors import CertError
from certs.limits import BACKDATE_S
from sitectl.base.failure import Exit, Failure
from sitectl.site.site import Site

if TYPE_CHECKING:
    from certs.joining.claims import Grant


def tokens_of(site: Site) -> list[dict[str, Any]]:
    """Each claim without its secret, the newest first. Needs no router."""
    try:
        known: list[dict[str, Any]] = site.admin.get("/api/v1/tokens")
    except Failure as failure:
        # Not there, not answering, or of a version that has no such question.
        if failure.exit_code not in (Exit.UNREACHABLE, Exit.NOT_FOUND):
            raise
        known = []
    # The router reads the grants every few seconds, so their files say more than it does.
    names, newest = {one["name"] for one in known}, max((one["made"] for one in known), default="")
    now, ca_pem = time.time(), site.trust.ca().ca_pem
    grants = sorted(site.trust.granted(), key=lambda one: (-one.made_at, one.name))
    kept = {grant.name: _item(grant, now, ca_pem) for grant in grants}
    new = [one for one in kept.values() if one["name"] not in names and one["made"] >= newest]
    return new + [kept.get(one["name"], one) for one in known]


def claims_of(grant: "Grant") -> list[dict[str, str]]:
    """Its redemptions, oldest first."""
    from certs import certificates
    from certs.clocks import utc

    found = []
    for use in grant.redeemed:
        try:
            at = utc(certificates.begins_at(use.chain) + BACKDATE_S)
        except (CertError, ValueError):
            at = ""
        found.append({"site": use.site_name, "id": use.site_id, "at": at})
    return found


def _item(grant: "Grant", now: float, ca_pem: str) -> dict[str, Any]:
    from certs.clocks import utc
    from certs.joining.claims import is_of_old_ca

    state = "old-ca" if is_of_old_ca(grant, ca_pem) else "open"
    if now >= grant.expires_at:
        state = "expired"
    if grant.uses_left < 1:
        state = "used"
    if grant.revoked:
        state = "revoked"
    return {
        "name": grant.name,
        "state": state,
        "made": utc(grant.made_at) if grant.made_at else "",
        "expires": utc(grant.expires_at),
        "uses_left": max(0, grant.uses_left),
        "uses": grant.uses_left + len(grant.redeemed),
        "claimed": claims_of(grant),
    }
