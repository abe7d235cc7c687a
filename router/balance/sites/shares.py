"""When a router may use its share of the site's capacity: all together never exceed it. Pure.

The routers of a site divide each configured capacity by their identities, and learn at different
times of routers that come and go. A router that loses by that gives out less at once. A router that
gains waits until each other router that may hold slots has confirmed, after learning of this very
change, that it divides in the same way; requests that those still have in flight above their shares
are not given out before they have ended.

The law: at every instant the sum of all admitted requests is within the configured capacity. Of any
two routers that gained under different divisions the later one would have needed the word of the
other, which in giving it had lowered its own limit; and that word is for one round of one asker, so
that an old one is worth nothing. A router that no other can reach keeps its share as long as it may
run: a cut between two of them takes nothing from either, and costs no more than the change of
shares.

The caller learns late which routers exist (`see`): a router reported as down may have started
again, and have our word for a larger share. So a router that was heard in a life that began after
the reported end is waited for. Messages may be lost, doubled, delayed and overtaken.

A router that ends says so once it admits nothing more and has nothing in flight (`end`). The caller
then reports that life as down to the others, without waiting for news from elsewhere.
"""

from collections.abc import Iterable, Mapping

import msgspec

from router.model import limits
from router.model.messages.shares import SharesMessage


class _Word(msgspec.Struct, frozen=True):
    """The last message from another router."""

    life: int
    number: int
    round: int


class Shares:
    """The limits of one router. ``life``: when the process started, growing with each start."""

    def __init__(self, own: str, life: int) -> None:
        self.own = own
        self._life = life
        self._round = 0
        self._number = 0
        self._division: str | None = None
        self._others: frozenset[str] = frozenset()
        self._shares: dict[str, int] = {}
        self._floors: dict[str, int] = {}
        self._heard: dict[str, _Word] = {}
        self._agreed: dict[str, dict[str, int]] = {}  # Debts of routers that confirmed this round.
        self._settled = False
        self._ends = False

    @property
    def awaited(self) -> frozenset[str]:
        """Others that do not agree yet. Until then this one uses none of its gains."""
        return frozenset() if self._settled else self._others.difference(self._agreed)

    @property
    def is_whole(self) -> bool:
        """All agree, and the others owe nothing: every limit is the share."""
        return self._settled and not self._ends and not any(self._owing())

    def see(
        self,
        division: str,
        others: Iterable[str],
        shares: Mapping[str, int],
        down: Mapping[str, float],
    ) -> None:
        """The capacity is divided as ``division`` names it, which gives this router ``shares`` by
        resource.

        ``others`` may hold slots now; those that are ``down`` only in a life that began at the
        given moment or later. The limits apply from this very call on: apply any lower limit before
        anything is sent.
        """
        assert division, "a division has a name"
        again = {one for one, at in down.items() if self._is_heard_since(one, at)}
        self._others = frozenset(others) - {self.own} | again
        if division != self._division:
            self._floors = {one: min(share, self.limit(one)) for one, share in shares.items()}
            self._division = division
            self._round += 1
            self._agreed = {}
            self._settled = False
        else:
            before = self._floors
            self._floors = {one: min(share, before.get(one, 0)) for one, share in shares.items()}
        self._shares = dict(shares)
        self._settle()

    def hear(self, said: SharesMessage) -> None:
        """A message of another router; any sent before it, or in an earlier life, is void."""
        known = self._heard.get(said.member)
        if said.member == self.own:
            return
        if known is not None and (said.life, said.number) <= (known.life, known.number):
            return
        self._heard.pop(said.member, None)
        self._heard[said.member] = _Word(said.life, said.number, said.round)
        self._forget_silent()
        is_for_this = (said.heard_life, said.heard_round) == (self._life, self._round)
        if said.division == self._division and is_for_this:
            self._agreed[said.member] = dict(said.debts)
            self._settle()

    def _forget_silent(self) -> None:
        """Forget those that are silent for longest, never one that may hold slots."""
        excess = len(self._heard) - limits.SHARE_MEMBERS_KEPT_MAX
        if excess > 0:
            gone = [one for one in self._heard if one not in self._others]
            for one in gone[:excess]:
                del self._heard[one]

    def end(self) -> None:
        """Every limit is 0 from now on."""
        self._ends = True

    def message_to(self, member: str, in_flight: Mapping[str, int]) -> SharesMessage:
        """The message to send to ``member`` now, unchanged.

        ``in_flight`` by resource: any excess over the share is owed to the others.
        """
        self._number += 1
        word = self._heard.get(member)
        debts = sorted(self.debts(in_flight).items())
        division = self._division or ""
        if len(debts) > limits.SHARE_DEBTS_MAX:  # Too many to send: no word yet.
            debts, division = [], ""
        return SharesMessage(
            self.own,
            self._life,
            self._number,
            self._round,
            division,
            word.life if word is not None else 0,
            word.round if word is not None else 0,
            tuple(debts),
            is_over=self._ends and not any(in_flight.values()),
        )

    def debts(self, in_flight: Mapping[str, int]) -> dict[str, int]:
        """The excess of ``in_flight`` over the shares, by resource; only above 0."""
        shares = self._shares
        return {
            one: count - shares.get(one, 0)
            for one, count in in_flight.items()
            if count > shares.get(one, 0)
        }

    def limit(self, resource: str) -> int:
        """The most of ``resource`` that this router may have in flight now."""
        if self._ends:
            return 0
        floor = self._floors.get(resource, 0)
        if not self._settled:
            return floor
        owed = sum(debts.get(resource, 0) for debts in self._owing())
        return max(floor, self._shares.get(resource, 0) - owed)

    def _owing(self) -> list[dict[str, int]]:
        """The debts of routers that may still hold slots. One that is gone owes nothing."""
        return [debts for member, debts in self._agreed.items() if member in self._others]

    def _is_heard_since(self, member: str, at: float) -> bool:
        word = self._heard.get(member)
        return word is not None and word.life >= at

    def _settle(self) -> None:
        if not self._settled:
            self._settled = self._others <= self._agreed.keys()
