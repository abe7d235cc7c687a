"""Ports of `gateway bind|expose|forward`, as Skupper v1 writes them and a little more. Pure.

``PORT…`` are the other side's ports in the order of the service's; ``SERVICEPORT:PORT…`` says each
pair. The other side is a target of this host, or a place where clients of this host connect.
"""

from typing import NamedTuple

from sitectl.base.failure import conflict, usage


class Pair(NamedTuple):
    """One word: ``service`` None when only the other side's port was given."""

    service: int | None
    other: int


def pairs_of(words: tuple[str, ...]) -> tuple[Pair, ...]:
    """The pairs that the words say. Failure: one is no port, or stands twice."""
    pairs = tuple(_pair(word) for word in words)
    named = [pair.service for pair in pairs if pair.service is not None]
    if len(set(named)) < len(named):
        raise usage(f"{' '.join(words)}: a port of the service stands twice")
    return pairs


def host_and_pairs(words: tuple[str, ...]) -> tuple[str, tuple[Pair, ...]]:
    """``HOST PORT…`` or ``HOST:PORT`` taken apart. Failure: neither."""
    from router.documents.addresses import split_host_port

    first, *rest = words
    if rest:
        return first.strip("[]"), pairs_of(tuple(rest))
    parts = split_host_port(first)
    if parts is None or parts[1] is None:
        raise usage("a host and its port are needed", "sitectl gateway bind NAME HOST PORT…")
    return parts[0], (Pair(None, parts[1]),)


def matched(
    service: str, pairs: tuple[Pair, ...], declared: tuple[int, ...] | None, *, all_ports: bool
) -> dict[int, int]:
    """The other side's port by the service's, in the order of the service's ports.

    ``declared``: the service's ports, None if no site declares it: then a lone port is both.
    ``all_ports``: each declared port must be given. Failure (exit 5): the pairs do not fit.
    """
    if declared is not None and all(pair.service is None for pair in pairs):
        if len(pairs) > len(declared) or (all_ports and len(pairs) < len(declared)):
            raise _other_ports(service, declared, f"{len(pairs)} given")
        return {port: pair.other for port, pair in zip(declared, pairs, strict=False)}
    said = {pair.other if pair.service is None else pair.service: pair.other for pair in pairs}
    if len(said) < len(pairs):
        raise usage("a port of the service stands twice")
    if declared is None:
        return said
    unknown = [port for port in said if port not in declared]
    missing = [port for port in declared if port not in said]
    if unknown or (all_ports and missing):
        shown = ", ".join(map(str, said))
        raise _other_ports(service, declared, f"{shown} given")
    return {port: said[port] for port in declared if port in said}


def _other_ports(service: str, declared: tuple[int, ...], given: str) -> Exception:
    ports = ", ".join(map(str, declared))
    word = "port" if len(declared) == 1 else "ports"
    return conflict(
        f"service {service!r} has {word} {ports}, {given}",
        f"One port for each of them, in that order, or {declared[0]}:PORT…",
    )


def _pair(word: str) -> Pair:
    front, colon, back = word.rpartition(":")
    return Pair(_port(front, word) if colon else None, _port(back, word))


def _port(text: str, word: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= 65_535):
        raise usage(f"{word!r} is not PORT or SERVICEPORT:PORT, numbers from 1 to 65535")
    return int(text)
