"""A worker's report of its callers, and the sum of several reports."""

from itertools import repeat

import msgspec

from router.callers.callers import CallerOrigin, Callers
from router.callers.names import CallerName
from router.callers.reports import (
    CallersReport,
    ClientSiteReport,
    EdgeReport,
    TargetCallsReport,
    TargetNow,
    added,
    pieces,
    report,
)
from router.callers.target_calls import TargetKey
from router.model import limits
from router.model.ids import SiteId
from router.model.latency import FINE_BUCKETS
from router.net.ports import Address
from tests.unit.callers.names import (
    CRON,
    FAR,
    HERE,
    LOCAL,
    SHOP,
    STOCK,
    WEB,
    Clock,
    Names,
    bucket_of,
)


class Worker:
    """One that two callers connect to."""

    def __init__(self) -> None:
        self.names = Names()
        self.names.known |= {"web": WEB, "cron": CRON}
        self.clock = Clock()
        self.callers = Callers(self.names, self.clock)
        self.targets_now: dict[TargetKey, TargetNow] = {}

    def origin(self, host: str) -> CallerOrigin:
        return self.callers.arrived(Address(host, 40_000), LOCAL)

    def asked(self, host: str, times: int, *, failed: bool = False) -> None:
        origin = self.origin(host)
        for _ in repeat(None, times):
            origin.count(SHOP, HERE, failed, bucket_of(0.01))

    def told(self, *open_now: CallerOrigin, with_past: bool = False) -> CallersReport:
        under_way = [(SHOP, HERE, origin) for origin in open_now]
        return report(self.callers, under_way, self.targets_now, is_on=True, with_past=with_past)


def edge_of(told: CallersReport, name: CallerName) -> EdgeReport:
    (found,) = [edge for edge in told.edges if edge.caller == name]
    return found


def test_requests_under_way_are_open_beside_those_that_ended() -> None:
    worker = Worker()
    worker.asked("web", 3)
    told = worker.told(worker.origin("web"), worker.origin("web"))
    edge = edge_of(told, WEB)
    assert (edge.requests, edge.open, edge.past) == (3, 2, ())


def test_a_connection_that_lasts_is_told_before_anything_ended() -> None:
    worker = Worker()
    told = worker.told(worker.origin("cron"))
    edge = edge_of(told, CRON)
    assert (edge.requests, edge.open, edge.key, edge.site) == (0, 1, SHOP, HERE)


def test_a_connection_without_a_name_yet_waits() -> None:
    worker = Worker()
    worker.names.settled = 0.0
    told = worker.told(worker.origin("10.0.0.5"))
    assert told.edges == () and told.waiting == 1


def test_open_connections_of_more_callers_than_are_kept_apart_are_told_together() -> None:
    worker = Worker()
    origins = [worker.origin(f"10.0.{n // 250}.{n % 250}") for n in range(1000)]
    worker.clock.now += 3.0
    worker.callers.look()
    told = worker.told(*origins)
    assert sum(edge.open for edge in told.edges) == 1000
    assert len(told.edges) <= limits.CALLER_ADDRESSES_MAX + 1


def test_workers_are_added_edge_by_edge() -> None:
    one, other = Worker(), Worker()
    one.asked("web", 3)
    one.asked("web", 2, failed=True)
    other.asked("web", 4)
    other.asked("cron", 1)
    other.clock.now += 100.0
    whole = added([one.told(with_past=True), other.told(other.origin("web"), with_past=True)])
    web = edge_of(whole, WEB)
    assert (web.requests, web.failed, web.open, web.lately) == (9, 2, 1, 9)
    assert sum(web.counts) == 9 and len(web.counts) == FINE_BUCKETS
    assert web.past[-1] == 9 and web.past_failed[-1] == 2
    assert len(web.past) == limits.CALLER_STEPS
    assert edge_of(whole, CRON).requests == 1
    assert (whole.named, whole.unnamed, whole.waiting) == (5, 0, 0)
    assert whole.lately_s == 100.0


def test_an_edge_of_which_one_worker_has_only_what_is_open_is_added_too() -> None:
    one, other = Worker(), Worker()
    one.asked("web", 3)
    whole = added([one.told(with_past=True), other.told(other.origin("web"), with_past=True)])
    web = edge_of(whole, WEB)
    assert (web.requests, web.open, sum(web.counts), sum(web.past)) == (3, 1, 3, 3)


