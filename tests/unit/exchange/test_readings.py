"""Figures of a router's service ports: of each, of all that have some, and of unknown ones."""

from collections.abc import Callable

import msgspec
import pytest

from router.balance.site.spills import LocalTargets
from router.balance.targets.answer_streaks import AnswerCounts, NoAnswer
from router.balance.targets.error_answers import ErrorShare
from router.exchange.readings import Readings
from router.model.capacity import Rate, SiteCap
from router.model.ids import RouterId, ServiceKey
from router.model.limits import TARGET_STUCK_AWAITED
from router.model.messages.adverts import LoadReport
from router.model.settings import Affinity
from router.model.specs import ServiceSpec
from router.service.figures import NO_LOAD, SpillCount, SpillTotals
from router.service.ports import TargetConfig
from router.service.sessions import Session
from tests.unit.exchange.fakes import FakeTarget, Party, candidate, site_of
from tests.unit.exchange.test_forwarder_http import KEY as SHOP
from tests.unit.exchange.test_forwarder_http import Shop
from tests.unit.exchange.test_forwarder_http2 import Shop as Http2Shop

DB, EXTRA, NONE = ServiceKey("db", 5432), ServiceKey("extra", 1), ServiceKey("none", 1)
KNOWN = (DB, EXTRA, SHOP)
HERE, THERE = site_of("a"), site_of("b")
SESSION = Session(5)
UNAVAILABLE = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"


class World:
    """``shop`` is full here and at b, and one request waits; ``db`` is tcp and has a rate;
    no site declares ``extra``, which is idle; ``none`` is not known."""

    def __init__(self) -> None:
        self.shop = Shop(here=1, there=1, farther=0, answer=None)
        forwarder, network = self.shop.a, self.shop.network
        self.readings = forwarder.readings
        self.targets = {
            SHOP: self.shop.targets["a"],
            DB: FakeTarget(network, "10.0.0.8", 5432),
            EXTRA: FakeTarget(network, "10.0.0.9", 1),
        }
        spec = ServiceSpec(ports=(5432,), protocol="tcp", affinity=Affinity(by="client"))
        forwarder.set_service(DB, spec)
        for key, capacity in ((DB, 2), (EXTRA, 3)):
            terms = {str(self.targets[key]): TargetConfig(connector="main", capacity=capacity)}
            forwarder.set_targets(key, terms)
        rate = Rate(per_s=5.0, resume_per_s=2.0, window_s=1.0, stay_s=1.0)
        forwarder.ports.set_site_cap(DB, SiteCap(rate=rate))
        forwarder.set_listeners({SHOP: ("127.0.0.1", 8080), DB: ("127.0.0.1", 5432)})
        network.advance(1.0)
        self.clients = [self.shop.client() for _ in range(3)]
        self.of_db = self.shop.sites["a"].connect("127.0.0.1", 5432)
        self.of_db.send(b"hello")
        network.run()

    def served(self, key: ServiceKey) -> Party:
        (party,) = [party for party in self.targets[key].serving if party.got]
        return party

    def all_end(self) -> None:
        """After half a second: shop's is answered 503 here, db's is reset, the others leave."""
        self.shop.network.advance(0.5)
        self.served(SHOP).send(UNAVAILABLE)
        self.served(DB).abort()
        for client in self.clients[1:]:
            client.abort()
        self.shop.network.run()


@pytest.fixture
def world() -> World:
    return World()


Read = Callable[[Readings, ServiceKey], object]


