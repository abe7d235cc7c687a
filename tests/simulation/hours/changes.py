"""Links and targets that go and come, in events: none goes twice, and who is back is said to be."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from tests.simulation.hours.truth import APART_S, JOINED_S, TOLD_S, Truth

_GOES: Final = ("link-down", "target-down")
_COMES: Final[Mapping[str, str]] = {"link-up": "link-down", "target-up": "target-down"}
"""And the event that it ends."""


class Told(NamedTuple):
    """An event of a router in one of its lives."""

    life: int
    code: str
    subject: str


class Changes:
    """Of one router in one life; ``key`` of it in the world."""

    def __init__(self, truth: Truth, key: str) -> None:
        self._truth, self._key = truth, key
        self._gone: dict[tuple[str, str], float] = {}
        """What of which subject, since when."""
        self._linked: dict[str, float] = {}

    def hear(self, told: Told) -> Iterator[str]:
        """The faults of an event."""
        what, now = (told.code, told.subject), self._truth.now
        if told.code in _GOES:
            is_one = told.code == "target-down" or self._is_known(told.subject)
            if is_one and what in self._gone:
                yield f"{told.code} {told.subject} again, and it had not come back"
            self._gone[what] = now
        elif told.code in _COMES:
            self._gone.pop((_COMES[told.code], told.subject), None)
        if told.code == "link-up":
            self._linked[told.subject] = now
        elif told.code in ("link-down", "link-draining"):  # The second ends with its last stream.
            self._linked.pop(told.subject, None)

    def wrong(self, ports: set[str]) -> Iterator[str]:
        """Events that are missing. ``ports``: of the targets that the router has."""
        truth, key = self._truth, self._key
        for (code, subject), since in self._gone.items():
            if code == "link-down" and self._is_known(subject):
                if min(truth.is_over("severed", key, subject), truth.now - since) > JOINED_S:
                    yield f"{code} {subject}, and it is linked"
            elif subject.rpartition(":")[2] in ports and (
                min(truth.is_over("lacks", key), truth.now - since) > TOLD_S
            ):
                yield f"{code} {subject}, and all targets are ready"
        for site in self._linked:
            if self._is_known(site) and truth.lasts("severed", key, site) > APART_S:
                yield f"link-up {site}, and it is away"

    def _is_known(self, site: str) -> bool:
        """There is one router at both ends."""
        return all(map(self._truth.has_one_router, (site, self._truth.name_of(self._key))))
