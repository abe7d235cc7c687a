import pytest

from router.model.wording.routing_key_names import (
    AskedService,
    hashed_name,
    is_hashed,
    names_meant,
    with_keys,
)

HASHED = "k-e39f88e649d574d94643"


def test_sentences_have_the_key_and_commands_keep_the_name() -> None:
    keys = {HASHED: "shop.db"}

    def key_of(name: str) -> str:
        return keys.get(name, "")

    text = f"Service {HASHED}:1 overflows; {HASHED}: 2 wait. k-other:1, {HASHED}0, {HASHED}-a."
    assert with_keys(text, key_of) == (
        f"Service shop.db overflows; shop.db: 2 wait. k-other:1, {HASHED}0, {HASHED}-a."
    )
    unknown = f"Service {HASHED[:-1]}0:1 is gone."
    assert with_keys(unknown, key_of) == unknown


def test_sentences_have_no_nominal_port_of_a_key_that_is_the_name() -> None:
    def key_of(name: str) -> str:
        return name if name in ("ledger", "a1") else ""

    text = "Service ledger:1: clients wait. a1:1, ledger:1."
    assert with_keys(text, key_of) == "Service ledger: clients wait. a1, ledger."
    for text in ("Service shop:1 waits", "fe80::a1:1", "a1:10", "ledger:1x", "x.a1:1", "a1:1:2"):
        assert with_keys(text, key_of) == text


def test_a_key_that_the_name_is_not_made_of_stands_for_no_service() -> None:
    text = f"Service {HASHED}:1 overflows."
    assert with_keys(text, lambda name: "ledger") == text


def test_a_hashed_name_is_told_from_names_that_people_give() -> None:
    assert is_hashed(HASHED) and is_hashed(f"{HASHED}:1")
    assert is_hashed(f"Service/{HASHED}"), "as events name a document"
    assert not is_hashed(f"Service/{HASHED}-x") and not is_hashed("Service/shop")
    assert not is_hashed("k-means") and not is_hashed("shop:8080")
    assert not is_hashed(f"{HASHED} and more")


def test_what_people_call_a_service_may_be_its_name_its_key_or_its_key_with_the_nominal_port() -> (
    None
):
    assert names_meant("shop.db") == ("shop.db", HASHED)
    assert names_meant("shop.db:1") == ("shop.db:1", hashed_name("shop.db:1"), HASHED)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("shop", {"shop", "shop:80", "shop:81"}),
        ("shop:80", {"shop", "shop:80"}),
        ("sho", set()),
        ("shop.db", {HASHED}),
        ("shop.db:1", {HASHED}),
    ],
)
def test_an_event_of_a_service_is_one_of_each_port_and_not_of_its_sisters(
    asked: str, found: set[str]
) -> None:
    """The journal gives an event about a port its service, too."""
    subjects = ("shop", "shop:80", "shop:81", "shopping", HASHED)
    wanted = AskedService(asked)
    by_port = {one for one in subjects if wanted.has(one, one.partition(":")[0])}
    assert by_port == found
    assert {one for one in subjects if wanted.has(one, "")} == found