@pytest.mark.parametrize(
    ("read", "of_shop", "of_db", "of_extra", "of_none"),
    [
        (lambda r, key: r.load_of(key).in_flight, 1, 1, 0, 0),
        (lambda r, key: r.load_of(key) == NO_LOAD, False, False, False, True),
        (lambda r, key: r.rate_state(key) is not None, False, True, False, False),
        (lambda r, key: dict(r.in_flight_elsewhere(key)), {THERE: 1}, {}, {}, {}),
        (lambda r, key: r.open_of_clients(key), 3, 1, 0, 0),
        (lambda r, key: (one := r.reading_of(key)) and one.unfinished, 3, 1, 0, None),
        (lambda r, key: (one := r.config_of(key)) and one.protocol, "http", "tcp", None, None),
        (lambda r, key: (one := r.totals_at(key)) and one.demand, 3, 1, 0, None),
        (lambda r, key: len(r.latencies_of(key)), 1, 1, 1, 0),
        (
            lambda r, key: r.spills_of(key).full,
            SpillCount({}, 1),
            SpillCount({}),
            SpillCount({}),
            SpillCount({}),
        ),
        (lambda r, key: (one := r.scale_of(key)) and one.targets_wanted, 3, 1, 0, None),
        (lambda r, key: (one := r.explain(key, 0.0)) and len(one.candidates), 2, 1, 1, None),
        (lambda r, key: r.targets.local(key), *[LocalTargets(1, 1, 0)] * 3, LocalTargets()),
        (lambda r, key: [one.in_flight for one in r.targets.of(key)], [1], [1], [0], []),
        (lambda r, key: len(r.targets.reports_of(key, 0.0)), 1, 1, 1, 0),
        (lambda r, key: len(r.targets.answers_of(key)), 1, 1, 1, 0),
        (lambda r, key: r.sessions_of(key) is not None, False, True, False, False),
        (lambda r, key: r.in_flight_beside(key), None, None, None, None),
        (lambda r, key: r.refused_clients[key], 0, 0, 0, 0),
        (lambda r, key: list(r.targets.awaited(key).values()), [1], [], [], []),
        (lambda r, key: len(r.targets.answered(key)), 0, 0, 0, 0),
        (lambda r, key: r.targets.breaks_of(key), {}, {}, {}, {}),
        (lambda r, key: r.targets.target_of(key, SESSION) is not None, False, True, True, False),
    ],
)
def test_each_reading_is_of_its_service_port_and_nothing_of_one_that_is_not_known(
    world: World, read: Read, of_shop: object, of_db: object, of_extra: object, of_none: object
) -> None:
    found = [read(world.readings, key) for key in (SHOP, DB, EXTRA, NONE)]
    assert found == [of_shop, of_db, of_extra, of_none]


def test_what_is_read_of_all_leaves_out_those_that_have_none(world: World) -> None:
    readings, targets = world.readings, world.readings.targets
    assert readings.keys == list(KNOWN)
    assert set(readings.advertised_targets()) == set(KNOWN)
    assert set(readings.rate_states()) == {DB}
    assert dict(readings.under_way()) == {SHOP: {HERE: 1, THERE: 1}, DB: {HERE: 1}}
    assert dict(readings.busy()) == {SHOP: 1, DB: 1}
    assert [list(readings.busy_elsewhere(least)) for least in (1, 2)] == [[(SHOP, THERE)], []]
    assert readings.queued() == {SHOP: 1}
    assert readings.used_services() == {"shop", "db"}
    assert readings.totals_of("shop").keys() == {SHOP}
    assert readings.left() == {SHOP: SpillCount({}, 1), DB: SpillCount({}), EXTRA: SpillCount({})}
    assert readings.spilled_without_target() == dict.fromkeys(KNOWN, SpillCount({}))
    assert list(readings.losses()) == []
    assert targets.standing() == {key: {str(world.targets[key]): True} for key in KNOWN}
    full = AnswerCounts(0, awaited=1, is_full=True)
    assert list(targets.busy(TARGET_STUCK_AWAITED)) == [(SHOP, str(world.targets[SHOP]), full)]
    assert dict(targets.answers()).keys() == {DB, EXTRA}
    assert (targets.errors(), targets.breaks()) == ({}, {})
    snapshots = {one.key: one for one in readings.snapshots()}
    assert [key for key, one in snapshots.items() if one.declared] == [DB, SHOP]
    assert [key for key, one in snapshots.items() if one.listener is not None] == [DB, SHOP]
    assert [one.queued for one in snapshots.values()] == [0, 0, 1]


