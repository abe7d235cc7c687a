"""In-flight counts of the targets of one service port at this site, and who may have a slot."""

from collections.abc import Mapping
from enum import Enum
from typing import Protocol

import msgspec

from router.balance.rotation import take_turn
from router.balance.sessions import score, seed_of
from router.model.capacity import TargetTerms


class Denied(Enum):
    """Why there is no slot."""

    FULL = "full"  # Ready targets exist, none has room.
    NO_TARGET = "no-target"  # No ready target, or none that is not excluded.
    PENDING = "pending"  # A shared ledger is asking its owner; it answers later.


class TargetState(msgspec.Struct, frozen=True):
    """One target as it is now. ``name``: its own or its connector's; ``capacity`` None: none."""

    target: str
    name: str
    ready: bool
    in_flight: int
    capacity: int | None
    requests_total: int


class _Target:
    """The count of one target. ``ready`` implies ``wanted``."""

    __slots__ = (
        "capacity",
        "in_flight",
        "name",
        "ready",
        "requests_total",
        "seed",
        "target",
        "turn",
        "wanted",
        "weight",
    )

    def __init__(self, target: str) -> None:
        self.target = target
        self.seed = seed_of(target)
        self.name = ""
        self.capacity: int | None = None
        self.in_flight = 0
        self.ready = False
        self.wanted = True
        self.requests_total = 0
        self.turn = 0
        self.weight = 1

    def has_room(self) -> bool:
        return self.capacity is None or self.in_flight < self.capacity


class Slot:
    """Leave to have one request or connection at ``target`` (``host:port``)."""

    __slots__ = ("_held_of", "_ledger", "target")

    def __init__(self, ledger: "LocalLedger", held_of: _Target) -> None:
        self.target = held_of.target
        self._ledger: LocalLedger | None = ledger
        self._held_of = held_of

    @property
    def is_good(self) -> bool:
        """Its target is ready still: neither down nor removed."""
        return self._held_of.ready

    def release(self, now: float) -> None:
        """Give it back, exactly once; a second time is an AssertionError."""
        ledger = self._ledger
        assert ledger is not None, "slot released twice"
        self._ledger = None
        ledger._give_back(self._held_of)


Outcome = Slot | Denied


class Ledger(Protocol):
    """Who admits requests to the targets of one service port at this site."""

    @property
    def in_flight(self) -> int:
        """All slots held, also those of targets that are down or removed. For people."""

    @property
    def load(self) -> int:
        """Slots held of ready targets, of each up to its capacity. What decisions and reports use.

        So ``capacity - load`` is what is free: connections that linger at a removed target, or
        above a lowered limit, take nothing from the other targets.
        """

    @property
    def targets_ready(self) -> int: ...

    @property
    def capacity(self) -> int | None:
        """The sum over ready targets; None: none of them states one."""

    @property
    def is_full(self) -> bool:
        """Ready targets exist and none has room."""

    def try_acquire(
        self, now: float, exclude: frozenset[str] = frozenset(), session: int = 0
    ) -> Outcome:
        """A slot of the least loaded ready target not in ``exclude`` (``host:port``), or why not.

        With a ``session``: of the target that is the session's among those with room. Never blocks.
        PENDING: the answer comes by another way, within `limits.LEASE_PENDING_S`.
        """


