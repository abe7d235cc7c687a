"""Login and trusted CA of a link's HTTP proxy: one file, readable by us alone.

It names its proxy: a document that names another proxy gets no password there.
"""

from pathlib import Path
from typing import Any

import msgspec

from certs import files
from certs.errors import CertError

PROXY_FILE = "proxy.json"


class ProxyLogin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``proxy`` is its URL without a user. ``ca_pem``: its CA; empty: the system's CAs."""

    proxy: str
    user: str = ""
    password: str = ""
    ca_pem: str = ""

    def __repr__(self) -> str:
        return f"ProxyLogin({self.proxy})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("proxy", self.proxy)]


def read(path: Path) -> ProxyLogin | None:
    """The login; None: there is none.

    Raises `CertError` for a file that is damaged or accessible to others.
    """
    try:
        data = files.read_secret(path)
    except FileNotFoundError:
        return None
    return decode(data, str(path))


def encode(login: ProxyLogin) -> bytes:
    """The stored form."""
    return msgspec.json.encode(login)


def decode(data: bytes, source: str) -> ProxyLogin | None:
    """Decode `encode`'s result; None for empty data. Raises `CertError` naming ``source``."""
    if not data:
        return None
    try:
        return msgspec.json.decode(data, type=ProxyLogin)
    except files.UNREADABLE_JSON:  # The exception's text may hold the password.
        advice = "Say it again: sitectl link set NAME --proxy URL"
        raise CertError(source, "cannot be read as the login of a proxy", advice) from None


def write(path: Path, login: ProxyLogin | None) -> bool:
    """Store ``login``; None deletes it. False: it is stored already."""
    try:
        if read(path) == login:
            return False
    except CertError:
        pass  # It will be replaced.
    if login is None:
        path.unlink(missing_ok=True)
    else:
        files.make_private_directory(path.parent)
        files.write_secret(path, encode(login))
    return True
