"""Spill episodes of a service: when requests began to spill, when they stopped, and the totals.

The caller counts the requests, for one reason or several. Requests that spill again within
`EPISODE_QUIET_S` belong to the same episode, so that a short pause makes no second event. An
episode lasts while one of its requests is under way elsewhere: a TCP connection is counted when it
is established, and a request that hangs only at its end.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from types import MappingProxyType
from typing import Final

import msgspec

from router.model.ids import ServiceKey
from router.model.limits import EPISODE_QUIET_S, EPISODE_SITES_SHOWN, EPISODE_TOTALS_MAX

_NONE_LEFT: Final[Mapping[str, int]] = MappingProxyType({})


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one service port. ``left``: requests spilled since this site started, by site.

    ``beside``: the same counters of each further process of this router, in the same order at each
    `look`; a restarted process counts from zero. ``still_open``: requests of this kind that other
    sites serve now, counted or not. ``expected``: spilling is expected, so requests that spilled
    since the last `look`, or spill before the next, are not reported.
    """

    left: Mapping[str, int]
    in_flight: int
    capacity: int | None
    still_open: int = 0
    expected: bool = False
    beside: Sequence[Mapping[str, int]] = ()

    @property
    def parts(self) -> tuple[Mapping[str, int], ...]:
        """The counters of each process."""
        return self.left, *self.beside


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """The first requests spilled. ``began``: monotonic seconds."""

    key: ServiceKey
    began: float
    requests: int
    to: dict[str, int]
    in_flight: int
    capacity: int | None


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """No request spilled for `EPISODE_QUIET_S`.

    ``to``: requests by site, most first; the rest of many are under ``…``. ``in_flight_max`` and
    its ``capacity`` come from calls of `look` at which requests had spilled or were open elsewhere.
    ``active_s`` is the time before those calls, out of ``lasted_s`` in all.
    """

    key: ServiceKey
    began: float
    lasted_s: float
    active_s: float
    requests: int
    to: dict[str, int]
    in_flight_max: int
    capacity: int | None


class _Episode:
    __slots__ = ("active_s", "began", "capacity", "in_flight_max", "last", "to")

    def __init__(self, began: float, seen: Now) -> None:
        self.began = self.last = began
        self.active_s = 0.0
        self.to: dict[str, int] = {}
        self.in_flight_max = seen.in_flight
        self.capacity = seen.capacity


class Episodes:
    """Compares totals with those of the last `look`.

    The totals of removed services are stored, up to `EPISODE_TOTALS_MAX` in all: a service that is
    created again may continue its old counters, and then nothing has spilled in between.
    """

    __slots__ = ("_episodes", "_expected", "_looked_at", "_totals")

    def __init__(self, now: float) -> None:
        self._looked_at = now
        self._expected: set[ServiceKey] = set()  # At the last `look`.
        self._totals: dict[ServiceKey, Sequence[Mapping[str, int]]] = {}
        self._episodes: dict[ServiceKey, _Episode] = {}

    def knows(self, key: ServiceKey) -> bool:
        """True if a `look` saw the service. One that never spilled may be unknown."""
        return key in self._totals

    def look(self, services: Mapping[ServiceKey, Now], now: float) -> list[Begun | Ended]:
        """Episodes that began or ended since the last call. Episodes of a removed service end."""
        found: list[Begun | Ended] = []
        for key, seen in services.items():
            left = _since_of_all(self._totals.get(key, ()), seen.parts)
            self._totals[key] = [dict(part) for part in seen.parts]
            if seen.expected or key in self._expected:
                left = {}
            (self._expected.add if seen.expected else self._expected.discard)(key)
            episode = self._episodes.get(key)
            if left and episode is None:
                episode = self._episodes[key] = _Episode(self._looked_at, seen)
                found.append(_begun(key, episode, left, seen))
            if episode is None:
                continue
            _count(episode, left, seen)
            if left or (seen.still_open and not seen.expected):
                episode.last = now
                episode.active_s += now - self._looked_at
            elif now - episode.last >= EPISODE_QUIET_S:
                del self._episodes[key]
                found.append(_ended(key, episode))
        gone = self._totals.keys() - services.keys()
        self._expected &= services.keys()
        for key in gone:
            if (episode := self._episodes.pop(key, None)) is not None:
                found.append(_ended(key, episode))
            if len(self._totals) > EPISODE_TOTALS_MAX:
                del self._totals[key]
        self._looked_at = now
        return found

    def close(self) -> list[Ended]:
        """End all open episodes: the router stops."""
        episodes, self._episodes = self._episodes, {}
        return [_ended(key, episode) for key, episode in episodes.items()]


def _since_of_all(
    before: Iterable[Mapping[str, int]], now: Iterable[Mapping[str, int]]
) -> Mapping[str, int]:
    """How many more, by site. Each process is compared separately: one that recreated the service
    counts from zero, while the others go on.
    """
    more: dict[str, int] = {}
    for one, other in zip_longest(before, now, fillvalue=_NONE_LEFT):
        for site, count in _since(one, other).items():
            more[site] = more.get(site, 0) + count
    return more


def _since(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """How many more, by site. A recreated service counts from zero."""
    if any(now.get(site, 0) < count for site, count in before.items()):
        before = {}
    more = {site: count - before.get(site, 0) for site, count in now.items()}
    return {site: count for site, count in more.items() if count}


def _count(episode: _Episode, left: Mapping[str, int], seen: Now) -> None:
    for site, count in left.items():
        episode.to[site] = episode.to.get(site, 0) + count
    if (left or seen.still_open) and seen.in_flight > episode.in_flight_max:
        episode.in_flight_max, episode.capacity = seen.in_flight, seen.capacity


def _begun(key: ServiceKey, episode: _Episode, left: Mapping[str, int], seen: Now) -> Begun:
    return Begun(
        key=key,
        began=episode.began,
        requests=sum(left.values()),
        to=_most(left),
        in_flight=seen.in_flight,
        capacity=seen.capacity,
    )


def _ended(key: ServiceKey, episode: _Episode) -> Ended:
    return Ended(
        key=key,
        began=episode.began,
        lasted_s=episode.last - episode.began,
        active_s=episode.active_s,
        requests=sum(episode.to.values()),
        to=_most(episode.to),
        in_flight_max=episode.in_flight_max,
        capacity=episode.capacity,
    )


def _most(to: Mapping[str, int]) -> dict[str, int]:
    ordered = sorted(to.items(), key=lambda one: (-one[1], one[0]))
    shown = dict(ordered[:EPISODE_SITES_SHOWN])
    if rest := sum(count for _, count in ordered[EPISODE_SITES_SHOWN:]):
        shown["…"] = rest
    return shown
