"""Laws of dispatch under any interleaving: no slot leaks, none too many, nothing runs twice.

Nor does anything begin to run after its deadline, or after a byte of an answer was passed on.
"""

import re
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.learning.demand import DemandFigures
from router.model import limits
from router.model.ids import ServiceKey
from router.model.settings import Affinity, ServiceLimits, Timeouts
from router.model.specs import ServiceSpec
from router.service.ports import TargetConfig
from tests.examples import examples, histories
from tests.unit.exchange.fakes import (
    FakeMesh,
    FakeNetwork,
    FakeTarget,
    Party,
    Site,
    candidate,
    router_of,
    site_of,
)

KEY = ServiceKey("shop", 8080)
NAMES = ("a", "b", "c")
CAPACITY = {"a": 1, "b": 1, "c": 2}
TAG = re.compile(rb"(GET|PUT|POST) /(\d+) HTTP/1\.1\r\n")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TORN = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nto"
RESPONSE_S = 0.7
NEAR_S, FAR_S = 0.4 * limits.FAR_RTT_S, 0.6 * limits.FAR_RTT_S
"""Each way."""
AFFINITIES = st.sampled_from((None, Affinity(by="header", name="X-User"), Affinity(by="client")))

ACTIONS = st.one_of(
    st.tuples(st.just("get"), st.sampled_from("ab")),
    st.tuples(st.just("post"), st.sampled_from("ab")),
    st.tuples(st.just("put"), st.sampled_from("ab")),
    st.tuples(st.just("posts"), st.sampled_from("ab")),
    st.tuples(st.just("answer"), st.integers(0, 5)),
    st.tuples(st.just("part"), st.integers(0, 5)),
    st.tuples(st.just("break"), st.integers(0, 5)),
    st.tuples(st.just("leave"), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.sampled_from((0.01, 0.1, 0.3, 1.1))),
    st.tuples(st.just("report"), st.sampled_from("bc")),
    st.tuples(st.just("cut"), st.sampled_from("bc")),
    st.tuples(st.just("mend"), st.sampled_from("bc")),
    st.tuples(st.just("stop"), st.sampled_from(NAMES)),
    st.tuples(st.just("start"), st.sampled_from(NAMES)),
)
STEPS = st.sampled_from((0, 1, 2, 5, 9, 20, 1_000, 1_000, 1_000))
"""Steps of the network, at most, between two actions."""


