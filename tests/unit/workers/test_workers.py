"""Several processes of one router: their shares, their messages to each other, their sums."""

import asyncio
import contextlib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.ca.authority import Authority
from certs.links.credentials import LinkStore
from certs.tls.contexts import LINK_ALPN, WORKER_ALPN, client_context
from router.admin.metrics import FAMILIES
from router.admin.ports import HistogramView, MetricValues
from router.admin.views.bursts import ScaleView
from router.admin.views.services import RateView, ServiceView, TargetCount, TargetView
from router.documents import Wanted
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.model import limits
from router.model.errors import ConfigError
from router.model.ids import ServiceKey
from router.model.specs import ConnectorSpec, LinkSpec, SiteSpec, TargetSpec
from router.net.simulated.internet import SimulatedInternet
from router.node.parts import WHOLE, Part
from router.process.main import command_line, workers_wanted
from router.process.worker_starts import end_previous_workers, worker_count
from router.trust.ports import PendingLink
from router.trust.trust import SiteTrust
from router.workers import worker_messages
from router.workers.one_worker import Silence
from router.workers.recent_port_figures import PortPart, PortTotals
from router.workers.sums import (
    Sum,
    added,
    counters,
    lost_values,
    part_of,
    summed,
    totals_of,
    with_parts,
    with_totals,
)
from router.workers.worker_messages import (
    Ask,
    FiguresQuestion,
    Follow,
    FromWorker,
    Leave,
    MessageTooLong,
    Metrics,
    ServicePlace,
    ToWorker,
    WorkerAnswer,
    WorkerDoor,
    WorkerServices,
)
from router.workers.workers import Lead, Workers
from tests.unit.admin.test_api import SHOP
from tests.unit.journal import Journal
from tests.unit.trust.test_trust import own_token, secrets_of

SITE = SiteSpec(ingress="host", peers=())


def connected(capacities: list[int | None]) -> Wanted:
    targets = tuple(
        TargetSpec(host=f"10.0.0.{number}", port=80, capacity=capacity)
        for number, capacity in enumerate(capacities, 1)
    )
    return Wanted(
        name="west", site=SITE, connectors={"shop": ConnectorSpec(service="shop", targets=targets)}
    )


@given(st.lists(st.none() | st.integers(0, 1_000), min_size=1, max_size=6), st.integers(1, 64))
def test_the_shares_of_all_workers_are_what_is_stated(stated: list[int | None], count: int) -> None:
    wanted = connected(stated)
    parts = [Part(index=index, count=count).of(wanted, ()) for index in range(count)]
    for number, capacity in enumerate(stated):
        each = [one.connectors["shop"].targets[number].capacity for one in parts]
        if capacity is None:
            assert each == [None] * count
        else:
            shares = [share for share in each if isinstance(share, int)]
            assert sum(shares) == capacity
            assert max(shares) - min(shares) <= 1


def test_one_alone_is_what_it_was() -> None:
    wanted = connected([3])
    assert WHOLE.of(wanted, ()) is wanted
    assert (WHOLE.leads, WHOLE.sharing) == (True, "alone")
    directory = Path("/site")
    assert (WHOLE.run(directory), WHOLE.state(directory)) == (
        directory / "run",
        directory / "state.json",
    )


def test_only_the_first_one_accepts_links_of_strangers() -> None:
    first, second = (Part(index=index, count=2).of(connected([3]), ()) for index in (0, 1))
    assert (first.site.ingress, second.site.ingress) == ("host", "none")
    assert first.is_divided and second.is_divided


def test_how_many_there_are_is_a_number_or_one_for_each_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2})
    assert [worker_count(text) for text in ("1", "64", "auto")] == [1, 64, 3]
    for wrong in ("0", "65", "-1", "many", ""):
        with pytest.raises(ValueError):
            worker_count(wrong)
    monkeypatch.setenv("SPILLWAY_WORKERS", "5")
    assert command_line().parse_args(["--site-dir", "x"]).workers == 5


