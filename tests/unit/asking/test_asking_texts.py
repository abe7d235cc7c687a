"""Texts of problems for other sites contain no addresses and no paths."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.asking.texts import names_any, printable, without_addresses_and_paths
from router.model import limits

KNOWN = frozenset({"shop"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("127.0.0.1:8080 is taken", "an address is taken"),
        ("[fd00::5]:5432 is taken", "an address is taken"),
        ("db.corp:5432 did not answer", "an address did not answer"),
        ("Service shop:8080 has no listener here", "Service shop:8080 has no listener here"),
        ("Service other:8080 has none", "Service an address has none"),
        ("config/site-far.yaml:9:3: unknown field", "config/site-far.yaml:9:3: unknown field"),
        ("cannot write /var/lib/spillway/west/state.json: full", "cannot write a file: full"),
        ("ends at 2026-11-28T03:50:45Z", "ends at 2026-11-28T03:50:45Z"),
        ("painted:\x1b[2J\u2028", "painted: [2J "),
    ],
)
def test_a_problem_is_told_without_places(text: str, told: str) -> None:
    assert without_addresses_and_paths(text, KNOWN) == told


@given(
    before=st.text(max_size=20),
    address=st.ip_addresses(),
    port=st.none() | st.integers(1, 65_535),
)
def test_no_address_survives_whatever_stands_around_it(
    before: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int | None
) -> None:
    shown = str(address) if port is None else f"[{address}]:{port}"
    told = without_addresses_and_paths(f"{before} {shown} and more", KNOWN)
    if len(str(address)) > 4:  # "::" and "::1" reveal nothing.
        assert str(address) not in told
    assert told.isascii()
    assert told.isprintable()


def test_a_problem_has_its_bound() -> None:
    most = limits.SITE_TEXT_MAX
    assert len(without_addresses_and_paths("x" * most, KNOWN)) == most
    assert len(without_addresses_and_paths("x" * (most + 1), KNOWN)) == most


def test_a_service_is_found_as_a_word_alone() -> None:
    names = frozenset({"shop", "web-2"})
    assert names_any("Connector web-2: no site declares the service web-2.", names)
    assert names_any("Service shop:8080 has none", names)
    assert not names_any("Service workshop has none, web-22 too", names)


def test_names_are_made_printable_and_short() -> None:
    assert printable("a\x1bb\u00e9") == "a?b?"
    assert len(printable("x" * 1_000)) == 2 * limits.NAME_CHARS_MAX
