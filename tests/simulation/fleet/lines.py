"""A line between two places: how words travel on it, and which ends count it as up."""

from random import Random

import msgspec

from router.model.limits import CONTROL_DEAD_AFTER_S, LIVENESS_TICK_S, PING_INTERVAL_S

# A ping each PING_INTERVAL_S when idle, silence is judged each LIVENESS_TICK_S.
NOTICED_S = (CONTROL_DEAD_AFTER_S - PING_INTERVAL_S, CONTROL_DEAD_AFTER_S + LIVENESS_TICK_S)


class Quality(msgspec.Struct, frozen=True):
    """What a line does to words. A delay that differs from word to word changes their order."""

    delay_s: float = 0.001
    jitter_s: float = 0.0
    loss: float = 0.0
    twice: float = 0.0

    def arrivals(self, random: Random) -> list[float]:
        """After how many seconds one word arrives: never, once, or twice."""
        if not (self.loss or self.twice or self.jitter_s):
            return [self.delay_s]
        chance = random.random()
        copies = 0 if chance < self.loss else 2 if chance < self.loss + self.twice else 1
        return [self.delay_s + self.jitter_s * random.random() for _ in range(copies)]


SOUND = Quality()


class Line:
    """``blocked`` are senders whose words do not arrive, ``up`` the ends that count it as up.

    Words belong to one life of it. ``changes`` counts per sender when it fell silent or was heard
    again, so that a silence is judged only if it lasted.
    """

    def __init__(self, one: str, other: str, cost: int) -> None:
        self.ends = (one, other)
        self.cost = cost
        self.is_wanted = True
        self.quality = SOUND
        self.blocked: set[str] = set()
        self.up: dict[str, int] = {}  # By end: the number of the other's life.
        self.life = 0
        self.changes = {one: 0, other: 0}
        self.attempts = 0
        self.is_dialing = False
        self.began_at = 0.0

    def other(self, name: str) -> str:
        one, other = self.ends
        return other if name == one else one

    @property
    def is_up(self) -> bool:
        return len(self.up) == 2
