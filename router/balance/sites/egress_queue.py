"""How many requests of one ingress wait at a full egress, and for how long.

Near it a request tries first, waits at its ingress when it is refused, and a few of those stand at
the egress for a moment: each look around costs little. Far away each refusal costs a round trip,
and who tries and is refused gets fewer slots than who is near. So beyond `limits.FAR_RTT_S` a
request stands in the egress's line as it comes: for all the time it has if no other site could
take it, else for about the round trip that a look around costs.
"""

import math

from router.model import limits


def standing_target(freed_per_s: float, rtt_s: float, beyond: int = 0) -> int:
    """How many requests one ingress keeps standing at a full egress.

    As many as that lets in within a round trip, so that no slot is idle and no permit unused while
    word of it travels; 1 to `limits.STANDING_MAX`, or `limits.STANDING_FAR_MAX`. At a far one who
    has a slot still counts until word of it left, and ``beyond`` more may stand: those who could
    wait nowhere else.
    """
    if rtt_s <= limits.FAR_RTT_S:
        return max(1, min(math.ceil(freed_per_s * rtt_s), limits.STANDING_MAX))
    travelling = math.ceil(freed_per_s * (rtt_s + limits.ACCEPT_HELD_S))
    return max(1, min(travelling + beyond, limits.STANDING_FAR_MAX))


def stand_s(left_s: float, rtt_s: float, *, is_only: bool) -> float:
    """How long a request stands at a full egress, counted there; too short is not worth it.

    ``left_s``: what is left of its time to wait. From near it is back within that, from far the
    way there and back is no part of it. ``is_only``: no other site could take it.
    """
    if rtt_s <= limits.FAR_RTT_S:
        return min(limits.STAND_S, left_s - rtt_s)
    return left_s if is_only else min(max(limits.STAND_S, rtt_s), left_s)
