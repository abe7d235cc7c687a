"""The record of callers and callees: slices of time, their settling, and bounds."""

from router.callers.callers import CallerOrigin, Callers
from router.callers.names import OTHERS, CallerName
from router.model import limits
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

Row = tuple[str, str, str, int, int]


class Bench:
    """`Callers` with names and a clock of the test."""

    def __init__(self) -> None:
        self.names, self.clock = Names(), Clock()
        self.callers = Callers(self.names, self.clock)

    def arrived(self, host: str) -> CallerOrigin:
        """A client connects."""
        return self.callers.arrived(Address(host, 40_000), LOCAL)

    def after(self, seconds: float) -> None:
        """Time passes, and `look` was called each second."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now = min(end, self.clock.now + limits.CALLER_LOOK_S)
            self.callers.look()

    def rows(self) -> list[Row]:
        """Caller, service, site, requests, failures."""
        return sorted(
            (name.name, key.name, site[:1], edge.requests, edge.failed)
            for name, (key, site), edge in self.callers.edges()
        )


def test_a_caller_that_is_known_at_once_is_counted_at_once() -> None:
    bench = Bench()
    bench.names.known["127.0.0.1"] = WEB
    origin = bench.arrived("127.0.0.1")
    origin.count(SHOP, HERE, failed=False, bucket=bucket_of(0.01))
    origin.count(SHOP, FAR, failed=True, bucket=bucket_of(0.02))
    assert bench.rows() == [
        ("deployment/web", "shop", "a", 1, 0),
        ("deployment/web", "shop", "b", 1, 1),
    ]
    assert (bench.callers.named, bench.callers.unnamed, bench.callers.waiting) == (1, 0, 0)
    assert bench.callers.name_of(origin) == WEB


def test_an_address_gets_its_caller_when_its_slice_is_settled() -> None:
    bench = Bench()
    bench.names.owners["10.0.0.5"] = WEB
    bench.names.settled = 0.0
    began = bench.clock.now
    origin = bench.arrived("10.0.0.5")
    origin.count(SHOP, HERE, failed=False, bucket=bucket_of(0.01))
    bench.after(5.0)
    assert bench.rows() == [] and bench.callers.waiting == 1
    assert bench.callers.name_of(origin) is None
    bench.names.settled = bench.clock.now
    bench.after(1.0)
    assert bench.rows() == [("deployment/web", "shop", "a", 1, 0)]
    assert bench.names.asked == [("10.0.0.5", began, began + limits.CALLER_SLICE_S)]
    assert bench.callers.name_of(origin) == WEB


def test_requests_after_the_settling_are_of_the_same_caller() -> None:
    bench = Bench()
    bench.names.owners["10.0.0.5"] = WEB
    origin = bench.arrived("10.0.0.5")
    bench.after(3.0)
    bench.names.owners["10.0.0.5"] = CRON  # It has the address now; the connection is web's.
    origin.count(SHOP, HERE, failed=False, bucket=bucket_of(0.01))
    later = bench.arrived("10.0.0.5")
    later.count(SHOP, HERE, failed=True, bucket=bucket_of(0.01))
    bench.after(3.0)
    assert bench.rows() == [
        ("deployment/web", "shop", "a", 1, 0),
        ("job/cron", "shop", "a", 1, 1),
    ]


def test_a_slice_that_settles_late_blocks_no_later_one_for_ever() -> None:
    bench = Bench()
    bench.names.settled = 0.0
    bench.arrived("10.0.0.5").count(SHOP, HERE, failed=False, bucket=bucket_of(0.01))
    bench.after(limits.CALLER_UNSETTLED_S + limits.CALLER_SLICE_S + 1)
    assert bench.rows() == [("10.0.0.5", "shop", "a", 1, 0)]
    assert (bench.callers.named, bench.callers.unnamed) == (0, 1)


def test_connections_of_one_address_in_one_slice_are_counted_together() -> None:
    bench = Bench()
    bench.names.owners["10.0.0.5"] = WEB
    first, second = bench.arrived("10.0.0.5"), bench.arrived("10.0.0.5")
    assert first is second
    bench.after(3.0)
    assert bench.arrived("10.0.0.5") is not first
    assert bench.callers.named == 2


def test_a_node_hides_its_callers_and_is_no_name() -> None:
    bench = Bench()
    bench.names.owners["10.0.0.9"] = CallerName("node", "10.0.0.9")
    bench.arrived("10.0.0.9")
    bench.after(3.0)
    assert (bench.callers.named, bench.callers.unnamed) == (0, 1)


def test_more_callers_than_are_kept_apart_are_counted_together() -> None:
    bench = Bench()
    for number in range(limits.CALLERS_MAX + 50):
        bench.names.known[f"h{number}"] = CallerName("user", f"u{number:04}")
        bench.arrived(f"h{number}").count(SHOP, HERE, failed=False, bucket=bucket_of(0.01))
    found = {name: edge.requests for name, _, edge in bench.callers.edges()}
    assert len(found) == limits.CALLERS_MAX
    assert found[OTHERS] == 51 and sum(found.values()) == limits.CALLERS_MAX + 50


def test_addresses_leave_room_for_names() -> None:
    bench = Bench()
    for number in range(2 * limits.CALLER_ADDRESSES_MAX):
        host = f"10.0.{number // 250}.{number % 250}"
        bench.arrived(host).count(SHOP, HERE, False, bucket_of(0.01))
    bench.after(3.0)
    bench.names.known["127.0.0.1"] = WEB
    bench.arrived("127.0.0.1").count(SHOP, HERE, False, bucket_of(0.01))
    found = {name: edge.requests for name, _, edge in bench.callers.edges()}
    assert sum(name.kind == "address" for name in found) == limits.CALLER_ADDRESSES_MAX
    assert found[OTHERS] == limits.CALLER_ADDRESSES_MAX and found[WEB] == 1


def test_edges_are_bounded_and_lose_no_request() -> None:
    bench = Bench()
    services = [type(SHOP)(f"s{number}", 80) for number in range(40)]
    for number in range(60):
        bench.names.known[f"h{number}"] = CallerName("user", f"u{number}")
        origin = bench.arrived(f"h{number}")
        for key in services:
            origin.count(key, HERE, failed=False, bucket=bucket_of(0.01))
    edges = list(bench.callers.edges())
    assert len(edges) <= limits.CALLER_EDGES_MAX + len(services)
    assert sum(edge.requests for _, _, edge in edges) == 60 * 40


def test_edges_that_wait_for_a_name_are_bounded_too() -> None:
    bench = Bench()
    bench.names.settled = 0.0
    services = [type(SHOP)(f"s{number}", 80) for number in range(40)]
    for number in range(300):
        origin = bench.arrived(f"10.1.{number // 250}.{number % 250}")
        for key in services:
            origin.count(key, HERE, failed=False, bucket=bucket_of(0.01))
    at_once = sum(edge.requests for _, _, edge in bench.callers.edges())
    assert at_once == 300 * 40 - limits.CALLER_SLICES_MAX  # As others: there is no more room.
    bench.names.settled = float("inf")
    bench.after(3.0)
    assert sum(edge.requests for _, _, edge in bench.callers.edges()) == 300 * 40
    # There is room again.
    bench.arrived("10.2.0.1").count(SHOP, HERE, failed=False, bucket=bucket_of(0.01))
    assert sum(edge.requests for _, _, edge in bench.callers.edges()) == 300 * 40


def test_slices_that_wait_are_bounded() -> None:
    bench = Bench()
    bench.names.settled = 0.0
    for number in range(limits.CALLER_SLICES_MAX + 10):
        bench.arrived(f"h{number}")
    assert bench.callers.waiting == limits.CALLER_SLICES_MAX
    assert bench.callers.unnamed == 10
    assert bench.callers.name_of(bench.arrived("another")) == OTHERS


def test_slices_get_longer_while_many_wait_so_that_500_addresses_find_their_names() -> None:
    """A watch of pods that speaks once a minute, as that of a quiet namespace does."""
    bench = Bench()
    bench.names.settled = 0.0
    for number in range(500):
        bench.names.owners[f"h{number}"] = CallerName("workload", f"deployment/d{number % 50}")
    for second in range(600):
        for number in range(500):
            bench.arrived(f"h{number}")
        bench.after(1.0)
        if second % 60 == 59:
            bench.names.settled = bench.clock.now - limits.CALLER_LATE_S
    callers = bench.callers
    assert callers.unnamed == 0
    assert callers.named > 500 * 500


def test_a_caller_is_forgotten_a_day_after_its_last_request() -> None:
    bench = Bench()
    bench.names.known["127.0.0.1"] = WEB
    bench.arrived("127.0.0.1").count(SHOP, HERE, failed=False, bucket=bucket_of(0.01))
    for _ in range(limits.CALLER_STEPS - 1):
        bench.clock.now += limits.CALLER_STEP_S
        bench.callers.look()
    assert bench.rows() == [("deployment/web", "shop", "a", 1, 0)]
    bench.clock.now += 2 * limits.CALLER_STEP_S
    bench.callers.look()
    assert bench.rows() == []


def test_names_that_were_forgotten_make_room_for_others() -> None:
    bench = Bench()
    for day in range(3):
        for number in range(limits.CALLERS_MAX - 1):
            host = f"{day} {number}"
            bench.names.known[host] = CallerName("user", host)
            bench.arrived(host).count(SHOP, HERE, failed=False, bucket=bucket_of(0.01))
        assert OTHERS not in {name for name, _, _ in bench.callers.edges()}, day
        bench.clock.now += limits.CALLER_STEP_S * (limits.CALLER_STEPS + 1)
        bench.callers.look()


def test_a_job_each_minute_takes_no_names_from_others() -> None:
    """Each run of a CronJob is a Job of another name."""
    bench = Bench()
    for minute in range(24 * 60):
        host = f"job/import-{minute}"
        bench.names.known[host] = CallerName("workload", host)
        bench.arrived(host).count(SHOP, HERE, failed=False, bucket=bucket_of(0.01))
        bench.clock.now += 60.0
        bench.callers.look()
    names = {name for name, _, _ in bench.callers.edges()}
    assert OTHERS not in names
    assert len(names) >= 60, "those of the last hour"


def test_a_connection_that_lasts_for_days_is_its_callers_to_the_end() -> None:
    bench = Bench()
    bench.names.owners["10.0.0.5"] = WEB
    origin = bench.arrived("10.0.0.5")
    for _ in range(3 * limits.CALLER_STEPS):
        bench.clock.now += limits.CALLER_STEP_S
        bench.callers.look()
    assert bench.callers.name_of(origin) == WEB and bench.rows() == []
    other = bench.arrived("10.0.0.5")
    bench.after(3.0)
    origin.count(SHOP, HERE, failed=False, bucket=bucket_of(90_000.0))
    other.count(SHOP, HERE, failed=False, bucket=bucket_of(1.0))
    assert bench.rows() == [("deployment/web", "shop", "a", 2, 0)]


def test_what_an_edge_had_before_its_idle_day_is_not_told_again() -> None:
    bench = Bench()
    bench.names.known["127.0.0.1"] = WEB
    origin = bench.arrived("127.0.0.1")
    origin.count(SHOP, HERE, failed=False, bucket=bucket_of(0.01))
    bench.clock.now += limits.CALLER_STEP_S * (limits.CALLER_STEPS + 2)
    bench.callers.look()
    origin.count(STOCK, HERE, failed=False, bucket=bucket_of(0.01))
    assert bench.rows() == [("deployment/web", "stock", "a", 1, 0)]


def test_rates_are_of_the_last_one_to_two_minutes() -> None:
    bench = Bench()
    bench.names.known["127.0.0.1"] = WEB
    origin = bench.arrived("127.0.0.1")
    for _ in range(600):
        origin.count(SHOP, HERE, failed=False, bucket=bucket_of(0.01))
        bench.after(1.0)
        if bench.callers.lately_s < 10.0:
            continue
        ((_, _, edge),) = bench.callers.edges()
        assert 0.8 <= edge.lately()[0] / bench.callers.lately_s <= 1.2


def test_the_current_step_is_told_by_its_age_and_ends_when_somebody_looks() -> None:
    bench = Bench()
    bench.after(limits.CALLER_STEP_S)
    assert 0.0 <= bench.callers.current_step_s <= limits.CALLER_STEP_S
    before = bench.callers.current_step_s
    bench.clock.now += 2.0
    assert bench.callers.current_step_s == before + 2.0
    bench.after(limits.CALLER_STEP_S - before)
    assert bench.callers.current_step_s == 2.0
