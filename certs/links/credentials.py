"""Stored state of each link that a site dials: ``secrets/links/NAME/``.

``token.yaml`` is the original token. A claim gets ``client.key`` before it is first redeemed, so
that every retry uses the same key, and ``ca.crt`` and, last, ``client.crt`` with the answer.
``renewed.json`` is the renewed credential: key, certificate and CAs in one file, so that no crash
leaves half of them; it takes precedence over the other files, unless it is damaged. ``proxy.json``:
the password of the HTTP proxy that the link goes through.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from certs import certificates, files, keys, limits, names
from certs.ca.authority import Leaf
from certs.errors import CertError
from certs.links import proxies
from certs.links.proxies import PROXY_FILE, ProxyLogin
from certs.token_files import tokens
from certs.token_files.tokens import Token

TOKEN_FILE = "token.yaml"
RENEWED_FILE = "renewed.json"
DAMAGED_FILE = "renewed.json.damaged"
KEY_FILE, CERTIFICATE_FILE, CA_FILE = "client.key", "client.crt", "ca.crt"


class Credential(msgspec.Struct, frozen=True):
    """A dialer's certificate, and the CA (of one site) that it trusts for the other end."""

    leaf: Leaf
    ca_pem: str

    def __repr__(self) -> str:
        return f"Credential({self.leaf!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("leaf", self.leaf)]


class _Renewed(msgspec.Struct, frozen=True):
    """The contents of `RENEWED_FILE`."""

    key: str
    chain: str
    cas: str


def _in_file(credential: Credential) -> bytes:
    leaf = credential.leaf
    data = _Renewed(key=leaf.key_pem, chain=leaf.chain_pem, cas=credential.ca_pem)
    return msgspec.json.encode(data)


class StoredLink(msgspec.Struct, frozen=True):
    """A link's token and credential; None: a claim that has not been redeemed yet.

    ``damage``: why the renewed credential is unusable; ``credential`` is then the previous one, or
    None if that is unusable, too. Empty: no damage.
    """

    name: str
    token: Token
    credential: Credential | None
    damage: str = ""


