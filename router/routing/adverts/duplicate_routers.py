"""LSAs of another process with our ids: from before our restart, or from a live copy."""

from router.model.ids import SiteId
from router.model.limits import CONFLICT_ANSWERS, CONFLICT_REPEAT_S
from router.routing.adverts.lsa import Lsa, Topology
from router.routing.events import IdentityConflict


class DuplicateRouters:
    """State about the process with our ids that was heard last.

    A process that is gone cannot answer the epochs that we take because of it; one that answers is
    alive. Its answer is the next epoch after ours. Remains of a process that is gone may look like
    an answer once, if parts of several of its epochs were stored far apart.
    """

    __slots__ = ("_answers", "_nonce", "_quiet_until", "is_withdrawn")

    _answers: int
    """Answers to our epochs by the process whose LSA came last."""

    def __init__(self) -> None:
        self._nonce: bytes | None = None
        self._quiet_until = float("-inf")  # No report before then.
        self.is_withdrawn = False
        """Of two live processes the one started later goes silent: it is this one."""

    def heard(
        self, lsa: Lsa, epoch: int, birth: tuple[int, bytes], now: float
    ) -> IdentityConflict | None:
        """Take ``lsa``, which has our ids but is not ours. Returns a conflict, unless just
        reported.

        ``epoch`` is our present one, ``birth`` as in `OwnOrigin`.
        """
        if lsa.boot_nonce != self._nonce:
            self._nonce, self._answers = lsa.boot_nonce, 0
            return None
        if lsa.epoch == epoch + 1:
            self._answers += 1
        if lsa.epoch <= epoch or self._answers < CONFLICT_ANSWERS:
            return None
        self.is_withdrawn = birth > (lsa.boot_epoch, lsa.boot_nonce)
        if not self.is_withdrawn and now < self._quiet_until:
            return None
        self._quiet_until = now + CONFLICT_REPEAT_S
        return IdentityConflict(
            site=lsa.site,
            router=lsa.router,
            withdrawn=self.is_withdrawn,
            neighbours=_neighbours(lsa),
        )


def _neighbours(lsa: Lsa) -> tuple[SiteId, ...]:
    """The sites that the origin of ``lsa`` is linked to; empty for a part with services."""
    if not isinstance(lsa.body, Topology):
        return ()
    return tuple(sorted({adjacency.site for adjacency in lsa.body.adjacencies}))
