"""Under pressure the client address that has most is refused, or reset, first."""

import random

from hypothesis import given
from hypothesis import strategies as st

from router.exchange.clients.source_shares import has_share, reset_largest
from router.model import limits


class Places:
    """Connections of addresses that compete for ``size`` places."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.held: dict[str, int] = {}

    @property
    def free(self) -> int:
        return self.size - sum(self.held.values())

    def come(self, host: str) -> bool:
        held = self.held.get(host, 0)
        if self.free <= 0 or not has_share(held, self.free):
            return False
        self.held[host] = held + 1
        return True


def test_one_address_may_have_nearly_all_places_and_leaves_some_for_others() -> None:
    places = Places(4_096)
    while places.come("10.0.0.1"):
        pass
    assert 3_600 < places.held["10.0.0.1"] < 3_700
    assert places.come("10.0.0.2")


def test_a_few_connections_are_never_too_many() -> None:
    assert has_share(limits.SOURCE_ALWAYS - 1, 1)
    places = Places(10)
    assert all(places.come("10.0.0.1") for _ in range(10))


@given(st.integers(1, 5_000), st.integers(0, 2**32))
def test_who_has_fewer_is_never_refused_where_who_has_more_is_not(size: int, seed: int) -> None:
    rng, places = random.Random(seed), Places(size)
    hosts = [f"10.0.0.{number}" for number in range(rng.randint(1, 5))]
    for _ in range(min(2 * size, 2_000)):
        places.come(rng.choice(hosts))
    ordered = sorted(hosts, key=lambda host: places.held.get(host, 0))
    shares = [has_share(places.held.get(host, 0), places.free) for host in ordered]
    assert shares == sorted(shares, reverse=True)


def drop(held: dict[str, list[int]], size_bytes: int) -> tuple[int, list[tuple[str, int]]]:
    gone: list[tuple[str, int]] = []
    holdings = [
        (host, size, lambda host=host, size=size: gone.append((host, size)))
        for host, sizes in held.items()
        for size in sizes
    ]
    freed, count = reset_largest(holdings, size_bytes)
    assert count == len(gone) and freed == sum(size for _, size in gone)
    return freed, gone


def test_many_small_holders_of_one_address_go_before_a_larger_one_of_another() -> None:
    small = limits.DROP_BYTES_MIN // 2
    held = {"many": [small] * 100, "one": [10 * small]}
    freed, gone = drop(held, 90 * small)
    assert freed == 90 * small and {host for host, _ in gone} == {"many"}
    _, gone = drop(held, 91 * small)
    assert gone[-1][0] in ("many", "one")


def test_an_address_that_holds_little_is_left_alone() -> None:
    assert drop({"a": [limits.DROP_BYTES_MIN - 1], "b": [0, 0]}, 1 << 30) == (0, [])


@given(
    st.dictionaries(st.sampled_from("abcd"), st.lists(st.integers(0, 1 << 20), max_size=8)),
    st.integers(0, 1 << 22),
)
def test_no_more_is_reset_than_needed_and_enough_if_it_is_there(
    held: dict[str, list[int]], size_bytes: int
) -> None:
    freed, gone = drop(held, size_bytes)
    if gone:
        assert freed - gone[-1][1] < size_bytes
    for host in held:
        of_host = [size for other, size in gone if other == host]
        assert of_host == sorted(held[host], reverse=True)[: len(of_host)], "the largest first"
    if freed < size_bytes:
        for host, sizes in held.items():
            left = sum(sizes) - sum(size for other, size in gone if other == host)
            assert left < limits.DROP_BYTES_MIN
