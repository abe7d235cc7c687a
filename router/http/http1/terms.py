"""The terms of a service for its HTTP clients and targets, ready for the hot path."""

import msgspec

from router.http.http1.heads import HeadLimits, head_limits
from router.model import limits
from router.model.settings import Timeouts
from router.model.specs import ServiceSpec


class HttpTerms(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of one service. ``answer_s``: a response must begin within this time of the
    request's end. ``linger_s``: how long a client that idled too long may still be reading its last
    answer.

    ``body_rate_min`` in bytes a second, 0: no floor. ``requests``: the most on one connection.
    ``serves_half_closed``: a client that finished sending does not count as gone.
    ``ends_connections``: connections may be ended by age, or because the policy would place them
    elsewhere.
    """

    heads: HeadLimits
    timeouts: Timeouts
    answer_s: float
    linger_s: float
    body_rate_min: int
    requests: int
    serves_half_closed: bool
    ends_connections: bool


def http_terms(config: ServiceSpec, hold_s: float = 0.0) -> HttpTerms:
    """The terms that ``config`` sets; a request may be held for ``hold_s`` before it is sent."""
    return HttpTerms(
        heads=head_limits(config.limits),
        timeouts=config.timeouts,
        answer_s=config.queue_wait_s + hold_s + config.timeouts.response_s,
        linger_s=max(
            limits.LINGER_DISCARD_S, limits.KEEP_ALIVE_IDLE_S - config.timeouts.keep_alive_s
        ),
        body_rate_min=config.limits.body_rate_min,
        requests=config.limits.requests_per_connection,
        serves_half_closed=config.half_close == "serve",
        ends_connections=config.max_age_s > 0 or config.rebalance == "auto",
    )
