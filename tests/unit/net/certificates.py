"""A certificate authority, leaves and TLS contexts for tests."""

import datetime
import ssl
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from router.net.ports import Tls

LINK, CLAIM = "spillway/1", "spillway-claim/1"
FROM = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
TO = datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC)

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def _builder(
    name: str,
    issuer: str,
    key: PrivateKey,
    since: datetime.datetime = FROM,
    until: datetime.datetime = TO,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )


class Authority:
    """A CA whose leaves are good for both sides."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = (
            _builder(name, name, self.key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def leaf(
        self,
        name: str,
        dns: str = "",
        *,
        key: PrivateKey | None = None,
        since: datetime.datetime = FROM,
        until: datetime.datetime = TO,
    ) -> tuple[bytes, bytes, bytes]:
        """Certificate PEM, key PEM, certificate DER."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name, self.name, key, since, until)
        if dns:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False
            )
        certificate = builder.sign(self.key, hashes.SHA256())
        return (
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            certificate.public_bytes(serialization.Encoding.DER),
        )


@cache
def _kept(name: str) -> Authority:
    return Authority(name)


def authority(name: str = "good") -> Authority:
    """The same one for the same name."""
    return _kept(name)


def _with_leaf(context: ssl.SSLContext, leaf: tuple[bytes, bytes, bytes]) -> None:
    with TemporaryDirectory() as folder:
        chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
        chain.write_bytes(leaf[0])
        key.write_bytes(leaf[1])
        context.load_cert_chain(chain, key)


def server_tls(*, issuer: str = "good", dns: str = "", until: datetime.datetime = TO) -> Tls:
    """Listens for links (certificate needed) and claims (none needed)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=authority(issuer).pem())
    leaf = authority(issuer).leaf("server", dns, until=until)
    _with_leaf(context, leaf)
    context.set_alpn_protocols([LINK, CLAIM])
    return Tls(
        context=context, certificate=leaf[2], alpn=(LINK, CLAIM), alpn_with_certificate=(LINK,)
    )


def client_tls(
    *,
    alpn: tuple[str, ...] = (LINK,),
    with_leaf: bool = True,
    issuer: str = "good",
    trusts: str = "good",
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    until: datetime.datetime = TO,
) -> Tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = newest
    context.check_hostname = False
    context.load_verify_locations(cadata=authority(trusts).pem())
    leaf = authority(issuer).leaf("client", until=until)
    if with_leaf:
        _with_leaf(context, leaf)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return Tls(context=context, certificate=leaf[2] if with_leaf else b"", alpn=alpn)
