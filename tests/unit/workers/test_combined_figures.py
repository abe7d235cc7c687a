"""The first worker's figures of the whole router."""

import asyncio

import msgspec
import pytest

from router.admin.ports import HistogramView, MetricValues
from router.admin.views.services import TargetCount, TargetView
from router.admin.views.why import WhyCandidate, WhyDecision, WhyQueue, WhyTarget, WhyView
from router.balance.learning.saturation import Totals
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.operate.figures.site_labels import with_site_names
from router.service.figures import Load, QueueNow
from router.workers.combined_figures import RouterFigures
from router.workers.link_uses import LinkUse
from router.workers.recent_port_figures import PortPart, PortTotals, RecentPortFigures, TargetPart
from router.workers.site_load import SiteLoad
from router.workers.worker_messages import (
    FiguresQuestion,
    LinkUses,
    Metrics,
    RecentFiguresByPort,
    WorkerAnswer,
)
from router.workers.workers import Lead, Workers
from tests.unit.admin.test_api import SHOP as SHOP_VIEW
from tests.unit.journal import Journal

WEST, FAR = SiteId("west"), SiteId("far")
SHOP = ServiceKey("shop", 80)


def why(outlook: str, waiting: int, limit: int) -> WhyView:
    return WhyView(
        service=SHOP.name,
        port=SHOP.port,
        policy="fill",
        affinity=None,
        session=None,
        decision=WhyDecision(None, (), "all-full"),
        candidates=(),
        queue=WhyQueue(outlook=outlook, waiting=waiting, limit=limit, wait_s=1.0),
    )


async def whole_of(*latelies: RecentPortFigures | None) -> RouterFigures:
    """Of a first worker and others, which said these last."""
    count = 1 + len(latelies)
    workers = Workers(count, (), lambda: Lead("", frozenset()), Journal().tell, logs_to_file=False)
    for one, lately in zip(workers.all, latelies, strict=True):
        one.ready = True
        one.ask(1, FiguresQuestion("lately"))
        items = () if lately is None else (lately,)
        one.hear(WorkerAnswer(1, True, 0, RecentFiguresByPort(items)))
    return RouterFigures(workers)


def shown(
    own: WhyView, *latelies: RecentPortFigures | None, configured: int | None = None
) -> tuple[str, int, int]:
    queue = asyncio.run(whole_of(*latelies)).with_queue(own, configured, 0).queue
    assert queue is not None
    return queue.outlook, queue.waiting, queue.limit


def waiting(queued: int, limit: int, here: int = 0) -> RecentPortFigures:
    return RecentPortFigures(
        key=SHOP,
        change=None,
        queued=queued,
        waiting=here,
        queue_limit=limit,
        queue_is_full=queued >= limit,
    )


def test_the_queue_of_a_site_has_the_requests_and_the_places_of_all_workers() -> None:
    assert shown(why("waits", 3, 10), waiting(4, 12), waiting(0, 10)) == ("waits", 7, 32)
    assert shown(why("too-long", 3, 10), waiting(4, 12)) == ("too-long", 7, 22)


def test_the_row_of_this_site_has_the_requests_that_wait_for_a_slot_of_any_worker() -> None:
    def row(site: str, cost: int, waiting: int | None) -> WhyCandidate:
        return WhyCandidate(
            site=site,
            path=(),
            path_cost=cost,
            targets_ready=1,
            capacity=1,
            in_flight=1,
            free=0,
            age_s=None,
            verdict="full",
            reason="1 of 1 in flight",
            waiting=waiting,
        )

    rows = (row("west", 0, 3), row("far", 1, 5), row("old", 2, None))
    own = msgspec.structs.replace(why("waits", 3, 10), candidates=rows)
    whole = asyncio.run(whole_of(waiting(4, 12, here=3), waiting(2, 10, here=0)))
    shown = whole.with_queue(own, None, 2)
    assert shown.queue is not None and shown.queue.waiting == 9
    assert [one.waiting for one in shown.candidates] == [5, 5, None], "four wait at the other site"
    assert whole.waiting(SHOP, 3, 2) == 5
    alone = asyncio.run(whole_of())
    assert alone.with_queue(own, None, 2) == own, "one waits at another router of the site"
    assert alone.waiting(SHOP, 3, 2) == 3


