"""Sessions: the target of a session within a site, and the site that served it last.

A session has a key of 63 bits, never 0. Its target is found by rendezvous hashing (Thaler and
Ravishankar, 1998; weighted as by Schindelhauer and Schomaker, 2005): every target gets a score for
the key, and the highest one with room wins. So a target that comes or goes moves only the sessions
that it gains or loses.
"""

from collections import OrderedDict
from hashlib import blake2b
from math import log

from router.model import limits
from router.model.ids import SiteId

SESSION_KEY_MAX = 2**63 - 1

_BITS = 2**64 - 1


def key_of(*parts: bytes) -> int:
    """The session key for the parts that define a session, 1 to `SESSION_KEY_MAX`; the same
    everywhere.
    """
    digest = blake2b(digest_size=8)
    for part in parts:
        digest.update(len(part).to_bytes(4, "big") + part)
    return (int.from_bytes(digest.digest(), "big") >> 1) or 1


def seed_of(target: str) -> int:
    """Seed of ``target`` for `score`; computed once per target."""
    return int.from_bytes(blake2b(target.encode(), digest_size=8).digest(), "big")


def score(key: int, seed: int, weight: int) -> float:
    """How well the target of ``seed`` fits ``key``: the highest score wins.

    The mixing is that of splitmix64 (Steele, Lea and Flood, 2014).
    """
    mixed = ((key ^ seed) * 0x9E3779B97F4A7C15) & _BITS
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _BITS
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _BITS
    mixed ^= mixed >> 31
    return weight / -log((mixed + 0.5) / 2**64)


class SessionTable:
    """Which site served each session last, for recent sessions.

    At most `limits.SESSIONS_MAX`, none that was idle for `limits.SESSION_IDLE_S`. All operations
    O(1), amortized.
    """

    __slots__ = ("_sites",)

    def __init__(self) -> None:
        self._sites: OrderedDict[int, tuple[SiteId, float]] = OrderedDict()  # Longest idle first.

    def __len__(self) -> int:
        return len(self._sites)

    def site_of(self, key: int, now: float) -> SiteId | None:
        """The site that served the session last; None: not known, or too long ago."""
        known = self._sites.get(key)
        if known is None or now - known[1] >= limits.SESSION_IDLE_S:
            return None
        return known[0]

    def served(self, key: int, site: SiteId, now: float) -> None:
        """``site`` has just served the session."""
        sites = self._sites
        sites[key] = (site, now)
        sites.move_to_end(key)
        while len(sites) > limits.SESSIONS_MAX or (
            now - next(iter(sites.values()))[1] >= limits.SESSION_IDLE_S
        ):
            sites.popitem(last=False)