def test_what_ended_is_read_once_it_has(world: World) -> None:
    world.all_end()
    readings, targets = world.readings, world.readings.targets
    shop, db = str(world.targets[SHOP]), str(world.targets[DB])
    assert not dict(readings.busy()) and not dict(readings.under_way())
    assert dict(readings.losses()) == {SHOP: 3, DB: 1}
    assert targets.errors() == {SHOP: {shop: 1}}
    assert targets.errors_of(SHOP) == {shop: 1} and not targets.errors_of(NONE)
    assert targets.breaks() == {}, "a reset may be how tcp ends"
    usual = targets.usual(SHOP)
    assert usual is not None and usual.most_s == pytest.approx(0.5, rel=0.3)
    assert targets.usual(EXTRA) is targets.usual(NONE) is None
    assert [targets.completed_by(SHOP, shop), targets.answered_by(SHOP, shop)] == [1, 1]
    assert targets.completed_by(DB, db) == 1
    assert targets.completed_by(NONE, db) is targets.answered_by(NONE, db) is None
    assert readings.spills_of(NONE) == SpillTotals()
    (record,) = readings.past_of(DB, 9, "all")
    assert record.site == HERE and readings.past_of(NONE, 9, "all") == []
    assert {key: len(kept) for key, _, kept in readings.all_past()} == {DB: 1, EXTRA: 0, SHOP: 3}
    assert targets.answered(SHOP) == {shop: 1} and targets.answered(EXTRA) == {}
    assert readings.refused() == dict.fromkeys(KNOWN, SpillCount({}))
    counts = targets.counts_of(SHOP, shop)
    assert counts == AnswerCounts(1, awaited=0, is_full=False)
    assert targets.counts_of(SHOP, "10.9.9.9:1") is targets.counts_of(NONE, shop) is None
    assert [one.requests_total for one in targets.all()[SHOP]] == [2], "one waited for its slot"


def test_a_target_awaits_answers_while_one_of_its_requests_has_none(world: World) -> None:
    targets, address = world.readings.targets, str(world.targets[SHOP])

    def awaited() -> list[int]:
        return [one.awaited for _, _, one in targets.busy(TARGET_STUCK_AWAITED)]

    assert awaited() == [1]
    assert targets.is_ready(SHOP, address)
    assert not targets.is_ready(SHOP, "10.9.9.9:1") and not targets.is_ready(NONE, address)
    world.served(SHOP).send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    world.shop.network.run()
    assert awaited() == [0]


def test_a_target_with_free_slots_is_busy_from_so_many_requests_on() -> None:
    shop = Shop(here=4, answer=None)
    address = str(shop.targets["a"])
    for count in (1, 2, 3, 4):
        shop.client()
        busy = [[at for _, at, _ in shop.a.readings.targets.busy(least)] for least in range(1, 6)]
        most = 5 if count == 4 else count  # One that is full always is.
        assert busy == [[address]] * most + [[]] * (5 - most)


def test_a_target_of_http2_is_busy_only_when_it_is_full_and_no_other_site_is() -> None:
    shop = Http2Shop(remote=False, capacity=2)
    shop.targets[0].act = shop.targets[0].hold
    found = []
    for _ in range(2):
        shop.ask()
        found.append([one.is_full for _, _, one in shop.a.forwarder.readings.targets.busy(1)])
    assert found == [[], [True]]
    assert shop.a.forwarder.readings.targets.is_owed_when_full(SHOP)
    assert not Shop().a.readings.targets.is_owed_when_full(SHOP)
    far = Http2Shop(remote=True)
    far.targets[0].act = far.targets[0].hold
    far.ask()
    readings = far.a.forwarder.readings
    assert dict(readings.in_flight_elsewhere(SHOP)) == {THERE: 1}
    assert list(readings.busy_elsewhere(1)) == []