def test_problems_have_the_queue_of_all_workers_as_well() -> None:
    own = QueueNow("full", 5, 5, 1.0)
    whole = asyncio.run(whole_of(waiting(4, 12), waiting(0, 10)))
    assert whole.queue_of_all(SHOP, own, None) == QueueNow("waits", 9, 27, 1.0)


def test_a_queue_is_full_when_that_of_every_worker_is() -> None:
    assert shown(why("full", 5, 5), waiting(5, 5)) == ("full", 10, 10)
    assert shown(why("full", 5, 5), waiting(4, 5)) == ("waits", 9, 10)
    assert shown(why("full", 0, 0), None, configured=0) == ("full", 0, 0)


def test_a_worker_without_requests_has_the_places_that_are_configured() -> None:
    assert shown(why("full", 5, 5), None, configured=5) == ("waits", 5, 10)
    assert shown(why("waits", 5, 40), None) == ("waits", 5, 40 + limits.QUEUE_DEFAULT_MIN)


def test_targets_of_why_have_the_slots_of_all_workers() -> None:
    def told(verdict: str, reason: str) -> WhyTarget:
        return WhyTarget(
            target="10.0.0.1:80",
            name="shop",
            in_flight=3,
            capacity=3,
            verdict=verdict,
            expected_s=None,
            reason=reason,
        )

    own = msgspec.structs.replace(
        why("waits", 0, 10),
        targets=(told("full", "3 of 3 in flight"), told("hot", "others answer sooner")),
    )
    targets = {"10.0.0.1:80": TargetPart(1, 3, None)}
    beside = RecentPortFigures(key=SHOP, change=None, targets=targets)
    full, hot = asyncio.run(whole_of(beside)).with_targets(own).targets
    assert (full.in_flight, full.capacity) == (hot.in_flight, hot.capacity) == (4, 6)
    assert (full.reason, hot.reason) == ("3 of 3 in flight at worker 0", "others answer sooner")


def test_a_burst_is_judged_by_the_figures_of_all_workers() -> None:
    counted = PortTotals(requests=10, overflowed=2, refused=1, waited_s=0.5)
    lately = RecentPortFigures(key=SHOP, change=None, totals=counted, demand=3, capacity=4)
    own = Totals(full=True, demand=1, capacity=5, requests=20, overflowed=1, waited_s=0.25)

    async def judged() -> Totals:
        whole = await whole_of(lately)
        before = whole.with_totals_of(lambda service: {SHOP: own})("shop")[SHOP]
        (one,) = whole.workers.all
        one.ended({})
        after = whole.with_totals_of(lambda service: {SHOP: own})("shop")[SHOP]
        counters = ("requests", "overflowed", "refused", "waited_s")
        assert [getattr(before, name) for name in counters] == [30, 3, 1, 0.75]
        assert [getattr(after, name) for name in counters] == [30, 3, 1, 0.75]
        assert (after.demand, after.capacity) == (1, 5)
        return before

    totals = asyncio.run(judged())
    assert (totals.full, totals.demand, totals.capacity) == (True, 4, 9)


def test_a_silent_workers_share_and_what_it_has_in_flight_is_shown_until_it_has_ended() -> None:
    async def shown() -> None:
        targets = {"10.0.0.1:80": TargetPart(3, 4, None)}
        slots = RecentPortFigures(key=SHOP, change=None, capacity=4, targets=targets)
        whole = await whole_of(slots, RecentPortFigures(key=SHOP, change=None, capacity=2))
        silent, other = whole.workers.all
        for one in (silent, other):
            one.pid = 1
            one.silence.answered(1.0)
        own = Load(1, 1, 5)
        assert whole.load(SHOP, own, has_connector=True) is None
        for _ in range(1 + limits.WORKER_MISSED_ASKS):
            silent.silence.asked()
        load = whole.load(SHOP, own, has_connector=True)
        assert load is not None
        assert (load.in_flight, load.capacity) == (4, 11)
        assert load.note == (
            "7 of 11 slots work: worker 1 does not answer, with 3 of its 4 slots in use: it takes "
            "no request"
        )
        down = whole.load(SHOP, Load(0, 0, None), has_connector=True)
        assert down is not None and down.capacity is None
        assert down.note == "worker 1 does not answer, with 3 in flight: it takes no request"
        silent.ended({})
        assert whole.load(SHOP, own, has_connector=True) is None

    asyncio.run(shown())


