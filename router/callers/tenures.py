"""Who had an address at a given time: pods reuse the addresses of earlier pods."""

from collections.abc import Mapping

import msgspec

from router.callers.names import CallerName
from router.model import limits

ACCEPTED_S = 1.0
"""A connection may wait so long until it is accepted, and may then be of the address's former
owner.
"""


class AddressTenure(msgspec.Struct, frozen=True, kw_only=True):
    """``uid`` certainly had the address from ``since`` to ``until``; None: it still has it."""

    uid: str
    name: CallerName
    since: float
    until: float | None = None


class AddressHolder(msgspec.Struct, frozen=True, kw_only=True):
    """The current owner of some addresses.

    ``since``: it certainly had them since then; None: since now. ``is_over``: it has ended, so it
    no longer has them; ``ended``: it certainly had them until then; None: unknown.
    """

    uid: str
    name: CallerName
    addresses: tuple[str, ...]
    since: float | None = None
    is_over: bool = False
    ended: float | None = None


class AddressBook:
    """Who certainly had which address, as far back as slices wait. All times are of one clock."""

    def __init__(self) -> None:
        self._tenures: dict[str, list[AddressTenure]] = {}
        self._present: frozenset[tuple[str, str]] = frozenset()

    def see(self, found: Mapping[str, AddressHolder], now: float, gone_after: float) -> None:
        """Record the current owners, by uid; all others are gone.

        ``gone_after``: owners that are missing now had their addresses at least until then.
        """
        present = frozenset(
            (address, one.uid)
            for one in found.values()
            if not one.is_over
            for address in one.addresses
        )
        for address, uid in self._present - present:
            told = found[uid].ended if uid in found else None
            until = gone_after if told is None else min(told, now)
            self._tenures[address] = [
                msgspec.structs.replace(one, until=until)
                if one.uid == uid and one.until is None
                else one
                for one in self._tenures[address]
            ]
        for address, uid in present - self._present:
            one = found[uid]
            since = now if one.since is None else min(one.since, now)
            tenure = AddressTenure(uid=uid, name=one.name, since=since)
            self._tenures.setdefault(address, []).append(tenure)
        self._present = present
        self._forget(now)

    def _forget(self, now: float) -> None:
        oldest = now - limits.CALLER_TENURE_S
        for address, tenures in list(self._tenures.items()):
            if tenures[0].until is None and len(tenures) == 1:
                continue
            left = [one for one in tenures if one.until is None or one.until > oldest]
            if left:
                self._tenures[address] = left[-limits.CALLER_TENURES_MAX :]
            else:
                del self._tenures[address]

    def owner(self, address: str, since: float, until: float) -> CallerName | None:
        """Who had the address during the whole period; None: unknown, or perhaps several did."""
        found: set[CallerName] = set()
        covers = False
        for one in self._tenures.get(address, ()):
            if one.since <= until and (one.until is None or one.until >= since):
                found.add(one.name)
                covers |= one.since <= since - ACCEPTED_S and (
                    one.until is None or one.until >= until
                )
        return found.pop() if len(found) == 1 and covers else None
