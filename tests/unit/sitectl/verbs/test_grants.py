"""`service grant`, `revoke` and `transfer`, as they are typed."""

import time

import pytest

from router.documents import read
from router.documents.readers import unix_of
from router.model.specs import GrantSpec, SitePolicySpec
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin

CLOUD, KIOSK = f"cloud@{'c' * 32}", f"kiosk@{'d' * 32}"


@pytest.fixture
def shop(here: CommandLine, admin: FakeAdmin) -> CommandLine:
    """A site that declares shop and owns it."""
    admin.answers["/api/v1/network"] = (
        200,
        [{"name": "cloud", "id": "c" * 32}, {"name": "kiosk", "id": "d" * 32}],
    )
    here.ok("service", "create", "shop", "8080")
    return here


def grants(line: CommandLine) -> tuple[GrantSpec, ...]:
    """As the file of the Policy says."""
    text = line.config().get("policy-shop.yaml")
    if text is None:
        return ()
    (document,), errors = read(text, "here")
    assert not errors and isinstance(document.spec, SitePolicySpec)
    return document.spec.grants


def refused(line: CommandLine, code: int, *words: str) -> str:
    """The stderr of a command that ends with ``code``."""
    done = line(*words)
    assert done.exit_code == code, done.stderr
    return done.stderr


def test_a_grant_names_the_site_by_its_id_and_replaces_what_it_had_of_the_same(
    shop: CommandLine,
) -> None:
    said = shop.ok("service", "grant", "shop", "--site", "cloud", "--offer", "--max-capacity", "20")
    assert said.stdout == (
        "service shop: cloud (cccccccc) may offer targets of it, at most 20 requests at once\n"
    )
    assert grants(shop) == (GrantSpec(site=CLOUD, verbs=("offer",), max_capacity=20),)
    shop.ok("service", "grant", "shop", "--site", "kiosk", "--call")
    shop.ok("service", "grant", "shop", "--site", "cloud", "--offer", "--call")
    assert grants(shop) == (
        GrantSpec(site=KIOSK, verbs=("call",)),
        GrantSpec(site=CLOUD, verbs=("offer", "call")),
    )
    again = shop.ok("service", "grant", "shop", "--site", "cloud", "--offer", "--call")
    assert "unchanged" in again.stdout


def test_what_is_revoked_is_gone_and_the_rest_stays(shop: CommandLine) -> None:
    words = ("service", "grant", "shop", "--site")
    shop.ok(*words, "cloud", "--offer", "--call", "--max-capacity", "5")
    said = shop.ok("service", "revoke", "shop", "--site", "cloud", "--offer").stdout
    assert said == "service shop: cloud (cccccccc) may call it, by grant no more\n"
    assert grants(shop) == (GrantSpec(site=CLOUD, verbs=("call",)),)
    said = shop.ok("service", "revoke", "shop", "--site", "c" * 32).stdout
    assert said.endswith("has no grant any more\n")
    assert grants(shop) == ()
    said = shop.ok("service", "revoke", "shop", "--site", "cloud").stdout
    assert "was granted nothing of that" in said


def test_rules_and_grants_leave_each_other_alone(shop: CommandLine) -> None:
    shop.ok("service", "set", "shop", "--export-to", "none", "--site-capacity", "10")
    shop.ok("service", "grant", "shop", "--site", "cloud", "--call")
    shop.ok("service", "set", "shop", "--site-capacity", "none")
    assert grants(shop) == (GrantSpec(site=CLOUD, verbs=("call",)),)
    shop.ok("service", "set", "shop", "--export-to", "all")
    assert grants(shop) == (GrantSpec(site=CLOUD, verbs=("call",)),)
    shop.ok("service", "revoke", "shop", "--site", "cloud")
    assert "policy-shop.yaml" not in shop.config()


def test_an_end_is_a_duration_or_a_moment_yet_to_come(shop: CommandLine) -> None:
    words = ("service", "grant", "shop", "--site", "cloud", "--call", "--until")
    shop.ok(*words, "2d")
    (one,) = grants(shop)
    until = unix_of(one.until)
    assert until is not None and abs(until - time.time() - 172_800) < 60
    shop.ok(*words, "2999-01-01T00:00:00Z")
    assert [one.until for one in grants(shop)] == ["2999-01-01T00:00:00Z"]
    assert "is over" in refused(shop, 2, *words, "1999-01-01T00:00:00Z")
    assert "no moment" in refused(shop, 2, *words, "soon")


def test_a_transfer_tells_what_both_sites_type(shop: CommandLine) -> None:
    done = shop.ok("service", "transfer", "shop", "--to", "cloud")
    assert "cloud (cccccccc) owns it as soon as it declares it" in done.stdout
    assert "sitectl service create shop" in done.stderr
    assert "service delete shop (its targets here go, too: bind them again)" in done.stderr
    shop.ok("service", "transfer", "shop", "--to", "kiosk")
    assert grants(shop) == (GrantSpec(site=KIOSK, verbs=("own",)),)


def test_only_the_owner_grants_offers(shop: CommandLine, admin: FakeAdmin) -> None:
    admin.answers["/api/v1/names/shop"] = (
        200,
        {"name": "shop", "declared_by": "here", "owners": ["cloud"], "differing": ["cloud"]},
    )
    words = ("service", "grant", "shop", "--site", "kiosk")
    assert "cloud owns service shop" in refused(shop, 5, *words, "--offer")
    shop.ok(*words, "--call")  # This site decides about its own targets.


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("shop", "--site", "cloud"), 2, "nothing to grant"),
        (("shop", "--site", "c*", "--call"), 2, "does not name one site"),
        (("shop", "--site", "cloud", "--call", "--max-capacity", "3"), 2, "--max-capacity"),
        (("bank", "--site", "cloud", "--call"), 4, "no service 'bank'"),
    ],
)
def test_what_is_no_grant_is_refused(
    shop: CommandLine, words: tuple[str, ...], code: int, says: str
) -> None:
    assert says in refused(shop, code, "service", "grant", *words)
    assert grants(shop) == ()