def test_a_site_that_stops_has_the_slots_of_all_workers_that_are_left() -> None:
    async def shown() -> None:
        targets = {"10.0.0.1:80": TargetPart(2, 3, None)}
        slots = RecentPortFigures(key=SHOP, change=None, capacity=3, targets=targets)
        whole = await whole_of(slots)
        (other,) = whole.workers.all
        other.pid = 1
        assert whole.load(SHOP, Load(1, 1, 5), has_connector=True) is None
        whole.workers.stop()
        load = whole.load(SHOP, Load(1, 1, 5), has_connector=True)
        assert load == SiteLoad(in_flight=3, capacity=8, note="")
        other.ended({})
        load = whole.load(SHOP, Load(1, 1, 5), has_connector=True)
        assert load == SiteLoad(in_flight=1, capacity=5, note="")

    asyncio.run(shown())


def test_a_silent_worker_has_nothing_open_at_other_sites_which_dropped_its_links() -> None:
    async def shown() -> None:
        open_there = RecentPortFigures(
            key=SHOP,
            change=None,
            spilled={FAR: 7},
            still_spilled=2,
            still_without_target=1,
            open_to={FAR: 3},
            open_for={"full": 3},
            open_now=4,
        )
        whole = await whole_of(open_there)
        (silent,) = whole.workers.all
        silent.silence.answered(1.0)
        assert whole.others.lately(SHOP) == [open_there]
        for _ in range(1 + limits.WORKER_MISSED_ASKS):
            silent.silence.asked()
        (now,) = whole.others.lately(SHOP)
        assert now == RecentPortFigures(key=SHOP, change=None, spilled={FAR: 7}, open_now=4)

    asyncio.run(shown())


def test_a_silent_worker_has_no_lanes_and_streams_since_neighbors_dropped_its_links() -> None:
    async def shown() -> None:
        whole = await whole_of(None)
        (silent,) = whole.workers.all
        silent.silence.answered(1.0)
        key = ("outgoing", "link1", "far")
        use = LinkUse(key=key, lanes=1, streams=3, bytes_in=10, bytes_out=20)
        silent.ask(2, FiguresQuestion("lately"))
        silent.hear(WorkerAnswer(2, True, 0, LinkUses((use,), ())))
        assert list(silent.link_uses) == [use]
        for _ in range(1 + limits.WORKER_MISSED_ASKS):
            silent.silence.asked()
        assert list(silent.link_uses) == [LinkUse(key=key, bytes_in=10, bytes_out=20)]

    asyncio.run(shown())


def test_another_site_is_told_of_what_workers_that_died_or_are_silent_asked_of_targets() -> None:
    async def shown() -> None:
        address = "10.0.0.1:80"
        told = RecentPortFigures(key=SHOP, change=None, totals=PortTotals(by_target={address: 3}))
        whole = await whole_of(told, told)
        dead, silent = whole.workers.all
        silent.silence.answered(1.0)
        assert not whole.others.unanswered_target_requests(SHOP), "each answers itself"
        dead.ended({})
        assert whole.others.unanswered_target_requests(SHOP) == {address: 3}
        for _ in range(1 + limits.WORKER_MISSED_ASKS):
            silent.silence.asked()
        assert whole.others.unanswered_target_requests(SHOP) == {address: 6}

    asyncio.run(shown())


def test_a_silent_workers_slots_at_targets_that_are_down_meanwhile_are_none() -> None:
    """It does not hear that they are down."""

    async def shown() -> None:
        up, down = TargetPart(1, 5, None), TargetPart(2, 5, None)
        targets = {"10.0.0.1:80": up, "10.0.0.2:80": down, "10.0.0.3:80": TargetPart(0, None, None)}
        slots = RecentPortFigures(key=SHOP, change=None, capacity=10, targets=targets)
        whole = await whole_of(slots, RecentPortFigures(key=SHOP, change=None, capacity=5))
        silent, other = whole.workers.all
        for one in (silent, other):
            one.pid = 1
            one.silence.answered(1.0)
        for _ in range(1 + limits.WORKER_MISSED_ASKS):
            silent.silence.asked()
        down_here = ("10.0.0.2:80", "10.0.0.3:80", "10.0.0.9:80")
        load = whole.load(SHOP, Load(0, 1, 5), has_connector=True, down=down_here)
        assert load is not None
        assert (load.in_flight, load.capacity) == (3, 15)
        assert load.note == (
            "10 of 15 slots work: worker 1 does not answer, with 1 of its 5 slots in use: it takes "
            "no request"
        )

    asyncio.run(shown())


