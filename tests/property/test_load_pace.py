"""Laws of the load reports that one neighbor receives."""

from collections import Counter
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from router.model import limits
from router.model.ids import RouterId, ServiceKey
from router.model.messages.adverts import LoadReport
from router.routing.load_pace import LoadPace, LoadQueue, Urgency, weighed
from tests.examples import examples, histories

URGENCY = st.sampled_from(Urgency)
ROUTERS = st.integers(0, 30).map(lambda number: RouterId(f"{number:016x}"))
PORTS = st.integers(1, 5)
ROUNDS = histories(
    st.tuples(histories(st.tuples(ROUTERS, PORTS, URGENCY), 30), st.floats(0.0, 0.2)), 20
)
Rounds = list[tuple[list[tuple[RouterId, int, Urgency]], float]]
Told = list[tuple[float, LoadReport]]
Heard = dict[RouterId, list[tuple[float, list[LoadReport]]]]


class Wire:
    """Runs the timer as its owner would and keeps what left, with times."""

    def __init__(self, backlog: int) -> None:
        self.now, self.sequence = 100.0, 0
        self.queue = LoadQueue(self.now)
        self.state: dict[tuple[RouterId, ServiceKey], LoadReport] = {}
        self.told: Told = []
        self.messages: list[tuple[float, int]] = []
        for number in range(backlog):  # So many that the budget is what limits.
            self.put(RouterId(f"backlog{number:05}"), 80, Urgency.CHANGE)

    def put(self, router: RouterId, port: int, how: Urgency) -> None:
        self.sequence += 1
        report = LoadReport(router, self.sequence, "shop", port, self.sequence, 1, None)
        self.state[router, report.key] = report
        self.queue.put(weighed(report), how)

    def flush(self) -> None:
        taken = self.queue.take(self.now)
        if taken:
            self.told += [(self.now, report) for report in taken]
            size_bytes = sum(len(msgspec.msgpack.encode(report)) for report in taken)
            count = -(-len(taken) // limits.LOADS_PER_MESSAGE_MAX)
            self.messages.append((self.now, size_bytes + count * limits.LOAD_MESSAGE_BYTES))

    def run_until(self, until: float) -> None:
        for _ in range(100_000):
            self.flush()
            at = self.queue.ready_at(self.now)
            if at is None or at > until:
                self.now = until
                return
            assert at > self.now, "the timer spins"
            self.now = at
        raise AssertionError("the timer spins")

    def play(self, rounds: Rounds) -> None:
        for puts, passes_s in rounds:
            for router, port, how in puts:
                self.put(router, port, how)
            self.run_until(self.now + passes_s)


@settings(max_examples=examples(25))
@given(rounds=ROUNDS, backlog=st.sampled_from([0, 300, 3_000]))
def test_the_last_report_of_each_service_port_is_always_told(rounds: Rounds, backlog: int) -> None:
    wire = Wire(backlog)
    wire.play(rounds)
    wire.run_until(wire.now + 10.0)
    last = {(report.router, report.key): report for _, report in wire.told}
    assert last == wire.state
    assert len(wire.queue) == 0


@settings(max_examples=examples(25))
@given(rounds=ROUNDS, backlog=st.sampled_from([0, 300, 3_000]))
def test_no_second_ever_carries_more_than_the_budget(rounds: Rounds, backlog: int) -> None:
    wire = Wire(backlog)
    wire.play(rounds)
    wire.run_until(wire.now + 10.0)
    most = limits.LOAD_LINK_BYTES_PER_S + limits.LOAD_LINK_BURST_BYTES
    assert most == 64 * limits.KIB
    for begin, _ in wire.messages:
        within = sum(size for at, size in wire.messages if begin <= at <= begin + 1.0)
        assert within <= most + 1


@settings(max_examples=examples(25))
@given(rounds=ROUNDS, backlog=st.sampled_from([0, 300, 3_000]))
def test_reports_of_a_service_port_leave_in_order_and_once(rounds: Rounds, backlog: int) -> None:
    wire = Wire(backlog)
    wire.play(rounds)
    wire.run_until(wire.now + 10.0)
    sequences: dict[tuple[RouterId, ServiceKey], list[int]] = {}
    for _, report in wire.told:
        sequences.setdefault((report.router, report.key), []).append(report.seq)
    for told in sequences.values():
        assert told == sorted(set(told))


@settings(max_examples=examples(25))
@given(rounds=ROUNDS)
def test_a_flip_leaves_with_the_next_batch_whatever_else_waits(rounds: Rounds) -> None:
    wire = Wire(3_000)
    rounds = [
        ([(router, port, max(how, Urgency.CHANGE)) for router, port, how in puts], passes_s)
        for puts, passes_s in rounds
    ]
    wire.play(rounds)
    flipped = RouterId("flipped")
    wire.put(flipped, 80, Urgency.FLIP)
    at = wire.now
    wire.run_until(at + limits.LOAD_BATCH_S + 0.01)
    assert flipped in {report.router for _, report in wire.told}


@settings(max_examples=examples(25))
@given(how=URGENCY, ports=st.integers(1, 400))
def test_a_router_with_many_service_ports_delays_another_by_its_turn_only(
    how: Urgency, ports: int
) -> None:
    queue = LoadQueue(0.0)
    for port in range(1, ports + 1):
        queue.put(weighed(LoadReport(RouterId("loud"), port, "shop", port, 0, 1, None)), how)
    for number in range(5):
        queue.put(weighed(LoadReport(RouterId(f"quiet{number}"), 1, "shop", 80, 0, 1, None)), how)
    told = Counter(report.router for report in queue.take(0.0)[:6])
    assert all(told[RouterId(f"quiet{number}")] == 1 for number in range(5))


def heard(pace: LoadPace, puts: Sequence[tuple[float, RouterId, LoadReport, Urgency]]) -> Heard:
    """The reports that each neighbor receives, with their times. ``puts`` are in order of time."""
    told: Heard = {}

    def run_until(until: float) -> None:
        while (at := pace.next_deadline()) is not None and at <= until:
            for router, reports in pace.due(at):
                told.setdefault(router, []).append((at, reports))

    for now, neighbour, report, how in puts:
        run_until(now)
        pace.put((neighbour,), report, how, now)
        run_until(now)
    run_until(float("inf"))
    assert pace.pending == 0
    return told


@settings(max_examples=examples(25))
@given(
    puts=histories(
        st.tuples(
            st.sampled_from([0.0, 0.001, 0.02, 0.3]),
            st.sampled_from([RouterId("n1"), RouterId("n2"), RouterId("n3")]),
            st.sampled_from(Urgency),
            st.integers(1, 300),  # Of so many origins at once: some use the burst up.
        ),
        30,
    )
)
def test_what_one_neighbour_is_told_does_not_depend_on_the_others(
    puts: list[tuple[float, RouterId, Urgency, int]],
) -> None:
    now, all_puts = 100.0, []
    for number, (passes_s, neighbour, how, count) in enumerate(puts):
        now += passes_s
        for origin in range(count):
            report = LoadReport(RouterId(f"origin{origin:04}"), number, "shop", 80, number, 1, None)
            all_puts.append((now, neighbour, report, how))
    together = heard(LoadPace(), all_puts)
    for router in {put[1] for put in all_puts}:
        alone = heard(LoadPace(), [put for put in all_puts if put[1] == router])
        assert together[router] == alone[router]
