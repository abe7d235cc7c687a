"""What an egress remembers of offers, and of how its targets answer."""

from itertools import product
from types import SimpleNamespace
from typing import Any, cast

from router.balance.site.slots import Slot
from router.exchange.ports import Request
from router.exchange.services.service import Service
from router.exchange.sites.answer_habit import IN_PARTS_AGAIN, AnswerHabit
from router.exchange.sites.egress import EgressExchange
from router.exchange.sites.offers import matches, request_of
from router.link.ports import OpenRequest
from router.model.ids import RouterId, ServiceKey, SiteId

HEAD = b"GET / HTTP/1.1\r\nHost: shop\r\n"


def of_service(name: str) -> Service:
    return cast(Service, SimpleNamespace(key=ServiceKey(name, 80)))


def test_a_remembered_request_is_the_one_that_would_be_made_or_is_not_used() -> None:
    used = 0
    made = []
    for name, protocol, body_bytes, session, flags, upgrade in product(
        ("shop", "bank"), ("http", "http2"), (0, 5, -1), (0, 9), (0, 1), ("", "x")
    ):
        offer = OpenRequest(
            (RouterId("a" * 16),), name, 80, cast(Any, protocol), SiteId("1"), 0, flags,
            body_bytes, HEAD, "", session, "", upgrade,
        )  # fmt: skip
        made.append((offer, of_service(name), request_of(offer, of_service(name))))
    for _, _, request in made:
        for offer, service, expected in made:
            if request is not None and matches(request, offer, service):
                used += 1
                assert request == expected
    assert used >= 4


class Told:
    """A stream that notes how it was accepted."""

    is_complete = False

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.late: Any = None

    def lead_to(self, leg: EgressExchange) -> None:
        """Nothing comes of it."""

    def accept(self, in_flight: int) -> None:
        self.calls.append("accept")

    def accept_soon(self, in_flight: Any) -> None:
        self.calls.append("accept soon")
        self.late = in_flight


def opened(habit: AnswerHabit, **changes: Any) -> Told:
    told = Told()
    fields: dict[str, Any] = {"key": ServiceKey("shop", 80), "protocol": "http", "head": HEAD}
    request = Request(**(fields | changes))
    way = SimpleNamespace(take=lambda *asked, from_client: SimpleNamespace())
    service = SimpleNamespace(
        answer_habit=habit,
        sheddable=None,
        ledger=SimpleNamespace(load=3, rated=False, lent=0),
        demand=SimpleNamespace(brought=0),
        admission=SimpleNamespace(admit=lambda *asked: Slot("a:1", cast(Any, None), None)),
        outcomes=SimpleNamespace(era=0),
        timings=SimpleNamespace(wanted=None),
        target_ways=SimpleNamespace(by_protocol={request.protocol: {"a:1": way}}),
    )
    under_way = cast(Any, SimpleNamespace(egress={}, stirred=None))
    EgressExchange(cast(Any, told), request, cast(Any, service), under_way, SiteId("1"), 0)
    return told


def test_accepted_waits_for_the_answer_until_one_comes_late_or_in_parts() -> None:
    habit = AnswerHabit()
    first = opened(habit)
    assert first.calls == ["accept soon"]
    assert first.late() == 3  # It came in parts.
    assert [opened(habit).calls for _ in range(IN_PARTS_AGAIN)] == [["accept"]] * IN_PARTS_AGAIN
    assert opened(habit).calls == ["accept soon"]


def test_who_may_send_more_or_is_no_message_is_accepted_at_once() -> None:
    for changes in ({"body_bytes": 5}, {"body_bytes": -1}, {"upgrade": "x"}, {"protocol": "tcp"}):
        assert opened(AnswerHabit(), **changes).calls == ["accept"]
