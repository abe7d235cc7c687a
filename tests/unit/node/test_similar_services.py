"""Services that an unknown name may mean."""

import pytest

from router.node.problems import similar_services
from router.node.problems.similar_services import NAMES_MAX, WORDS_MAX, SimilarServices


def test_the_most_similar_of_the_declared_names_is_meant() -> None:
    similar = SimilarServices()
    names = {"shop": 1, "ship": 1, "db": 1}
    assert similar.to("shpo", names.keys()) == "shop"
    assert similar.to("orders", names.keys()) == ""
    del names["shop"]
    assert similar.to("shpo", names.keys()) == "ship"


def test_few_names_are_compared_with_few_and_only_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    similar, compared = SimilarServices(), list[str]()

    def nearest(word: str, known: object) -> str:
        compared.append(word)
        return "shop"

    monkeypatch.setattr(similar_services, "nearest", nearest)
    words = [f"shop{number}" for number in range(WORDS_MAX + 1)]
    for _ in range(2):
        found = [similar.to(word, {"shop"}) for word in words]
        assert found == ["shop"] * WORDS_MAX + [""]
    assert compared == words[:WORDS_MAX]
    many = {f"shop-{number}" for number in range(NAMES_MAX + 1)}
    assert similar.to("shop-x", many) == ""
    assert len(compared) == WORDS_MAX
