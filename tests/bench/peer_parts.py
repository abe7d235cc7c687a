"""What every peer is given: ports for its two ends, and one certificate that both trust."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.bench.machine import free_ports
from tests.bench.systems import Backends, Kind, Path_

HOST = "127.0.0.1"
PEER_NAME = "peer.bench"
PATHS: tuple[Path_, Path_] = ("L", "R")
Ports = dict[tuple[Kind, Path_], int]


def make_ports(backends: Backends) -> tuple[Ports, dict[Kind, int]]:
    """Ports of the entry, and those of the exit. HTTP/2 from clients comes in by the HTTP door."""
    kinds: list[Kind] = [kind for kind in backends.ports if kind != "http2"]
    doors = [(kind, path) for kind in kinds for path in PATHS]
    numbers = free_ports(len(doors) + len(kinds))
    exits = dict(zip(kinds, numbers[len(doors) :], strict=True))
    return dict(zip(doors, numbers[: len(doors)], strict=True)), exits


def with_http2(ports: Ports) -> Ports:
    """``ports``, of a system whose HTTP doors take HTTP/2 by prior knowledge as well."""
    return ports | {("http2", path): ports["http", path] for path in PATHS}


def peer_credentials(directory: Path) -> Path:
    """A folder with ``peer.pem``: key and certificate that both ends show and trust."""
    path = directory / "peer.pem"
    if path.exists():
        return directory
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, PEER_NAME)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(PEER_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return directory
