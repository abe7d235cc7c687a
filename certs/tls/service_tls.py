"""Certificates that a site shows and trusts for services with TLS: ``secrets/tls/NAME/``.

``tls.crt`` (the leaf, then its chain) and ``tls.key`` are shown, ``ca.crt`` (one or more) certifies
others. They are the user's: any kind of key that OpenSSL accepts, any lifetime. Files are private
like all secrets, written whole by `TlsStore.write` or by hand.
"""

import os
import ssl
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from certs import certificates, files, limits, names
from certs.ca.authority import Leaf
from certs.errors import CertError
from certs.tls.contexts import service_client_context, service_server_context

CERTIFICATE_FILE, KEY_FILE, CA_FILE = "tls.crt", "tls.key", "ca.crt"
FILES = (CERTIFICATE_FILE, KEY_FILE, CA_FILE)
SECRET = "Secret/"
"""Prefix of a namespace's Secret."""


class Contents(msgspec.Struct, frozen=True):
    """The files of one credential, unchecked; empty: missing.

    ``folder``: where users edit them, a path or ``Secret/NAME``.
    """

    folder: str
    certificate: bytes = b""
    key: bytes = b""
    ca: bytes = b""

    def __repr__(self) -> str:
        return f"Contents({self.folder!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("folder", self.folder)]

    def path(self, file: str) -> str:
        """Path of ``file``, even if it is missing."""
        return f"{self.folder}/{file}"


class ServiceLeaf(msgspec.Struct, frozen=True):
    """A certificate with its key. ``der`` is the leaf alone; ``expires_at`` in Unix seconds."""

    leaf: Leaf
    der: bytes
    expires_at: float


class ServiceTrust(msgspec.Struct, frozen=True):
    """The CAs for the other end, and the leaf to show it; ``leaf`` None: none.

    ``expires_at``: Unix seconds, when the last of the CAs or the leaf ends.
    """

    ca_pem: str
    leaf: ServiceLeaf | None
    expires_at: float


def leaf_of(contents: Contents, now: float) -> ServiceLeaf:
    """The pair of ``tls.crt`` and ``tls.key``, usable at ``now``. Raises `CertError`."""
    certificate_path, key_path = contents.path(CERTIFICATE_FILE), contents.path(KEY_FILE)
    for data, path in ((contents.certificate, certificate_path), (contents.key, key_path)):
        if not data:
            raise CertError(path, "is not there", _put_there(contents, CERTIFICATE_FILE, KEY_FILE))
    chain = _certificates(contents.certificate, certificate_path)
    key = _private_key(contents.key, key_path)
    _require_valid(chain[0], certificate_path, now)
    if certificates.public_key_der(chain[0], certificate_path) != key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    ):
        raise CertError(
            key_path, f"does not belong to {CERTIFICATE_FILE}", "Put both files of one pair there"
        )
    leaf = Leaf(key_pem=_text(contents.key), chain_pem=_text(contents.certificate))
    try:
        service_server_context(leaf, ())
    except ssl.SSLError as error:
        hint = "Ask for a certificate with a stronger key"
        raise CertError(certificate_path, _unusable(error), hint) from error
    return ServiceLeaf(
        leaf=leaf,
        der=chain[0].public_bytes(serialization.Encoding.DER),
        expires_at=chain[0].not_valid_after_utc.timestamp(),
    )


def trust_of(contents: Contents, now: float) -> ServiceTrust:
    """The trust from ``ca.crt`` and, if present, the pair. Raises `CertError`."""
    path = contents.path(CA_FILE)
    if not contents.ca:
        raise CertError(path, "is not there", _put_there(contents, CA_FILE))
    cas = _certificates(contents.ca, path)
    expires_at = max(ca.not_valid_after_utc.timestamp() for ca in cas)
    if expires_at <= now:
        raise CertError(path, "has expired", "Put the CA of the new certificates there")
    leaf = None
    if contents.certificate or contents.key:
        leaf = leaf_of(contents, now)
        expires_at = min(expires_at, leaf.expires_at)
    ca_pem = _text(contents.ca)
    try:
        service_client_context(ca_pem, None, (), checks_name=False)
    except ssl.SSLError as error:
        raise CertError(path, _unusable(error), "Give certificates in PEM form") from error
    return ServiceTrust(ca_pem=ca_pem, leaf=leaf, expires_at=expires_at)


def client_trust_of(contents: Contents, now: float) -> ServiceTrust:
    """The CAs for clients: ``ca.crt`` alone, even if there is a pair. Raises `CertError`."""
    return trust_of(msgspec.structs.replace(contents, certificate=b"", key=b""), now)


