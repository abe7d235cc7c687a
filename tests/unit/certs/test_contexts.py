import ssl
import time
from pathlib import Path

import pytest

from certs import certificates, keys
from certs.ca.authority import Authority, Leaf
from certs.tls.contexts import CLAIM_ALPN, LINK_ALPN, client_context, server_context
from certs.token_files.tokens import Token
from tests.unit.certs.sites import Site

# OpenSSL judges validity by the machine's clock, so these certificates are made now.
TODAY = time.time()


class End:
    """One end of a TLS connection over memory."""

    def __init__(self, context: ssl.SSLContext, *, server: bool) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server)
        self.done = False

    def step(self) -> None:
        try:
            self.tls.do_handshake()
            self.done = True
        except ssl.SSLWantReadError:
            pass


def shake(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[End, End]:
    """Both ends after their handshake; raises what the end that refuses raises."""
    near, far = End(client, server=False), End(server, server=True)
    for _ in range(6):
        near.step()
        far.incoming.write(near.outgoing.read())
        far.step()
        near.incoming.write(far.outgoing.read())
    assert near.done and far.done
    return near, far


def pair_of(token: Token) -> Leaf:
    return Leaf(key_pem=token.key_pem, chain_pem=token.certificate_pem)


@pytest.fixture
def east(tmp_path: Path) -> Site:
    return Site(tmp_path, now=TODAY)


@pytest.fixture
def other(tmp_path: Path) -> Site:
    return Site(tmp_path, "other", now=TODAY)


@pytest.fixture
def listener(east: Site) -> ssl.SSLContext:
    leaf = east.authority.issue_server_leaf(east.identity.site_id, TODAY)
    return server_context(leaf, east.authority.ca_pem)


def test_a_link_shows_both_ends_who_the_other_is(east: Site, listener: ssl.SSLContext) -> None:
    token = east.certificate_token(now=TODAY)
    near, far = shake(client_context(pair_of(token), token.ca_pem), listener)
    assert near.tls.version() == far.tls.version() == "TLSv1.3"
    assert near.tls.selected_alpn_protocol() == far.tls.selected_alpn_protocol() == LINK_ALPN
    shown_by_server = near.tls.getpeercert(binary_form=True)
    shown_by_client = far.tls.getpeercert(binary_form=True)
    assert shown_by_server is not None and shown_by_client is not None
    assert certificates.site_in_certificate(shown_by_server) == east.identity.site_id
    assert shown_by_client == certificates.to_der(token.certificate_pem)


def test_a_claim_comes_without_a_certificate(east: Site, listener: ssl.SSLContext) -> None:
    near, far = shake(client_context(None, east.authority.ca_pem, CLAIM_ALPN), listener)
    assert far.tls.selected_alpn_protocol() == CLAIM_ALPN
    assert far.tls.getpeercert(binary_form=True) is None
    assert near.tls.getpeercert(binary_form=True) is not None


def test_an_unknown_protocol_leaves_none_for_the_listener_to_refuse(
    east: Site, listener: ssl.SSLContext
) -> None:
    _, far = shake(client_context(None, east.authority.ca_pem, "h2"), listener)
    assert far.tls.selected_alpn_protocol() is None


def test_no_session_ticket_is_ever_sent(east: Site, listener: ssl.SSLContext) -> None:
    near, far = shake(client_context(None, east.authority.ca_pem), listener)
    far.tls.write(b"hello")
    near.incoming.write(far.outgoing.read())
    assert near.tls.read(5) == b"hello"
    assert near.tls.session is not None and not near.tls.session.has_ticket


def test_a_dialer_refuses_a_listener_of_another_ca(other: Site, listener: ssl.SSLContext) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(client_context(None, other.authority.ca_pem), listener)


def test_a_listener_refuses_a_certificate_of_another_ca(
    east: Site, other: Site, listener: ssl.SSLContext
) -> None:
    token = other.certificate_token(now=TODAY)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(client_context(pair_of(token), east.authority.ca_pem), listener)


def test_a_server_leaf_does_not_serve_as_a_client(east: Site, listener: ssl.SSLContext) -> None:
    leaf = east.authority.issue_server_leaf(east.identity.site_id, TODAY)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"purpose|certificate"):
        shake(client_context(leaf, east.authority.ca_pem), listener)


def test_a_client_leaf_does_not_serve_as_a_server(east: Site) -> None:
    token = east.certificate_token(now=TODAY)
    impostor = server_context(pair_of(token), token.ca_pem)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"purpose|certificate"):
        shake(client_context(None, token.ca_pem), impostor)


def test_expired_and_future_certificates_are_refused(
    tmp_path: Path, listener: ssl.SSLContext, east: Site
) -> None:
    ca_pem = east.authority.ca_pem
    key = keys.generate()
    for now in (TODAY - 40 * 86_400, TODAY + 86_400):
        pem = east.authority.issue_client_leaf(key.public_key(), "west", now)
        leaf = Leaf(key_pem=keys.to_pem(key), chain_pem=pem)
        with pytest.raises(ssl.SSLCertVerificationError, match=r"expired|not yet valid"):
            shake(client_context(leaf, ca_pem), listener)


def test_a_leaf_of_a_client_cannot_issue_further_ones(east: Site, listener: ssl.SSLContext) -> None:
    key = keys.generate()
    pem = east.authority.issue_client_leaf(key.public_key(), "west", TODAY)
    upstart = Authority(key, certificates.read(pem))
    below = keys.generate()
    chain = upstart.issue_client_leaf(below.public_key(), "below", TODAY) + pem
    leaf = Leaf(key_pem=keys.to_pem(below), chain_pem=chain)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(client_context(leaf, east.authority.ca_pem), listener)


def test_tls_1_2_is_refused_by_both_ends(east: Site, listener: ssl.SSLContext) -> None:
    ca_pem = east.authority.ca_pem
    old_client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old_client.check_hostname = False
    old_client.load_verify_locations(cadata=ca_pem)
    old_client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol|version"):
        shake(old_client, listener)
    old_server = server_context(east.authority.issue_server_leaf("a" * 32, TODAY), ca_pem)
    old_server.minimum_version = ssl.TLSVersion.TLSv1_2
    old_server.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol|version"):
        shake(client_context(None, ca_pem), old_server)


def test_the_contexts_are_strict(east: Site, listener: ssl.SSLContext) -> None:
    dialer = client_context(None, east.authority.ca_pem)
    for context in (listener, dialer):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_3
        assert context.verify_flags & ssl.VerifyFlags.VERIFY_X509_STRICT
    assert listener.num_tickets == 0
    assert listener.verify_mode == ssl.CERT_OPTIONAL
    assert dialer.verify_mode == ssl.CERT_REQUIRED


def test_both_cas_are_trusted_while_one_replaces_the_other(
    east: Site, other: Site, listener: ssl.SSLContext
) -> None:
    both = other.authority.ca_pem + east.authority.ca_pem
    near, _ = shake(client_context(None, both), listener)
    assert near.done
