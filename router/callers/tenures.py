"""Whose an address was at a time: addresses of pods are used again when a pod is gone."""

from collections.abc import Mapping

import msgspec

from router.callers.names import CallerName
from router.model import limits

SLACK_S = 2.0
"""Starts are told in whole seconds, by another clock."""


class Tenure(msgspec.Struct, frozen=True, kw_only=True):
    """A pod with its address: ``since`` Unix seconds, ``until`` None while it is there."""

    uid: str
    name: CallerName
    since: float
    until: float | None = None


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """A pod that is there now, with all its addresses."""

    uid: str
    name: CallerName
    since: float
    addresses: tuple[str, ...]


class AddressBook:
    """Who had which address, as far back as slices wait. Never two answers for one moment."""

    def __init__(self) -> None:
        self._tenures: dict[str, list[Tenure]] = {}
        self._present: frozenset[tuple[str, str]] = frozenset()

    def see(self, pods: Mapping[str, Present], now: float) -> None:
        """These are there now, by uid, and no others."""
        present = frozenset(
            (address, pod.uid) for pod in pods.values() for address in pod.addresses
        )
        for address, uid in self._present - present:
            self._tenures[address] = [
                msgspec.structs.replace(one, until=now)
                if one.uid == uid and one.until is None
                else one
                for one in self._tenures[address]
            ]
        for address, uid in present - self._present:
            pod = pods[uid]
            tenure = Tenure(uid=uid, name=pod.name, since=pod.since)
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
        """Whose it was all that time; None: nobody's that is known, or it may have been two's.

        Two pods of one caller are one.
        """
        found: set[CallerName] = set()
        covers = False
        for one in self._tenures.get(address, ()):
            if one.since <= until + SLACK_S and (one.until is None or one.until >= since - SLACK_S):
                found.add(one.name)
                covers |= one.since <= since + SLACK_S
        return found.pop() if len(found) == 1 and covers else None
