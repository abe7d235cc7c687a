"""Origins that signed two things with one number: each is reported once in a while, few are
stored."""

from router.model.limits import CONFLICT_REPEAT_S, EQUIVOCATORS_MAX
from router.routing.adverts.lsa import Node, ReceivedLsa, decode_lsa


class Equivocators:
    """Sites reported recently, so that repeats are rare. At most `EQUIVOCATORS_MAX`."""

    __slots__ = ("_quiet_until",)

    def __init__(self) -> None:
        self._quiet_until: dict[Node, float] = {}  # Oldest first.

    def is_news(self, node: Node, now: float) -> bool:
        """Whether to report ``node`` now. The oldest is forgotten when there is no room."""
        if now < self._quiet_until.get(node, now):
            return False
        self._quiet_until.pop(node, None)
        if len(self._quiet_until) >= EQUIVOCATORS_MAX:
            del self._quiet_until[next(iter(self._quiet_until))]
        self._quiet_until[node] = now + CONFLICT_REPEAT_S
        return True


def says_otherwise(received: ReceivedLsa, stored: bytes) -> bool:
    """Whether two verified parts with one number differ in their signed payload.

    Another signature alone means nothing: any router that passes on an ECDSA signature can make a
    second one.
    """
    held = decode_lsa(stored)
    return not isinstance(held, ReceivedLsa) or held.payload != received.payload
