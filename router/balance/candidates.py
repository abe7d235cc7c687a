"""What a balancer knows of each site that could take the next request: mutable, its own."""

from typing import Literal

from router.balance.ledger import Ledger
from router.model import limits
from router.model.adverts import RemoteCandidate
from router.model.ids import RouterId, SiteId

Verdict = Literal[
    "chosen",
    "dearer",
    "full",
    "soft-full",
    "draining",
    "no-target",
    "excluded",
    "unreachable",
]


class Candidate:
    """One site. `refresh` brings the figures up to date; policies then read plain attributes.

    ``hard_full``: no free slot of a stated capacity. ``verdict`` is set while a decision is made;
    None: not judged. ``turn`` belongs to `rotation`.
    """

    __slots__ = (
        "capacity",
        "cost",
        "draining",
        "hard_full",
        "in_flight",
        "local",
        "name",
        "paths",
        "site",
        "targets_ready",
        "turn",
        "verdict",
    )

    def __init__(self, site: SiteId, name: str, local: bool) -> None:
        self.site = site
        self.name = name
        self.local = local
        self.cost = 0
        self.paths: tuple[tuple[RouterId, ...], ...] = ((),)
        self.draining = False
        self.targets_ready = 0
        self.capacity: int | None = None
        self.in_flight = 0
        self.hard_full = False
        self.turn = 0
        self.verdict: Verdict | None = None

    @property
    def weight(self) -> int:
        """Its share of turns among equals."""
        return self.targets_ready

    @property
    def is_stated(self) -> bool:
        """Its room is a number: a stated capacity, and not beyond it by targets without one."""
        return self.capacity is not None and (self.hard_full or self.in_flight < self.capacity)

    @property
    def free(self) -> int | None:
        """Free slots; None: no capacity stated."""
        if self.capacity is None:
            return None
        return 0 if self.hard_full else max(0, self.capacity - self.in_flight)

    def refresh(self, now: float) -> None:
        """Bring the figures up to ``now``. Repeating it changes nothing."""
        raise NotImplementedError

    def next_path(self) -> tuple[RouterId, ...]:
        """The way there that the next request takes; ``()``: it is here, or unreachable."""
        return ()

    def age_s(self, now: float) -> float:
        """How old the in-flight figure is; infinite: never heard."""
        raise NotImplementedError


class LocalSite(Candidate):
    """This site: exact figures from its ledger."""

    __slots__ = ("_ledger",)

    def __init__(self, site: SiteId, name: str, ledger: Ledger) -> None:
        super().__init__(site, name, local=True)
        self._ledger = ledger

    def refresh(self, now: float) -> None:
        """Copy the ledger's figures."""
        ledger = self._ledger
        self.targets_ready = ledger.targets_ready
        self.capacity = ledger.capacity
        self.in_flight = ledger.load
        self.hard_full = ledger.is_full

    def age_s(self, now: float) -> float:
        """Exact, so 0."""
        return 0.0


class RemoteSite(Candidate):
    """Another site, by one of its routers: the last figure heard + ours opened - ours ended since.

    A refusal makes it full until a newer figure, an end of one of ours there, or
    `limits.REFUSED_FULL_S` later: then one slot counts as free again, since a refusal without any
    report after it must not shut a site out for ever.
    """

    __slots__ = (
        "_advert_capacity",
        "_advert_targets",
        "_estimate",
        "_full_until",
        "_heard_at",
        "_path_turn",
        "_refused_unended",
        "router",
    )

    def __init__(self, advert: RemoteCandidate) -> None:
        super().__init__(advert.site, advert.site_name, local=False)
        self.router = advert.router
        self._estimate = 0  # Heard + opened - ended; below 0 it stands for 0.
        self._heard_at: float | None = None
        self._full_until: float | None = None
        self._refused_unended = 0
        self._path_turn = 0
        self._advert_targets = -1
        self._advert_capacity: int | None = None
        self.update(advert)

    def update(self, advert: RemoteCandidate) -> None:
        """Take over what the route table says; the estimate stays."""
        self.name = advert.site_name
        self.cost = advert.path_cost
        self.paths = advert.paths
        self.draining = advert.draining
        changed = (advert.targets_ready, advert.capacity) != (
            self._advert_targets,
            self._advert_capacity,
        )
        if changed:  # Newer than any report. Unchanged, a report since may know better.
            self._advert_targets = self.targets_ready = advert.targets_ready
            self._advert_capacity = self.capacity = advert.capacity

    def refresh(self, now: float) -> None:
        """Judge the estimate at ``now``."""
        if self._full_until is not None:
            if now < self._full_until:
                self.in_flight = max(0, self._estimate)
                self.hard_full = True
                return
            self._full_until = None
            if self.capacity is not None and self._estimate >= self.capacity:
                self._estimate = self.capacity - 1
        estimate = self._estimate
        self.in_flight = estimate if estimate > 0 else 0
        self.hard_full = self.capacity is not None and self.in_flight >= self.capacity

    def age_s(self, now: float) -> float:
        """Seconds since the last figure; infinite: none yet."""
        return float("inf") if self._heard_at is None else max(0.0, now - self._heard_at)

    def next_path(self) -> tuple[RouterId, ...]:
        """The path whose turn it is; ``()``: unreachable."""
        return self.paths[self._path_turn % len(self.paths)] if self.paths else ()

    def take_path(self) -> tuple[RouterId, ...]:
        """The path whose turn it is, and the turn moves on: equal paths get equal shares."""
        if len(self.paths) == 1:
            return self.paths[0]
        path = self.next_path()
        self._path_turn = (self._path_turn + 1) % len(self.paths)
        return path

    def report(self, targets_ready: int, capacity: int | None) -> None:
        """What a load report says of targets, bounded by the signed advert."""
        self.targets_ready = min(targets_ready, self._advert_targets)
        bound = self._advert_capacity
        if bound is None or capacity is None:
            self.capacity = capacity if bound is None else bound
        else:
            self.capacity = min(capacity, bound)

    def hear(self, in_flight: int, now: float) -> None:
        """A count of the egress itself; what we opened and ended before it is in it."""
        self._estimate = in_flight
        self._heard_at = now
        self._full_until = None
        self._refused_unended = 0

    def refuse(self, in_flight: int, now: float) -> None:
        """The egress had no slot for a stream of ours, with ``in_flight`` there."""
        self._estimate = in_flight
        if self.capacity is not None and in_flight < self.capacity:
            self._estimate = self.capacity
        self._heard_at = now
        self._full_until = now + limits.REFUSED_FULL_S
        self._refused_unended += 1

    def open(self) -> None:
        """A stream of ours is on its way there."""
        self._estimate += 1

    def end(self) -> None:
        """A stream of ours there is over.

        The refused one itself never held a slot: its end is none and says nothing of room.
        """
        if self._refused_unended:
            self._refused_unended -= 1
            return
        self._estimate -= 1
        self._full_until = None
