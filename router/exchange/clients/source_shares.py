"""How many connections one client address may have: many while there is room, fewer as it fills.

An address may have `limits.SOURCE_SHARE` times as many connections as there are free places. So
with room there is no bound, and under pressure the addresses with most are refused first: the rest
of the places stays for the others. (Dynamic thresholds: Choudhury and Hahne, IEEE/ACM ToN 6(2),
1998.)
"""

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush

from router.model import limits

Holding = tuple[str, int, Callable[[], None]]
"""Of one connection: its client's address, the bytes it stores here, and its reset."""


def has_share(connections: int, free: int) -> bool:
    """Whether an address with so many ``connections`` may have another of the ``free`` places."""
    return connections < limits.SOURCE_ALWAYS or connections < limits.SOURCE_SHARE * free


def reset_largest(holdings: Iterable[Holding], size_bytes: int) -> tuple[int, int]:
    """Reset until ``size_bytes`` are free or no address holds much; bytes and connections.

    Each time the largest connection of the address that holds most then: many small ones of one
    address count as one large one. O(n log n).
    """
    by_host: dict[str, list[tuple[int, Callable[[], None]]]] = {}
    for host, held_bytes, reset in holdings:
        if held_bytes:
            by_host.setdefault(host, []).append((held_bytes, reset))
    for held in by_host.values():
        held.sort(key=lambda one: one[0])
    largest = [(-sum(one[0] for one in held), host) for host, held in by_host.items()]
    heapify(largest)
    freed = count = 0
    while largest and freed < size_bytes:
        total, host = heappop(largest)
        if -total < limits.DROP_BYTES_MIN:
            break
        held_bytes, reset = by_host[host].pop()
        reset()
        freed += held_bytes
        count += 1
        heappush(largest, (total + held_bytes, host))
    return freed, count
