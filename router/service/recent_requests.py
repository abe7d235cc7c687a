"""Stores the last requests of a service port, so that `why` can explain past ones too."""

from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from typing import Final, Literal

import msgspec

from router.balance.deciding.decision_evidence import SeenDecision
from router.balance.deciding.decisions import Decision
from router.balance.learning.unserved import UnservedClient
from router.model import limits
from router.model.ids import SiteId
from router.model.requests import RequestSelection
from router.service.counters import FAILED, CallerCounts, CodeClass, Times
from router.service.spilled import SpillKey

UNANSWERED: Final[CodeClass] = "5xx"
"""For an http request before the head of its answer: no head, no success."""


Departing = Literal["age", "rebalance"]
"""Why a client's connection is asked to end before its client ends it."""

TimeOut = Literal["tunnel", "half-closed"]
"""The time-out in which nothing moved on a tcp connection, so that it was ended."""


class Grounds(msgspec.Struct, frozen=True):
    """Why a request went where it did, where no `Decision` exists. Fields as there."""

    reason: str = ""
    overflow_reason: str = ""
    spill_reason: str = ""


class TurnedAway(Grounds, frozen=True):
    """Why a request that no site had room for may not wait, or waits no longer; the rest is from
    the last decision.
    """


UNDECIDED: Final = Grounds()


class RequestRecord(msgspec.Struct, eq=False):
    """One request, written in place as things happen, without any data of its client.

    It holds only values, so that storing it keeps no buffer and no connection alive. One per
    request, hence a struct: it is created in C.
    """

    started_at: float
    session: int = 0
    code_class: CodeClass = UNANSWERED
    """Of the answer, if it is passed on whole."""
    origin: CallerCounts | None = None
    """The counters of its connection, until it is counted; None: callers are not named here."""
    begun_at: float = inf
    """When the last attempt began; infinite: it waits for another."""
    held_at: float = inf
    """When that attempt had a target."""
    attempts: int = 0
    site: SiteId | None = None
    """Under way: the site of the last attempt. Over: the site that served it, None: none."""
    in_flight: int = 0
    capacity: int | None = None
    """Of this site, as ``in_flight``, which counts the requests that take slots, when the site was
    chosen at once; else in ``seen``.
    """
    seen: SeenDecision | None = None
    """By the last decision that was not simply for this site."""
    grounds: Decision | Grounds = UNDECIDED
    """The last decision, or its consequence."""
    spill: SpillKey | None = None
    """While another site has it: how its spill is counted, if that began before its end."""
    is_pending: bool = False
    """That spill is only pending: the answer has not begun, so another attempt may follow."""
    retried_for: str = ""
    """Why the attempt before the last failed; empty: there was none."""
    waited_s: float = 0.0
    """Time in the queue until it had its slot: the sum of all its waits."""
    waited_since: float | None = None
    """None: it does not wait, or has had its slot."""
    held_by: str = ""
    """The burst hook for whose site it may wait longer than for a slot; empty: it waits for none,
    or does not wait.
    """
    departs_for: Departing | TimeOut | Literal[""] = ""
    """Why its connection was asked to end, or was ended; empty: it was not."""
    outcome: str = ""
    """``ok``, or why the exchange failed; empty: it is under way."""
    total_s: float = 0.0
    """Until it was over."""
    unserved: UnservedClient | None = None
    """The request was refused, and its client may ask again on its connection."""
    number: int = 0
    """0 until flows are followed; the follower numbers it."""

    @property
    def answer(self) -> CodeClass | None:
        """The class of the whole answer; None: there is none."""
        return self.code_class if self.outcome == "ok" else None

    @property
    def reason(self) -> str:
        """Of the last decision."""
        return self.grounds.reason

    @property
    def overflow_reason(self) -> str:
        """Why a cheaper site was passed over; empty: none was."""
        return self.grounds.overflow_reason

    @property
    def spill_reason(self) -> str:
        """Why it went to another site (`balance.site.spills`); empty: the last attempt was here."""
        return self.grounds.spill_reason

    def note_reason(self, reason: str) -> None:
        """Replace the reason after a later event at the same site."""
        self.grounds = Grounds(reason, self.overflow_reason, self.spill_reason)

    def note_turned_away(self, reason: str) -> None:
        """The request ends, since no site has room."""
        self.grounds = TurnedAway(reason, self.overflow_reason, self.spill_reason)

    def waits(self, now: float) -> None:
        """The request waits for a slot from ``now`` on."""
        self.waited_since = now

    def travels(self, travel_s: float) -> None:
        """The request goes to wait elsewhere: the time on the way is no wait."""
        if self.waited_since is not None:
            self.waited_since += travel_s

    def never_waited(self) -> None:
        """The request did not wait after all."""
        self.waited_since = None

    def ends_wait(self, now: float) -> float | None:
        """How long it has waited since `waits`; None: it was still on its way."""
        assert self.waited_since is not None, "it waits"
        waited_s, self.waited_since = now - self.waited_since, None
        if waited_s < 0:
            return None
        self.waited_s += waited_s
        return waited_s

    def rest(self) -> None:
        """No attempt is under way."""
        self.begun_at = self.held_at = inf

    def times(self, now: float) -> Times:
        """The total time of the request until ``now``, and its parts."""
        begun_at, held_at, started_at = self.begun_at, self.held_at, self.started_at
        if begun_at > now:
            begun_at = now
        if held_at > now:
            held_at = now
        return now - started_at, begun_at - started_at, held_at - begun_at, now - held_at


class RecentRequests:
    """The last `limits.DECISIONS_KEPT` requests, as many of those that were denied, and as many of
    those that failed otherwise.

    Denied: no byte of them reached a target. Both are stored separately too, since the many
    requests that are served would displace them.
    """

    __slots__ = ("_denied", "_failed", "_recent", "begun", "denied", "failed")

    def __init__(self) -> None:
        self._recent: deque[RequestRecord] = deque(maxlen=limits.DECISIONS_KEPT)
        self._denied: deque[RequestRecord] = deque(maxlen=limits.DECISIONS_KEPT)
        self._failed: deque[RequestRecord] = deque(maxlen=limits.DECISIONS_KEPT)
        self.begun: Callable[[RequestRecord], None] = self._recent.append
        """A request begins. Hot: the ring's own method."""
        self.denied: Callable[[RequestRecord], None] = self._denied.append
        """A request was denied."""
        self.failed: Callable[[RequestRecord], None] = self._failed.append
        """A request failed and was not denied."""

    def kept(self) -> list[RequestRecord]:
        """All, each once, in no order."""
        return list(dict.fromkeys((*self._recent, *self._denied, *self._failed)))

    def last(self, count: int, which: RequestSelection) -> list[RequestRecord]:
        """At most ``count`` of those selected, the latest to begin first."""
        chosen: Iterable[RequestRecord] = self._recent
        if which == "denied":
            chosen = self._denied
        elif which == "failed":  # Of the denied, some only lost their client.
            chosen = (one for one in (*self._denied, *self._failed) if one.code_class in FAILED)
        return sorted(chosen, key=_began, reverse=True)[:count]


def _began(record: RequestRecord) -> float:
    return record.started_at
