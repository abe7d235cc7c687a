"""Makes tokens: the content of the file that ``sitectl token create`` writes."""

import hashlib
import math
from typing import Protocol

from certs import certificates, keys, limits, names
from certs.ca.authority import Authority
from certs.ca.terms import FREE, TokenTerms, of_certificate, refuse_unfit
from certs.errors import CertError
from certs.joining.claims import First, Grant, Redemption, claim_expires_at, nothing
from certs.names import Endpoint
from certs.token_files.tokens import Token


class Grants(Protocol):
    """The store of granted claims: a `GrantStore`, or Secrets of a cluster."""

    def create(
        self, draft: Token, *, uses: int = 1, terms: TokenTerms = FREE, first: First = nothing
    ) -> Token:
        """Grant the claim ``draft``; the token with its secret. `CertError`: its name is taken.

        ``first`` is called with the token right before it counts.
        """

    def keep(self, grant: Grant) -> None:
        """Store a grant whose certificate was made here. `CertError`: its name is taken."""


def claim_token(
    store: Grants,
    authority: Authority,
    *,
    name: str,
    site_id: str,
    site_name: str,
    endpoints: tuple[Endpoint, ...],
    now: float,
    life_s: float = limits.CLAIM_EXPIRY_S,
    uses: int = 1,
    cost: int | None = None,
    terms: TokenTerms = FREE,
    first: First = nothing,
) -> Token:
    """Grant a claim and return its token. `CertError` for a taken name or bad values.

    ``first`` saves the token before it is granted. A saved token that was never granted is made
    again; a granted token that was lost would block its name.
    """
    _check(name, site_name, endpoints, cost, life_s)
    draft = Token(
        kind="claim",
        name=name,
        site_id=site_id,
        site_name=site_name,
        endpoints=endpoints,
        ca_pem=authority.trusted_pem,
        expires_at=claim_expires_at(now, life_s),
        cost=cost,
    )
    return store.create(draft, uses=uses, terms=terms, first=first)


def certificate_token(
    authority: Authority,
    *,
    name: str,
    site_id: str,
    site_name: str,
    endpoints: tuple[Endpoint, ...],
    now: float,
    life_s: float = limits.TOKEN_CERTIFICATE_LIFE_S,
    cost: int | None = None,
    holder_id: str | None = None,
    terms: TokenTerms = FREE,
) -> Token:
    """A token with a new key pair. `CertError` for bad values.

    ``holder_id``: the only site that it admits; None: any holder.
    """
    _check(name, site_name, endpoints, cost, life_s)
    if life_s > limits.LINK_LEAF_LIFE_MAX_S:
        days = limits.LINK_LEAF_LIFE_MAX_S // limits.DAY_S
        raise CertError(
            name,
            f"a certificate for links lasts at most {days} days",
            f"Give --expiry {days}d or less; sites that link by it renew by themselves",
        )
    refuse_unfit(terms, name)
    key = keys.generate()
    certificate_pem = authority.issue_client_leaf(
        key.public_key(),
        name,
        now,
        site_id=holder_id,
        expires_at=math.floor(now + life_s),
        terms=terms,
    )
    return Token(
        kind="certificate",
        name=name,
        site_id=site_id,
        site_name=site_name,
        endpoints=endpoints,
        ca_pem=authority.trusted_pem,
        expires_at=int(certificates.expires_at(certificate_pem)),
        cost=cost,
        certificate_pem=certificate_pem,
        key_pem=keys.to_pem(key),
    )


def given_grant(token: Token, holder_id: str, holder_name: str) -> Grant:
    """The issuer's record of a certificate token made for one site, for a later revocation.

    It equals that of a claim that this site redeemed, with no uses left.
    """
    certificate = certificates.read(token.certificate_pem, token.name)
    public = certificates.public_key_der(certificate, token.name)
    use = Redemption(
        key=hashlib.sha256(public).hexdigest(),
        site_id=holder_id,
        site_name=holder_name,
        serial=certificates.serial_of(token.certificate_pem),
        chain=token.certificate_pem,
    )
    return Grant(
        name=token.name,
        salt="",
        digest="",
        checksum="",
        expires_at=token.expires_at,
        uses_left=0,
        cost=token.cost,
        redeemed=(use,),
        allow=() if (told := of_certificate(token.certificate_pem)).are_unrestricted else told,
    )


def _check(
    name: str, site_name: str, endpoints: tuple[Endpoint, ...], cost: int | None, life_s: float
) -> None:
    """Refuse values early that `tokens.load` would refuse at the other site."""
    if not names.is_name(name):
        raise CertError(name, "is no name for a token", "Use a-z, 0-9, '-' and '.'")
    if not names.is_site_name(site_name):
        raise CertError(
            name, "the site's name is not letters, digits, '.', '_' and '-'", "Rename the site"
        )
    if not endpoints:
        raise CertError(
            name, "this site accepts no links, so no site could use a token", "Give --ingress-host"
        )
    if len(endpoints) > limits.TOKEN_ENDPOINTS_MAX:
        raise CertError(name, f"has more than {limits.TOKEN_ENDPOINTS_MAX} endpoints")
    for endpoint in endpoints:
        if names.parse_endpoint(names.format_endpoint(endpoint)) != endpoint:
            shown = names.format_endpoint(endpoint)
            raise CertError(name, f"{shown!r} is no host and port", "Correct --ingress-host")
    if cost is not None and not limits.COST_MIN <= cost <= limits.COST_MAX:
        raise CertError(name, f"cost {cost} is not 1 to {limits.COST_MAX}", "Correct --cost")
    if life_s < 1:
        raise CertError(name, "would be expired when made", "Extend --expiry")