def test_targets_that_further_workers_use_are_those_that_they_report_ready() -> None:
    async def shown() -> None:
        targets = {
            "10.0.0.1:80": TargetPart(1, 5, None),
            "10.0.0.2:80": TargetPart(0, 5, None, "no"),
        }
        whole = await whole_of(RecentPortFigures(key=SHOP, change=None, targets=targets))
        (other,) = whole.workers.all
        other.silence.answered(1.0)
        assert set(whole.others.used(SHOP)) == {"10.0.0.1:80"}
        for _ in range(1 + limits.WORKER_MISSED_ASKS):
            other.silence.asked()
        assert not whole.others.used(SHOP), "a silent worker takes no request"

    asyncio.run(shown())


@pytest.mark.parametrize("used", (True, False))
def test_a_silent_worker_does_not_say_what_is_ready_but_what_it_has_in_flight(used: bool) -> None:
    """The problem of such a target leaves silent workers out, too."""

    async def shown() -> None:
        there = {"10.0.0.1:80": TargetPart(1, 5, None, "refused" if used else "")}
        whole = await whole_of(RecentPortFigures(key=SHOP, change=None, targets=there))
        (other,) = whole.workers.all
        other.silence.answered(1.0)
        error = "" if used else "ejected for 8 s: 503"
        target = TargetView(
            site="a",
            name="t",
            host="10.0.0.1",
            port=80,
            ready=used,
            in_flight=2,
            capacity=5,
            requests_total=9,
            error=error,
        )
        count = TargetCount(1, int(used))
        own = msgspec.structs.replace(
            SHOP_VIEW, port=SHOP.port, targets=(target,), local_targets=count
        )
        (row,) = whole.with_services([own])
        assert (row.targets[0].error_kind, row.local_targets.ready) == ("partly-ready", 1)
        for _ in range(1 + limits.WORKER_MISSED_ASKS):
            other.silence.asked()
        (row,) = whole.with_services([own])
        (found,) = row.targets
        assert (found.ready, found.error) == (used, error)
        assert row.local_targets == own.local_targets
        assert (found.in_flight, found.capacity) == (3, 10)

    asyncio.run(shown())


REQUESTS, SECONDS = "spillway_requests_total", "spillway_request_seconds"


def counted(service: str, site: SiteId, bounds: tuple[float, ...] = (1.0,)) -> MetricValues:
    """One request of a service to a site."""
    labels = service, "80", "http", str(site), "2xx"
    histogram = HistogramView(bounds, (1,) + (0,) * len(bounds), 0.5)
    return MetricValues({REQUESTS: {labels: 1.0}}, {SECONDS: {labels: histogram}})


async def told_by_another(*values: MetricValues) -> RouterFigures:
    """Of a first worker and another one with these metrics."""
    whole = await whole_of(None)
    (other,) = whole.workers.all
    other.ask(2, FiguresQuestion("metrics"))
    other.hear(WorkerAnswer(2, True, 0, Metrics(values)))
    return whole


def test_a_scrape_has_each_service_port_in_a_part_so_that_no_step_takes_long() -> None:
    async def shown() -> None:
        services = [f"s{number}" for number in range(20)]
        each = [counted(name, site) for name in services for site in (WEST, FAR)]
        whole = await told_by_another(*each)
        gauges = MetricValues({"spillway_sites": {(): 2.0}, "spillway_streams": {(): 3.0}}, {})
        parts = list(whole.with_metrics(iter([*each, gauges])))
        found: dict[str, MetricValues] = {}
        for part in parts:
            for name in {labels[0] for labels in part.numbers.get(REQUESTS, ())}:
                assert name not in found, "its sites get names together"
                found[name] = part
            assert len(part.numbers.get(REQUESTS, ())) <= 2
            assert len(part.numbers.keys() - {REQUESTS}) <= 1
        assert found.keys() == set(services)
        for part in found.values():
            assert list(part.numbers[REQUESTS].values()) == [2.0, 2.0]
            assert [one.counts for one in part.histograms[SECONDS].values()] == [(2, 0), (2, 0)]
        streams = [
            part.numbers["spillway_streams"] for part in parts if "spillway_streams" in part.numbers
        ]
        assert streams == [{(): 3.0}]

    asyncio.run(shown())