@pytest.mark.parametrize(
    "words, site, why",
    (
        (("--workers", "2", "--namespace"), SITE, "routers"),
        (("--workers", "2"), SiteSpec(router_mode="edge", ingress="none"), "one process"),
        (("--workers", "2"), SiteSpec(peers=("10.0.0.2:55671",)), "peers"),
    ),
)
def test_where_there_can_be_one_only_a_router_says_so(
    words: tuple[str, ...], site: SiteSpec, why: str
) -> None:
    options = command_line().parse_args(["--site-dir", "x", *words])
    with pytest.raises(ConfigError, match=why):
        workers_wanted(options, site)


def test_there_are_no_more_workers_than_memory_has_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(16)))
    monkeypatch.setattr("router.process.worker_starts.memory_limit", lambda: 5 * 128 * 2**20)
    assert worker_count("auto") == 5
    five, six = (
        command_line().parse_args(["--site-dir", "x", "--workers", str(count)]) for count in (5, 6)
    )
    assert workers_wanted(five, SITE) == 5
    with pytest.raises(ConfigError, match="6 workers need 128 MiB of memory each"):
        workers_wanted(six, SITE)
    monkeypatch.setattr("router.process.worker_starts.memory_limit", lambda: 2**20)
    assert worker_count("auto") == 1  # One alone is started anyway.


def test_workers_are_started_by_python_as_it_runs_here() -> None:
    show = "from router.process.worker_starts import command; from pathlib import Path; "
    show += "print(command(Path('/d'), 2, 'file', 'info', 'python'))"
    words = [sys.executable, "-P", "-X", "faulthandler", "-c", show]
    safe = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "'python', '-P', '-X', 'faulthandler', '-m', 'router.process.worker'" in safe
    plain = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True)
    assert "'python', '-m', 'router.process.worker'" in plain.stdout


def test_what_was_said_at_the_start_counts_more_than_the_document() -> None:
    silent = command_line().parse_args(["--site-dir", "x"])
    said = command_line().parse_args(["--site-dir", "x", "--workers", "1"])
    site = SiteSpec(workers=3)
    assert [workers_wanted(options, site) for options in (silent, said)] == [3, 1]
    assert workers_wanted(silent, SiteSpec()) == 1


# Reports ------------------------------------------------------------------------------------

COUNTED = MetricValues(
    {"spillway_overflow_total": {("shop", "80", "b", "full"): 3.0}, "spillway_sites": {(): 2.0}},
    {"spillway_queue_wait_seconds": {("shop", "80"): HistogramView((0.1, 1.0), (1, 2, 0), 0.7)}},
)


@pytest.mark.parametrize(
    "message",
    (
        Follow(("127.0.0.1:1",), frozenset({ServicePlace(ServiceKey("web", 80), "::1", 81)})),
        Ask(7, FiguresQuestion("services")),
        Leave(),
    ),
)
def test_what_is_said_is_heard(message: ToWorker) -> None:
    body = worker_messages.words(message)[4:]
    assert msgspec.msgpack.Decoder(ToWorker).decode(body) == message


@pytest.mark.parametrize(
    "message",
    (
        WorkerDoor("127.0.0.1:1"),
        WorkerAnswer(7, True, links=2, told=Metrics((COUNTED,)), more=True),
        WorkerAnswer(7, True, links=2, told=WorkerServices((SHOP,))),
        WorkerAnswer(8, True, links=2, clients_wait="of at most 256 open files none is left"),
        WorkerAnswer(8, True, links=2, why_no_dial="10.0.0.1:80 was not tried"),
        WorkerAnswer(9, True, links=2, full_ports=((ServiceKey("shop", 80), 3),)),
    ),
)
def test_what_is_answered_is_heard(message: FromWorker) -> None:
    body = worker_messages.words(message)[4:]
    assert msgspec.msgpack.Decoder(FromWorker).decode(body) == message


