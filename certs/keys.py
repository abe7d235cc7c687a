"""Private keys: ECDSA P-256 everywhere, so that FIPS hosts can use them."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certs import files
from certs.errors import CertError

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey


def generate() -> PrivateKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def is_p256(key: object) -> bool:
    """Whether ``key`` is a private or public P-256 key."""
    return isinstance(key, PrivateKey | PublicKey) and isinstance(key.curve, ec.SECP256R1)


def to_pem(key: PrivateKey) -> str:
    """PKCS 8, unencrypted: the file's mode protects it."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def from_pem(pem: str | bytes, source: str) -> PrivateKey:
    """The private key in ``pem``. Raises `CertError` naming ``source`` unless it is P-256."""
    data = pem.encode() if isinstance(pem, str) else pem
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertError(source, "holds no readable private key", "Restore it") from error
    if not isinstance(key, PrivateKey) or not is_p256(key):
        raise CertError(source, "is not an ECDSA P-256 key", "Make a new one")
    return key


def public_der(key: PrivateKey | PublicKey) -> bytes:
    """The public half as DER SubjectPublicKeyInfo."""
    public = key.public_key() if isinstance(key, PrivateKey) else key
    return public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def read(path: Path) -> PrivateKey:
    """The key in a secret file; `CertError`, `FileNotFoundError` as in `files.read_secret`."""
    return from_pem(files.read_secret(path), str(path))
