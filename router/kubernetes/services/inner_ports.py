"""The port where the routers listen for each service port: numbers that stay forever.

The Services are the memory: each has its numbers, so that a router that restarts or joins computes
the same ones.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from router.model import limits
from router.model.ids import ServiceKey

RESERVED: Final = frozenset({8010, 8080, 8081, 9090, 9091})
"""Ports of the router's pod with possible other uses: console, metrics, claims, probes."""


class Claims(msgspec.Struct, frozen=True):
    """The claims of one Service: port -> inner port. In a list, earlier claims win."""

    name: str
    ports: Mapping[int, int]


class Assigned(msgspec.Struct, frozen=True):
    """``ports``: for all wanted keys but the ``missing`` ones, for which none was left."""

    ports: dict[ServiceKey, int]
    missing: tuple[ServiceKey, ...]


def assign(
    wanted: Iterable[ServiceKey],
    claims: Sequence[Claims],
    known: Mapping[ServiceKey, int],
    reserved: frozenset[int] = RESERVED,
) -> Assigned:
    """A number for each of ``wanted``, each number once.

    A Service's claim counts first, then the number ``known`` here before, then the lowest unused
    number. If two Services claim the same number, the earlier of ``claims`` keeps it.
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
    """The new ``known``: a service that comes back gets its number again, if it is still free."""
    taken = set(assigned.values())
    gone = {k: n for k, n in known.items() if k not in assigned and n not in taken}
    while len(gone) > limits.INNER_PORTS_KNOWN_MAX:
        del gone[next(iter(gone))]
    return gone | dict(assigned)


def as_text(ports: Mapping[int, int]) -> dict[str, int]:
    """The numbers for JSON, whose keys are texts."""
    return {str(port): ports[port] for port in sorted(ports)}


def from_text(found: Mapping[str, int]) -> dict[int, int]:
    """The numbers that `as_text` wrote; other entries are left out."""
    return {
        int(port): inner for port, inner in found.items() if len(port) <= 5 and port.isdecimal()
    }


def _is_usable(inner: int, reserved: frozenset[int]) -> bool:
    return limits.INNER_PORT_MIN <= inner <= limits.INNER_PORT_MAX and inner not in reserved


def _fresh(
    owners: Mapping[int, ServiceKey], known: frozenset[int], reserved: frozenset[int]
) -> Iterator[int]:
    """Free numbers, starting with those never used."""
    taken = frozenset(owners) | reserved
    everything = range(limits.INNER_PORT_MIN, limits.INNER_PORT_MAX + 1)
    yield from (number for number in everything if number not in taken and number not in known)
    yield from (number for number in everything if number not in taken and number in known)
