"""State that outlives a process: identity, disk, wall clock and the wanted state there."""

from collections.abc import Mapping
from hashlib import sha256

from router.model.ids import ServiceKey
from router.model.messages.adverts import Declaration, TargetsAdvert
from router.model.rights.owners import NOBODY, Owner
from tests.simulation.fleet.process import Process
from tests.unit.routing.fakes import FakeIdentity

DAY_ONE = 1_790_000_000.0  # Unix seconds at which the virtual time begins.


class Notary:
    """Knows every word that was ever signed, and by whose key."""

    def __init__(self) -> None:
        self._signed: set[bytes] = set()

    def note(self, key: bytes, data: bytes) -> None:
        self._signed.add(sha256(key + b"|" + data).digest())

    def has_signed(self, key: bytes, data: bytes) -> bool:
        return sha256(key + b"|" + data).digest() in self._signed


class NotedIdentity(FakeIdentity):
    """Signs before a notary."""

    def __init__(self, notary: Notary, site: str, router: str = "") -> None:
        super().__init__(site, router)
        self._notary = notary

    def sign(self, data: bytes) -> bytes:
        self._notary.note(self.public_key, data)
        return super().sign(data)


class Place:
    """Where a router runs. ``process`` is None while nothing does.

    ``kept_epoch``, ``owners`` and ``declarations`` are on its disk. ``skew_s`` says how wrong its
    wall clock is.
    """

    def __init__(self, name: str, identity: FakeIdentity, *, is_edge: bool = False) -> None:
        self.name = name
        self.identity = identity
        self.is_edge = is_edge
        self.is_rogue = False
        self.process: Process | None = None
        self.kept_epoch = 0
        self.owners: Mapping[str, Owner] = NOBODY
        self.lives = 0
        self.skew_s = 0.0
        self.is_wanted = True
        self.is_draining = False
        self.declarations: dict[str, Declaration] = {}
        self.adverts: dict[ServiceKey, TargetsAdvert] = {}
        self.wishes: frozenset[str] = frozenset()  # Of an edge.

    @property
    def is_alive(self) -> bool:
        return self.process is not None and not self.process.is_dead

    @property
    def works(self) -> bool:
        """Alive and not stopped: it can say hello."""
        return self.process is not None and not (
            self.process.is_dead or self.process.is_frozen or self.process.is_withdrawn
        )

    def wall(self, now: float) -> float:
        return DAY_ONE + now + self.skew_s

    def next_epoch(self, now: float) -> int:
        """As `StateKeeper.next_epoch`: written down before it is used."""
        self.kept_epoch = max(self.kept_epoch + 1, int(self.wall(now)))
        return self.kept_epoch
