"""Finds ready targets of this site that fail requests, and how often, by counts of them. Pure.

A 500 may be the client's fault, so a target that answers it stays in use (`ejection`); so does a
target that breaks off, if it may not be ejected. Such failures are only reported. A share begins
with the first failure within `TARGET_ERRORS_S`, so that earlier success does not excuse a target
that fails from now on.
"""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from router.model.errors import ANSWERED_5XX, NO_WHOLE_ANSWER
from router.model.ids import ServiceKey
from router.model.limits import FAILING_SHARE, TARGET_ERRORS_MIN, TARGET_ERRORS_S

_Target = tuple[ServiceKey, str]


class ErrorCounts(NamedTuple):
    """One target since the router started: answers of 5xx, requests that it completed, and those
    that it broke off before a whole answer.
    """

    errors: int
    requests: int
    breaks: int = 0

    @property
    def failed(self) -> int:
        """Requests that failed either way."""
        return self.errors + self.breaks


class ErrorShare(msgspec.Struct, frozen=True, kw_only=True):
    """A target that answered 5xx to ``errors`` of ``requests`` within ``seconds``, and gave no
    whole answer to ``breaks`` of them.
    """

    address: str
    errors: int
    requests: int
    seconds: int
    breaks: int

    @property
    def shown(self) -> str:
        """The text for the row of the target."""
        errors = f"{ANSWERED_5XX} to {self.errors}" if self.errors else ""
        breaks = f"{NO_WHOLE_ANSWER} to {self.breaks}" if self.breaks else ""
        what = " and ".join(filter(None, (errors, breaks)))
        return f"{what} of {self.requests} requests in the last {self.seconds} s"

    @property
    def sentence(self) -> str:
        """``10.0.0.5:8080 answered 5xx to 58 of 60 requests in the last 12 s``."""
        return f"{self.address} {self.shown}"


class _Look(NamedTuple):
    at: float
    counts: ErrorCounts


class ErrorAnswers:
    """Compares counts with those of the last minute; bounded by the targets passed to `look`."""

    __slots__ = ("_looks",)

    def __init__(self) -> None:
        self._looks: dict[_Target, deque[_Look]] = {}

    def look(self, seen: Mapping[_Target, ErrorCounts], now: float) -> None:
        """Call once a second. ``seen``: ready targets that failed a request since the router
        started.
        """
        before, self._looks = self._looks, {}
        for target, counts in seen.items():
            looks = before.get(target)
            if looks is None or counts.failed < looks[-1].counts.failed:
                looks = deque()  # It is new, or its service was recreated.
            looks.append(_Look(now, counts))
            while len(looks) > 1 and _says_nothing(looks, now):
                looks.popleft()
            self._looks[target] = looks

    @property
    def is_empty(self) -> bool:
        """There is nothing to compare the next `look` with."""
        return not self._looks

    @property
    def found(self) -> dict[ServiceKey, dict[str, ErrorShare]]:
        """Targets that failed more than `FAILING_SHARE` of their requests, by address."""
        found: dict[ServiceKey, dict[str, ErrorShare]] = {}
        for (key, address), looks in sorted(self._looks.items()):
            first, last = looks[0], looks[-1]
            failed = last.counts.failed - first.counts.failed
            requests = max(failed, last.counts.requests - first.counts.requests)
            if failed >= TARGET_ERRORS_MIN and failed > FAILING_SHARE * requests:
                found.setdefault(key, {})[address] = ErrorShare(
                    address=address,
                    errors=last.counts.errors - first.counts.errors,
                    breaks=last.counts.breaks - first.counts.breaks,
                    requests=requests,
                    seconds=max(1, round(last.at - first.at)),
                )
        return found


def _says_nothing(looks: deque[_Look], now: float) -> bool:
    """No request failed after the oldest, or it is too old."""
    return looks[0].at < now - TARGET_ERRORS_S or looks[1].counts.failed == looks[0].counts.failed
