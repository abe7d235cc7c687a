"""Which service ports clients asked for in vain lately."""

from router.model.ids import ServiceKey
from router.model.limits import UNSERVED_S
from router.operate.problems.unserved_requests import UnservedRequests

SHOP, DB = ServiceKey("shop", 8080), ServiceKey("db", 5432)


def test_a_refusal_for_want_of_a_target_counts_for_a_while() -> None:
    asked = UnservedRequests()
    asked.look({SHOP: {"no-route": 1}, DB: {"all-full": 5}}, 0.0)
    assert list(asked.keys) == [SHOP]
    asked.look({SHOP: {"no-route": 1}, DB: {"all-full": 6}}, UNSERVED_S - 1)
    assert list(asked.keys) == [SHOP]
    asked.look({SHOP: {"no-route": 1}}, UNSERVED_S)
    assert list(asked.keys) == []
    asked.look({SHOP: {"no-route": 1, "no-target": 1}}, UNSERVED_S + 1)
    assert list(asked.keys) == [SHOP]


def test_a_service_that_is_gone_is_forgotten() -> None:
    asked = UnservedRequests()
    asked.look({SHOP: {"no-target": 3}}, 0.0)
    asked.look({}, 1.0)
    assert list(asked.keys) == []
    asked.look({SHOP: {"no-target": 1}}, 2.0)
    assert list(asked.keys) == [SHOP], "made again, it counts from 0"