def test_one_worker_is_the_whole() -> None:
    worker = Worker()
    worker.asked("web", 1)
    assert added([worker.told()]) == worker.told()


def test_naming_is_on_where_any_worker_names() -> None:
    told = Worker().told()
    off = msgspec.structs.replace(told, is_on=False)
    assert added([off, told]).is_on and not added([off, off]).is_on


def test_other_services_and_sites_are_other_edges() -> None:
    worker = Worker()
    origin = worker.origin("web")
    for key, site in ((SHOP, HERE), (SHOP, FAR), (STOCK, HERE)):
        origin.count(key, site, False, bucket_of(0.01))
    places = {(edge.key, edge.site) for edge in worker.told().edges}
    assert places == {(SHOP, HERE), (SHOP, FAR), (STOCK, HERE)}


def test_a_long_report_travels_in_pieces_and_is_the_same_again() -> None:
    worker = Worker()
    for number in range(65):
        worker.names.known[f"h{number}"] = CallerName("user", f"u{number}")
        worker.asked(f"h{number}", number + 1)
    told = worker.told()
    parts = list(pieces(told))
    assert [len(part.edges) for part in parts] == [20, 20, 20, 5]
    assert added(parts) == told
    assert list(pieces(Worker().told())) == [Worker().told()]


ONE, OTHER = "10.0.1.1:8080", "10.0.1.2:8080"


def served(
    worker: Worker, target: str, times: int, *, failed: bool = False, client_site: SiteId = HERE
) -> None:
    for _ in repeat(None, times):
        worker.callers.targets.count(SHOP, target, "web", client_site, failed, 0.02)


def targets_of(told: CallersReport) -> dict[str, TargetCallsReport]:
    return {one.target: one for one in told.targets}


def test_targets_are_told_with_their_state_and_what_is_open() -> None:
    worker = Worker()
    served(worker, ONE, 3)
    worker.targets_now = {
        (SHOP, ONE): TargetNow("web", True, 2),
        (SHOP, OTHER): TargetNow("web", False, 1),
        (STOCK, OTHER): TargetNow("stock", True, 0),  # It never had a request.
    }
    told = targets_of(worker.told())
    assert {target: (one.requests, one.open, one.ready) for target, one in told.items()} == {
        ONE: (3, 2, True),
        OTHER: (0, 1, False),
    }


def test_a_target_that_is_gone_keeps_its_name_and_its_history() -> None:
    worker = Worker()
    served(worker, ONE, 3)
    (told,) = worker.told(with_past=True).targets
    assert (told.name, told.ready, told.open, sum(told.past)) == ("web", None, 0, 3)


def test_targets_of_workers_are_added() -> None:
    one, other = Worker(), Worker()
    served(one, ONE, 3)
    served(other, ONE, 2, failed=True)
    served(other, OTHER, 1)
    one.targets_now = {(SHOP, ONE): TargetNow("web", False, 1)}
    other.targets_now = {(SHOP, ONE): TargetNow("web", True, 2)}
    told = targets_of(added([one.told(with_past=True), other.told(with_past=True)]))
    both = told[ONE]
    assert (both.requests, both.failed, both.open, both.ready) == (5, 2, 3, True)
    assert (sum(both.counts), sum(both.past), sum(both.past_failed)) == (5, 5, 2)
    assert (told[OTHER].requests, told[OTHER].ready) == (1, None)


def test_targets_travel_in_pieces_too() -> None:
    worker = Worker()
    worker.asked("web", 1)
    for number in range(45):
        served(worker, f"10.0.2.{number}:80", number + 1)
    told = worker.told()
    parts = list(pieces(told))
    assert [len(part.targets) for part in parts] == [20, 20, 5]
    assert added(parts) == told


def test_sites_of_clients_are_told_in_order_and_those_of_workers_are_added() -> None:
    one, other = Worker(), Worker()
    served(one, ONE, 3, client_site=FAR)
    served(one, ONE, 1)
    served(other, ONE, 2, client_site=FAR, failed=True)
    (whole,) = added([one.told(), other.told()]).targets
    assert whole.by_client_site == (
        ClientSiteReport(site=HERE, requests=1, failed=0, lately=1, lately_failed=0),
        ClientSiteReport(site=FAR, requests=5, failed=2, lately=5, lately_failed=2),
    )
    assert targets_of(one.told())[ONE].by_client_site[1].requests == 3
