"""Sites with a certificate of this one, by the names that people read."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from router.link.neighbour import LinkedDialer, Neighbour
from router.model.ids import RouterId, SiteId
from router.trust.holders import Holders

NAMES = {"1" * 32: "west", "2" * 32: "west", "3" * 32: "east", "4" * 32: "", "5" * 32: ""}


class Register:
    """Sites that were let in, two of them by one name and two by none."""

    def __init__(self, *gone: str) -> None:
        self.gone = gone

    def sites(self) -> list[str]:
        return list(NAMES)

    def get(self, site: str) -> Any:
        return SimpleNamespace(name=NAMES[site], expires=100.0, is_gone=site in self.gone)


class Linked:
    """Incoming links. Implements `Dialers`."""

    def __init__(self, *links: LinkedDialer) -> None:
        self.links = links

    def dialers(self) -> tuple[LinkedDialer, ...]:
        return self.links

    def drop_incoming(self, reason: str) -> frozenset[SiteId]:
        raise AssertionError(reason)

    def tell_renewal_due(self, whom: Callable[[Neighbour], bool]) -> int:
        raise AssertionError("it only lists them")


def neighbour(name: str, site: str) -> Neighbour:
    return Neighbour(RouterId(site), SiteId(site), name, b"key")


def is_new(certificate: bytes) -> bool:
    return certificate == b"new"


def test_two_sites_of_one_name_are_named_with_their_ids() -> None:
    """One is linked, and the other one is waited for: the name alone means neither."""
    holders = Holders(lambda: (), cast(Any, Register()), lambda serial, site: False)
    names = [one.name for one in holders.of_now(None, 0.0, is_new)]
    assert names == ["west@11111111", "west@22222222", "east", "", ""]


def test_a_deleted_site_holds_no_certificate_unless_it_is_linked_again() -> None:
    gone = "3" * 32
    holders = Holders(lambda: (), cast(Any, Register(gone)), lambda serial, site: False)
    assert gone not in [one.site for one in holders.of_now(None, 0.0, is_new)]
    restored = Linked(LinkedDialer(neighbour("east", gone), renews=True, certificate=b"new"))
    assert gone in [one.site for one in holders.of_now(restored, 1.0, is_new)]


@pytest.mark.parametrize(
    ("others", "lags"),
    [
        ([], False),
        ([(True, b"old")], True),
        ([(True, b"")], False),  # It drains: its successor has another one.
        ([(False, b"old")], False),  # It never shows another one.
    ],
)
def test_a_site_lags_while_a_link_of_it_that_renews_shows_an_old_certificate(
    others: list[tuple[bool, bytes]], *, lags: bool
) -> None:
    """Its first worker has the new certificate and shows it."""
    east = neighbour("east", "3" * 32)
    links = [LinkedDialer(east, renews, shown) for renews, shown in [*others, (True, b"new")]]
    for order in (links, links[::-1]):
        holders = Holders(lambda: (), cast(Any, Register()), lambda serial, site: False)
        found = {one.site: one for one in holders.of_now(Linked(*order), 0.0, is_new)}
        assert (found[east.site].lags, found[east.site].renews) == (lags, True)
        assert not found["1" * 32].lags, "it is away"
