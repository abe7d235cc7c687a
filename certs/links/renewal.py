"""Renewal of a link's certificate: its due time, the issuer's answer, the holder's checks.

Over a link that is up, both ends have proved their identity. A site whose link cannot come up any
more (its certificate ended, or the issuer's CA was replaced) asks on the claim port instead: its
request is signed by its identity key, the answer by the issuer's, and TLS proves nothing.
"""

import base64
import binascii
import hashlib
from typing import Annotated

import msgspec

from certs import certificates, keys, limits
from certs.ca import signing_requests, terms
from certs.ca.authority import Authority, Leaf
from certs.errors import CertError
from certs.identity import SiteIdentity, site_id_of, verify
from certs.links.credentials import Credential
from certs.token_files.tokens import Token

NONCE_BYTES = 32
_REQUEST_LABEL = b"spillway/1 renewal request\0"
_ANSWER_LABEL = b"spillway/1 renewal answer\0"

_Base64 = Annotated[str, msgspec.Meta(max_length=1024)]
_Id = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]


class RenewalRequest(msgspec.Struct, frozen=True):
    """The body of ``POST /renewals/NAME``. ``site``: the issuer. Unknown fields are ignored."""

    csr: Annotated[str, msgspec.Meta(max_length=8 * limits.KIB)]
    site: _Id
    public_key: _Base64
    nonce: _Base64
    signature: _Base64


class Given(msgspec.Struct, frozen=True):
    """The body of status 200."""

    chain: str
    cas: str
    public_key: _Base64
    signature: _Base64


def due_at(chain_pem: str, chance: float, token: Token | None = None) -> float:
    """Unix seconds when renewal is due: up to a tenth of the life before two thirds are over.

    ``chance`` in [0, 1) differs per holder, so that sites that joined together renew at different
    times. A certificate that was in the ``token`` ends with it, so one of less than a week is due
    at once: of a short life a third may be less than what counts as late. Without a link this is no
    reason: leave the ``token`` out.
    """
    expires = certificates.expires_at(chain_pem)
    begins = certificates.begins_at(chain_pem)
    is_of_token = token is not None and chain_pem == token.certificate_pem
    if is_of_token and expires - begins < limits.LINK_LEAF_LIFE_S:
        return begins
    share = limits.RENEW_AT_SHARE - limits.RENEW_SPREAD_SHARE * chance
    return begins + (expires - begins) * share


def issue(authority: Authority, old: bytes | str, csr: str, site_id: str, now: float) -> str:
    """A certificate for the key of ``csr``, with the terms and the name of ``old``.

    `CertError` if the request is invalid, or the terms are unreadable.
    """
    return authority.issue_client_leaf(
        signing_requests.key_of_csr(csr),
        certificates.common_name(old),
        now,
        site_id=site_id,
        expires_at=now + limits.LINK_LEAF_LIFE_S,
        terms=terms.of_certificate(old),
    )


def read_renewed(
    chain_pem: str, cas_pem: str, key_pem: str, site_id: str, source: str
) -> Credential:
    """The credential in an answer that is proven to be the issuer's. `CertError`: unusable."""
    certificate = certificates.read(chain_pem, source)
    cas = certificates.read_all(cas_pem, source)
    if certificates.public_key_der(certificate) != keys.public_der(keys.from_pem(key_pem, "key")):
        raise CertError(source, "renewed another key than ours")
    if not certificates.is_issued_by(certificate, cas):
        raise CertError(source, "renewed by a CA that it does not name")
    if not certificates.is_for_clients(certificate):
        raise CertError(source, "renewed by a certificate that is not for linking")
    if certificates.site_in_certificate(chain_pem) != site_id:
        raise CertError(source, "renewed by a certificate of another site")
    return Credential(leaf=Leaf(key_pem=key_pem, chain_pem=chain_pem), ca_pem=cas_pem)


# Requests on the claim port --------------------------------------------------------------------


def make_request(identity: SiteIdentity, site: str, key_pem: str, nonce: bytes) -> bytes:
    """The body that asks ``site`` for a certificate of the key of ``key_pem``."""
    csr = signing_requests.make_csr(keys.from_pem(key_pem, "key"))
    signed = _request(site, nonce, csr)
    return msgspec.json.encode(
        RenewalRequest(
            csr=csr,
            site=site,
            public_key=_text(identity.public_key),
            nonce=_text(nonce),
            signature=_text(identity.sign(signed)),
        )
    )


def read_request(body: bytes, own_site: str) -> tuple[RenewalRequest, str] | None:
    """The request and its site; None unless the site proved itself and the request is for us."""
    if len(body) > limits.CLAIM_BODY_BYTES_MAX:
        return None
    try:
        asked = msgspec.json.decode(body, type=RenewalRequest)
        public_key, nonce = _bytes(asked.public_key), _bytes(asked.nonce)
        signature = _bytes(asked.signature)
    except (ValueError, RecursionError):
        return None
    if asked.site != own_site or len(nonce) != NONCE_BYTES:
        return None
    if not verify(public_key, signature, _request(own_site, nonce, asked.csr)):
        return None
    return asked, site_id_of(public_key)


def make_answer(
    identity: SiteIdentity, asked: RenewalRequest, chain_pem: str, cas_pem: str
) -> bytes:
    """The body of status 200."""
    signed = _answer(_bytes(asked.nonce), asked.csr, chain_pem, cas_pem)
    return msgspec.json.encode(
        Given(
            chain=chain_pem,
            cas=cas_pem,
            public_key=_text(identity.public_key),
            signature=_text(identity.sign(signed)),
        )
    )


def read_answer(
    status: int, body: bytes, request: bytes, key_pem: str, site_id: str, token: Token
) -> Credential:
    """The credential in the answer to ``request`` of site ``site_id``.

    Only the signature counts, by the key whose hash is the token's site id. Raises `CertError`,
    with ``retryable`` if asking again may help.
    """
    if status != 200:
        reason = f"{token.site_name} did not renew it (status {status})"
        again = f"On {token.site_name} run: sitectl token create FILE, and link again"
        raise CertError(token.name, reason, again, retryable=status in (429, 503))
    asked = msgspec.json.decode(request, type=RenewalRequest)
    try:
        if len(body) > limits.CLAIM_ANSWER_BYTES_MAX:
            raise ValueError("too long")
        given = msgspec.json.decode(body, type=Given)
        public_key, signature = _bytes(given.public_key), _bytes(given.signature)
    except (ValueError, RecursionError) as error:
        raise CertError(token.name, "the answer to the renewal is not understood") from error
    signed = _answer(_bytes(asked.nonce), asked.csr, given.chain, given.cas)
    if site_id_of(public_key) != token.site_id or not verify(public_key, signature, signed):
        raise CertError(token.name, f"the answer to the renewal is not {token.site_name}'s")
    return read_renewed(given.chain, given.cas, key_pem, site_id, token.site_name)


def _request(site: str, nonce: bytes, csr: str) -> bytes:
    """The bytes that the asker signs.

    All parts except the label, which ends in 0, have a fixed length.
    """
    return _REQUEST_LABEL + site.encode() + nonce + hashlib.sha256(csr.encode()).digest()


def _answer(nonce: bytes, csr: str, chain_pem: str, cas_pem: str) -> bytes:
    parts = (csr, chain_pem, cas_pem)
    return _ANSWER_LABEL + nonce + b"".join(hashlib.sha256(p.encode()).digest() for p in parts)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    """Decode base64. Raises ValueError."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error
