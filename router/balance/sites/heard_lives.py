"""Which other routers of the site were heard, and in which life each is over. Pure."""

from router.model import limits
from router.model.messages.shares import SharesMessage


class HeardLives:
    """The newest life of each router that was heard.

    Beyond `SHARE_MEMBERS_KEPT_MAX` the one that is silent for longest is forgotten: each Pod has
    its own name. ``over``: those that said in their newest life that they hold nothing and admit
    nothing more.
    """

    def __init__(self) -> None:
        self.newest: dict[str, int] = {}
        self.over: dict[str, int] = {}

    def hear(self, said: SharesMessage) -> bool:
        """Note a message, in whatever order it arrives. True: a router is new, over, or back."""
        member, life = said.member, said.life
        known = self.newest.get(member)
        if known is not None and life < known:
            return False  # Sent before it restarted.
        self.newest.pop(member, None)
        self.newest[member] = life
        while len(self.newest) > limits.SHARE_MEMBERS_KEPT_MAX:
            silent = next(iter(self.newest))
            del self.newest[silent]
            self.over.pop(silent, None)
        is_over = said.is_over or self.over.get(member) == life
        was_over = member in self.over
        if is_over:
            self.over[member] = life
        elif was_over:
            del self.over[member]
        return known is None or is_over != was_over or (is_over and life > known)
