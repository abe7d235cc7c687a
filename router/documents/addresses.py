"""Hosts, addresses and ports as users write them: split, and read from documents."""

import ipaddress
import re

from router.documents.nodes import Findings, Node, Scalar
from router.documents.readers import BAD, Bad, nearest, shown, text_of

_HOST = re.compile(r"(?!.*\.\.)[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?\.?\Z")
_WITH_ZONE = re.compile(r"[^%]*(%[A-Za-z0-9_.-]+)?\Z")


def host(findings: Findings, node: Node, path: str) -> str | Bad:
    """A host name or an IP address, IPv6 without brackets."""
    value = text_of(findings, node, path, "a host name or address")
    if isinstance(value, Bad):
        return BAD
    if not is_host(value):
        hint = "Host and port are two fields" if re.search(r":[0-9]+\Z", value) else ""
        findings.add(node, path, f"expected a host name or address, got {shown(node)}", hint)
        return BAD
    return value


def is_host(value: str) -> bool:
    """Whether ``value`` could be a host name or a numeric address."""
    if len(value) > 253:
        return False
    return _HOST.match(value) is not None or _is_ipv6(value)


def _is_ipv6(value: str) -> bool:
    return ":" in value and is_ip(value)


def host_port(findings: Findings, node: Node, path: str) -> str | Bad:
    """``HOST[:PORT]``, IPv6 in brackets when a port follows; returned as written."""
    value = text_of(findings, node, path, "HOST[:PORT]")
    if isinstance(value, Bad):
        return BAD
    if split_host_port(value) is None:
        findings.add(node, path, f"expected HOST[:PORT], got {shown(node)}")
        return BAD
    return value


def address(findings: Findings, node: Node, path: str) -> str | Bad:
    """``HOST:PORT``, IPv6 in brackets; returned as written."""
    value = text_of(findings, node, path, "HOST:PORT")
    if isinstance(value, Bad):
        return BAD
    parts = split_host_port(value)
    if parts is None or parts[1] is None:
        findings.add(node, path, f"expected HOST:PORT, got {shown(node)}")
        return BAD
    return value


def ip_and_port(findings: Findings, node: Node, path: str) -> str | Bad:
    """``IP:PORT``, IPv6 in brackets; returned as written. A name may resolve to several
    addresses."""
    value = address(findings, node, path)
    parts = None if isinstance(value, Bad) else split_host_port(value)
    if parts is not None and not is_ip(parts[0]):
        findings.add(node, path, f"expected IP:PORT, got {shown(node)}", "127.0.0.1:8010")
        return BAD
    return value


def is_loopback(place: str) -> bool:
    """Whether only this machine can reach ``place``, a result of `ip_and_port`."""
    parts = split_host_port(place)
    return parts is not None and is_ip(parts[0]) and ipaddress.ip_address(parts[0]).is_loopback


def split_host_port(value: str) -> tuple[str, int | None] | None:
    """``HOST[:PORT]`` in parts, without brackets; None: not of that form."""
    bracketed = re.match(r"\[([^\]]+)\](?::([0-9]{1,5}))?\Z", value)
    if bracketed:
        found, port = bracketed.group(1), bracketed.group(2)
        usable = _is_ipv6(found)
    elif value.count(":") == 1:
        found, _, port = value.partition(":")
        usable = is_host(found) and port.isascii() and port.isdecimal()
    else:
        found, port = value, None
        usable = is_host(found)
    if not usable or (port is not None and not 1 <= int(port) <= 65_535):
        return None
    return found, int(port) if port is not None else None


def listen_address(findings: Findings, node: Node, path: str) -> str | Bad:
    """``[IP:]PORT``, ``[IP:]auto`` or ``none``."""
    if isinstance(node, Scalar) and (
        node.value == "none"
        or auto_ip(node.value) is not None
        or split_listen(node.value) is not None
    ):
        return node.value
    hint = nearest(node.value, ("auto", "none")) if isinstance(node, Scalar) else ""
    findings.add(node, path, f"expected [IP:]PORT, [IP:]auto or none, got {shown(node)}", hint)
    return BAD


def ip_address(findings: Findings, node: Node, path: str) -> str | Bad:
    """An IP address to listen on, IPv6 without brackets: a name may resolve to several."""
    value = text_of(findings, node, path, "an IP address")
    if isinstance(value, Bad):
        return BAD
    if not is_ip(value):
        hint = "Host and port are two fields" if re.search(r"[^:]:[0-9]+\Z", value) else ""
        findings.add(node, path, f"expected an IP address, got {shown(node)}", hint)
        return BAD
    return value


def is_ip(value: str) -> bool:
    """Whether ``value`` is a numeric address, IPv6 without brackets."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return _WITH_ZONE.match(value) is not None  # Otherwise any text would pass as a zone.


def auto_ip(value: str) -> str | None:
    """The address of ``[IP:]auto`` (all ports of a service), "" for none; None: not of that
    form."""
    if value == "auto":
        return ""
    host, _, word = value.rpartition(":")
    parts = split_host_port(f"{host}:1") if word == "auto" else None
    return parts[0] if parts is not None and is_ip(parts[0]) else None


def split_listen(value: str) -> tuple[str, int] | None:
    """``[IP:]PORT`` in parts, "" for no address; None: not of that form."""
    if value.isascii() and value.isdecimal():
        return ("", int(value)) if 1 <= int(value[:6]) <= 65_535 else None
    parts = split_host_port(value)
    if parts is None or parts[1] is None or not is_ip(parts[0]):
        return None
    return parts[0], parts[1]