class LocalLedger:
    """The ledger of a router that owns all its targets.

    Least in flight relative to capacity first, ties by smooth rotation weighted by capacity. When
    a ready target states no capacity, shares cannot be compared: plain least in flight, each in
    its turn. A session has a target of its own, by `sessions.score`, and the next best one while
    that has no room. O(ready targets) per slot.
    """

    __slots__ = (
        "_all_stated",
        "_ready",
        "_roomy",
        "_targets",
        "capacity",
        "in_flight",
        "load",
        "targets_ready",
    )

    def __init__(self) -> None:
        self._targets: dict[str, _Target] = {}
        self._ready: list[_Target] = []
        self._roomy = 0  # Ready targets with room.
        self._all_stated = True
        # Plain attributes, read several times per request; nobody else writes them.
        self.capacity: int | None = None
        """The sum over ready targets; None: none of them states one."""
        self.in_flight = 0
        """All slots held."""
        self.load = 0
        """Slots held of ready targets, of each up to its capacity."""
        self.targets_ready = 0

    def current_load(self) -> int:
        """`load`, for who asks later than they are told whom to ask."""
        return self.load

    @property
    def is_full(self) -> bool:
        """Ready targets exist and none has room."""
        return not self._roomy and bool(self._ready)

    def targets(self) -> list[TargetState]:
        """All targets, the removed ones that still have requests in flight included."""
        return [
            TargetState(
                target=one.target,
                name=one.name,
                ready=one.ready,
                in_flight=one.in_flight,
                capacity=one.capacity,
                requests_total=one.requests_total,
            )
            for one in self._targets.values()
        ]

    def set_targets(self, targets: Mapping[str, TargetTerms]) -> None:
        """Make ``targets`` (by ``host:port``) the wanted ones.

        New ones start not ready. Removed ones admit no more, finish what they have and vanish. A
        limit below what is in flight ends nothing; the target admits again once below it. Room may
        appear: whoever has waiters asks for them afterwards.
        """
        for address, terms in targets.items():
            one = self._targets.get(address)
            if one is None:
                one = self._targets[address] = _Target(address)
            one.wanted = True
            one.name = terms.name
            one.capacity = terms.capacity
        for address in self._targets.keys() - targets.keys():
            one = self._targets[address]
            one.wanted = one.ready = False
            if not one.in_flight:
                del self._targets[address]
        self._recount()

    def set_ready(self, target: str, ready: bool) -> None:
        """What health checks found. An unknown or removed target's late result is dropped."""
        one = self._targets.get(target)
        if one is not None and one.wanted and one.ready != ready:
            one.ready = ready
            self._recount()

    def target_of(self, session: int) -> str | None:
        """The target that `try_acquire` would choose for ``session`` now; None: none has room."""
        chosen = _best_for(session, self._ready)
        return chosen.target if chosen is not None else None

    def try_acquire(
        self, now: float, exclude: frozenset[str] = frozenset(), session: int = 0
    ) -> Outcome:
        """A slot of the session's or the least loaded ready target, FULL, or NO_TARGET."""
        ready = self._ready
        if exclude:
            ready = [one for one in ready if one.target not in exclude]
        if not ready:
            return Denied.NO_TARGET
        if not self._roomy:
            return Denied.FULL
        if len(ready) == 1:
            chosen: _Target | None = ready[0]
        else:
            chosen = _best_for(session, ready) if session else self._least_loaded(ready)
        if chosen is None:
            return Denied.FULL
        capacity = chosen.capacity
        if capacity is not None and chosen.in_flight >= capacity:
            return Denied.FULL
        chosen.in_flight += 1
        chosen.requests_total += 1
        self.in_flight += 1
        self.load += 1
        if chosen.in_flight == capacity:
            self._roomy -= 1
        return Slot(self, chosen)

    def _least_loaded(self, ready: list[_Target]) -> _Target | None:
        least = float("inf")
        tied: list[_Target] = []
        relative = self._all_stated
        for one in ready:
            capacity = one.capacity
            share: float = one.in_flight
            if capacity is not None:
                if share >= capacity:
                    continue
                if relative:
                    share /= capacity
            if share < least:
                least = share
                tied = [one]
            elif share == least:
                tied.append(one)
        return take_turn(tied) if tied else None

    def _give_back(self, one: _Target) -> None:
        assert one.in_flight > 0, "release without acquire"
        one.in_flight -= 1
        self.in_flight -= 1
        if one.ready:
            capacity = one.capacity
            if capacity is None or one.in_flight < capacity:
                self.load -= 1
                if one.in_flight + 1 == capacity:
                    self._roomy += 1
            # Else it was above a lowered limit, and that part is no load.
        elif not one.wanted and not one.in_flight:
            del self._targets[one.target]

    def _recount(self) -> None:
        """Sums over targets, after a change of targets, readiness or capacity."""
        self._ready = [one for one in self._targets.values() if one.ready]
        self.targets_ready = len(self._ready)
        stated = [one.capacity for one in self._ready if one.capacity is not None]
        self._all_stated = len(stated) == len(self._ready)
        for one in self._ready:
            one.weight = max(1, one.capacity or 1) if self._all_stated else 1
        self.capacity = sum(stated) if stated else None
        self.load = sum(
            one.in_flight if one.capacity is None else min(one.in_flight, one.capacity)
            for one in self._ready
        )
        self._roomy = sum(one.has_room() for one in self._ready)


def _best_for(session: int, ready: list[_Target]) -> _Target | None:
    """The target of ``session`` among those with room; None: none has."""
    best: _Target | None = None
    most = -1.0
    for one in ready:
        if one.has_room():
            rank = score(session, one.seed, one.weight)
            if rank > most:
                best, most = one, rank
    return best
