"""Certificates that our own CA might be made to sign, or that lie: refused by the listener.

All are signed by the real CA of the site, so that nothing but the fault can be the reason.
"""

import datetime
import os
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs import certificates
from certs.ca.authority import CA_KEY_FILE, Leaf
from certs.tls.contexts import client_context, server_context
from tests.unit.certs.sites import Site
from tests.unit.certs.test_contexts import TODAY, shake

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
SITE_A, SITE_B = "a" * 32, "b" * 32
DAY = datetime.timedelta(days=1)


def uri(site: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(certificates.site_uri(site))


class Forge:
    """A CA's key in the wrong hands."""

    def __init__(self, site: Site) -> None:
        self.ca_pem = site.authority.ca_pem
        pem = (site.secrets / CA_KEY_FILE).read_bytes()
        key = serialization.load_pem_private_key(pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self.key, self.certificate = key, certificates.read(self.ca_pem)

    def leaf(
        self,
        *,
        key: Key | None = None,
        names: list[x509.GeneralName] | None = None,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
        is_ca: bool = False,
        signer: tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None = None,
        constraints: x509.NameConstraints | None = None,
    ) -> Leaf:
        """A client's certificate, good but for the given faults."""
        own = key or ec.generate_private_key(ec.SECP256R1())
        by, issuer = signer or (self.key, self.certificate)
        now = datetime.datetime.fromtimestamp(TODAY, datetime.UTC)
        above = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SITE_A)]))
            .issuer_name(issuer.subject)
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .add_extension(x509.BasicConstraints(is_ca, 0 if is_ca else None), critical=True)
            .add_extension(usages(is_ca=is_ca), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above), False
            )
        )
        if not is_ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if constraints is not None:
            builder = builder.add_extension(constraints, critical=True)
        made = builder.sign(by, hashes.SHA256())
        pem = own.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return Leaf(key_pem=pem.decode(), chain_pem=certificates.to_pem(made))


def usages(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


@pytest.fixture
def east(tmp_path: Path) -> Site:
    return Site(tmp_path, now=TODAY)


@pytest.fixture
def forge(east: Site) -> Forge:
    return Forge(east)


@pytest.fixture
def listener(east: Site) -> ssl.SSLContext:
    leaf = east.authority.issue_server_leaf(east.identity.site_id, TODAY)
    return server_context(leaf, east.authority.ca_pem)


def test_a_good_certificate_of_that_ca_is_taken(forge: Forge, listener: ssl.SSLContext) -> None:
    shake(client_context(forge.leaf(), forge.ca_pem), listener)


def test_a_signature_with_sha_1_is_refused(forge: Forge, listener: ssl.SSLContext) -> None:
    good = forge.leaf()
    tbs = certificates.read(good.chain_pem).tbs_certificate_bytes
    body = tbs[4:].replace(ECDSA_SHA256, ECDSA_SHA1)
    weak_tbs = der(0x30, body)
    signature = forge.key.sign(weak_tbs, ec.ECDSA(hashes.SHA1()))
    weak = der(0x30, weak_tbs + ECDSA_SHA1 + der(0x03, b"\0" + signature))
    pem = ssl.DER_cert_to_PEM_cert(weak)
    assert certificates.is_for_clients(certificates.read(pem))
    with pytest.raises(ssl.SSLError, match=r"(?i)too weak|verify failed"):
        shake(careless_client(Leaf(key_pem=good.key_pem, chain_pem=pem)), listener)


ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
ECDSA_SHA1 = bytes.fromhex("300906072a8648ce3d0401")


def der(tag: int, body: bytes) -> bytes:
    """An element of DER; the library itself signs nothing with SHA-1 any more."""
    size = len(body)
    length = bytes((size,)) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes((tag,)) + length + body


def test_a_key_of_rsa_1024_is_refused(forge: Forge, listener: ssl.SSLContext) -> None:
    weak = forge.leaf(key=rsa.generate_private_key(65_537, 1_024))
    with pytest.raises(ssl.SSLError, match=r"(?i)too small|verify failed"):
        shake(careless_client(weak), listener)


def careless_client(leaf: Leaf) -> ssl.SSLContext:
    """A client that shows whatever it has, at security level 0."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.set_alpn_protocols(["spillway/1"])
    with open(os.memfd_create("leaf"), "wb") as file:
        file.write((leaf.key_pem + leaf.chain_pem).encode())
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
    return context


def test_a_ca_below_ours_is_refused_whatever_its_name_constraints(
    forge: Forge, listener: ssl.SSLContext
) -> None:
    below = ec.generate_private_key(ec.SECP256R1())
    inside = x509.NameConstraints([x509.DNSName("inside.example")], None)
    for constraints, name in ((None, "any"), (inside, "inside.example"), (inside, "outside")):
        middle = forge.leaf(key=below, is_ca=True, constraints=constraints)
        signer = (below, certificates.read(middle.chain_pem))
        leaf = forge.leaf(signer=signer, names=[x509.DNSName(name)])
        chain = Leaf(key_pem=leaf.key_pem, chain_pem=leaf.chain_pem + middle.chain_pem)
        with pytest.raises(ssl.SSLCertVerificationError, match="path length"):
            shake(client_context(chain, forge.ca_pem), listener)


def test_usages_but_that_of_a_client_are_refused(forge: Forge, listener: ssl.SSLContext) -> None:
    for usage in (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CODE_SIGNING):
        with pytest.raises(ssl.SSLCertVerificationError, match=r"purpose|certificate"):
            shake(client_context(forge.leaf(usage=usage), forge.ca_pem), listener)


NAMES: dict[str, list[x509.GeneralName]] = {
    "two sites": [uri(SITE_A), uri(SITE_B)],
    "one site twice": [uri(SITE_A), uri(SITE_A)],
    "a NUL and another site": [
        x509.UniformResourceIdentifier(f"{certificates.site_uri(SITE_A)}\0.{SITE_B}")
    ],
    "a longer id": [uri(SITE_A + "0")],
    "upper case": [uri(SITE_A.upper())],
    "a path below": [x509.UniformResourceIdentifier(certificates.site_uri(SITE_A) + "/x")],
    "a DNS name alone": [x509.DNSName(SITE_A)],
    "no name in the list": [],
}


@pytest.mark.parametrize("names", NAMES)
def test_who_names_itself_otherwise_than_by_one_site_is_nobody(forge: Forge, names: str) -> None:
    pem = forge.leaf(names=NAMES[names]).chain_pem
    assert certificates.site_in_certificate(pem) is None
    assert certificates.has_names(pem)


def test_a_common_name_is_no_name_of_a_site(forge: Forge) -> None:
    pem = forge.leaf().chain_pem
    assert certificates.common_name(pem) == SITE_A
    assert certificates.site_in_certificate(pem) is None
    assert not certificates.has_names(pem)
    assert certificates.site_in_certificate(forge.leaf(names=[uri(SITE_A)]).chain_pem) == SITE_A