def test_a_message_beyond_the_bound_is_neither_said_nor_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def read(data: bytes) -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        await worker_messages.heard(reader, msgspec.msgpack.Decoder(ToWorker))

    with pytest.raises(MessageTooLong, match="4294967295 bytes, and"):
        asyncio.run(read(b"\xff\xff\xff\xff"))
    monkeypatch.setattr(limits, "WORKER_MESSAGE_BYTES_MAX", 8)
    with pytest.raises(MessageTooLong):
        worker_messages.words(WorkerDoor("127.0.0.1:1"))


def test_numbers_of_flows_are_each_of_one_worker_and_grow_with_time() -> None:
    parts = [Part(index=index, count=3) for index in range(3)]
    last, seen = [0, 0, 0], []
    for step in range(60):
        one = parts[step * 7 % 3]
        last[one.index] = one.flow_number(last[one.index], 5_000.0 + step / 100)
        seen.append(last[one.index])
        assert seen[-1] % 3 == one.index
    assert seen == sorted(set(seen))
    at_once = [parts[1].flow_number(seen[-1], 0.0)]
    at_once.append(parts[1].flow_number(at_once[-1], 0.0))
    assert at_once[1] > at_once[0] > seen[-1]
    assert WHOLE.flow_number(4, 9.0) == 5


# Sums ---------------------------------------------------------------------------------------


def test_counters_and_histograms_add_up_and_gauges_as_their_family_says() -> None:
    each = MetricValues({"spillway_demand": {("shop", "80"): 4.0}, "spillway_sites": {(): 3.0}}, {})
    whole = summed([COUNTED, each, COUNTED, each])
    assert whole.numbers == {
        "spillway_overflow_total": {("shop", "80", "b", "full"): 6.0},
        "spillway_sites": {(): 3.0},
        "spillway_demand": {("shop", "80"): 8.0},
    }
    (histogram,) = whole.histograms["spillway_queue_wait_seconds"].values()
    assert histogram == HistogramView((0.1, 1.0), (2, 4, 0), 1.4)


def test_what_a_worker_counted_outlives_it_and_nothing_else_does() -> None:
    kept = counters([COUNTED])
    assert kept.numbers.keys() == {"spillway_overflow_total"}
    assert kept.histograms == COUNTED.histograms
    assert not [name for name in kept.numbers if FAMILIES[name].kind != "counter"]


def test_a_service_is_shown_with_what_all_workers_have_of_it() -> None:
    rate = RateView(per_s=2.5, resume_per_s=2.0, window_s=15.0, admitted_per_s=2.4, free=1)

    def view(in_flight: int, capacity: int | None) -> ServiceView:
        target = TargetView(
            site="west",
            name="a",
            host="10.0.0.1",
            port=80,
            ready=True,
            in_flight=in_flight,
            capacity=capacity,
            requests_total=5,
            error="",
            rate=rate if capacity else None,
        )
        return msgspec.structs.replace(
            SHOP, under_way=in_flight + 1, under_way_elsewhere=1, targets=(target,)
        )

    parts = [part_of(view(1, 4)), part_of(view(0, None)), PortPart()]
    whole = with_parts(view(2, 4), parts, parts)
    assert whole.demand == 6
    assert (whole.under_way, whole.under_way_elsewhere) == (6, 3)
    (target,) = whole.targets
    assert (target.in_flight, target.capacity) == (3, 8)
    assert target.rate == RateView(
        per_s=5.0, resume_per_s=4.0, window_s=15.0, admitted_per_s=4.8, free=2
    )
    assert with_parts(SHOP, [], []) == SHOP


