"""Hosts of a test's own: network namespaces, one behind NAT, with names that change.

    inside (10.77.1.2, fd77:1::2)
      -- middle, which masquerades
      -- outside (10.77.2.2 and .3, fd77:2::2)

Routers run in them; their admin sockets are files and answer from everywhere.
"""

import itertools
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests import needs

OUTSIDE, SECOND, OUTSIDE_6 = "10.77.2.2", "10.77.2.3", "fd77:2::2"
NOWHERE, NOWHERE_6 = "10.77.2.9", "fd77:2::9"
_FLUSHED = "net.netfilter.nf_conntrack_tcp_loose=0"  # Unknown connections are not let through.
_RULES = """
table ip nat {
  chain out {
    type nat hook postrouting priority 100;
    ip saddr 10.77.1.0/24 masquerade;
  }
}
table inet guard {
  chain through {
    type filter hook forward priority 0;
    ct state invalid drop;
    ip daddr 10.77.2.9 drop;
    ip6 daddr fd77:2::9 drop;
  }
}
"""
_numbers = itertools.count()


def _run(words: Sequence[str], given: str | None = None) -> None:
    done = subprocess.run(words, input=given, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"


class Host:
    """One namespace with a separate ``/etc/hosts``."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self._hosts = directory / f"{name}.hosts"
        self.knows({})

    def knows(self, names: Mapping[str, Sequence[str]]) -> None:
        """The addresses of each name, here and from now on."""
        lines = [f"{address} {name}" for name, found in names.items() for address in found]
        self._hosts.write_text("\n".join(["127.0.0.1 localhost", *lines, ""]))

    @property
    def prefix(self) -> tuple[str, ...]:
        """The words before a command that runs here."""
        mounted = 'mount --bind "$0" /etc/hosts && exec "$@"'
        return ("ip", "netns", "exec", self.name, "sh", "-c", mounted, str(self._hosts))

    def run(self, *words: str) -> None:
        """Run a command here; AssertionError unless it succeeds."""
        _run(["ip", "netns", "exec", self.name, *words])


class Wires:
    """The three hosts."""

    def __init__(self, inside: Host, middle: Host, outside: Host) -> None:
        self.inside, self.middle, self.outside = inside, middle, outside

    def forget_connections(self) -> None:
        """As NAT does that was idle for too long, or restarted: it cuts connections silently."""
        self.middle.run("conntrack", "-F")

    def _join(self, net: int, one: tuple[Host, int], other: tuple[Host, int]) -> None:
        """A wire between two hosts, each with the end of its addresses."""
        names = [f"v{host.name[-6:]}{net}" for host, _ in (one, other)]
        ends = ["netns", one[0].name, "type", "veth", "peer", "name", names[1]]
        _run(["ip", "link", "add", names[0], *ends, "netns", other[0].name])
        for (host, number), device in zip((one, other), names, strict=True):
            host.run("ip", "addr", "add", f"10.77.{net}.{number}/24", "dev", device)
            host.run("ip", "addr", "add", f"fd77:{net}::{number}/64", "dev", device, "nodad")
            host.run("ip", "link", "set", device, "up")
            host.run("ip", "link", "set", "lo", "up")

    def lay(self) -> None:
        """Connect them."""
        inside, middle, outside = self.inside, self.middle, self.outside
        self._join(1, (inside, 2), (middle, 1))
        self._join(2, (middle, 1), (outside, 2))
        inside.run("ip", "route", "add", "default", "via", "10.77.1.1")
        inside.run("ip", "-6", "route", "add", "default", "via", "fd77:1::1")
        outside.run("ip", "-6", "route", "add", "default", "via", "fd77:2::1")
        self.add_address(SECOND)
        outside.run("sysctl", "-q", "-w", "net.ipv4.conf.all.promote_secondaries=1")
        for setting in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", _FLUSHED):
            middle.run("sysctl", "-q", "-w", setting)
        _run(["ip", "netns", "exec", middle.name, "nft", "-f", "-"], _RULES)

    @property
    def _device(self) -> str:
        return f"v{self.outside.name[-6:]}2"

    def add_address(self, address: str) -> None:
        """Of the host outside."""
        self.outside.run("ip", "addr", "add", f"{address}/24", "dev", self._device)

    def remove_address(self, address: str) -> None:
        """From the host outside: the address does not answer any more."""
        self.outside.run("ip", "addr", "del", f"{address}/24", "dev", self._device)


@contextmanager
def wires(directory: Path) -> Iterator[Wires]:
    """Hosts and the wires between them, gone afterwards."""
    needs.root("make network namespaces")
    needs.programs("ip", "nft", "conntrack", "sysctl")
    number = next(_numbers)
    names = [f"sw{os.getpid()}-{number}{letter}" for letter in "iMo"]
    with ExitStack() as stack:
        for name in names:
            _run(["ip", "netns", "add", name])
            stack.callback(_run, ["ip", "netns", "del", name])
        laid = Wires(*(Host(name, directory) for name in names))
        laid.lay()
        yield laid
