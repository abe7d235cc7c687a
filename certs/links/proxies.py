"""What an HTTP proxy is told of who we are, and how it is known: one file, readable by us alone.

It names the proxy that it is for: a document that names another one gets no password there.
"""

from pathlib import Path
from typing import Any

import msgspec

from certs import files
from certs.errors import CertError

PROXY_FILE = "proxy.json"


class ProxyLogin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``proxy`` is its URL without a user. ``ca_pem``: who may certify it; empty: the system's."""

    proxy: str
    user: str = ""
    password: str = ""
    ca_pem: str = ""

    def __repr__(self) -> str:
        return f"ProxyLogin({self.proxy})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("proxy", self.proxy)]


def read(path: Path) -> ProxyLogin | None:
    """None: there is none. Raises `CertError` for a file that is damaged or open to others."""
    try:
        data = files.read_secret(path)
    except FileNotFoundError:
        return None
    return decode(data, str(path))


def encode(login: ProxyLogin) -> bytes:
    """As it is stored."""
    return msgspec.json.encode(login)


def decode(data: bytes, source: str) -> ProxyLogin | None:
    """What `encode` made; None of nothing. Raises `CertError` naming ``source``."""
    if not data:
        return None
    try:
        return msgspec.json.decode(data, type=ProxyLogin)
    except files.UNREADABLE_JSON:  # Whose text may hold the password.
        advice = "Say it again: sitectl link set NAME --proxy URL"
        raise CertError(source, "cannot be read as the login of a proxy", advice) from None


def write(path: Path, login: ProxyLogin | None) -> bool:
    """Keep ``login``, or with None nothing. False: it is so already."""
    try:
        if read(path) == login:
            return False
    except CertError:
        pass  # It is replaced.
    if login is None:
        path.unlink(missing_ok=True)
    else:
        files.make_private_directory(path.parent)
        files.write_secret(path, encode(login))
    return True
