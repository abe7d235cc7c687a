"""The grammar of names and endpoints in tokens."""

import ipaddress
import re

from certs import limits

Endpoint = tuple[str, int]
"""Where a link dials: host (a name, or a numeric address without brackets) and port."""

_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_SITE_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{limits.SITE_NAME_CHARACTERS_MAX - 1}}}")
_HOST_LABEL = re.compile(r"[A-Za-z0-9_](?:[-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_SITE_ID = re.compile(r"[0-9a-f]{32}")


def is_name(text: str) -> bool:
    """Whether it can name a claim, token or link: lower-case labels, as in Kubernetes."""
    return len(text) <= limits.NAME_CHARACTERS_MAX and _NAME.fullmatch(text) is not None


def is_site_id(text: str) -> bool:
    return _SITE_ID.fullmatch(text) is not None


def is_site_name(text: str) -> bool:
    """Whether it can name a site, as in HELLO and in LSAs (`router.model.ids.SITE_NAME`)."""
    return _SITE_NAME.fullmatch(text) is not None


def is_host(text: str) -> bool:
    """Whether it is a numeric address or a DNS name."""
    if ":" in text or text.replace(".", "").isdigit():
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return False
        return text.isascii() and "%" not in text
    labels = text.removesuffix(".").split(".")
    return len(text) <= limits.HOST_CHARACTERS_MAX and all(map(_HOST_LABEL.fullmatch, labels))


def parse_endpoint(text: str) -> Endpoint | None:
    """``host:port`` or ``[v6]:port``; None if it is neither."""
    host, colon, port_text = text.rpartition(":")
    if host.startswith("["):
        host = host[1:-1] if host.endswith("]") and ":" in host else ""
    elif ":" in host:
        host = ""
    if not colon or not is_host(host) or _PORT.fullmatch(port_text) is None:
        return None
    port = int(port_text)
    return (host, port) if port <= 65_535 else None


def format_endpoint(endpoint: Endpoint) -> str:
    """``host:port``, an IPv6 address in brackets."""
    host, port = endpoint
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
