"""How long something is so already, as people say it."""

import datetime


def age(seconds: float) -> str:
    """``3s``, ``4m10s``, ``2h5m``, ``3d4h``; of a clock that runs ahead ``0s``."""
    days, rest = divmod(max(0, int(seconds)), 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    if days:
        return f"{days}d{hours}h"
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def since(instant: str | None, now: float) -> str | None:
    """How long before ``now`` (Unix seconds) an ISO 8601 instant was; None: there is none."""
    if not instant:
        return None
    try:
        return age(now - datetime.datetime.fromisoformat(instant).timestamp())
    except ValueError:
        return instant
