"""The sentence about connections of a service that was removed."""

from router.main.removed_services import sentence
from router.model.ids import ServiceKey

DB = ServiceKey("db", 5432)


def test_this_site_comes_first_and_of_many_sites_only_some_are_named() -> None:
    assert sentence(DB, {"far": 1}, "near") == (
        "Service db:5432 was removed, and 1 connection or request of it goes on: 1 at far."
    )
    assert sentence(DB, {"far": 9, "near": 2, "mid": 3, "out": 1, "top": 1}, "near") == (
        "Service db:5432 was removed, and 16 connections or requests of it go on: "
        "2 here, 9 at far, 3 at mid and more at 2 other sites."
    )