class LinkStore:
    """Credentials of the links of a site, in ``directory`` (``secrets/links``)."""

    __slots__ = ("_directory",)

    def __init__(self, directory: Path) -> None:
        files.make_private_directory(directory)
        self._directory = directory

    def names(self) -> list[str]:
        """Names of all links, sorted."""
        entries = os.listdir(self._directory)
        return sorted(e for e in entries if names.is_name(e) and self.exists(e))

    def exists(self, name: str) -> bool:
        return (self._path(name) / TOKEN_FILE).exists()

    def add(self, name: str, token: Token) -> bool:
        """Store ``token`` for the link ``name``. False: this very token is there already.

        Raises `CertError` if the name is invalid or belongs to a link with another token.
        """
        directory = self._path(name)
        if self.exists(name):
            if self._token(name) == token:
                return False
            raise CertError(
                name, "a link of this name has another token", f"sitectl link delete {name}"
            )
        self._clear(directory)  # Remains of an interrupted removal.
        files.make_private_directory(directory)
        try:
            files.write_secret(directory / TOKEN_FILE, tokens.dump(token).encode(), replace=False)
        except FileExistsError as error:
            raise CertError(name, "is being made by someone else", "Look again") from error
        return True

    def restore(
        self, name: str, token: Token, key_pem: str = "", credential: Credential | None = None
    ) -> None:
        """Replace the link ``name`` by this state, which comes from the source of truth.

        The login of its proxy stays. Raises `CertError` if ``name`` is invalid, or if ``key_pem``,
        given for a claim, is no key.
        """
        login = proxies.read(self.proxy_file(name))
        self.remove(name)
        self.add(name, token)
        self.keep_proxy_login(name, login)
        if key_pem:
            key = keys.from_pem(key_pem, name)
            files.write_secret(self._path(name) / KEY_FILE, keys.to_pem(key).encode())
        if credential is not None:
            self.complete(name, credential)

    def stamp(self, name: str) -> int:
        """A number that changes whenever files of the link are created, deleted or replaced.

        0: there is no link.
        """
        try:
            return os.stat(self._path(name)).st_mtime_ns
        except FileNotFoundError:
            return 0

    def has_key(self, name: str) -> bool:
        """Whether the link's claim may have been redeemed already."""
        return (self._path(name) / KEY_FILE).exists()

    def load(self, name: str) -> StoredLink:
        """The stored link.

        Raises `CertError` if there is no such link, or its files are damaged or accessible to
        others.
        """
        token = self._token(name)
        try:
            credential = self._renewed(name)
        except CertError as error:
            try:
                credential = self._first_credential(name, token)
            except CertError:
                credential = None
            damage = f"{error.subject} {error.reason}"
            return StoredLink(name, token, credential, damage)
        if credential is None:
            credential = self._first_credential(name, token)
        return StoredLink(name=name, token=token, credential=credential)

    def set_aside(self, name: str) -> None:
        """Move a damaged renewed credential aside, for inspection."""
        directory = self._path(name)
        os.replace(directory / RENEWED_FILE, directory / DAMAGED_FILE)

    def redeeming_key(self, name: str) -> str:
        """PEM of the key that redeems the link's claim: created once, then always the same."""
        path = self._path(name) / KEY_FILE
        with suppress(FileExistsError):
            if not path.exists():
                pem = keys.to_pem(keys.generate())
                files.write_secret(path, pem.encode(), replace=False)
        return keys.to_pem(keys.read(path))

    def complete(self, name: str, credential: Credential) -> None:
        """Store a redeemed or renewed credential. Its key is that of `redeeming_key`."""
        directory = self._path(name)
        key = keys.from_pem(credential.leaf.key_pem, name)
        key_path = directory / KEY_FILE
        if not key_path.exists() or keys.public_der(keys.read(key_path)) != keys.public_der(key):
            files.write_secret(key_path, credential.leaf.key_pem.encode())
        files.write_secret(directory / CA_FILE, credential.ca_pem.encode())
        files.write_secret(directory / CERTIFICATE_FILE, credential.leaf.chain_pem.encode())

    def renewed(self, name: str, credential: Credential) -> None:
        """Store a renewed credential, whole or not at all. Its key is a new one."""
        files.write_secret(self._path(name) / RENEWED_FILE, _in_file(credential))

    def require_room(self, name: str, credential: Credential) -> None:
        """Raise the `OSError` that `renewed` would for such a credential; nothing is stored."""
        files.require_room(self._path(name) / RENEWED_FILE, _in_file(credential))

    def proxy_file(self, name: str) -> Path:
        """Path of the login of the link's HTTP proxy; the file may be missing."""
        return self._path(name) / PROXY_FILE

    def proxy_login(self, name: str) -> ProxyLogin | None:
        """The login of the link's HTTP proxy. Raises `CertError` for a damaged file."""
        return proxies.read(self.proxy_file(name))

    def keep_proxy_login(self, name: str, login: ProxyLogin | None) -> bool:
        """Store ``login``; None deletes it. False: it is stored already."""
        return proxies.write(self.proxy_file(name), login)

    def remove(self, name: str) -> bool:
        """Delete a link's secrets. False: there were none."""
        existed = self.exists(name)
        self._clear(self._path(name))
        return existed

    def _path(self, name: str) -> Path:
        if not names.is_name(name):
            raise CertError(name, "is no name for a link", "Use a-z, 0-9, '-' and '.'")
        return self._directory / name

    def _token(self, name: str) -> Token:
        path = self._path(name) / TOKEN_FILE
        try:
            data = files.read_secret(path, limits.TOKEN_BYTES_MAX)
        except FileNotFoundError as error:
            raise CertError(name, "has no token here", "Run: sitectl link create FILE") from error
        return tokens.load_bytes(data, str(path))

    def _renewed(self, name: str) -> Credential | None:
        """The renewed credential; None: there is none.

        `CertError`: it is damaged; `OSError`: it cannot be read.
        """
        path = self._path(name) / RENEWED_FILE
        try:
            data = files.read_secret(path)
        except FileNotFoundError:
            return None
        try:
            found = msgspec.json.decode(data, type=_Renewed)
        except files.UNREADABLE_JSON as error:
            raise CertError(str(path), "is damaged") from error
        return _fitting(name, str(path), found.key, found.chain, found.cas)

    def _first_credential(self, name: str, token: Token) -> Credential | None:
        """The credential of the token, or the result of its claim."""
        directory = self._path(name)
        try:
            chain_pem = files.read_secret(directory / CERTIFICATE_FILE).decode("ascii", "replace")
            key_pem = files.read_secret(directory / KEY_FILE).decode("ascii", "replace")
            ca_pem = files.read_secret(directory / CA_FILE).decode("ascii", "replace")
        except FileNotFoundError:
            if token.kind == "claim":
                return None
            leaf = Leaf(key_pem=token.key_pem, chain_pem=token.certificate_pem)
            return Credential(leaf=leaf, ca_pem=token.ca_pem)
        return _fitting(name, str(directory / CERTIFICATE_FILE), key_pem, chain_pem, ca_pem)

    @staticmethod
    def _clear(directory: Path) -> None:
        """Delete the directory, the token first: without it there is no link."""
        with suppress(FileNotFoundError):
            entries = sorted(os.listdir(directory), key=lambda entry: entry != TOKEN_FILE)
            for entry in entries:
                os.unlink(directory / entry)
            os.rmdir(directory)


def _fitting(name: str, path: str, key_pem: str, chain_pem: str, ca_pem: str) -> Credential:
    """The credential of these parts.

    `CertError` naming ``path`` if one is bad or they do not match.
    """
    certificate = certificates.read(chain_pem, path)
    key = keys.from_pem(key_pem, path)
    certificates.read_all(ca_pem, path)
    if certificates.public_key_der(certificate) != keys.public_der(key):
        advice = f"sitectl link delete {name}, then link with a new token"
        raise CertError(path, f"does not belong to {KEY_FILE}", advice)
    return Credential(leaf=Leaf(key_pem=key_pem, chain_pem=chain_pem), ca_pem=ca_pem)
