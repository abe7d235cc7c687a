"""Facts about sockets: numeric addresses, errors as values, aborting."""

import ctypes
import errno
import fcntl
import os
import resource
import socket
import struct
import termios
from functools import lru_cache

from router.model.addresses import same_text
from router.model.limits import (
    CLIENT_UNSENT_BYTES,
    FD_RESERVE,
    FD_RESERVE_ESSENTIAL,
    KEEPALIVE_IDLE_S,
    KEEPALIVE_INTERVAL_S,
    KEEPALIVE_PROBES,
    LISTENERS_SHARE,
    RESOLVE_NAMES_MAX,
    TARGET_UNREAD_BYTES,
)
from router.net.ports import Address, DialCode, DialFailure, Loss

ZERO_LINGER = struct.pack("ii", 1, 0)
INT = struct.Struct("i")
_RTT, _RTT_AT = struct.Struct("I"), 68  # `tcpi_rtt` in struct tcp_info, microseconds.
_STREAM = socket.SOCK_STREAM | socket.SOCK_NONBLOCK
_SO_ATTACH_FILTER = 26  # Linux; this Python does not name it.
_NO_SYN = b"".join(
    struct.pack("HBBI", *step)  # `struct sock_filter`; the packet begins with its TCP header.
    for step in (
        (0x30, 0, 0, 13),  # Load the byte of the flags;
        (0x54, 0, 0, 0x02),  # and with SYN;
        (0x15, 0, 1, 0x02),  # SYN is set:
        (0x06, 0, 0, 0),  # drop it;
        (0x06, 0, 0, 0xFFFF_FFFF),  # else take all of it.
    )
)
_TCP_NOTSENT_LOWAT = 25  # Linux; this Python does not name it.
MAPPED = "::ffff:"  # An IPv4 peer of a dual-stack listener (RFC 4291, 2.5.5.2).

REFUSALS: dict[int, tuple[DialCode, str]] = {
    errno.ECONNREFUSED: ("refused", "refused the connection"),
    errno.ECONNRESET: ("refused", "reset the connection attempt"),
    errno.ETIMEDOUT: ("timeout", "did not answer"),
    errno.ENETUNREACH: ("unreachable", "cannot be reached: no route to its network"),
    errno.EHOSTUNREACH: ("unreachable", "cannot be reached: no route to the host"),
    errno.ENETDOWN: ("unreachable", "cannot be reached: the network is down"),
    errno.EMFILE: ("exhausted", "was not tried: this process has no descriptor left"),
    errno.ENFILE: ("exhausted", "was not tried: this host has no descriptor left"),
    errno.ENOBUFS: ("exhausted", "was not tried: the kernel has no memory for it"),
    errno.ENOMEM: ("exhausted", "was not tried: the kernel has no memory for it"),
    errno.EADDRNOTAVAIL: ("exhausted", "was not tried: no local port or address is left for it"),
    errno.EAFNOSUPPORT: ("unreachable", "cannot be reached: address family not supported"),
}


def descriptors_max(*, essential: bool) -> int:
    """The number of connections' descriptors at which no more are opened.

    The rest of the process's limit is reserved: for the operator's door and files, and a part of it
    for ``essential`` use. Of a small limit half is reserved.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    kept = FD_RESERVE_ESSENTIAL if essential else FD_RESERVE
    return max(min(FD_RESERVE, limit // 2), limit - kept)


def clients_max() -> int:
    """The most client connections of all listeners: each may need one to a target."""
    return max(1, descriptors_max(essential=False) // 2)


def listeners_max() -> int:
    """The most listeners of services: a quarter of the descriptors."""
    return max(1, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // LISTENERS_SHARE)


@lru_cache(maxsize=RESOLVE_NAMES_MAX)
def is_numeric(host: str) -> bool:
    """Whether ``host`` is an IP address (including a scope such as ``%eth0``)."""
    address, scoped, scope = host.partition("%")
    if scoped and (":" not in address or not scope or "%" in scope):
        return False
    try:
        socket.inet_pton(family_of(address), address)
    except (OSError, ValueError):  # ValueError: it holds NUL, or is not ASCII.
        return False
    return True


def family_of(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def address_of(name: tuple[str, int]) -> Address:
    """The address from `getsockname` or `accept`; IPv4-mapped IPv6 addresses become IPv4."""
    host = name[0]
    return Address(same_text(unmapped_ipv4(host) if ":" in host else host), name[1])


@lru_cache(maxsize=1_024)
def target_address(name: tuple[str, int]) -> Address:
    """As `address_of`, one object for all connections that were dialed to the same place."""
    return address_of(name[:2])


def unmapped_ipv4(host: str) -> str:
    """The IPv4 address in an IPv4-mapped one, any other unchanged."""
    return host[len(MAPPED) :] if host.startswith(MAPPED) and "." in host else host


def in_turn(addresses: tuple[str, ...], turn: int) -> tuple[str, ...]:
    """Each address of the preferred family first in its turn; the other family after it.

    The system puts first the family that works from here (RFC 6724), so that order stays.
    """
    if len(addresses) < 2:
        return addresses
    is_v6 = ":" in addresses[0]
    first = [address for address in addresses if (":" in address) == is_v6]
    rest = [address for address in addresses if (":" in address) != is_v6]
    turn %= len(first)
    return (*first[turn:], *first[:turn], *rest)


def loss_of(error: OSError) -> Loss:
    """The loss that a failed read or write means for the connection."""
    reason = error.strerror or str(error)
    if error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN, errno.ECONNABORTED):
        return Loss(code="reset", reason=reason)
    if error.errno == errno.ETIMEDOUT:
        return Loss(code="timeout", reason=reason)
    return Loss(code="error", reason=reason)


def pending_error(sock: socket.SocketType) -> int:
    """SO_ERROR: an errno, taken from the socket; 0 when there is none."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def failure_of(number: int, where: str) -> DialFailure:
    """An errno of `connect` as a sentence about ``where``."""
    code, words = REFUSALS.get(number, ("error", f"cannot be reached: {os.strerror(number)}"))
    return DialFailure(code=code, reason=f"{where} {words}")


