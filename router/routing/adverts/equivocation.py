"""Origins that said two things under one number: each is told of once in a while, few are kept."""

from router.model.limits import CONFLICT_REPEAT_S, EQUIVOCATORS_MAX
from router.routing.adverts.lsa import Node, ReceivedLsa, decode_lsa


class Equivocators:
    """Sites reported lately; a repeat is reported seldom. At most `EQUIVOCATORS_MAX`."""

    __slots__ = ("_quiet_until",)

    def __init__(self) -> None:
        self._quiet_until: dict[Node, float] = {}  # Oldest first.

    def is_news(self, node: Node, now: float) -> bool:
        """Whether to tell of ``node`` now. The oldest is forgotten when there is no room."""
        if now < self._quiet_until.get(node, now):
            return False
        self._quiet_until.pop(node, None)
        if len(self._quiet_until) >= EQUIVOCATORS_MAX:
            del self._quiet_until[next(iter(self._quiet_until))]
        self._quiet_until[node] = now + CONFLICT_REPEAT_S
        return True


def says_otherwise(received: ReceivedLsa, stored: bytes) -> bool:
    """Whether two verified parts of one number differ in what was signed.

    Another signature alone is nothing: whoever passes an ECDSA signature on can make a second one.
    """
    held = decode_lsa(stored)
    return not isinstance(held, ReceivedLsa) or held.payload != received.payload
