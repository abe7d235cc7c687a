"""The grammar of ports, as Skupper v1 writes them and with pairs."""

import pytest

from sitectl.base.failure import Exit, Failure
from sitectl.flags.services.port_pairs import Pair, host_and_pairs, matched, pairs_of


def test_words_are_ports_or_pairs() -> None:
    assert pairs_of(("5432", "80:8080")) == (Pair(None, 5432), Pair(80, 8080))
    assert host_and_pairs(("::1", "5432")) == ("::1", (Pair(None, 5432),))
    assert host_and_pairs(("127.0.0.1:5432",)) == ("127.0.0.1", (Pair(None, 5432),))
    assert host_and_pairs(("[::1]:5432",)) == ("::1", (Pair(None, 5432),))


@pytest.mark.parametrize(
    "words",
    [("x",), ("0",), ("65536",), ("1:2:3",), (":5",), ("5:",), ("5:1", "5:2"), ("٣",)],
)
def test_other_words_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(Failure) as caught:
        pairs_of(words)
    assert caught.value.exit_code is Exit.USAGE


def test_two_ports_of_a_service_may_lead_to_one() -> None:
    assert matched("db", pairs_of(("5", "5")), (80, 443), all_ports=True) == {80: 5, 443: 5}
    assert matched("db", pairs_of(("80:5", "5")), None, all_ports=True) == {80: 5, 5: 5}
    with pytest.raises(Failure):
        matched("db", pairs_of(("5", "5")), None, all_ports=True)


@pytest.mark.parametrize("words", [("127.0.0.1",), ("a:b",), ("127.0.0.1:0",)])
def test_a_host_needs_its_port(words: tuple[str, ...]) -> None:
    with pytest.raises(Failure):
        host_and_pairs(words)


@pytest.mark.parametrize(
    ("words", "declared", "all_ports", "expected"),
    [
        (("5432",), None, True, {5432: 5432}),
        (("5432:15432",), None, True, {5432: 15432}),
        (("15432",), (5432,), True, {5432: 15432}),
        (("1", "2"), (80, 443), True, {80: 1, 443: 2}),
        (("443:2", "80:1"), (80, 443), True, {80: 1, 443: 2}),
        (("80", "443:2"), (80, 443), True, {80: 80, 443: 2}),
        (("1",), (80, 443), False, {80: 1}),
        (("443:2",), (80, 443), False, {443: 2}),
    ],
)
def test_ports_are_matched_in_the_order_of_the_service(
    words: tuple[str, ...],
    declared: tuple[int, ...] | None,
    all_ports: bool,
    expected: dict[int, int],
) -> None:
    found = matched("db", pairs_of(words), declared, all_ports=all_ports)
    assert list(found.items()) == list(expected.items())


@pytest.mark.parametrize(
    ("words", "all_ports"),
    [(("1",), True), (("1", "2", "3"), False), (("81:1", "443:2"), True), (("80:1",), True)],
)
def test_ports_that_do_not_fit_name_those_of_the_service(
    words: tuple[str, ...], all_ports: bool
) -> None:
    with pytest.raises(Failure) as caught:
        matched("db", pairs_of(words), (80, 443), all_ports=all_ports)
    assert caught.value.exit_code is Exit.CONFLICT
    assert "has ports 80, 443" in caught.value.message
