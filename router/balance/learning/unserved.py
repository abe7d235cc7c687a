"""Clients that were refused and still want to be served: how many at once. Pure.

A request for which no site had room is demand, and is not in flight. Two rules say for how long:

- It would have been in flight for the duration of a request, from its arrival (Little's law). So it
  counts until then, and for no longer than clients are asked to wait, on average: a client that has
  not asked again by then has given up.
- Where most of the clients come again, each of them counts until it does, or for twice the time
  that they usually take: its request is one, however often it is made.

An HTTP/1 client comes again on the same connection. On a new connection it looks like another
client, and the first rule applies. A tcp client connects again by itself, often at once: a
connection from the same address `limits.UNSERVED_PAUSE_S` or later after a refused one counts as
its next try; connections within that time are different clients. Of several tcp clients that share
an address some may count as one: at least as many count as were refused at once, within that pause.

Autoscalers that use the requests served or held (Knative's and KEDA's HTTP concurrency) count no
refused client; `router.balance.learning.demand` does, since here overflow ends at a bound.
"""

import msgspec

from router.model import limits

_TICKS_PER_S = 100
"""Ends are rounded to the tick, so that memory does not grow with the number of refused clients."""


class UnservedClient(msgspec.Struct, eq=False):
    """One request of ``client`` that was refused at ``at``.

    By the first rule it counts before ``until``.
    """

    at: float
    until: float
    client: str


class UnservedClients:
    """Counts refused clients; O(1) for each, and bounded by `limits.UNSERVED_KEPT_MAX`."""

    __slots__ = ("_ends", "_known", "_return_s", "_returned", "_stayed_away", "away")

    def __init__(self) -> None:
        self._known: dict[UnservedClient, None] = {}  # In order of ``at``.
        self.away: dict[str, dict[UnservedClient, None]] = {}
        """Clients without a connection. If it has any, `comes` must be called for each client that
        connects.
        """
        self._ends: dict[int, int] = {}  # Of the others: how many count until which tick.
        self._returned = self._stayed_away = 0.0  # Decaying: the latest weigh most.
        self._return_s = limits.UNSERVED_S_MAX  # Smoothed: time until clients return.

    def add(
        self, now: float, came_at: float, request_s: float, client: str, *, may_return: bool
    ) -> UnservedClient | None:
        """A request that came at ``came_at`` is refused.

        ``request_s``: duration of a request; 0.0: not known. ``client``: the name that identifies
        the client when it connects again; empty: none. ``may_return``: its connection stays open;
        then `asks_again` or `left` follows.
        """
        until = now + limits.RETRY_AFTER_MEAN_S
        if request_s:
            until = min(until, came_at + request_s)
        if not (client or may_return) or len(self._known) >= limits.UNSERVED_KEPT_MAX:
            self._count_until(until, now)
            return None
        one = UnservedClient(now, until, client)
        self._known[one] = None
        if may_return:
            return one
        self.left(one, now)
        return None

    def asks_again(self, one: UnservedClient, now: float) -> bool:
        """The connection of ``one`` brings another request. False: ``one`` was forgotten before."""
        if one not in self._known:
            return False
        self._forget(one)
        self._note(returned=1.0)
        self._return_s += limits.UNSERVED_SMOOTHING * (now - one.at - self._return_s)
        return True

    def left(self, one: UnservedClient, now: float) -> None:
        """The connection of ``one`` is gone."""
        if one not in self._known:
            return
        if one.client:
            self.away.setdefault(one.client, {})[one] = None
        else:
            del self._known[one]
            self._note(stayed_away=1.0)
            self._count_until(one.until, now)

    def comes(self, client: str, now: float) -> bool:
        """``client`` has connected. True: to ask again, as far as is known.

        The newest entry is taken for it, so that clients that have given up are forgotten.
        """
        latest = now - limits.UNSERVED_PAUSE_S
        for one in reversed(self.away.get(client, {})):
            if one.at <= latest:
                return self.asks_again(one, now)
        return False

    def total(self, now: float, queued: int) -> int:
        """Clients that want to be served now, besides ``queued``.

        Where clients ask once, a queue that is never empty and the clients that found it full are
        the same excess counted twice: the greater of the two is the right figure.
        """
        oldest = now - limits.UNSERVED_S_MAX
        while self._known:
            one = next(iter(self._known))
            if one.at > oldest:
                break
            self._forget(one)
            self._note(stayed_away=1.0)
        tick = int(now * _TICKS_PER_S)
        if self._ends and min(self._ends) <= tick:
            self._ends = {end: count for end, count in self._ends.items() if end > tick}
        counted = sum(self._ends.values())
        if self._returned > self._stayed_away:
            since = now - 2 * self._return_s - limits.UNSERVED_LATE_S
            return counted + sum([one.at > since for one in self._known])
        counted += sum([one.until > now for one in self._known])
        return max(0, counted - queued) if self._stayed_away else counted

    def _forget(self, one: UnservedClient) -> None:
        del self._known[one]
        away = self.away.get(one.client)
        if away is not None and one in away:
            del away[one]
            if not away:
                del self.away[one.client]

    def _count_until(self, until: float, now: float) -> None:
        end = round(until * _TICKS_PER_S)
        if until > now:
            self._ends[end] = self._ends.get(end, 0) + 1

    def _note(self, returned: float = 0.0, stayed_away: float = 0.0) -> None:
        kept = 1.0 - limits.UNSERVED_SMOOTHING
        self._returned = self._returned * kept + returned
        self._stayed_away = self._stayed_away * kept + stayed_away