def test_of_other_sites_answers_and_times_are_known_and_of_this_one_none() -> None:
    shop = Shop(here=1, answer=None)
    readings, elsewhere = shop.a.readings, {site: site_of(site) for site in "bc"}
    assert readings.answers_elsewhere(SHOP) == readings.answers_elsewhere(NONE) == {}
    assert readings.usual_elsewhere_s(SHOP) == readings.usual_elsewhere_s(NONE) == 0.0
    for _ in range(2):
        for _ in range(3):
            shop.client()
        for site, takes_s in (("b", 0.5), ("c", 1.0), ("a", 6.0)):
            shop.network.advance(takes_s)
            shop.targets[site].serving[-1].send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            shop.network.run()
    assert readings.answers_elsewhere(SHOP) == {elsewhere["b"]: 2, elsewhere["c"]: 2}
    assert readings.usual_elsewhere_s(SHOP) == pytest.approx(1.5, rel=0.15)


def test_routers_of_a_site_know_what_the_others_have_in_flight() -> None:
    shop, sibling = Shop(here=1), RouterId("sibling")
    one = msgspec.structs.replace(candidate("a", capacity=5), router=sibling, paths=((sibling,),))
    shop.a.ports.set_remotes(SHOP, [one])
    readings, beside = shop.a.readings, []
    for used in (0, 3):
        shop.a.ports.report_load(LoadReport(sibling, 1 + used, "shop", 8080, used, 1, 5), HERE)
        beside.append((readings.in_flight_beside(SHOP), dict(readings.busy_beside())))
    assert beside == [(0, {}), (3, {SHOP: 3})]


def test_what_is_noted_of_targets_is_of_the_service_ports_that_are_named(world: World) -> None:
    ports, targets = world.shop.a.ports, world.readings.targets
    silent = {"10.0.0.8:5432": NoAnswer(key=DB, address="10.0.0.8:5432", in_a_row=5)}
    share = ErrorShare(address="10.0.0.1:80", errors=9, breaks=0, requests=10, seconds=60)
    failing = {"10.0.0.1:80": share}
    ports.set_unanswering({DB: silent, NONE: silent})
    ports.set_failing({SHOP: failing})
    assert [targets.unanswering_of(key) for key in (SHOP, DB, NONE)] == [{}, silent, {}]
    assert [targets.failing_of(key) for key in (SHOP, DB, NONE)] == [failing, {}, {}]
    ports.set_unanswering({})
    ports.set_failing({})
    assert not targets.unanswering_of(DB) and not targets.failing_of(SHOP)
    owes = {THERE: NoAnswer(key=SHOP, address="b", in_a_row=5)}
    ports.set_unanswering_sites({SHOP: owes, NONE: owes})
    each = [world.readings.unanswering_sites_of(key) for key in (SHOP, DB, NONE)]
    assert each == [owes, {}, {}]
    ports.set_unanswering_sites({})
    assert not world.readings.unanswering_sites_of(SHOP)


def test_a_routing_key_is_that_of_the_service_that_carries_it(world: World) -> None:
    spec = ServiceSpec(ports=(1,), protocol="tcp", routing_key="queue")
    world.shop.a.set_service(ServiceKey("carries", 1), spec)
    keys = [world.readings.routing_key_of(name) for name in ("carries", "extra", "none")]
    assert keys == ["queue", "", ""]


def test_a_service_port_is_drained_by_its_operator_alone(world: World) -> None:
    world.shop.a.ports.set_drained(DB, True)
    world.shop.a.ports.set_drained(NONE, True)
    assert [world.readings.is_drained(key) for key in (SHOP, DB, NONE)] == [False, True, False]
