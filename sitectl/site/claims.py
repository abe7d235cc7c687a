"""Granting claims at a site: the endpoints in its tokens, and the token of a new claim."""

import time
from typing import TYPE_CHECKING

from certs.limits import CLAIM_EXPIRY_S
from router.documents.addresses import split_host_port
from router.model.specs import SiteSpec
from sitectl.base.failure import Failure, conflict, not_allowed, usage
from sitectl.site.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from certs.ca.terms import TokenTerms
    from certs.names import Endpoint
    from certs.token_files.tokens import Token


def endpoints_to_dial(site: Site, hosts: tuple[str, ...]) -> tuple["Endpoint", ...]:
    """The endpoints in a token of ``site``: ``hosts`` of ``--ingress-host``, else the site's.

    Failure: no site can link to this one.
    """
    wanted = site.wanted()
    require_ingress(site.name, wanted.site.ingress)
    return _endpoints_named(hosts, wanted.site) or site.endpoints()


def accepts_links(site: Site) -> bool:
    """Whether tokens of ``site`` can be used, as far as is known."""
    try:
        return site.wanted().site.ingress != "none"
    except Failure:
        return True


def require_ingress(name: str, ingress: str) -> None:
    """Raise Failure if no site can link to ``name`` because of its ``ingress``."""
    if ingress == "none":
        raise not_allowed(
            f"site {name!r} accepts no links (ingress: none), so no site could use its token",
            "Make the token at the other site, and link from here",
            code="no-ingress",
        )


def _endpoints_named(hosts: tuple[str, ...], site: SiteSpec) -> tuple["Endpoint", ...]:
    """The endpoints of ``--ingress-host``; empty if it was not given."""
    found: list[Endpoint] = []
    for text in hosts:
        parts = split_host_port(text)
        if parts is None:
            raise usage(f"--ingress-host {text!r}: expected HOST[:PORT]")
        found.append((parts[0], parts[1] or site.bind_port))
    return tuple(found)


def grant_claim(
    site: Site,
    name: str,
    dialed: tuple["Endpoint", ...],
    *,
    uses: int = 1,
    cost: int | None = None,
    life_s: float | None = None,
    terms: "TokenTerms | None" = None,
    first: "Callable[[Token], None] | None" = None,
) -> "Token":
    """Grant a claim of that name at ``site``; its token. Failure: the name is taken.

    ``first`` is called with the token right before the grant is stored: after a crash in between
    the grant can be made again.
    """
    from certs.ca.terms import FREE
    from certs.joining.claims import nothing
    from certs.joining.issue import claim_token

    trust, now = site.trust, time.time()
    trust.sweep(now)
    if any(grant.name == name for grant in trust.granted()):
        raise conflict(f"a token named {name!r} was made here already", "Choose another --name")
    return claim_token(
        trust.grants(),
        trust.authority(),
        name=name,
        site_id=trust.site_id,
        site_name=site.wanted().name,
        endpoints=dialed,
        now=now,
        life_s=CLAIM_EXPIRY_S if life_s is None else life_s,
        uses=uses,
        cost=cost,
        terms=FREE if terms is None else terms,
        first=nothing if first is None else first,
    )
