"""The proofs of the two ends of a control lane, as pure functions.

TLS proves admission, this proves identity: each end signs the label, its role, both nonces and both
leaf fingerprints with its site's identity key. A signature is valid for one role on one TLS
connection between two particular leaves, so it cannot be replayed, reflected or relayed.
"""

import hashlib
import hmac
from typing import Literal

import msgspec

from router.link.control import VERSION, Hello
from router.link.neighbour import Neighbour
from router.model.errors import HandshakeRejected
from router.model.ids import RouterId, SiteId
from router.model.own_identity import OwnIdentity

Role = Literal["dialler", "acceptor"]
"""The words are part of the signed texts: never change their spelling."""

_PROOF_LABEL = b"spillway/1 link proof\0"
_JOIN_LABEL = b"spillway/1 lane join\0"

IS_EDGE = "edge"
"""The feature of an edge router."""

SERVES_EDGES = "edge-table"
"""The feature of a router that gives edges their table and completes their paths."""

JUDGES = "sharing"
"""The feature of a router that knows what is offered to which site, and withholds from an edge
streams that the edge may not get."""

JOINS_SIBLINGS = "sibling"
"""The feature of a router that links to routers of its own site. A router that dials a sibling
requires it, so that two sites with one identity that meet on a link between sites find out."""

AGREES_ON_SHARES = "shares"
"""The feature of a router that reports to its own site how it divides (`balance.sites.shares`)."""


RENEWS = "renew"
"""The feature of a router that knows RENEW, RENEWED and RENEW-DUE. If the same process dials a link
again with another certificate, this router takes the new link for the successor of the old one,
which goes on until it has drained."""


TAKES_ANSWERS = "answer"
"""The feature of a router that knows ANSWER and ACCEPTED-LATE."""


COMPARES = "digest"
"""The feature of a router that knows DIGEST: once a link is up, each end sends only what the other
lacks."""


class Abilities(msgspec.Struct, frozen=True):
    """A router's abilities beyond the base protocol, and those it requires of its neighbors."""

    features: frozenset[str]
    required: frozenset[str] = frozenset()


INTERIOR = Abilities(
    frozenset(
        {
            SERVES_EDGES,
            JOINS_SIBLINGS,
            RENEWS,
            JUDGES,
            AGREES_ON_SHARES,
            TAKES_ANSWERS,
            COMPARES,
        }
    )
)
SIBLING = Abilities(INTERIOR.features, frozenset({JOINS_SIBLINGS}))
EDGE = Abilities(frozenset({IS_EDGE, RENEWS, TAKES_ANSWERS}), frozenset({SERVES_EDGES}))


def fingerprint(certificate: bytes) -> bytes:
    """SHA-256 of a leaf in DER."""
    return hashlib.sha256(certificate).digest()


def transcript(
    role: Role,
    dialer_nonce: bytes,
    acceptor_nonce: bytes,
    dialer_leaf: bytes,
    acceptor_leaf: bytes,
) -> bytes:
    """The bytes that the end in ``role`` signs. Nonces are 32 bytes, leaves are fingerprints, so
    the result is unambiguous."""
    return b"".join(
        (
            _PROOF_LABEL,
            role.encode(),
            b"\0",
            dialer_nonce,
            acceptor_nonce,
            dialer_leaf,
            acceptor_leaf,
        )
    )


def join_proof(
    secret: bytes, role: Role, session: bytes, dialer_leaf: bytes, acceptor_leaf: bytes
) -> bytes:
    """The proof that the end in ``role`` knows ``secret``, which the other end sent in its
    HELLO."""
    data = b"".join((_JOIN_LABEL, role.encode(), b"\0", session, dialer_leaf, acceptor_leaf))
    return hmac.digest(secret, data, "sha256")


def join_is_proven(expected: bytes, told: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(expected, told)


def other(role: Role) -> Role:
    """The role of the other end."""
    return "acceptor" if role == "dialler" else "dialler"


def judge_hello(
    hello: Hello, identity: OwnIdentity, expected: SiteId | None, abilities: Abilities
) -> Neighbour:
    """The identity that the peer claims, not proven yet. Raises HandshakeRejected."""
    if hello.version != VERSION:
        raise HandshakeRejected(
            "version",
            f"{hello.name} speaks version {hello.version} of the link protocol, we {VERSION}",
            "Upgrade the older of the two routers",
        )
    _judge_features(hello, identity.name, abilities)
    site = identity.site_of(hello.public_key)
    if hello.router == identity.router:
        raise HandshakeRejected(
            "self-link",
            f"the link of {identity.name} leads back to {identity.name} itself",
            "Delete the link and create it with the token of another site",
        )
    among_siblings = JOINS_SIBLINGS in abilities.required or JOINS_SIBLINGS in hello.required
    if site == identity.site and not among_siblings:
        raise HandshakeRejected(
            "identity-conflict",
            f"{hello.name} and {identity.name} are two live routers with one identity key",
            "Was a site's state copied? Give one of the two a new identity",
        )
    if among_siblings and site != identity.site:
        raise HandshakeRejected(
            "wrong-site",
            f"{hello.name} ({site[:8]}) is met as a router of {identity.name}, and is of another "
            "site",
            "Do two sites' routers share a label, or an address?",
        )
    if expected is not None and site != expected:
        raise HandshakeRejected(
            "wrong-site",
            f"the endpoint answers as {hello.name} ({site[:8]}), the link expects {expected[:8]}",
            "Check the endpoint, or create the link again with a new token of that site",
        )
    is_edge = IS_EDGE in hello.features
    return Neighbour(
        RouterId(hello.router),
        site,
        hello.name,
        hello.public_key,
        is_edge=is_edge,
        is_sibling=among_siblings,
        tells_shares=among_siblings and AGREES_ON_SHARES in hello.features,
        judges=JUDGES in hello.features,
        compares=COMPARES in hello.features,
    )


def _judge_features(hello: Hello, own_name: str, abilities: Abilities) -> None:
    """Each end must have the features that the other requires. Raises HandshakeRejected."""
    if IS_EDGE in hello.features and IS_EDGE in abilities.features:
        raise HandshakeRejected(
            "unsupported-feature",
            f"{hello.name} and {own_name} are both edge routers, and an edge attaches to none",
            "Link it to a site whose router mode is interior",
        )
    missing = sorted(set(hello.required) - abilities.features)
    if missing:
        raise HandshakeRejected(
            "unsupported-feature",
            f"{hello.name} requires {', '.join(missing)}, which the router of {own_name} lacks",
            f"Upgrade the router of {own_name}",
        )
    lacking = sorted(abilities.required - set(hello.features))
    if lacking:
        raise HandshakeRejected(
            "unsupported-feature",
            f"{own_name} requires {', '.join(lacking)}, which the router of {hello.name} lacks",
            f"Upgrade the router of {hello.name}",
        )
