"""A site's identity: an identity key, and an id that is its hash."""

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certs import files, keys, limits
from certs.errors import CertError

KEY_FILE = "identity.key"
RESTORED_FILE = "restored"
"""Unix seconds when it came out of a backup: if the original is still alive, it is a copy."""
CREDENTIAL = "spillway-identity"
"""The name of the key in ``$CREDENTIALS_DIRECTORY``."""
SITE_ID_DIGITS = 32
_RESTORED_DIGITS_MAX = 12
_ALGORITHM = ec.ECDSA(hashes.SHA256())


class SiteIdentity:
    """A site's identity key. Signing takes about 30 microseconds."""

    __slots__ = ("_key", "public_key", "site_id")

    def __init__(self, key: keys.PrivateKey) -> None:
        self._key = key
        self.public_key = keys.public_der(key)
        """DER SubjectPublicKeyInfo."""
        self.site_id = site_id_of(self.public_key)

    @classmethod
    def create(cls, directory: Path) -> "SiteIdentity":
        """Create a key in ``directory`` (``secrets/``). `CertError` if there is one already."""
        files.make_private_directory(directory)
        key = keys.generate()
        path = directory / KEY_FILE
        try:
            files.write_secret(path, keys.to_pem(key).encode(), replace=False)
        except FileExistsError as error:
            raise CertError(
                str(path), "this site has an identity already", "Use it, or delete the site first"
            ) from error
        return cls(key)

    @classmethod
    def generate(cls) -> tuple["SiteIdentity", str]:
        """A new identity that is not stored yet, and its key in PEM."""
        key = keys.generate()
        return cls(key), keys.to_pem(key)

    @classmethod
    def from_pem(cls, key_pem: str, source: str) -> "SiteIdentity":
        """The identity of this key. `CertError` naming ``source`` if it is none."""
        return cls(keys.from_pem(key_pem, source))

    @classmethod
    def load(cls, directory: Path) -> "SiteIdentity":
        """Read the key of ``directory``. `CertError` if it is missing, accessible to others or bad.

        A key that systemd provides counts instead (systemd.exec(5), LoadCredential).
        """
        path = directory / KEY_FILE
        handed = os.environ.get("CREDENTIALS_DIRECTORY")
        if handed and (key := _handed_over(Path(handed) / CREDENTIAL)) is not None:
            return cls(key)
        try:
            return cls(keys.read(path))
        except FileNotFoundError as error:
            raise CertError(
                str(path), "this site has no identity key", "Run: sitectl init, or restore a backup"
            ) from error

    def sign(self, data: bytes) -> bytes:
        """An ECDSA P-256 signature over SHA-256, DER."""
        return self._key.sign(data, _ALGORITHM)

    def __repr__(self) -> str:
        return f"SiteIdentity({self.site_id})"


def restored_at(directory: Path) -> int:
    """Unix seconds at which the site of ``directory`` (``secrets/``) was restored; 0: never."""
    try:
        text = files.read_secret(directory / RESTORED_FILE).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return 0
    if not text.isdecimal() or len(text) > _RESTORED_DIGITS_MAX:
        raise CertError(str(directory / RESTORED_FILE), "is damaged", "Remove it")
    return int(text)


def _handed_over(path: Path) -> keys.PrivateKey | None:
    """The key in a credential; None: there is none, these are the credentials of another unit.

    systemd controls who may read it, by its own modes.
    """
    try:
        with path.open("rb") as file:
            return keys.from_pem(file.read(limits.SECRET_FILE_BYTES_MAX), str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CertError(
            str(path),
            f"the identity key that systemd hands over cannot be read: {error.strerror}",
            "Look at LoadCredential= of the unit (systemctl cat), or run: sitectl start",
        ) from error


def site_id_of(public_key: bytes) -> str:
    """SHA-256 of the DER key, first 128 bits, as 32 lower-case hex digits."""
    return hashlib.sha256(public_key).hexdigest()[:SITE_ID_DIGITS]


def verify(public_key: bytes, signature: bytes, data: bytes) -> bool:
    """Whether ``signature`` over ``data`` is by ``public_key``; False for any garbage."""
    try:
        key = serialization.load_der_public_key(public_key)
        if not isinstance(key, keys.PublicKey) or not keys.is_p256(key):
            return False
        key.verify(signature, data, _ALGORITHM)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True
