"""Problems of open files: clients wait for a connection, or none can be opened."""

import resource
from collections.abc import Mapping

from router.exchange.clients.listeners import Listeners
from router.model.events import Problem
from router.model.ids import ServiceKey
from router.net.epoll import EpollNetwork


def why_clients_wait(network: EpollNetwork, listeners: Listeners) -> str:
    """The limit, and how many clients have a connection, in words; empty: no client waits for
    that."""
    full_of = listeners.full_of
    if full_of is None and not network.is_held_back:
        return ""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (
        f"{full_of} are connected, as many as this router takes with at most {limit} open files"
        if full_of is not None
        else f"of at most {limit} open files none is left for one"
    )


def problems(whys: Mapping[int, str], count: int) -> tuple[Problem, ...]:
    """A problem for each reason. ``whys``: `why_clients_wait` of each of ``count`` workers, by
    index.
    """
    return tuple(
        Problem(
            code="SW0693",
            message=f"Further clients wait for a connection{_at(indexes, count)}: {why}.",
            hint="Raise the limit: LimitNOFILE= of the unit, or ulimit -n, and start the router "
            "again; or run more workers",
        )
        for why, indexes in _workers_by_reason(whys).items()
    )


def problems_of_dials(whys: Mapping[int, str], count: int) -> tuple[Problem, ...]:
    """A problem for each reason. ``whys``: `EpollNetwork.why_no_dial` of each of ``count``
    workers."""
    return tuple(
        Problem(
            code="SW0695",
            message=f"Connections cannot be opened{_at(indexes, count)}: {why}.",
            hint="For more files: LimitNOFILE= of the unit, or ulimit -n. For more local ports: "
            "net.ipv4.ip_local_port_range, or another target",
        )
        for why, indexes in _workers_by_reason(whys).items()
    )


def problems_of_full_ports(
    full_ports: Mapping[int, Mapping[ServiceKey, int]], count: int
) -> tuple[Problem, ...]:
    """A problem for each service port. ``full_ports``: `Listeners.full_ports` of each of ``count``
    workers, by index."""
    at: dict[tuple[ServiceKey, int], list[int]] = {}
    for index, ports in sorted(full_ports.items()):
        for port in ports.items():
            at.setdefault(port, []).append(index)
    return tuple(
        Problem(
            code="SW0359",
            message=f"Further clients of service {key} wait for a connection{_at(indexes, count)}: "
            f"{limit} {'is' if limit == 1 else 'are'} connected, as many as its "
            "limits.connections allows.",
            hint="Raise limits.connections in the Service document, or let clients close "
            "connections that they do not use",
        )
        for (key, limit), indexes in sorted(at.items())
    )


def _workers_by_reason(whys: Mapping[int, str]) -> dict[str, list[int]]:
    """Worker indexes by reason, without workers that have none."""
    at: dict[str, list[int]] = {}
    for index, why in sorted(whys.items()):
        if why:
            at.setdefault(why, []).append(index)
    return at


def _at(indexes: list[int], count: int) -> str:
    if count == 1:
        return ""
    which = "worker" if len(indexes) == 1 else "workers"
    return f" at {which} {', '.join(map(str, indexes))} of {count}"
