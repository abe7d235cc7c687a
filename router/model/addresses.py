"""How every room writes an address and its port."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final, Literal

ADDRESS_CHARS_MAX = 64
"""The longest address with its port: 39 or 45 of IPv6, a scope, brackets, the port."""


ALLOW_LINK_LOCAL = (
    "allow it: sitectl service bind … --allow-link-local, or allowLinkLocal: true in its connector"
)
"""The next step where a target has such an address."""
_METADATA: Final = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "192.0.0.192")))
"""IPv6 of AWS, Alibaba and Oracle; all other clouds use link-local 169.254.169.254."""


def join(host: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def metadata_kind(host: str) -> Literal["", "link-local", "a cloud's metadata address"]:
    """Why clouds may answer at ``host`` with the machine's credentials, in words; else empty.

    A link-local address is valid on one link only (RFC 3927, RFC 4291, 2.5.6). A host name gives an
    empty text.
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
    """The address prefix that counts as one source: an IPv4 address, or the /64 of an IPv6 one.

    The owner of one address of a /64 has all of them (RFC 6177).
    """
    return _source_of_ipv6(address) if ":" in address else address


@lru_cache(maxsize=1_024)
def _source_of_ipv6(address: str) -> str:
    try:
        found = IPv6Address(address.partition("%")[0])
    except ValueError:  # Not an address.
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Address(int(found) >> 64 << 64))


@lru_cache(maxsize=1_024)
def same_text(address: str) -> str:
    """Return one shared string for equal texts: thousands of connections save 60 bytes each.

    The results are cached, so do not pass unbounded input of other parties.
    """
    return address


@lru_cache(maxsize=1_024)
def split(address: str) -> tuple[str, int]:
    """Host and port: the reverse of `join`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
