"""Whether clients wait since the process may have no more files open: what `status` says then."""

import resource

from router.exchange.forwarder import Forwarder
from router.model.events import Problem
from router.net.epoll import EpollNetwork


def problems(network: EpollNetwork, forwarder: Forwarder) -> tuple[Problem, ...]:
    """At most one: it names the limit, and how many clients have a connection."""
    full_of = forwarder.full_of
    if full_of is None and not network.is_held_back:
        return ()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    why = (
        f"{full_of} are connected, as many as this router takes with at most {limit} open files"
        if full_of is not None
        else f"of at most {limit} open files none is left for one"
    )
    return (
        Problem(
            code="SW0693",
            message=f"Further clients wait for a connection: {why}.",
            hint="Raise the limit: LimitNOFILE= of the unit, or ulimit -n, and start the router "
            "again; or run more workers",
        ),
    )
