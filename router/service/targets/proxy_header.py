"""The PROXY protocol, version 2: shows a tcp target the address of its client.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, section 2.2. The header comes first on
the connection, in clear also where TLS follows. Addresses come over links, so they are parsed here:
for an invalid one the target gets LOCAL, "no client to speak of".
"""

from ipaddress import AddressValueError, IPv4Address, IPv6Address
from struct import Struct

from router.model.limits import PROXY_ADDRESS_CHARS_MAX

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_LOCAL_COMMAND, _PROXY_COMMAND = 0x20, 0x21  # Version 2 in the upper half.
_TCP4, _TCP6 = 0x11, 0x21
_HEAD = Struct("!12sBBH")
_PORTS = Struct("!HH")
_MAPPED = b"\x00" * 10 + b"\xff\xff"  # An IPv4 address as an IPv6 one (RFC 4291, 2.5.5.2).
_NOWHERE: tuple[bytes, int] = (b"\x00" * 4, 0)

LOCAL_HEADER = _HEAD.pack(_SIGNATURE, _LOCAL_COMMAND, 0, 0)
"""The header of a connection that the router makes for itself, such as a check."""


def proxy_header(client: str, local: str) -> bytes:
    """The header for ``client`` (``1.2.3.4:5``, ``[::1]:5``), connected to ``local``.

    An invalid ``client`` gives `LOCAL_HEADER`; an invalid ``local`` becomes the unspecified
    address.
    """
    source = _parsed(client)
    if source is None:
        return LOCAL_HEADER
    source_ip, source_port = source
    local_ip, local_port = _parsed(local) or _NOWHERE
    if len(source_ip) == len(local_ip) == 4:
        family = _TCP4
    else:
        family = _TCP6
        source_ip, local_ip = _wide(source_ip), _wide(local_ip)
    addresses = source_ip + local_ip + _PORTS.pack(source_port, local_port)
    return _HEAD.pack(_SIGNATURE, _PROXY_COMMAND, family, len(addresses)) + addresses


def _wide(ip: bytes) -> bytes:
    if ip == _NOWHERE[0]:
        return b"\x00" * 16
    return _MAPPED + ip if len(ip) == 4 else ip


def _parsed(address: str) -> tuple[bytes, int] | None:
    """The packed address and the port; None if it is invalid."""
    if not address.isascii() or len(address) > PROXY_ADDRESS_CHARS_MAX:
        return None
    host, colon, digits = address.rpartition(":")
    if not colon or not digits.isdecimal() or len(digits) > 5 or int(digits) > 65_535:
        return None
    try:
        if not host.startswith("["):
            return IPv4Address(host).packed, int(digits)
        if not host.endswith("]"):
            return None
        return IPv6Address(host[1:-1]).packed, int(digits)
    except AddressValueError:
        return None