class TlsStore:
    """The credentials in ``directory`` (``secrets/tls``), by name.

    ``of_secrets``: they are copies of a namespace's Secrets, where users edit them.
    """

    __slots__ = ("_directory", "_of_secrets")

    def __init__(self, directory: Path, *, of_secrets: bool = False) -> None:
        self._directory = directory
        self._of_secrets = of_secrets

    def read(self, name: str) -> Contents:
        """All files of ``name``; missing ones are empty.

        Raises `CertError` for a file that others may read, or that is no secret of ours for another
        reason.
        """
        folder = self.folder(name)
        found: list[bytes] = []
        for file in FILES:
            try:
                found.append(files.read_secret(folder / file))
            except (FileNotFoundError, NotADirectoryError):
                found.append(b"")
            except OSError as error:
                raise CertError(
                    str(folder / file), f"cannot be read: {error.strerror}", "Restore it"
                ) from error
        return Contents(f"{SECRET}{name}" if self._of_secrets else str(folder), *found)

    def write(self, name: str, contents: Contents) -> bool:
        """Write the non-empty files of ``contents`` under ``name``. False: all were equal.

        A reader in between may see files that do not match; it reads again.
        """
        folder = self.folder(name)
        files.make_private_directory(self._directory)
        files.make_private_directory(folder)
        changed = False
        for file, data in zip(
            FILES, (contents.certificate, contents.key, contents.ca), strict=True
        ):
            if not data:
                continue
            with suppress(FileNotFoundError, CertError):  # A file open to others is replaced.
                if files.read_secret(folder / file) == data:
                    continue
            files.write_secret(folder / file, data)
            changed = True
        return changed

    def folder(self, name: str) -> Path:
        """The directory of the files of ``name``."""
        if not names.is_name(name):
            raise CertError(name, "is no name for a credential", "Use a-z, 0-9, '-' and '.'")
        return self._directory / name


def read_folder(folder: Path) -> Contents:
    """The files of a user's own ``folder``, with any owner and mode. Raises `CertError`."""
    found: list[bytes] = []
    for file in FILES:
        try:
            with open(folder / file, "rb", opener=_open_at_once) as opened:
                if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                    hint = f"Put the file itself into {folder}"
                    raise CertError(os.fspath(folder / file), "is no regular file", hint)
                found.append(opened.read(limits.SECRET_FILE_BYTES_MAX + 1))
        except FileNotFoundError:
            found.append(b"")
        except OSError as error:
            hint = "Check the path and its permissions"
            raise CertError(
                os.fspath(folder / file), f"cannot be read: {error.strerror}", hint
            ) from error
        if len(found[-1]) > limits.SECRET_FILE_BYTES_MAX:
            raise CertError(os.fspath(folder / file), "is far too long", "Give PEM files")
    return Contents(os.fspath(folder), *found)


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting: a FIFO may never get a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def _put_there(contents: Contents, *wanted: str) -> str:
    mode = "" if contents.folder.startswith(SECRET) else ", with mode 0600"
    return f"Put {' and '.join(wanted)} into {contents.folder}{mode}"


def _unusable(error: ssl.SSLError) -> str:
    return f"cannot be used: {(error.reason or str(error)).replace('_', ' ').lower()}"


def _text(pem: bytes) -> str:
    return pem.decode("utf-8", "replace")


def _certificates(pem: bytes, path: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except certificates.MALFORMED as error:
        raise CertError(path, "holds no readable certificate", "Give it in PEM form") from error


def _private_key(pem: bytes, path: str) -> Any:
    """The public half of the key in ``pem``."""
    try:
        return serialization.load_pem_private_key(pem, password=None).public_key()
    except TypeError as error:
        raise CertError(
            path, "is encrypted", "Decrypt it: openssl pkey -in tls.key -out plain.key"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertError(path, "holds no readable private key", "Give it in PEM form") from error


def _require_valid(certificate: x509.Certificate, path: str, now: float) -> None:
    ends, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    if now >= ends.timestamp():
        raise CertError(path, f"expired at {ends:%Y-%m-%dT%H:%M:%SZ}", "Put a new pair there")
    if now < begins.timestamp():
        raise CertError(
            path,
            f"is not valid before {begins:%Y-%m-%dT%H:%M:%SZ}",
            "Compare with this host's clock: date -u. If that is right, wait, or put a pair there "
            "that is valid now",
        )
