"""Processes that hold a port of this host, by ``/proc``: listeners and outgoing connections.

An outgoing connection gets its local port from the system's range (ip(7),
``ip_local_port_range``), which may be the very port that a router wants to listen at.
"""

import contextlib
import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

PROC: Final = Path("/proc")
_LISTENS: Final = "0A"  # TCP_LISTEN of include/net/tcp_states.h.
_GOES: Final = frozenset(("01", "02", "03", "04", "05", "08", "09", "0B"))
"""States of a socket with an owner that is connected, connecting or closing."""
_ENDED: Final = "06"  # TCP_TIME_WAIT: no owner, and for a minute no other may have it.


_MAPPED: Final = "0000000000000000FFFF0000"
"""Before an IPv4 address in a list of IPv6 sockets."""


class Holder(NamedTuple):
    """The process that has a port. ``who`` is empty if it is another user's, or has ended.

    ``has_ended``: a connection that is over, whose port Linux keeps for a minute.
    """

    who: str
    listens: bool
    has_ended: bool = False

    def reason(self, port: int) -> str:
        """A clause for error messages: which process has ``port``, and how."""
        if self.has_ended:
            return f"a connection that ended within the last minute had port {port} as its own"
        who = self.who or "a process of another user"
        if self.listens:
            return f"{who} listens at port {port}"
        return f"a connection of {who} got port {port} as its own from the system"

    def hint(self, port: int) -> str:
        """How to free the port."""
        if self.listens:
            return ""
        reserve = f"sysctl -w net.ipv4.ip_local_reserved_ports={port}"
        when = "in a minute" if self.has_ended else "when that connection has ended"
        return f"Try again {when}; for good, as root: {reserve}"


def holder_of(host: str, port: int, proc: Path = PROC) -> Holder | None:
    """Who is in the way of a listener at TCP ``port`` of ``host``; None: no visible process.

    A socket at another address is not, unless one of the two is at every address.
    """
    local = _in_proc(host)
    found = [
        (inode, state)
        for address, inode, state in _sockets(port, proc)
        if not local or not address or address == local
    ]
    listening = {inode for inode, state in found if state == _LISTENS}
    going = {inode for inode, state in found if state in _GOES}
    if listening or going:
        return Holder(_owner(listening or going, proc), bool(listening))
    return Holder("", listens=False, has_ended=True) if found else None


def _in_proc(host: str) -> str:
    """``host`` as /proc/net has it: words of four bytes, the last first; empty: every address."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return ""  # A name, which may mean several addresses.
    if address.is_unspecified:
        return ""
    packed = address.packed
    return b"".join(packed[at : at + 4][::-1] for at in range(0, len(packed), 4)).hex().upper()


def _sockets(port: int, proc: Path) -> Iterator[tuple[str, str, str]]:
    """Address as of `_in_proc`, inode and state of each socket that has ``port``
    (proc_pid_net(5))."""
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text("ascii").splitlines()[1:]
        except OSError:
            continue  # No such protocol on this host.
        for line in lines:
            words = line.split()
            state, inode = words[3], words[9]
            known = (*_GOES, _LISTENS, _ENDED)
            address, _, its_port = words[1].rpartition(":")
            if its_port == f"{port:04X}" and state in known:
                address = address.removeprefix(_MAPPED)
                yield (address if address.strip("0") else ""), inode, state


def _owner(inodes: set[str], proc: Path) -> str:
    """The process that has one of the sockets open; empty: none that we may look into."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for directory in proc.iterdir():
        if directory.name.isdecimal() and not wanted.isdisjoint(_open_files(directory)):
            try:
                name = (directory / "comm").read_text("utf-8", "replace").strip()
            except OSError:
                continue  # It has just ended.
            return f"process {directory.name} ({name})"
    return ""


def _open_files(process: Path) -> Iterator[str]:
    """The open files of the process; none if it has ended, or is another user's."""
    try:
        entries = list((process / "fd").iterdir())
    except OSError:
        return
    for entry in entries:
        with contextlib.suppress(OSError):  # Closed meanwhile.
            yield os.readlink(entry)
