"""HTTP proxies as users write them, and the exceptions of `NO_PROXY`. Passwords are never shown."""

import ipaddress
import re
from typing import Any
from urllib.parse import unquote

import msgspec

from router.documents.addresses import split_host_port
from router.documents.nodes import Findings, Node
from router.documents.readers import BAD, Bad, text_of

NONE, ENVIRONMENT = "none", "env"
"""No proxy, whatever the site says; or that of the router's HTTPS_PROXY and NO_PROXY."""

_URL = re.compile(r"(https?)://(?:([^/?#]*)@)?([^/?#@]+)/?\Z", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
EXPECTED = "expected http://HOST:PORT, https://HOST:PORT, none or env"
NOT_HERE = "Not in a document: sitectl link set NAME --proxy URL --proxy-password-file FILE"


class ProxyUrl(msgspec.Struct, frozen=True):
    """A proxy URL in parts. ``user`` None: none."""

    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str | None = None

    @property
    def url(self) -> str:
        """The URL without user and password, the same for the same proxy."""
        host = f"[{self.host}]" if ":" in self.host else self.host.lower()
        return f"{self.scheme}://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"ProxyUrl({self.url})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("url", self.url)]


def split_url(text: str) -> ProxyUrl | None:
    """``http[s]://[USER[:PASSWORD]@]HOST[:PORT]`` in parts; None: not of that form."""
    found = _URL.match(text)
    parts = split_host_port(found[3]) if found is not None else None
    if found is None or parts is None or not text.isprintable():
        return None
    scheme = found[1].lower()
    user = password = None
    if found[2] is not None:
        name, colon, rest = found[2].partition(":")
        user, password = unquote(name), unquote(rest) if colon else None
    return ProxyUrl(scheme, parts[0], parts[1] or _PORTS[scheme], user, password)


def proxy(findings: Findings, node: Node, path: str) -> str | Bad:
    """``none``, ``env`` or the URL of a proxy without a password, in canonical form."""
    value = text_of(findings, node, path, "a proxy")
    if isinstance(value, Bad) or value in ("", NONE, ENVIRONMENT):
        return value
    found = split_url(value)
    if found is None:
        hint = NOT_HERE if "@" in value else ""
        findings.add(node, path, EXPECTED, hint)  # The value itself may contain a password.
        return BAD
    if found.user is not None:
        findings.add(node, path, "a proxy is given here without user and password", NOT_HERE)
        return BAD
    return found.url


def is_left_out(host: str, no_proxy: str) -> bool:
    """Whether a NO_PROXY with that text excludes ``host`` from proxying.

    Its words are ``*``, a name (itself and all below it), an address, or a network as CIDR. Ports
    in it are ignored.
    """
    name = host.lower().rstrip(".")
    address = _address(name)
    for word in (part.strip().lower() for part in no_proxy.split(",")):
        if word == "*":
            return True
        parts = split_host_port(word.removeprefix("*").removeprefix("."))
        bare = parts[0].rstrip(".") if parts is not None else word
        if address is not None:
            try:
                if address in ipaddress.ip_network(bare, strict=False):
                    return True
            except ValueError:
                continue
        elif bare and (name == bare or name.endswith(f".{bare}")):
            return True
    return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
