"""The name of a caller, and the interface to the sources that know it."""

from typing import Literal, Protocol

import msgspec

from router.net.ports import Address

CallerKind = Literal["workload", "unit", "container", "user", "address", "node", "others"]
"""``workload``: of this namespace, ``KIND/NAME``. ``unit``, ``container`` and ``user``: of this
host. ``address``: only the address is known. ``node``: a cluster node that hides the caller's
address (SNAT). ``others``: callers beyond the number that is kept apart."""


class CallerName(msgspec.Struct, frozen=True, order=True):
    """A caller. Two connections with the same name are of one caller."""

    kind: CallerKind
    name: str


OTHERS = CallerName("others", "others")


class CallerNames(Protocol):
    """Finds the callers of connections. Times are of one clock that is never set."""

    def at_once(self, peer: Address, local: Address) -> CallerName | None:
        """The owner of the socket ``peer``, which has just connected to ``local``; None: ask later,
        by address (`owner`)."""

    def settled_until(self) -> float:
        """The time up to which it is known who had which address."""

    def owner(self, host: str, since: float, until: float) -> CallerName:
        """Who had the address during the whole period; if none or several did, the address
        itself."""
