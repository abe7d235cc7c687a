"""Links and targets that go and come, in events: none goes twice, and who is back is said to be."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tests.simulation.hours.truth import APART_S, JOINED_S, TOLD_S, Truth

_UNLINKED: Final = ("link-down", "link-draining")
"""The second ends with its last stream."""


class Told(NamedTuple):
    """An event of a router in one of its lives."""

    life: int
    code: str
    subject: str


class LinkChanges:
    """Of one router in one life; ``key`` of it in the world."""

    def __init__(self, truth: Truth, key: str) -> None:
        self._truth, self._key = truth, key
        self._down: dict[str, float] = {}
        """Sites, since when."""
        self._up: set[str] = set()

    def hear(self, told: Told) -> Iterator[str]:
        """The faults of an event."""
        site = told.subject
        if told.code == "link-down":
            if self._is_known(site) and site in self._down:
                yield f"link-down {site} again, and it had not come back"
            self._down[site] = self._truth.now
        elif told.code == "link-up":
            self._down.pop(site, None)
            self._up.add(site)
        if told.code in _UNLINKED:
            self._up.discard(site)

    def wrong(self) -> Iterator[str]:
        """Events that are missing."""
        truth, key = self._truth, self._key
        for site, since in self._down.items():
            linked_s = min(truth.is_over("severed", key, site), truth.now - since)
            if self._is_known(site) and linked_s > JOINED_S:
                yield f"link-down {site}, and it is linked"
        for site in self._up:
            if self._is_known(site) and truth.lasts("severed", key, site) > APART_S:
                yield f"link-up {site}, and it is away"

    def _is_known(self, site: str) -> bool:
        """There is one router at both ends."""
        return all(map(self._truth.has_one_router, (site, self._truth.name_of(self._key))))


class TargetChanges:
    """Those of all services, at one router in one life; ``key`` of it in the world."""

    def __init__(self, truths: Sequence[Truth], key: str) -> None:
        self._truths, self._key = truths, key
        self._down: dict[str, float] = {}
        """Hosts with ports, since when."""

    def hear(self, told: Told) -> Iterator[str]:
        """The faults of an event."""
        target = told.subject
        if told.code == "target-down":
            if target in self._down:
                yield f"target-down {target} again, and it had not come back"
            self._down[target] = self._truths[0].now
        elif told.code == "target-up":
            self._down.pop(target, None)

    def wrong(self) -> Iterator[str]:
        """Events that are missing."""
        for truth in self._truths:
            ports = truth.ports_at(self._key)
            since = [at for target, at in self._down.items() if _port(target) in ports]
            down_s = [truth.now - at for at in since]
            if down_s and min(truth.is_over("lacks", self._key), max(down_s)) > TOLD_S:
                yield f"target-down of {truth.service.name}, and all targets are ready"


def _port(target: str) -> int:
    return int(target.rpartition(":")[2])
