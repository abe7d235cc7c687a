"""Past requests as `why --last` shows them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from router.model.ids import ServiceKey, SiteId
from router.operate.why.recent_decisions import decision_of, reason_of
from router.service.recent_requests import Grounds, RequestRecord

FAR = SiteId("f" * 32)
ROUTER: Any = SimpleNamespace(
    site_name=lambda site: "far",
    is_one_of_several=False,
    services={},
    readings=SimpleNamespace(config_of=lambda key: None, routing_key_of=lambda name: ""),
)


@pytest.mark.parametrize(
    ("begun_at", "outcome", "site"),
    [(1.0, "", "far"), (float("inf"), "", None), (float("inf"), "ok", "far")],
)
def test_a_request_that_waits_after_a_site_refused_it_is_at_no_site(
    begun_at: float, outcome: str, site: str | None
) -> None:
    record = RequestRecord(started_at=0.0, site=FAR, begun_at=begun_at, outcome=outcome, attempts=1)
    record.grounds = Grounds("an attempt ended: busy", "", "full")
    told = decision_of(cast(Any, ROUTER), 2.0, str, ServiceKey("shop", 80), record)
    assert told.site == site
    assert told.spill_reason == ("full" if site else "")


@pytest.mark.parametrize(
    ("begun_at", "outcome", "queue_s"),
    [
        (float("inf"), "no-route", 2.1),  # It was held for a path.
        (float("inf"), "", 5.0),  # Likewise, until now.
        (1.6, "target-timeout", 0.6),  # The rest is its attempt's.
        (1.0, "ok", 0.0),
    ],
)
def test_a_past_request_tells_how_long_it_waited_for_its_last_attempt(
    begun_at: float, outcome: str, queue_s: float
) -> None:
    total_s = 2.1 if outcome else 0.0
    record = RequestRecord(started_at=1.0, begun_at=begun_at, outcome=outcome, total_s=total_s)
    told = decision_of(cast(Any, ROUTER), 6.0, str, ServiceKey("shop", 80), record)
    assert (told.queue_s, told.waited_s) == (queue_s, 0.0)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("overloaded", "this router is short of memory"),
        ("exhausted", "this router has no descriptor or local port left for a connection"),
    ],
)
def test_a_request_that_this_router_could_not_send_on_says_so_and_not_why_a_site_was_chosen(
    outcome: str, reason: str
) -> None:
    record = RequestRecord(started_at=0.0, outcome=outcome, attempts=1)
    record.seen = cast(Any, SimpleNamespace(chosen=FAR))
    record.grounds = Grounds("cheapest site with room", "full", "full")
    assert reason_of(record, 2.0, lambda site: "far") == reason