class World:
    """Three sites that all know each other, ``delay_s`` apart; clients at two of them."""

    def __init__(
        self, affinity: Affinity | None = None, percent: int = 20, delay_s: float = 0.0
    ) -> None:
        self.network = FakeNetwork()
        self.mesh = FakeMesh(self.network)
        self.mesh.delay_s = delay_s
        self.sites = {name: Site(self.network, self.mesh, name) for name in NAMES}
        self.targets: dict[str, FakeTarget] = {}
        self.up = set(NAMES)
        self.clients: list[Party] = []
        self.opened_at: list[float] = []
        self.answered: dict[bytes, int] = {}  # How often it had run when an answer began.
        self.reports = 0
        config = ServiceSpec(
            ports=(8080,),
            protocol="http",
            queue=3,
            affinity=affinity,
            timeouts=Timeouts(response_s=RESPONSE_S),
            limits=ServiceLimits(retry_percent=percent),
        )
        for index, (name, site) in enumerate(self.sites.items()):
            target = self.targets[name] = FakeTarget(
                self.network, f"10.0.0.{index + 1}", 80, self._arrived
            )
            site.forwarder.set_service(KEY, config)
            site.forwarder.set_targets(
                KEY, {str(target): TargetConfig(connector="main", capacity=CAPACITY[name])}
            )
            site.forwarder.set_listeners({KEY: (f"127.0.0.{index + 1}", 8080)})
        self.network.run()
        self.set_remotes()

    def set_remotes(self) -> None:
        for name, site in self.sites.items():
            others = [other for other in NAMES if other != name]
            site.forwarder.ports.set_remotes(
                KEY,
                [
                    candidate(other, cost=cost + 1, capacity=CAPACITY[other])
                    for cost, other in enumerate(others)
                ],
            )

    def act(self, action: str, argument: object) -> None:
        getattr(self, f"_{action}")(argument)

    def _get(self, site: str) -> None:
        number = len(self.clients)
        head = b"GET /%d HTTP/1.1\r\nHost: s\r\nX-User: %d\r\n\r\n"
        self._open(site, head % (number, number % 3))

    def _put(self, site: str) -> None:
        head = b"PUT /%d HTTP/1.1\r\nHost: s\r\nContent-Length: 4\r\n\r\nbody"
        self._open(site, head % len(self.clients))

    def _post(self, site: str) -> None:
        head = b"POST /%d HTTP/1.1\r\nHost: s\r\nContent-Length: 4\r\n\r\nbody"
        self._open(site, head % len(self.clients))

    def _posts(self, site: str) -> None:
        """As many as fill all sites, and some more who wait."""
        for _ in range(sum(CAPACITY.values()) + 3):
            self._post(site)

    def _open(self, site: str, request: bytes) -> None:
        party = Party()
        tag = b"%d" % len(self.clients)

        def heard(client: Party) -> None:
            if tag not in self.answered and client.got.startswith(b"HTTP/1.1 200"):
                self.answered[tag] = self.runs(tag)

        party.answer = heard

        def connected(connection: object) -> Party:
            party.connection = connection  # type: ignore[assignment]
            party.send(request)
            return party

        host = f"127.0.0.{NAMES.index(site) + 1}"
        self.network.dial(host, 8080, connected, lambda failure: None, timeout_s=1.0)
        self.clients.append(party)
        self.opened_at.append(self.network.now())

    def _arrived(self, party: Party) -> None:
        """A target got something: no request begins there after its deadline."""
        newest = list(TAG.finditer(bytes(party.got)))[-1]
        late_s = self.network.now() - self.opened_at[int(newest[2])]
        assert late_s <= RESPONSE_S + limits.QUEUE_WAIT_S + 1e-6, newest[0]

    def _busy(self) -> list[Party]:
        return [p for target in self.targets.values() for p in target.serving if p.got]

    def _answer(self, index: int) -> None:
        busy = self._busy()
        if busy:
            busy[index % len(busy)].send(OK)

    def _part(self, index: int) -> None:
        busy = self._busy()
        if busy:
            busy[index % len(busy)].send(TORN)

    def _break(self, index: int) -> None:
        busy = self._busy()
        if busy:
            busy[index % len(busy)].abort()

    def _leave(self, index: int) -> None:
        here = [client for client in self.clients if client.is_open]
        if here:
            here[index % len(here)].abort()

    def _wait(self, seconds: float) -> None:
        self.network.advance(seconds)

    def _report(self, name: str) -> None:
        self.reports += 1
        report = self.sites[name].load_report(KEY, self.reports)
        for other, site in self.sites.items():
            if other != name:
                site.forwarder.ports.report_load(report, site_of(name))

    def _cut(self, name: str) -> None:
        self.mesh.cut(router_of(name))

    def _mend(self, name: str) -> None:
        self.mesh.down.discard(router_of(name))
        self.set_remotes()

    def _stop(self, name: str) -> None:
        if name in self.up:
            self.up.remove(name)
            self.targets[name].stop()

    def _start(self, name: str) -> None:
        if name not in self.up:
            self.up.add(name)
            self.targets[name].start()

    def check(self) -> None:
        """What holds at every moment."""
        for name, site in self.sites.items():
            snapshot = site.forwarder.readings.services_snapshot()[0]
            for target in snapshot.targets:
                assert 0 <= target.in_flight <= CAPACITY[name]
            assert snapshot.queued <= 3 + limits.STANDING_FAR_MAX
            demand = self.demand(site)
            open_here = len(self.clients) if name != "c" else 0
            assert 0 <= demand.overflowed <= open_here
            assert demand.in_flight == sum(target.in_flight for target in snapshot.targets)
            assert demand.demand >= demand.in_flight + demand.overflowed + demand.queued
            here = snapshot.explanation.candidates[0]
            assert here.in_flight == demand.in_flight
            for _, under_way in site.forwarder.readings.under_way():
                assert sum(under_way.values()) <= open_here
            unfinished = site.forwarder.readings.open_of_clients(KEY)
            assert sum(1 for _ in site.forwarder.flows()) <= unfinished <= open_here

    def demand(self, site: Site) -> DemandFigures:
        figures = site.forwarder.readings.scale_of(KEY)
        assert figures is not None
        return figures.demand

    def runs(self, tag: bytes) -> int:
        return sum(runs for (_, number), runs in self.executions().items() if number == tag)

    def executions(self) -> Counter[tuple[bytes, bytes]]:
        runs: Counter[tuple[bytes, bytes]] = Counter()
        for target in self.targets.values():
            for party in target.parties:
                runs.update((m[1], m[2]) for m in TAG.finditer(bytes(party.got)))
        return runs


@settings(max_examples=examples(100))
@given(
    affinity=AFFINITIES,
    percent=st.sampled_from((0, 20)),
    delay_s=st.sampled_from((0.0, NEAR_S, FAR_S)),
    actions=histories(st.tuples(ACTIONS, STEPS), 40),
)
def test_no_interleaving_leaks_a_slot_or_runs_a_request_twice(
    affinity: Affinity | None,
    percent: int,
    delay_s: float,
    actions: list[tuple[tuple[str, object], int]],
) -> None:
    world = World(affinity, percent, delay_s)
    for (action, argument), steps in actions:
        world.act(action, argument)
        world.network.run_some(steps)
        world.check()
    world.network.run()
    for client in world.clients:
        if client.is_open:
            client.abort()
    world.network.advance(limits.QUEUE_WAIT_S + 1.0)
    for site in world.sites.values():
        assert all(
            target.in_flight == 0
            for target in site.forwarder.readings.services_snapshot()[0].targets
        )
        assert site.forwarder.readings.services_snapshot()[0].queued == 0
        assert site.forwarder.readings.open_of_clients(KEY) == 0
        demand = world.demand(site)
        assert demand.demand == demand.refused, "somebody left and never returned"
    for (method, tag), runs in world.executions().items():
        repeatable = method != b"POST" and percent > 0
        assert runs <= (1 + limits.REPEATS_MAX if repeatable else 1), (method, tag)
    for tag, runs in world.answered.items():
        assert world.runs(tag) == runs, f"{tag!r} ran again after its answer had begun"
