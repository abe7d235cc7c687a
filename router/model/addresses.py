"""How an address and its port are written for people, in every room alike."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

ADDRESS_CHARS_MAX = 64
"""No address with its port is longer: 39 or 45 of IPv6, a scope, brackets, the port."""


ALLOW_LINK_LOCAL = (
    "allow it: sitectl service bind … --allow-link-local, or allowLinkLocal: true in its connector"
)
"""The next step where a target has such an address."""


def join(host: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_link_local(host: str) -> bool:
    """Whether ``host`` is an address of its own link alone (RFC 3927, RFC 4291, 2.5.6).

    There clouds answer with the credentials of the machine. False for a name.
    """
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_link_local


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
