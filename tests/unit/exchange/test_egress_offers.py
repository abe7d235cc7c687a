"""What an egress remembers of offers, and of how its targets answer."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from router.balance.site.fair_queue import UNKNOWN_INGRESS, WaitingPlace
from router.balance.site.lending import BY_OTHER_ROUTERS
from router.balance.site.slots import Slot
from router.exchange.exchange_states import HELD
from router.exchange.sites.egress import UNTOLD, EgressExchange
from router.model.ids import ServiceKey, SiteId
from router.model.requests import Request
from router.model.settings import Timeouts
from router.service.sites.answer_timing import IN_PARTS_AGAIN, AnswerTiming
from tests.unit.exchange.fakes_http import FakeTimers

HEAD = b"GET / HTTP/1.1\r\nHost: shop\r\n"
US = SiteId("us")
UNRATED = SimpleNamespace(load=3, rated=False, lent=0)


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


def opened(
    habit: AnswerTiming, *, ledger: Any = UNRATED, ingress: SiteId = US, **changes: Any
) -> Told:
    told = Told()
    fields: dict[str, Any] = {"key": ServiceKey("shop", 80), "protocol": "http", "head": HEAD}
    request = Request(**(fields | changes))
    way = SimpleNamespace(take=lambda *asked, from_client: SimpleNamespace())
    service = SimpleNamespace(
        answer_timing=habit,
        sheddable=None,
        ledger=ledger,
        site=US,
        timers=FakeTimers(),
        demand=SimpleNamespace(brought=0),
        admission=SimpleNamespace(admit=lambda *asked: Slot("a:1", cast(Any, None), None)),
        outcomes=SimpleNamespace(era=0),
        timings=SimpleNamespace(wanted=None),
        target_ways=SimpleNamespace(by_protocol={request.protocol: {"a:1": way}}),
    )
    under_way = cast(Any, SimpleNamespace(egress={}, on_activity=None))
    EgressExchange(cast(Any, told), request, cast(Any, service), under_way, ingress, 0, UNTOLD)
    return told


@pytest.mark.parametrize(("ingress", "is_handed"), [("us", True), ("a", False), ("z", False)])
def test_a_request_that_another_router_of_this_site_sends_on_was_asked_for_there(
    ingress: str, is_handed: bool
) -> None:
    """Of a site's rate: its own clients count where they came."""
    calls: list[str] = []
    ledger = SimpleNamespace(
        rated=True,
        load=0,
        lent=0,
        ask=lambda now: calls.append("ask"),
        hand=lambda now: calls.append("hand"),
    )
    opened(AnswerTiming(), ledger=ledger, ingress=SiteId(ingress))
    assert calls == (["ask", "hand"] if is_handed else ["ask"])


TOKEN = "for a fleet"
LINK, BEYOND = SiteId("west"), SiteId("beyond")  # One above ``us``, one below.


@pytest.mark.parametrize(
    ("link", "ingress", "brought_by", "place"),
    [
        (LINK, LINK, "", WaitingPlace(LINK, LINK, LINK, TOKEN)),
        (LINK, BEYOND, "", WaitingPlace(LINK, BEYOND, BEYOND, TOKEN)),
        (LINK, US, "", WaitingPlace(LINK, UNKNOWN_INGRESS, holder=TOKEN)),
        (US, US, "", WaitingPlace(US, US, US)),
        (US, LINK, LINK, WaitingPlace(LINK, LINK, LINK)),
        (US, LINK, BEYOND, WaitingPlace(BEYOND, UNKNOWN_INGRESS)),
        (US, LINK, "", WaitingPlace(BY_OTHER_ROUTERS, LINK, LINK)),
        (US, BEYOND, "", WaitingPlace(BY_OTHER_ROUTERS, BEYOND, BEYOND)),
    ],
)
def test_a_stream_waits_where_the_site_that_brought_it_has_its_turns(
    link: SiteId, ingress: SiteId, brought_by: str, place: WaitingPlace
) -> None:
    """``us``: another router of this site sent it on. Others are let in by one token."""
    service = SimpleNamespace(site=SiteId("".join(US)), branch_to=branch_to)
    exchange = EgressExchange.__new__(EgressExchange)
    exchange._service = cast(Any, service)
    stream = SimpleNamespace(neighbour_site=SiteId("".join(link)), neighbour_holder=TOKEN)
    exchange._stream = cast(Any, stream)
    exchange.ingress, exchange._brought_by = ingress, SiteId(brought_by)
    assert exchange.line == place


def branch_to(link: SiteId, ingress: SiteId) -> SiteId | None:
    ways = {(LINK, BEYOND): BEYOND, (US, LINK): LINK, (US, BEYOND): BEYOND}
    return ways.get((link, ingress))


def test_accepted_waits_for_the_answer_until_one_comes_late_or_in_parts() -> None:
    habit = AnswerTiming()
    first = opened(habit)
    assert first.calls == ["accept soon"]
    assert first.late() == 3  # It came in parts.
    assert [opened(habit).calls for _ in range(IN_PARTS_AGAIN)] == [["accept"]] * IN_PARTS_AGAIN
    assert opened(habit).calls == ["accept soon"]


def test_who_may_send_more_or_is_no_message_is_accepted_at_once() -> None:
    tcp = {"protocol": "tcp", "body_bytes": -1}
    for changes in ({"body_bytes": 5}, {"body_bytes": -1}, {"upgrade": "x"}, tcp):
        assert opened(AnswerTiming(), **changes).calls == ["accept"]


def test_a_target_may_take_what_a_stream_brought_as_slowly_as_it_likes() -> None:
    """The stream is over: its entry can judge no more."""
    timers, aborted = FakeTimers(), list[float]()
    leg = SimpleNamespace(undelivered_bytes=5_000, abort=lambda: aborted.append(timers.now()))
    config = SimpleNamespace(timeouts=Timeouts(half_closed_s=2.0))
    exchange = EgressExchange.__new__(EgressExchange)
    exchange._service = cast(Any, SimpleNamespace(timers=timers, config=config))
    exchange._state, exchange._leg, exchange._linger = HELD, cast(Any, leg), None
    exchange._given_up = exchange._dial = None
    exchange.lost(None)
    for _ in range(5):
        leg.undelivered_bytes -= 1_000
        timers.advance(1.9)
    assert not aborted
    timers.advance(4.0)
    assert len(aborted) == 1


def test_what_outlives_its_stream_is_stopped_all_the_same() -> None:
    aborted = list[str]()
    exchange = EgressExchange.__new__(EgressExchange)
    exchange._state, exchange._given_up, exchange._dial = HELD, None, None
    exchange._leg = cast(Any, SimpleNamespace(abort=lambda: aborted.append("leg")))
    exchange._stream = cast(Any, SimpleNamespace(reset=lambda code: aborted.append(code)))
    exchange.stop()
    assert aborted == ["leg", "internal"]