def test_two_sites_of_one_name_with_other_buckets_at_a_worker_of_another_release(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One of the sites is gone: the same name would have both."""

    async def scraped() -> None:
        whole = await told_by_another(counted("shop", WEST, (1.0, 2.0)))
        parts = whole.with_metrics(iter([counted("shop", FAR)]))
        shown = with_site_names(parts, lambda site: "far")
        (named,) = (one for one in shown if one.histograms.get(SECONDS))
        labels = "shop", "80", "http", "far", "2xx"
        assert named.numbers[REQUESTS] == {labels: 2.0}
        assert named.histograms[SECONDS] == {labels: HistogramView((1.0,), (1, 0), 0.5)}
        assert f"left out of /metrics: {SECONDS}" in caplog.text

    asyncio.run(scraped())


def test_what_a_target_that_was_unbound_has_in_flight_is_the_sum_of_what_workers_report() -> None:
    async def shown() -> None:
        leaving = {"10.0.0.1:80": TargetPart(3, None, None)}
        whole = await whole_of(RecentPortFigures(key=SHOP, change=None, targets=leaving), None)
        for one in whole.workers.all:
            one.pid = 1
        load = whole.load(SHOP, Load(0, 0, None, beyond=3), has_connector=False)
        assert load == SiteLoad(in_flight=6, capacity=None, note="")

    asyncio.run(shown())


def test_a_part_that_is_not_reported_again_has_its_slots_and_nothing_in_them() -> None:
    async def shown() -> None:
        targets = {"10.0.0.1:80": TargetPart(3, 4, None)}
        whole = await whole_of(
            RecentPortFigures(key=SHOP, change=None, queued=1, demand=4, targets=targets)
        )
        (one,) = whole.workers.all
        assert one.part(SHOP) == PortPart(queued=1, demand=4, targets=targets)
        one.ask(2, FiguresQuestion("lately"))
        one.hear(WorkerAnswer(2, True, 0, RecentFiguresByPort(())))
        idle = {"10.0.0.1:80": TargetPart(0, 4, None)}
        assert one.part(SHOP) == PortPart(targets=idle)

    asyncio.run(shown())


def test_clients_of_a_former_protocol_are_those_of_all_workers() -> None:
    async def shown() -> None:
        whole = await whole_of(
            RecentPortFigures(key=SHOP, change=None, former={"tcp": 2, "http": 1})
        )
        own = {SHOP: {"tcp": 1}}
        assert whole.with_former(own) == {SHOP: {"tcp": 3, "http": 1}}
        assert whole.with_former({}) == {SHOP: {"tcp": 2, "http": 1}}

    asyncio.run(shown())


def test_a_removed_service_waits_for_the_silent_workers_that_have_some_of_it_under_way() -> None:
    async def shown() -> None:
        told = RecentPortFigures(key=SHOP, change=None, removed={WEST: 2, FAR: 1})
        whole = await whole_of(told, told)
        hung, answers = whole.workers.all
        for one in (hung, answers):
            one.silence.answered(1.0)
        assert whole.others.removed_at_silent(never) == {}
        assert not whole.others.silent
        for _ in range(1 + limits.WORKER_MISSED_ASKS):
            hung.silence.asked()
        assert whole.others.removed_at_silent(never) == {SHOP: {1: 3}}
        assert whole.others.silent == [1]
        assert whole.others.removed_at_silent(always) == {}

    asyncio.run(shown())


def test_a_service_that_was_made_again_is_not_said_to_be_removed() -> None:
    """A silent worker has not heard of it, and a slow one a moment later."""

    async def shown() -> None:
        whole = await whole_of(RecentPortFigures(key=SHOP, change=None, removed={WEST: 2}))
        assert whole.with_removed({}, never) == {SHOP: {WEST: 2}}
        assert whole.with_removed({}, always) == {}

    asyncio.run(shown())


def never(key: ServiceKey) -> bool:
    return False


def always(key: ServiceKey) -> bool:
    return True
