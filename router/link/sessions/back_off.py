"""How long to wait for the next dial after one that failed."""

import random

from router.model import limits


def delay_s(rng: random.Random, failures: int, most_s: float) -> float:
    """Exponential with full jitter, so that many sites do not come back at once."""
    ceiling = limits.RECONNECT_MIN_S * 2 ** min(max(failures, 0), 16)
    return rng.uniform(0.0, min(most_s, ceiling))
