"""Sites with a certificate of this one, by the names that people read."""

from types import SimpleNamespace
from typing import Any, cast

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


def test_two_sites_of_one_name_are_named_with_their_ids() -> None:
    """One is linked, and the other one is waited for: the name alone means neither."""
    holders = Holders(lambda: (), cast(Any, Register()), lambda serial, site: False)
    names = [one.name for one in holders.of_now(None, 0.0)]
    assert names == ["west@11111111", "west@22222222", "east", "", ""]


def test_a_deleted_site_holds_no_certificate_unless_it_is_linked_again() -> None:
    gone = "3" * 32
    holders = Holders(lambda: (), cast(Any, Register(gone)), lambda serial, site: False)
    assert gone not in [one.site for one in holders.of_now(None, 0.0)]
    restored = SimpleNamespace(dialers=lambda: [(SimpleNamespace(site=gone, name="east"), True)])
    assert gone in [one.site for one in holders.of_now(cast(Any, restored), 1.0)]
