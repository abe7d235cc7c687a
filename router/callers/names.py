"""What a caller is called, and who knows."""

from typing import Literal, Protocol

import msgspec

from router.net.ports import Address

CallerKind = Literal["workload", "unit", "container", "user", "address", "node", "others"]
"""``workload``: of this namespace, ``KIND/NAME``. ``unit``, ``container`` and ``user``: of this
host. ``address``: nothing more is known. ``node``: a node of the cluster, behind which the caller's
own address is lost (SNAT). ``others``: more callers than are kept apart."""


class CallerName(msgspec.Struct, frozen=True, order=True):
    """A caller. Two connections of the same name are of one caller."""

    kind: CallerKind
    name: str


OTHERS = CallerName("others", "others")


class CallerNames(Protocol):
    """Who knows whose connections are. Times are of one clock that is never set."""

    def at_once(self, peer: Address, local: Address) -> CallerName | None:
        """Whose the socket ``peer`` is, which has just connected to ``local``; None: to be asked
        later, by its address."""

    def settled_until(self) -> float:
        """Up to when it is known who has had which address."""

    def owner(self, host: str, since: float, until: float) -> CallerName:
        """Whose the address was all that time; its address where nobody's, or several's."""
