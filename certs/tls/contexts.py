"""TLS contexts. For links: 1.3 only, strict, and each trusting exactly one site's CA.

There are no session tickets: a resumed session would outlive a revocation. ALPN separates the two
protocols of the port. Only the link needs a client certificate, and one context cannot ask
differently by protocol, so the listener checks that itself after the handshake.

Contexts of services meet clients and servers of all kinds: they also accept 1.2, only with forward
secrecy and authenticated encryption, and certificates that are less strict than ours.
"""

import os
import ssl

from certs.ca.authority import Leaf
from certs.errors import CertError

LINK_ALPN = "spillway/1"
CLAIM_ALPN = "spillway-claim/1"
WORKER_ALPN = "spillway-worker"
"""Never selected. A dialer that offers it beside the link is not the first worker of its router.

A router with several workers passes such a link to a worker other than its first, which alone
handles certificates; other routers ignore it.
"""


def server_context(leaf: Leaf, ca_pem: str) -> ssl.SSLContext:
    """The listener's context. A client certificate is optional, but must be valid if shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.num_tickets = 0
    _harden(context, ca_pem, (LINK_ALPN, CLAIM_ALPN))
    _load(context, leaf)
    return context


def client_context(leaf: Leaf | None, ca_pem: str, *alpn: str) -> ssl.SSLContext:
    """A dialer's context; ``leaf`` None for claims. ``alpn``: by default that of links.

    Host names are not checked: the CA is one site's own and only that site's listener has
    serverAuth from it. Check the leaf with `certificates.site_in_certificate` after the handshake.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.hostname_checks_common_name = False
    context.verify_mode = ssl.CERT_REQUIRED
    _harden(context, ca_pem, alpn or (LINK_ALPN,))
    if leaf is not None:
        _load(context, leaf)
    return context


def unauthenticated_client_context() -> ssl.SSLContext:
    """A dialer's context for an exchange without secrets, in which TLS proves nothing.

    For a site that knows the other's identity key, but perhaps not its current CA.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.set_alpn_protocols([CLAIM_ALPN])
    return context


def service_server_context(
    leaf: Leaf, alpn: tuple[str, ...], client_ca_pem: str = ""
) -> ssl.SSLContext:
    """A service listener's context; `ssl.SSLError` if ``leaf`` is too weak.

    ``client_ca_pem``: each client must have a certificate of one of these; empty: clients are not
    asked for one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if client_ca_pem:
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=client_ca_pem)
    # Tickets arrive unasked, and a client that closes without reading them resets what it sent.
    context.num_tickets = 0
    _harden_service(context, alpn)
    _load(context, leaf)
    return context


def service_client_context(
    ca_pem: str, leaf: Leaf | None, alpn: tuple[str, ...], *, checks_name: bool
) -> ssl.SSLContext:
    """Context for dialing a target that one of ``ca_pem`` certifies; ``leaf`` if asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = checks_name
    context.hostname_checks_common_name = False
    context.verify_mode = ssl.CERT_REQUIRED
    # A certificate that the user names is trusted, even if another CA issued it.
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    _harden_service(context, alpn)
    context.load_verify_locations(cadata=ca_pem)
    if leaf is not None:
        _load(context, leaf)
    return context


def proxy_context(ca_pem: str) -> ssl.SSLContext:
    """Context for dialing through an https proxy, whose name is checked.

    Without ``ca_pem`` the system's trust decides. Raises `CertError` if it holds no certificate.
    """
    try:
        context = ssl.create_default_context(cadata=ca_pem or None)
    except ssl.SSLError as error:
        advice = "Give the right file: sitectl link set NAME --proxy URL --proxy-ca FILE"
        raise CertError("the proxy's CA", "holds no certificate", advice) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _harden_service(context: ssl.SSLContext, alpn: tuple[str, ...]) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2")
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    if alpn:
        context.set_alpn_protocols(list(alpn))


def _harden(context: ssl.SSLContext, ca_pem: str, alpn: tuple[str, ...]) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    # For TLS 1.3 this sets only the level: no weak keys.
    context.set_ciphers("DEFAULT:@SECLEVEL=2")
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.set_alpn_protocols(list(alpn))
    context.load_verify_locations(cadata=ca_pem)


def _load(context: ssl.SSLContext, leaf: Leaf) -> None:
    """Load key and chain. OpenSSL accepts only a path: one in memory, never on a disk."""
    descriptor = os.memfd_create("leaf", os.MFD_CLOEXEC)
    with open(descriptor, "wb") as file:
        file.write(leaf.key_pem.encode() + b"\n" + leaf.chain_pem.encode())
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
