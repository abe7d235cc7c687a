"""How an address and its port are written for people, in every room alike."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final, Literal

ADDRESS_CHARS_MAX = 64
"""No address with its port is longer: 39 or 45 of IPv6, a scope, brackets, the port."""


ALLOW_LINK_LOCAL = (
    "allow it: sitectl service bind … --allow-link-local, or allowLinkLocal: true in its connector"
)
"""The next step where a target has such an address."""
_METADATA: Final = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192")))
"""Of AWS by IPv6, Alibaba and Oracle; that of all others is link-local, 169.254.169.254."""


def join(host: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def metadata_kind(host: str) -> Literal["", "link-local", "a cloud's metadata address"]:
    """In words, why clouds may answer at ``host`` with the credentials of the machine.

    Link-local is an address of its own link alone (RFC 3927, RFC 4291, 2.5.6). Empty: they do not,
    or it is a name.
    """
    try:
        address = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_link_local:
        return "link-local"
    return "a cloud's metadata address" if address in _METADATA else ""


def source_of(address: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 of an IPv6 one.

    Who has one address of a /64 has them all (RFC 6177).
    """
    return _source_of_ipv6(address) if ":" in address else address


@lru_cache(maxsize=1_024)
def _source_of_ipv6(address: str) -> str:
    try:
        found = IPv6Address(address.partition("%")[0])
    except ValueError:  # No address at all.
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Address(int(found) >> 64 << 64))


@lru_cache(maxsize=1_024)
def same_text(address: str) -> str:
    """Return one shared string for equal texts: thousands of connections save 60 bytes each.

    Not of what others say without a bound: it is kept.
    """
    return address


@lru_cache(maxsize=1_024)
def split(address: str) -> tuple[str, int]:
    """The reverse of `join`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
