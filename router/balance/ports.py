"""The interface between decisions and the ledger that counts the slots of this site."""

from typing import Protocol

from router.balance.site.slots import Outcome
from router.balance.site.target_sums import TargetSums
from router.model.messages.adverts import RateLoad


class Ledger(Protocol):
    """Who admits requests to the targets of one service port at this site."""

    @property
    def beyond(self) -> int:
        """``in_flight`` less ``load``."""

    @property
    def load(self) -> int:
        """Slots held of ready targets, of each up to its capacity. What decisions and reports use.

        So ``capacity - load`` is what is free: connections that linger at a removed target, or
        above a lowered limit, take nothing from the other targets.
        """

    @property
    def targets_ready(self) -> int: ...

    @property
    def targets_ejected(self) -> int:
        """Targets that failed requests took out: they are not ready."""

    @property
    def is_drained(self) -> bool:
        """An operator lets this site take nothing new of the service."""

    @property
    def recounts(self) -> int:
        """Another number once anything but ``load`` may have changed; of what rates do apart."""

    @property
    def capacity(self) -> int | None:
        """The sum over ready targets; None: none of them states one."""

    @property
    def sums(self) -> TargetSums:
        """What the ready targets have together."""

    @property
    def sheddable_below(self) -> float:
        """A sheddable request gets a slot only while ``load`` is below."""

    @property
    def is_full(self) -> bool:
        """Ready targets exist, and none has a free slot or the site has none: rates apart."""

    @property
    def rated(self) -> bool:
        """A rate or a site's cap holds: room depends on the time, and is not told by slots."""

    def has_room_at(self, now: float) -> bool:
        """Some ready target takes one more, and so does the site."""

    def rate_load(self, now: float) -> RateLoad | None:
        """The rate of the whole; None: none is stated, or not of all targets."""

    def try_acquire(
        self,
        now: float,
        exclude: frozenset[str] = frozenset(),
        session: int = 0,
        *,
        moves: bool = False,
    ) -> Outcome:
        """A slot of the least loaded ready target not in ``exclude`` (``host:port``), or why not.

        ``moves``: for a request that this site has let in already, and that gives its slot back.
        It spends a permit of its new target; that of the old one stays spent.
        With a ``session``: of the target that is the session's among those with room. Never blocks.
        PENDING: the answer comes by another way, within `limits.LEASE_PENDING_S`.
        """