def test_a_target_that_not_every_worker_uses_is_ready_and_says_so() -> None:
    """Each worker ejects by its own requests, and none the last target of all."""
    used = TargetView(
        site="a",
        name="t",
        host="10.0.0.1",
        port=80,
        ready=True,
        in_flight=1,
        capacity=2,
        requests_total=9,
        error="",
        since="2026-11-30T06:00:00.000Z",
    )
    ejected = msgspec.structs.replace(
        used, ready=False, error="ejected for 8 s: 503", error_kind="ejected"
    )
    answering_5xx = msgspec.structs.replace(used, error="5xx to all", error_kind="answers-5xx")

    def shown(own: TargetView, other: TargetView) -> TargetView:
        views = [
            msgspec.structs.replace(SHOP, targets=(one,), local_targets=TargetCount(1, one.ready))
            for one in (own, other)
        ]
        parts = [part_of(views[1])]
        whole = with_parts(views[0], parts, parts)
        (target,) = whole.targets
        assert whole.local_targets == TargetCount(1, target.ready)
        return target

    partly = "not ready at 1 of 2 workers: ejected for 8 s: 503"
    for own, other, since in ((used, ejected, used.since), (ejected, used, None)):
        found = shown(own, other)
        assert (found.ready, found.error, found.error_kind) == (True, partly, "partly-ready")
        assert (found.since, found.capacity) == (since, 4)
    failing = shown(answering_5xx, ejected)
    assert (failing.error, failing.error_kind) == (f"5xx to all; {partly}", "answers-5xx")
    assert not shown(ejected, ejected).ready
    assert shown(used, used).error == ""


def test_counts_of_a_service_are_shown_of_it_and_of_its_targets() -> None:
    totals = PortTotals(requests=9, overflowed=2, spilled=3, by_target={"10.0.0.1:80": 6})
    target = TargetView(
        site="west",
        name="a",
        host="10.0.0.1",
        port=80,
        ready=True,
        in_flight=0,
        capacity=None,
        requests_total=1,
        error="",
    )
    view = with_totals(msgspec.structs.replace(SHOP, targets=(target,)), totals)
    assert totals_of(view) == totals


def test_what_clients_lose_with_a_worker_is_a_counter() -> None:
    lost = lost_values({ServiceKey("shop", 80): 2})
    assert counters([lost, lost]).numbers == {
        "spillway_worker_lost_requests_total": {("shop", "80"): 4.0}
    }
    assert lost_values({}) == MetricValues({}, {})


def test_what_an_autoscaler_goes_by_is_of_all_workers() -> None:
    part = ScaleView(
        service="shop",
        port=80,
        demand=6,
        demand_avg=5.5,
        demand_per_s=30.0,
        in_flight=4,
        overflowed=1,
        queued=1,
        refused=0,
        refused_per_s=0.0,
        targets_ready=2,
        capacity=4,
        capacity_kind="concurrency",
        capacity_per_target=2.0,
        targets_wanted=3,
    )
    whole = added(part, [part, part])
    assert (whole.demand, whole.in_flight, whole.queued) == (18, 12, 3)
    assert (whole.capacity, whole.capacity_per_target, whole.targets_ready) == (12, 6.0, 2)
    assert whole.targets_wanted == 3  # 18 by 6 at each of them.
    rated = msgspec.structs.replace(part, capacity_kind="rate", capacity=None)
    assert added(rated, [rated]).targets_wanted == 15
    assert added(part, []) is part


