"""Asks the kernel by netlink who owns a TCP socket of this host (sock_diag(7))."""

import contextlib
import socket
import struct
from typing import Final, NamedTuple

_SOCK_DIAG: Final = 4  # NETLINK_SOCK_DIAG
_BY_FAMILY: Final = 20  # SOCK_DIAG_BY_FAMILY
_REQUEST: Final = 1  # NLM_F_REQUEST
_CGROUP_ID: Final = 21  # INET_DIAG_CGROUP_ID, since Linux 5.8
_ANY_STATE: Final = 0xFFFFFFFF
_NO_COOKIE: Final = (0xFFFFFFFF, 0xFFFFFFFF)
_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_ASKED: Final = struct.Struct("=BBBBI")  # inet_diag_req_v2: family, protocol, ext, pad, states
_PORTS: Final = struct.Struct("!HH")
_REST: Final = struct.Struct("=III")  # inet_diag_sockid: interface, cookie
_OWNER: Final = struct.Struct("=II")  # uid, inode
_LISTENS: Final = 10  # TCP_LISTEN
_STATE_AT: Final = _HEADER.size + 1  # In inet_diag_msg, behind the family.
_ATTRIBUTE: Final = struct.Struct("=HH")
_OWNER_AT: Final = _HEADER.size + 4 + 48 + 12  # Behind inet_diag_msg's sockid and three counters.
_ATTRIBUTES_AT: Final = _OWNER_AT + _OWNER.size
_ANSWER_BYTES: Final = 4096


class SocketOwner(NamedTuple):
    """``control_group``: the ID of its cgroup (v2); 0: the kernel does not report it."""

    uid: int
    control_group: int


class SocketOwners:
    """One netlink socket. If the system allows no queries there is none, and nothing is known."""

    def __init__(self, asked: int = 0) -> None:
        """``asked``: the sequence number before the first question."""
        self._socket: socket.socket | None = None
        self._sequence = asked
        with contextlib.suppress(OSError, AttributeError):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG)
            self._socket.setblocking(False)

    def owner(self, client: tuple[str, int], server: tuple[str, int]) -> SocketOwner | None:
        """The owner of the socket ``client`` connected to ``server``; None: there is none here.

        The kernel answers within the call: 10 µs.
        """
        if self._socket is None:
            return None
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        try:
            self._socket.send(_question(client, server, self._sequence))
            while True:
                answer = self._socket.recv(_ANSWER_BYTES)
                _, kind, _, sequence, _ = _HEADER.unpack_from(answer)
                if sequence == self._sequence:
                    return _owner(answer) if kind == _BY_FAMILY else None
        except (OSError, struct.error):
            return None

    def close(self) -> None:
        """Stop asking."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _question(client: tuple[str, int], server: tuple[str, int], sequence: int) -> bytes:
    family = socket.AF_INET6 if ":" in client[0] else socket.AF_INET
    addresses = b"".join(
        socket.inet_pton(family, host).ljust(16, b"\0") for host in (client[0], server[0])
    )
    body = (
        _ASKED.pack(family, socket.IPPROTO_TCP, 0, 0, _ANY_STATE)
        + _PORTS.pack(client[1], server[1])
        + addresses
        + _REST.pack(0, *_NO_COOKIE)
    )
    return _HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST, sequence, 0) + body


def _owner(answer: bytes) -> SocketOwner | None:
    uid, inode = _OWNER.unpack_from(answer, _OWNER_AT)
    if not inode:
        return None  # The socket is closed and has no owner any more.
    if answer[_STATE_AT] == _LISTENS:
        return None  # No such socket, but another one listens on its port.
    at, group = _ATTRIBUTES_AT, 0
    while at + _ATTRIBUTE.size <= len(answer):
        length, kind = _ATTRIBUTE.unpack_from(answer, at)
        if length < _ATTRIBUTE.size:
            break
        if kind == _CGROUP_ID and length >= _ATTRIBUTE.size + 8:
            (group,) = struct.unpack_from("=Q", answer, at + _ATTRIBUTE.size)
        at += (length + 3) & ~3
    return SocketOwner(uid, group)
