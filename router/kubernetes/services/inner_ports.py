"""Where the routers listen for each service port: numbers that stay for ever.

The Services are the memory: each says its numbers, so that a router that restarts and one that
joins come to the same ones.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from router.model import limits
from router.model.ids import ServiceKey

RESERVED: Final = frozenset({8010, 8080, 8081, 9090, 9091})
"""Ports of the router's pod that may serve something else: console, metrics, claims, probes."""


class Claims(msgspec.Struct, frozen=True):
    """What one Service says: port -> inner port. Earlier ones of a list prevail."""

    name: str
    ports: Mapping[int, int]


class Assigned(msgspec.Struct, frozen=True):
    """``ports``: of all that were wanted, but ``missing`` for which none was left."""

    ports: dict[ServiceKey, int]
    missing: tuple[ServiceKey, ...]


def assign(
    wanted: Iterable[ServiceKey],
    claims: Sequence[Claims],
    known: Mapping[ServiceKey, int],
    reserved: frozenset[int] = RESERVED,
) -> Assigned:
    """A number for each of ``wanted``, each number once.

    What a Service says counts first, then what was ``known`` here before, then the lowest number
    that nobody had. Of two Services that say the same number the earlier of ``claims`` keeps it.
    """
    owners: dict[int, ServiceKey] = {}
    said: dict[ServiceKey, int] = {}
    for claim in claims:
        for port, inner in sorted(claim.ports.items()):
            key = ServiceKey(claim.name, port)
            if _is_usable(inner, reserved) and inner not in owners:
                owners[inner] = key
                said[key] = inner
    ports: dict[ServiceKey, int] = {}
    without: list[ServiceKey] = []
    for key in sorted(set(wanted)):
        inner = said.get(key, known.get(key, 0))
        if owners.get(inner, key) == key and _is_usable(inner, reserved):
            owners[inner] = key
            ports[key] = inner
        else:
            without.append(key)
    fresh = _fresh(owners, frozenset(known.values()), reserved)
    missing: list[ServiceKey] = []
    for key in without:
        number = next(fresh, None)
        if number is None:
            missing.append(key)
        else:
            ports[key] = number
    return Assigned(ports, tuple(missing))


def remember(
    known: Mapping[ServiceKey, int], assigned: Mapping[ServiceKey, int]
) -> dict[ServiceKey, int]:
    """``known`` from now on: a service that comes back finds its number, if nobody needed it."""
    taken = set(assigned.values())
    gone = {k: n for k, n in known.items() if k not in assigned and n not in taken}
    while len(gone) > limits.INNER_PORTS_KNOWN_MAX:
        del gone[next(iter(gone))]
    return gone | dict(assigned)


def as_text(ports: Mapping[int, int]) -> dict[str, int]:
    """For JSON, whose keys are texts."""
    return {str(port): ports[port] for port in sorted(ports)}


def from_text(found: Mapping[str, int]) -> dict[int, int]:
    """What `as_text` wrote; what somebody else wrote is left out."""
    return {
        int(port): inner for port, inner in found.items() if len(port) <= 5 and port.isdecimal()
    }


def _is_usable(inner: int, reserved: frozenset[int]) -> bool:
    return limits.INNER_PORT_MIN <= inner <= limits.INNER_PORT_MAX and inner not in reserved


def _fresh(
    owners: Mapping[int, ServiceKey], known: frozenset[int], reserved: frozenset[int]
) -> Iterator[int]:
    """Numbers that nobody has: at first those that nobody had."""
    taken = frozenset(owners) | reserved
    everything = range(limits.INNER_PORT_MIN, limits.INNER_PORT_MAX + 1)
    yield from (number for number in everything if number not in taken and number not in known)
    yield from (number for number in everything if number not in taken and number in known)