def close_with_reset(sock: socket.SocketType) -> None:
    """Close so that the peer sees a reset; unsent data is dropped."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ZERO_LINGER)
    sock.close()


def undelivered_bytes(sock: socket.SocketType) -> int:
    """Bytes with the kernel, not acknowledged by the peer's (tcp(7), SIOCOUTQ); a FIN counts as
    one."""
    try:
        (size,) = INT.unpack(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(INT.size)))
    except OSError:
        return 0  # Reset meanwhile.
    return int(size)


def stream_socket(family: socket.AddressFamily) -> socket.SocketType:
    """A TCP socket that does not block. `socket.socket` is the same, but slower to make and end."""
    return socket.SocketType(family, _STREAM)


def accept(listener: socket.SocketType) -> tuple[socket.SocketType, tuple[str, int]]:
    """The socket of a new connection, and its name. `socket.accept` does the same with more
    calls."""
    fd, name = listener._accept()  # type: ignore[attr-defined]
    sock = socket.SocketType(listener.family, socket.SOCK_STREAM, 0, fd)
    sock.setblocking(False)
    return sock, name


def admit_no_more(listener: socket.SocketType) -> None:
    """From now on the kernel drops each SYN for ``listener``; a dialer sends another in a second.

    Handshakes under way are completed. Between the last `accept` and the close the kernel would
    complete others, and reset them at the close: a busy machine may pause us there. If the kernel
    lets only root filter (seen: Linux 6.18), at most one more client is kept: listen(2) with a
    backlog of 0.
    """
    program = ctypes.create_string_buffer(_NO_SYN, len(_NO_SYN))
    steps = len(_NO_SYN) // 8
    try:
        listener.setsockopt(
            socket.SOL_SOCKET,
            _SO_ATTACH_FILTER,
            struct.pack("HP", steps, ctypes.addressof(program)),  # `struct sock_fprog`.
        )
    except OSError:
        listener.listen(0)


def prepare_stream(sock: socket.SocketType) -> None:
    """Options of every TCP connection. Accepted sockets inherit them from their listener."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    keep_alive(sock)


def bound_unsent(sock: socket.SocketType, size_bytes: int = CLIENT_UNSENT_BYTES) -> None:
    """Let the kernel take little more than it can send: the rest waits here, where it is counted.

    A client that does not read holds no more. A distant one still gets all that its network
    carries: bytes under way do not count. Accepted sockets inherit it from their listener. A socket
    pair within this process, as for a proxy with TLS, has no such option.
    """
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, size_bytes)


def bound_unread(sock: socket.SocketType) -> None:
    """Bound the bytes that the kernel receives ahead of the reader. Call it before `connect`.

    Otherwise the buffer grows to MiBs, which stay full once the client of the answer stops reading.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TARGET_UNREAD_BYTES)


def round_trip_s(sock: socket.SocketType) -> float:
    """The round trip of a connection, as the kernel measured it (tcp(7), TCP_INFO)."""
    size = _RTT_AT + _RTT.size
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)
    return float(_RTT.unpack_from(info, _RTT_AT)[0]) / 1e6


def keep_alive(sock: socket.SocketType) -> None:
    """Have the kernel detect a peer that is silently gone."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
