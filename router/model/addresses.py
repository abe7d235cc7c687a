"""How an address and its port are written for people, in every room alike."""

from functools import lru_cache

ADDRESS_CHARS_MAX = 64
"""No address with its port is longer: 39 or 45 of IPv6, a scope, brackets, the port."""


def join(host: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@lru_cache(maxsize=1_024)
def same_text(address: str) -> str:
    """One text for all that say the same, as connections by the thousand do: 60 bytes for each.

    Not of what others say without a bound: it is kept.
    """
    return address


@lru_cache(maxsize=1_024)
def split(address: str) -> tuple[str, int]:
    """The reverse of `join`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
