"""How many requests of one ingress wait at a full egress, and for how long.

Near it a request tries first and, when it is refused, waits at its ingress; a few of those wait at
the egress for a moment, since trying other sites costs little. Far away each refusal costs a round
trip, and requests that are refused get fewer slots than those from near. So beyond
`limits.FAR_RTT_S` a request joins the egress's line at once: for all its remaining time if no other
site could take it, else for about the round trip that trying other sites costs.
"""

import math

from router.model import limits


def standing_target(freed_per_s: float, rtt_s: float, beyond: int = 0) -> int:
    """How many requests of one ingress should wait at a full egress.

    As many as the egress admits within a round trip, so that no slot is idle and no permit unused
    while the news travels; 1 to `limits.STANDING_MAX`, or `limits.STANDING_FAR_MAX`. At a far
    egress a request with a slot counts until the news of it has left, and ``beyond`` more may wait:
    those that could wait nowhere else.
    """
    if rtt_s <= limits.FAR_RTT_S:
        return max(1, min(math.ceil(freed_per_s * rtt_s), limits.STANDING_MAX))
    travelling = math.ceil(freed_per_s * (rtt_s + limits.ACCEPT_HELD_S))
    return max(1, min(travelling + beyond, limits.STANDING_FAR_MAX))


def stand_s(left_s: float, rtt_s: float, *, is_only: bool) -> float:
    """How long a request waits at a full egress, counted there; too short is not worth it.

    ``left_s``: the rest of its time to wait. From near the request is back within that time; from
    far the way there and back is not part of it. ``is_only``: no other site could take it.
    """
    if rtt_s <= limits.FAR_RTT_S:
        return min(limits.STAND_S, left_s - rtt_s)
    return left_s if is_only else min(max(limits.STAND_S, rtt_s), left_s)