def test_workers_of_another_number_are_ended_and_of_the_same_left(tmp_path: Path) -> None:
    end_previous_workers(tmp_path, 1)
    assert not list(tmp_path.iterdir())  # A router that never had workers has no files of them.
    end_previous_workers(tmp_path, 2)
    one = tmp_path / "workers" / "1"
    one.mkdir()
    program = (
        "import time; from pathlib import Path; from router.process.startup import site_lock\n"
        f"with site_lock(Path({str(one / 'lock')!r})): print(flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as left:
        assert left.stdout is not None
        left.stdout.readline()
        end_previous_workers(tmp_path, 2)
        assert left.poll() is None
        end_previous_workers(tmp_path, 1)
        assert left.wait(10) < 0
    end_previous_workers(tmp_path, 3)


# Silence ------------------------------------------------------------------------------------


def asked_of(silence: Silence, count: int) -> tuple[bool, bool]:
    for _ in range(count):
        silence.asked()
    return silence.is_long, silence.is_over_long


def test_a_worker_is_reported_and_then_ended_after_so_many_questions_without_an_answer() -> None:
    silence = Silence()
    silence.answered(1_700_000_000.0)
    assert asked_of(silence, limits.WORKER_SILENT_ASKS) == (False, False)
    assert asked_of(silence, 1) == (True, False)
    assert silence.since == 1_700_000_000.0
    rest = limits.WORKER_HUNG_ASKS - limits.WORKER_SILENT_ASKS - 1
    assert asked_of(silence, rest) == (True, False)
    assert asked_of(silence, 1) == (True, True)
    silence.answered(1_700_000_030.0)
    assert (silence.is_long, silence.is_over_long) == (False, False)


def test_a_worker_that_starts_has_longer_for_its_first_answer() -> None:
    silence = Silence()
    assert asked_of(silence, limits.WORKER_START_ASKS) == (False, False)
    assert asked_of(silence, 1) == (False, True)


def test_a_silent_worker_is_not_ready_and_gets_no_link() -> None:
    workers = workers_of(2)
    (one,) = workers.all
    one.given, there = socket.socketpair()
    one.ready, one.awaited_until = True, 0.0
    one.silence.answered(time.time())
    assert [view.ready for view in workers.reports.views(True)] == [True, True]
    asked_of(one.silence, limits.WORKER_SILENT_ASKS + 1)
    assert [view.ready for view in workers.reports.views(True)] == [True, False]
    assert workers.reports.views(True)[1].silent_since
    (problem,) = workers.reports.problems()
    assert problem.code == "SW0691"
    with there, one.given, dialed(LINK_ALPN, WORKER_ALPN) as asking:
        assert not workers.take_link(asking)


# Links that are for workers -----------------------------------------------------------------


@pytest.mark.parametrize(
    "logs_to_file, place", ((True, "run/workers/1/router.log"), (False, "the router's own log"))
)
def test_who_asks_why_a_worker_ended_is_sent_to_where_it_wrote(
    logs_to_file: bool, place: str
) -> None:
    hints: list[str] = []

    async def run() -> None:
        def tell(severity: object, code: str, subject: str, message: str, hint: str = "") -> None:
            hints.extend(problem.hint for problem in workers.reports.problems())
            workers.stop()

        nothing = Lead("", frozenset())
        command = (sys.executable, "-c", "raise SystemExit(1)")
        workers = Workers(2, command, lambda: nothing, tell, logs_to_file=logs_to_file)
        async with asyncio.timeout(30):
            await workers.run()

    asyncio.run(run())
    (hint,) = hints
    assert place in hint


def test_a_worker_that_was_asked_to_stop_lost_nothing() -> None:
    """SIGTERM to one worker: it drains alone, and a new one takes its number."""
    told: list[tuple[object, str]] = []

    async def run() -> None:
        def tell(severity: object, code: str, subject: str, message: str, hint: str = "") -> None:
            told.append((severity, message))
            workers.stop()

        nothing = Lead("", frozenset())
        command = (sys.executable, "-c", "")
        workers = Workers(2, command, lambda: nothing, tell, logs_to_file=True)
        async with asyncio.timeout(30):
            await workers.run()

    asyncio.run(run())
    text = "Worker 1 of 2 is gone: it was asked to stop, and drained; it is started again."
    assert told == [("info", text)]


def test_a_worker_that_could_not_be_started_lost_nothing(tmp_path: Path) -> None:
    """Though the one before it did."""
    told: list[tuple[object, str]] = []

    async def run() -> None:
        def tell(severity: object, code: str, subject: str, message: str, hint: str = "") -> None:
            told.append((severity, message))
            workers.stop()

        nothing = Lead("", frozenset())
        command = (str(tmp_path / "python"),)
        workers = Workers(2, command, lambda: nothing, tell, logs_to_file=True)
        workers.all[0].lost = 3
        async with asyncio.timeout(30):
            await workers.run()

    asyncio.run(run())
    why = "it could not be started: No such file or directory"
    assert told == [("error", f"Worker 1 of 2 is gone: {why}; it is started again.")]


def test_a_worker_for_which_no_thread_can_be_started_takes_nobody_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without uvloop, a thread may wait for its end."""
    told: list[str] = []

    async def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    async def run() -> None:
        def tell(severity: object, code: str, subject: str, message: str, hint: str = "") -> None:
            told.append(message)
            workers.stop()

        monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
        workers = Workers(2, (), lambda: Lead("", frozenset()), tell, logs_to_file=True)
        async with asyncio.timeout(30):
            await workers.run()

    asyncio.run(run())
    why = "it could not be started: can't start new thread"
    assert told == [f"Worker 1 of 2 is gone: {why}; it is started again."]


@pytest.mark.parametrize("said", (b"\0\0\0\1\xc1", b"\xff\xff\xff\xff"))
def test_one_that_is_not_understood_is_ended_and_takes_nobody_along(said: bytes) -> None:
    speaks = f"import os, time; os.write(0, {said!r}); time.sleep(60)"
    ended: list[str] = []

    async def run() -> None:
        def tell(severity: object, code: str, subject: str, message: str, hint: str = "") -> None:
            ended.append(code)
            workers.stop()

        nothing = Lead("", frozenset())
        command = (sys.executable, "-c", speaks)
        workers = Workers(2, command, lambda: nothing, tell, logs_to_file=True)
        async with asyncio.timeout(30):
            await workers.run()

    asyncio.run(run())
    assert ended == ["worker-ended"]


def test_figures_that_the_first_one_does_not_know_are_left_out() -> None:
    strange = MetricValues({"spillway_of_a_later_release": {(): 1.0}}, {})
    assert summed([strange]) == MetricValues({}, {})
    assert counters([strange]) == MetricValues({}, {})


def test_a_histogram_of_another_shape_is_left_out_and_the_rest_is_summed() -> None:
    labels = ("shop", "80")
    name = "spillway_queue_wait_seconds"
    total = Sum()
    for histogram in (
        HistogramView((0.1, 1.0), (1, 2, 0), 0.7),
        HistogramView((0.1, 2.0), (1, 2, 0), 0.7),
        HistogramView((0.1, 1.0), (1, 2), 0.7),
    ):
        total.add(MetricValues({}, {name: {labels: histogram, ("shop",): histogram}}))
    total.add(MetricValues({"spillway_demand": {("shop",): 1.0, labels: 1.0}}, {}))
    total.add(MetricValues({}, {"spillway_of_a_later_release": {labels: histogram}}))
    assert total.whole.histograms[name] == {labels: HistogramView((0.1, 1.0), (1, 2, 0), 0.7)}
    assert total.whole.numbers == {"spillway_demand": {labels: 1.0}}
    assert total.refused == {name, "spillway_demand"}
    assert total.whole.histograms.keys() == {name}


def workers_of(count: int) -> Workers:
    return Workers(count, (), lambda: Lead("", frozenset()), Journal().tell, logs_to_file=False)


@contextlib.contextmanager
def dialed(*alpn: str) -> Iterator[socket.socket]:
    """What a listener accepted of one that says hello, and offers these."""
    near, far = socket.socketpair()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    authority, _ = Authority.generate("0" * 32, time.time())
    context = client_context(None, authority.ca_pem, *alpn)
    hello = context.wrap_bio(incoming, outgoing, server_hostname="west.example.org")
    with contextlib.suppress(ssl.SSLWantReadError):
        hello.do_handshake()
    near.sendall(outgoing.read())
    try:
        yield far
    finally:
        near.close()
        far.close()


def test_a_link_of_a_worker_waits_for_one_here_and_goes_to_that_with_fewest() -> None:
    workers = workers_of(4)
    first, second, third = workers.all
    with dialed(LINK_ALPN) as plain, dialed(LINK_ALPN, WORKER_ALPN) as asking:
        assert not workers.take_link(plain)  # It is the first one's, always.
        assert workers.take_link(asking)  # Closed: one that starts is awaited.
        for one in workers.all:
            one.awaited_until = 0.0
        assert not workers.take_link(asking)  # No worker is starting.
        taken = []
        for one in (first, second):
            one.given, there = socket.socketpair()
            taken.append(there)
            one.ready = True
        first.links, second.links, third.links = 2, 1, 0
        assert workers.take_link(asking)
        data, descriptors, _, _ = socket.recv_fds(taken[1], 1, 1)
        assert data and len(descriptors) == 1
        assert (second.links, second.astray) == (1, 1)
        with socket.socket(fileno=descriptors[0]) as got:  # Inspected bytes can still be read.
            assert WORKER_ALPN.encode() in got.recv(4096)
        for line in (*taken, first.given, second.given):
            assert line is not None
            line.close()


@pytest.mark.parametrize("links", [1, 2, 9])
@pytest.mark.parametrize("pause_s", [0.0, limits.WORKER_ASK_S, limits.RECONNECT_MAX_S])
def test_a_data_lane_comes_to_the_worker_of_its_link_though_others_have_fewer(
    links: int, pause_s: float
) -> None:
    workers = workers_of(3)
    its, other = workers.all
    lines = []
    for one in (its, other):
        one.given, there = socket.socketpair()
        lines += [one.given, there]
        one.ready, one.awaited_until = True, 0.0
    its.has_links(links)
    tries = 0
    with dialed(LINK_ALPN, WORKER_ALPN) as asking:
        while its.astray == 0.0:
            assert workers.take_link(asking)
            tries += 1
            assert tries <= 2 * links + 2
            for _ in range(int(pause_s / limits.WORKER_ASK_S)):
                its.has_links(links)
                other.has_links(0)
    for line in lines:
        line.close()


def test_connections_that_become_links_count_once() -> None:
    (one,) = workers_of(2).all
    one.astray = 3.0
    one.has_links(2)
    assert one.links == 2 and 0.9 < one.astray < 1.0
    for _ in range(int(limits.WORKER_ASTRAY_S / limits.WORKER_ASK_S)):
        one.has_links(2)
    assert (one.links, one.astray) == (2, 0.0)


def test_a_worker_that_does_not_lead_uses_what_the_first_one_wrote(tmp_path: Path) -> None:
    secrets, _, _ = secrets_of(tmp_path)
    store = LinkStore(secrets / "links")
    internet = SimulatedInternet(seed=1)
    network = internet.host("10.0.0.1")
    changes: list[float] = []
    trust = SiteTrust(tmp_path, Journal().tell, leads=False)
    trust.start(
        network,
        lambda: changes.append(network.now()),
        lambda: None,
        lambda predicate, reason: 0,
    )
    kept = sorted(path.name for path in secrets.iterdir())
    assert "leaf.crt" not in kept
    token = own_token(tmp_path)
    claim = msgspec.structs.replace(
        token, kind="claim", certificate_pem="", key_pem="", secret="A" * 43
    )
    store.add("east", claim)
    pending = trust.outgoing("east", LinkSpec())
    assert isinstance(pending, PendingLink)
    assert "first worker" in pending.error
    internet.run_until(network.now() + 5.0)
    assert not changes
    time.sleep(0.02)  # Another time of the directory.
    store.remove("east")
    store.add("east", token)
    internet.run_until(network.now() + 2.0)
    assert len(changes) == 1
    assert isinstance(trust.outgoing("east", LinkSpec()), OutgoingSpec)
    assert sorted(path.name for path in secrets.iterdir()) == kept
