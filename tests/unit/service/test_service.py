"""One service port by itself: the effects of a changed definition, and its figures."""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast, get_args

import pytest
from msgspec.structs import replace

from router.balance.deciding.decisions import NoChoice
from router.balance.learning.demand import SpillCause
from router.balance.site.fair_queue import LOCAL_LINK
from router.balance.site.slots import Slot
from router.balance.site.wake_hold import Wake
from router.balance.sites.remote_site import RemoteSite
from router.balance.sites.site_ejection import SiteEjected, SiteNews, SiteWoken
from router.model import limits
from router.model.capacity import LendingTerms, Rate, SiteCap
from router.model.ids import ServiceKey, SiteId
from router.model.messages.adverts import LoadReport
from router.model.requests import Request
from router.model.settings import Affinity, Health, ServiceLimits, Timeouts
from router.model.specs import PolicySpec, ServiceProtocol, ServiceSpec
from router.service.burst_wakes import BurstWakes
from router.service.figures import SpillCount
from router.service.observers import Observing
from router.service.ports import TargetConfig
from router.service.pressure import Pressure
from router.service.router_context import RouterContext
from router.service.service import Service
from router.service.service_figures import AdvertisedTargets
from router.service.sites.refused_messages import RefusedMessages
from tests.unit.exchange.fakes import (
    FakeMesh,
    FakeNetwork,
    FakeTarget,
    candidate,
    name_of,
    router_of,
    site_of,
)
from tests.unit.service.test_request_queue import Waiter
from tests.unit.service.test_slow_starts import Client

KEY = ServiceKey("shop", 8080)
A, B, C = (site_of(name) for name in "abc")
PLAIN = ServiceSpec(ports=(8080,), protocol="http")
RATE = Rate(per_s=10.0, resume_per_s=5.0, window_s=1.0, stay_s=1.0)


class World:
    """A service port of site ``a``, and its reports to others."""

    def __init__(self, config: ServiceSpec = PLAIN, *, key: ServiceKey = KEY) -> None:
        self.network = FakeNetwork()
        self.loads = self.targets_told = 0
        self.site_news: list[SiteNews] = []
        pressure = Pressure()
        self.pressure = pressure
        self.service = Service(
            key,
            config,
            RouterContext(
                network=self.network,
                streams=FakeMesh(self.network),
                site=A,
                site_name="a",
                router=router_of("a"),
                rng=random.Random(7),
                pressure=pressure,
                refused_messages=RefusedMessages(self.network.now),
                load_changed=self._load_changed,
                targets_changed=self._targets_changed,
                site_news=lambda key, news: self.site_news.append(news),
                name_of=name_of,
                branch_to=lambda link, site: site,
            ),
        )

    def _load_changed(self, key: ServiceKey) -> None:
        self.loads += 1

    def _targets_changed(self) -> None:
        self.targets_told += 1

    def have(self, **config: object) -> None:
        """One target."""
        target = FakeTarget(self.network, "10.0.0.1", 80)
        terms = TargetConfig(connector="main", **config)  # type: ignore[arg-type]
        self.service.set_targets({str(target): terms})
        self.network.run()

    def have_other(self, **config: object) -> None:
        """The same target, with other terms."""
        terms = TargetConfig(connector="main", **config)  # type: ignore[arg-type]
        self.service.set_targets({"10.0.0.1:80": terms})
        self.network.run()

    def come(self, count: int, link: SiteId = LOCAL_LINK) -> list[Client]:
        """Requests that get a slot here or wait for one."""
        clients = [Client(link) for _ in range(count)]
        for one in clients:
            taken = self.service.admission.admit(one, self.network.now() + 60.0)
            one.slot = taken if isinstance(taken, Slot) else None
        self.network.run()
        return clients

    def send(self, name: str) -> RemoteSite:
        """A request to that site, which is its only router."""
        remote = self.service.balancer.routers[router_of(name)]
        remote.open()
        return remote


CHANGES: dict[str, ServiceSpec] = {
    "nothing": PLAIN,
    "policy": replace(PLAIN, policy=PolicySpec(name="spread")),
    "affinity": replace(PLAIN, affinity=Affinity(by="header", name="X-User")),
    "cookie": replace(PLAIN, affinity=Affinity(by="cookie")),
    "secure cookie": replace(PLAIN, affinity=Affinity(by="cookie"), tls_cert="shop"),
    "hold": replace(PLAIN, hold_s=7.0),
    "queue": replace(PLAIN, queue=3, queue_wait_s=2.5),
    "request id": replace(PLAIN, request_id="X-Id"),
    "sheddable": replace(PLAIN, sheddable="x-p: batch", sheddable_share=0.25),
    "retries": replace(PLAIN, limits=ServiceLimits(retry_percent=0)),
    "time-outs": replace(PLAIN, timeouts=Timeouts(connect_s=0.5, response_s=9.0)),
    "protocol": replace(PLAIN, protocol="tcp", ports=(9,)),
}
"""Definitions that differ from a plain one in something that is kept apart from it."""


def as_it_is(service: Service) -> list[object]:
    """What a definition decides."""
    frontend, sessions, rule = service.frontend, service.sessions, service.sheddable
    request = Request(key=KEY, protocol="http", head=b"GET / HTTP/1.1\r\n", session=5)
    service.wake_state.set_wake(Wake("hook"), has_hook=True)
    service.counters.chosen += 1
    return [
        service.config,
        service.protocol,
        service.ledger.order,
        service.ledger.sheddable_share,
        service.balancer.policy,
        service.balancer.sheddable_share,
        (frontend.scheme, frontend.terms, frontend.limits),
        service.request_ids.name,
        None if sessions is None else sessions.affinity,
        None if sessions is None else sessions.answered(request, B, b"HTTP/1.1 200 OK\r\n", 0.0),
        None if rule is None else (rule.text, rule.share),
        service.retries.take(0.0),
        service.wake_state.held_s(service.now()),
        service.queue_limit(),
        service.counters.snapshot().decisions,
    ]


@pytest.mark.parametrize("after", CHANGES)
def test_a_changed_definition_is_followed_as_if_it_had_been_so_from_the_start(after: str) -> None:
    wanted = as_it_is(World(CHANGES[after]).service)
    for before in CHANGES.values():
        service = World(before).service
        service.set_config(CHANGES[after])
        assert as_it_is(service) == wanted


def test_the_same_affinity_keeps_the_sessions_and_another_begins_without() -> None:
    service = World(CHANGES["cookie"]).service
    sessions = service.sessions
    service.set_config(replace(CHANGES["cookie"], queue=9))
    assert service.sessions is sessions
    service.set_config(CHANGES["secure cookie"])
    assert service.sessions is not sessions


class Lingerer:
    """A request that was given up; its target ends it by `end`."""

    def then(self, after: Callable[[], None]) -> None:
        self.end = after


def test_a_service_is_over_when_nothing_is_under_way_anywhere_that_a_client_waits_for() -> None:
    world = World()
    service = world.service
    world.have(capacity=5)
    service.set_remotes([candidate("b")])
    found: list[tuple[bool, dict[SiteId, int]]] = []

    def look() -> None:
        found.append((service.is_over, service.open_now()))

    look()
    (one,) = world.come(1)
    look()
    assert one.slot is not None
    lingerer = Lingerer()
    service.admission.release_after(lingerer, one.slot, by_client=True)
    look()
    remote = world.send("b")
    look()
    lingerer.end()
    look()
    remote.end()
    look()
    nothing: dict[SiteId, int] = {}
    assert found == [
        (True, nothing),
        (False, {A: 1}),
        (True, nothing),
        (False, {B: 1}),
        (False, {B: 1}),
        (True, nothing),
    ]


def test_what_another_router_of_this_site_serves_is_of_this_sites_clients_and_counted_there() -> (
    None
):
    world = World()
    service = world.service
    world.have(capacity=5)
    sibling = replace(candidate("s", cost=0), site=A)
    service.set_remotes([sibling, candidate("b"), candidate("c")])
    assert B < A < C, "ids on both sides of our own"
    world.come(3)
    service.ledger.lent += 1  # One of these is of a client of another site.
    for name, count in (("s", 4), ("b", 2), ("c", 1)):
        for _ in range(count):
            world.send(name)
    service.ledger.abandoned += 1  # And one was given up.
    assert service.open_now() == {A: 2, B: 2, C: 1}
    assert service.under_way() == {A: 1 + 4, B: 2, C: 1}


@pytest.mark.parametrize(("sent", "counted_open"), [(0, 0), (1, 2), (2, 1)])
def test_what_left_and_is_open_is_what_was_sent_or_what_is_counted_before_its_end(
    sent: int, counted_open: int
) -> None:
    service = World().service
    keys = [(B, "full", "full"), (C, "no-target", ""), (C, "policy", "")]
    for key in keys:
        service.counters.spilled[key] += 5
        for _ in range(counted_open):
            service.counters.spill_begins(key)
    service.demand.elsewhere[SpillCause.NO_ROOM] = service.demand.elsewhere[
        SpillCause.NO_TARGET
    ] = sent
    service.counters.failed_for.update({"all-full": 3, "target-reset": 4})
    spills = service.spills()
    each, most = 5 + counted_open, max(sent, counted_open)
    assert (spills.full, spills.without_target) == (
        SpillCount({B: each}, most),
        SpillCount({C: each}, most),
    )
    assert spills.refused == {"all-full": 3}
    still = {B: counted_open, C: 2 * counted_open} if counted_open else {}
    assert spills.open_to == still
    reasons = ("full", "no-target", "policy")
    assert spills.open_for == (dict.fromkeys(reasons, counted_open) if counted_open else {})


def test_a_request_that_is_asked_again_is_asked_for_once_and_those_of_others_count() -> None:
    service = World().service
    service.retries.requests, service.demand.again_total, service.demand.brought = 100, 30, 8
    assert service.demanded().demand_per_s == round(78 / limits.DEMAND_WINDOW_S, 3)
    assert service.scale().demand == service.demanded()
    assert service.counters.losses() == 0


def test_lost_are_requests_that_failed_and_those_that_were_given_up() -> None:
    counters = World().service.counters
    for code, times in (("2xx", 1), ("5xx", 2), ("error", 4), ("client-gone", 8)):
        counters.ended[B, code] += [(0.1, 0.0, 0.0, 0.1)] * times  # type: ignore[index]
    counters.gave_up = 7
    counters.count_ended()
    assert counters.losses() == 7 + 2 + 4


@pytest.mark.parametrize("queue_wait_s", [0.5, 2.0])
def test_what_a_request_meets_that_comes_now_is_the_queue_as_it_is(queue_wait_s: float) -> None:
    world = World(replace(PLAIN, queue=3, queue_wait_s=queue_wait_s))
    world.have(capacity=1)
    world.come(1)
    choice, waiting = NoChoice("all-full", (), True), []
    for _ in range(4):
        queue = world.service.queue_now(choice)
        waiting.append((queue.waiting, queue.outlook))
        assert (queue.limit, queue.wait_s, queue.wake) == (3, queue_wait_s, None)
        world.service.queue.enter(Waiter(), choice, world.network.now() + 60.0)
    assert waiting == [(0, "waits"), (1, "waits"), (2, "waits"), (3, "full")]


@pytest.mark.parametrize(
    ("woke_ago_s", "again_in_s", "held_s", "waking_s", "again_s"),
    [
        (None, None, 10.0, None, None),
        (0.0, None, 10.0, 0.0, None),
        (4.0, None, 6.0, 4.0, None),
        (4.0, 3.0, 6.0, 4.0, 3.0),
        (4.0, -1.0, 6.0, 4.0, 0.0),
        (4.0004, 2.9996, 5.9996, 4.0, 3.0),
        (4.016, 2.984, 5.984, 4.016, 2.984),
        (9.5, None, 0.5, 9.5, None),
        (12.0, None, 0.0, None, None),
    ],
)
def test_while_a_site_is_woken_a_request_waits_for_what_is_left_of_the_hold(
    woke_ago_s: float | None,
    again_in_s: float | None,
    held_s: float,
    waking_s: float | None,
    again_s: float | None,
) -> None:
    world = World(replace(PLAIN, hold_s=10.0, queue=3))
    service, now = world.service, world.network.now()
    wake = Wake(
        "hook",
        None if woke_ago_s is None else now - woke_ago_s,
        None if again_in_s is None else now + again_in_s,
    )
    service.wake_state.set_wake(wake, has_hook=True)
    queue = service.queue_now(NoChoice("all-full", (), False))
    assert queue.wait_s == pytest.approx(PLAIN.queue_wait_s + held_s)
    assert (queue.wake, queue.waking_s, queue.again_s) == (
        wake if held_s else None,
        waking_s,
        again_s,
    )
    assert queue.limit == (limits.HOLD_QUEUE if held_s else 3)
    assert service.wake_state.is_held() == (held_s > 0)


def test_without_a_queue_nobody_is_held_either() -> None:
    service = World(replace(PLAIN, queue=0)).service
    service.wake_state.set_wake(Wake("hook"), has_hook=True)
    assert service.queue_limit() == 0


def test_a_hold_ends_when_what_was_woken_answers_and_all_who_were_held_are_gone() -> None:
    world = World(replace(PLAIN, hold_s=10.0))
    service = world.service
    service.wake_state.set_wake(Wake("hook", world.network.now()), has_hook=True)
    waiter = Waiter()
    until = world.network.now() + 60.0
    assert service.queue.enter(waiter, NoChoice("all-full", (), True), until) == "waits"
    found = []
    for step in (lambda: None, service.wake_state.answered, lambda: service.queue.leave(waiter)):
        step()
        queue = service.queue_now(NoChoice("all-full", (), True))
        found.append((service.wake_state.is_held(), queue.is_woken))
    assert found == [(True, False), (True, True), (False, False)]


def test_an_answer_may_take_as_long_as_a_request_is_held_where_one_can_be() -> None:
    service = World(replace(PLAIN, hold_s=10.0)).service
    seconds = []
    for has_hook in (False, True, True, False):
        before = service.frontend.terms
        service.wake_state.set_wake(None, has_hook=has_hook)
        seconds.append((service.frontend.terms.answer_s, service.frontend.terms is before))
    plain = seconds[0][0]
    assert seconds == [(plain, True), (plain + 10, False), (plain + 10, True), (plain, False)]


def test_targets_beyond_those_there_were_when_the_wake_began_are_what_was_woken() -> None:
    world = World(replace(PLAIN, hold_s=10.0))
    service, network = world.service, world.network
    world.have(capacity=1)
    service.wake_state.set_wake(Wake("hook", network.now()), has_hook=True)
    service.targets_changed()
    held = [service.wake_state.is_held()]
    service.set_targets({})
    held.append(service.wake_state.is_held())
    first, second = (FakeTarget(network, f"10.0.0.{n}", 80) for n in (2, 3))
    config = TargetConfig(connector="main", capacity=1)
    service.set_targets({str(first): config, str(second): config})
    network.run()
    held.append(service.wake_state.is_held())
    assert held == [True, True, False]


def test_a_site_that_newly_has_targets_was_woken_and_one_that_had_some_was_not() -> None:
    world = World(replace(PLAIN, hold_s=10.0))
    service = world.service
    service.set_remotes([candidate("b"), candidate("c", targets_ready=0)])
    service.wake_state.set_wake(Wake("hook", world.network.now()), has_hook=True)
    service.set_remotes([candidate("b", cost=2), candidate("c")])
    assert [site for site, one in service.balancer.ejections.active.items() if one.is_woken] == [C]


def test_a_cap_of_the_site_holds_over_its_targets_and_who_waits_goes_on_when_it_is_lifted() -> None:
    world = World()
    world.have(capacity=5)
    world.service.set_site_cap(SiteCap(slots=2))
    clients = world.come(4)
    served = [one for one in clients if one.slot]
    told = world.targets_told
    world.service.set_site_cap(SiteCap(slots=2))
    assert (len(served), world.targets_told) == (2, told), "nothing changed"
    world.service.set_site_cap(None)
    world.network.run()
    assert all(one.slot for one in clients) and world.targets_told > told


def test_an_operator_drains_this_site_and_takes_it_back() -> None:
    world = World()
    found = []
    for is_drained in (True, True, False, False):
        recounts = world.service.ledger.recounts
        world.service.set_drained(is_drained)
        ledger = world.service.ledger
        found.append((ledger.is_drained, ledger.recounts != recounts))
    assert found == [(True, True), (True, False), (False, True), (False, False)]


@pytest.mark.parametrize(
    ("config", "terms", "advertised", "is_learnt"),
    [
        ({}, None, AdvertisedTargets(1), False),
        ({"capacity": 5}, None, AdvertisedTargets(1, 5), False),
        (
            {"capacity": 5},
            LendingTerms(reserve_for_own=0.4, max_share=0.2),
            AdvertisedTargets(1, 5, None, 2, 1),
            False,
        ),
        ({"capacity": 5, "rate": RATE}, None, AdvertisedTargets(1, 5, 10.0), False),
        ({"auto": True}, None, AdvertisedTargets(1), True),
        ({"auto": True, "rate": RATE}, None, AdvertisedTargets(1, None, 10.0), True),
    ],
)
def test_what_is_learnt_is_told_as_load_and_bound_to_nothing(
    config: dict[str, object],
    terms: LendingTerms | None,
    advertised: AdvertisedTargets,
    is_learnt: bool,
) -> None:
    world = World()
    service = world.service
    world.have(**config)
    service.set_lending(terms)
    world.come(1)
    assert service.advertised_targets() == advertised
    load, ledger = service.load(), service.ledger
    assert (load.is_learnt, load.capacity, load.used) == (is_learnt, ledger.capacity, 1)
    assert (load.rate is None, load.refuses) == ("rate" not in config, False)
    world.pressure.is_refusing = True
    assert service.load().refuses


def test_what_a_target_is_learnt_to_take_serves_who_waits_at_the_end_of_the_turn() -> None:
    world = World()
    service = world.service
    world.have(auto=True)
    (target,) = [one.target for one in service.ledger.targets(world.network.now())]
    capacity = service.ledger.capacity
    assert capacity is not None
    clients = world.come(capacity + 3)
    loads = world.loads
    service.ledger.set_slots(target, capacity + 2)
    service.capacity_learnt()
    served = [sum(one.slot is not None for one in clients)]
    world.network.run()
    served.append(sum(one.slot is not None for one in clients))
    assert served == [capacity, capacity + 2] and world.loads > loads
    assert service.demand.each is not None and service.demand.each.slots == capacity + 2


def test_a_rate_that_is_calm_again_is_told_though_nobody_comes() -> None:
    world = World()
    world.have(rate=RATE)
    network, ledger = world.network, world.service.ledger
    found: list[tuple[bool, bool]] = []
    for step in range(200):
        now, loads = network.now(), world.loads
        if step < 100:
            ledger.ask(now)
            slot = ledger.try_acquire(now)
            if isinstance(slot, Slot):
                ledger.give_back(slot)
        network.advance(0.05)
        rate = ledger.rate_load(network.now())
        assert rate is not None
        if step >= 100:
            found.append((rate.is_over, world.loads > loads))
    states = [is_over for is_over, _ in found]
    assert states == [True] * states.count(True) + [False] * states.count(False)
    assert 0 < states.count(True) < 100
    told_at = [number for number, (_, is_told) in enumerate(found) if is_told]
    steps_between_looks = limits.RATE_LOOK_S / 0.05
    assert len(told_at) == 1 and 0 <= told_at[0] - states.count(True) <= steps_between_looks


def test_a_report_of_a_router_that_no_route_leads_to_changes_nothing() -> None:
    world = World()
    service = world.service
    service.set_remotes([candidate("b", capacity=1)])
    world.network.run()
    for name, is_heard in (("c", False), ("b", True)):
        report = LoadReport(router_of(name), 1, KEY.name, KEY.port, 1, 1, 1)
        service.report_load(report, site_of(name))
        found = service.explain(world.network.now()).candidates
        assert any(one.in_flight for one in found) == is_heard


@pytest.mark.parametrize("by_report", [False, True])
def test_when_the_last_other_site_is_gone_a_route_may_be_back_in_a_moment(by_report: bool) -> None:
    world = World()
    service, network = world.service, world.network
    assert service.routes.settles_until == 0.0
    service.set_remotes([candidate("b"), candidate("c", targets_ready=0)])
    service.set_remotes([candidate("b")])
    assert service.routes.settles_until == 0.0
    network.advance(5.0)
    if by_report:
        report = LoadReport(router_of("b"), 1, KEY.name, KEY.port, 0, 0, 1)
        service.report_load(report, B)
    else:
        service.set_remotes([])
    assert service.routes.settles_until == network.now() + limits.REROUTE_WAIT_S


def test_who_waits_is_held_back_for_a_wake_once_its_own_patience_is_over() -> None:
    world = World()
    waiter = Waiter()
    waiter.patient_until = world.network.now() + 1.0
    choice = NoChoice("all-full", (), True)
    service = world.service
    assert service.queue.enter(waiter, choice, world.network.now() + 9.0) == "waits"
    held = []
    for _ in range(3):
        held.append(service.totals().held)
        world.network.advance(0.5)
    assert held == [0, 0, 1]


@pytest.mark.parametrize(("protocol", "is_timed"), [("tcp", False), ("http", True)])
def test_only_targets_that_answer_are_timed(protocol: ServiceProtocol, is_timed: bool) -> None:
    world = World(replace(PLAIN, protocol=protocol))
    service = world.service
    service.sample_latency()
    assert service.timings.wanted is None, "there is no target"
    world.have(capacity=2)
    service.sample_latency()
    assert (service.timings.wanted is not None) == is_timed
    ((state, _),) = service.latencies()
    assert state.target == "10.0.0.1:80"


def test_what_a_hook_does_is_told_to_each_port_of_its_service_those_to_come_too() -> None:
    other = ServiceKey("other", 8080)
    services = {key: World(key=key).service for key in (KEY, ServiceKey(KEY.name, 9), other)}
    wakes = BurstWakes(services)
    wake = Wake("hook", 1.0)
    wakes.set(KEY.name, wake, True)
    assert [one.wake_state.wake for one in services.values()] == [wake, wake, None]
    wakes.set(other.name, None, True)
    assert services[other].wake_state.has_hook, "it would do nothing now, and may later"
    wakes.set(other.name, None, False)
    late = World(key=ServiceKey(KEY.name, 10)).service
    wakes.tell(late)
    assert (late.wake_state.wake, late.wake_state.has_hook) == (wake, True)
    services[KEY].wake_state.set_wake(None, has_hook=False)
    wakes.set(KEY.name, wake, True)
    assert not services[KEY].wake_state.has_hook, "saying the same again changes nothing"
    wakes.set(KEY.name, None, False)
    wakes.tell(late)
    assert not any(one.wake_state.has_hook for one in (*services.values(), late))


@pytest.mark.parametrize("slots", [0, 1])
def test_a_site_whose_permits_are_used_up_is_full_though_it_has_slots(slots: int) -> None:
    world = World()
    service, now = world.service, world.network.now()
    world.have(rate=RATE, capacity=100)
    if not slots:
        service.set_site_cap(SiteCap(slots=1))
        world.come(1)
    assert service.totals().full == (slots == 0)
    while isinstance(slot := service.ledger.try_acquire(now), Slot):
        service.ledger.give_back(slot)
        assert not service.totals().full or not service.ledger.has_room_at(now)
    assert service.totals().full


def test_who_waits_may_go_on_at_the_end_of_the_turn_in_which_a_site_is_put_out_or_woken() -> None:
    world = World(replace(PLAIN, hold_s=10.0))
    service, network = world.service, world.network
    service.set_remotes([candidate("b"), candidate("c")])
    service.wake_state.set_wake(Wake("hook", network.now()), has_hook=True)
    ejections = service.balancer.ejections
    found = []
    for news in ("ejected", "woken"):
        waiter = Waiter()
        service.queue.line.clear()
        choice = NoChoice("all-full", (), True)
        assert service.queue.enter(waiter, choice, network.now() + 60.0) == "waits"
        while news == "ejected" and B not in ejections.active:
            ejections.failed(B, None, "reset", network.now())
            network.time += 1.0
        if news == "woken":
            ejections.wake(C, network.now())
            woken = ejections.active[C]
            woken.begin()
            ejections.answered(C, woken, network.now())
        at_once = waiter in service.queue.line
        network.run()
        found.append((at_once, waiter in service.queue.line, service.wake_state.is_woken))
    assert found == [(True, False, False), (True, False, True)]
    assert [type(news) for news in world.site_news] == [SiteEjected, SiteWoken]


def test_an_ejected_site_that_is_gone_is_forgotten_when_routes_change_later() -> None:
    world = World()
    service, network = world.service, world.network
    ejections = service.balancer.ejections
    service.set_remotes([candidate("b"), candidate("c", cost=2)])
    while B not in ejections.active:
        ejections.failed(B, None, "reset", network.now())
        network.advance(1.0)
    service.set_remotes([candidate("c", cost=2)])
    assert B in ejections.active
    network.advance(limits.EJECT_MAX_S + limits.EJECT_FORGET_S)
    service.set_remotes([candidate("c", cost=3)])
    assert not ejections.active


def test_an_ejected_site_is_looked_at_again_by_time_while_somebody_waits() -> None:
    world = World()
    service, network = world.service, world.network
    service.set_remotes([candidate("b")])
    ejections = service.balancer.ejections
    while B not in ejections.active:
        ejections.failed(B, None, "reset", network.now())
        network.time += 1.0
    network.run()
    waiter = Waiter()
    choice = NoChoice("all-full", (), True)
    assert service.queue.enter(waiter, choice, network.now() + 600.0) == "waits"
    until = ejections.active[B].until
    while waiter in service.queue.line:
        assert network.now() < until + 2 * limits.EJECT_LOOK_S
        network.advance(limits.EJECT_LOOK_S)


def test_what_is_read_of_targets_is_of_each_that_there_is() -> None:
    world = World()
    service = world.service
    assert service.own_targets.health_path == "" and service.shed_idle() == 0
    configs = [TargetConfig(connector="c", health=Health(path=path)) for path in ("", "/up", "/x")]
    service.set_targets({f"10.0.0.{at}:80": config for at, config in enumerate(configs, 1)})
    assert service.own_targets.health_path == "/up"
    service.target_ways.answers["10.0.0.1:80"].parts += 3
    assert [service.parts_of(f"10.0.0.{at}:80") for at in (1, 2, 9)] == [3, 0, 0]


@pytest.mark.parametrize("watcher", ["access log", "tracer", "follower"])
def test_requests_are_observed_while_anybody_watches(watcher: str) -> None:
    observing, someone = Observing(), cast(Any, object())
    assert not observing.is_on
    for one in (someone, None):
        if watcher == "follower":
            observing.follow(one)
        else:
            observing.set(*((one, None) if watcher == "access log" else (None, one)))
        seen = (observing.access_log, observing.tracer, observing.follower)
        assert observing.is_on == any(seen) == (one is not None)


def test_what_is_told_of_targets_is_told_when_it_is_another_and_not_before() -> None:
    world = World()
    service = world.service
    told = [world.targets_told]
    for change in (
        service.targets_changed,
        lambda: world.have(capacity=5),
        service.targets_changed,
        lambda: world.have_other(capacity=6),
        lambda: service.set_targets({}),
        service.targets_changed,
    ):
        change()
        told.append(world.targets_told)
    steps = [after > before for before, after in pairwise(told)]
    assert steps == [False, True, False, True, True, False]


@pytest.mark.parametrize("has_target", [False, True])
def test_who_is_turned_away_is_demand_for_a_while_if_there_is_no_target(has_target: bool) -> None:
    world = World()
    service, network = world.service, world.network
    if has_target:
        world.have(capacity=5)
    network.advance(1.0)
    service.demand.turned_away(network.now(), network.now(), "", may_return=False)
    network.advance(limits.DEMAND_WAKES_S - 0.5)
    assert service.demanded().refused == (0 if has_target else 1)
    network.advance(0.6)
    assert service.demanded().refused == 0


@pytest.mark.parametrize(
    ("protocol", "is_timed"), [("tcp", False), ("http", True), ("http2", True)]
)
def test_the_choice_among_targets_has_some_requests_timed_where_they_answer(
    protocol: ServiceProtocol, is_timed: bool
) -> None:
    world = World(replace(PLAIN, protocol=protocol))
    service, network = world.service, world.network
    config = TargetConfig(connector="main", capacity=9)
    targets = [FakeTarget(network, f"10.0.0.{at}", 80) for at in (1, 2)]
    service.set_targets({str(target): config for target in targets})
    network.run()
    slots = [service.ledger.try_acquire(network.now()) for _ in range(10)]
    assert all(isinstance(slot, Slot) for slot in slots)
    assert (service.timings.wanted is not None) == is_timed


def test_a_target_that_returns_begins_anew_and_one_that_goes_does_not() -> None:
    world = World()
    service, network = world.service, world.network
    target = FakeTarget(network, "10.0.0.1", 80)
    service.set_targets({str(target): TargetConfig(connector="main", auto=True)})
    network.run()
    service.outcomes.completed(str(target), 503, 0)
    eras, slots = [service.outcomes.era], [service.ledger.capacity]
    for act in (target.stop, target.start):
        act()
        network.advance(30.0)
        eras.append(service.outcomes.era)
        slots.append(service.ledger.capacity)
    assert eras == [0, 0, 1]
    assert slots[1] is None, "it is down"


@pytest.mark.parametrize("tls_cert", ["", "shop"])
def test_a_cookie_is_secure_where_clients_come_by_tls(tls_cert: str) -> None:
    world = World(replace(PLAIN, affinity=Affinity(by="cookie"), tls_cert=tls_cert))
    sessions = world.service.sessions
    assert sessions is not None
    request = Request(key=KEY, protocol="http", head=b"GET / HTTP/1.1\r\n", session=5)
    answered = sessions.answered(request, B, b"HTTP/1.1 200 OK\r\n", 0.0)
    assert (b"; Secure" in answered) == (world.service.frontend.scheme == b"https")
    assert (world.service.frontend.scheme == b"https") == bool(tls_cert)


@pytest.mark.parametrize("protocol", get_args(ServiceProtocol))
@pytest.mark.parametrize("former", get_args(ServiceProtocol))
def test_a_path_is_asked_for_by_http2_where_the_service_speaks_it(
    protocol: ServiceProtocol, former: ServiceProtocol
) -> None:
    service = World(replace(PLAIN, protocol=former)).service
    service.set_config(replace(PLAIN, protocol=protocol))
    assert service.own_targets.health.speaks_http2 == (protocol == "http2")


def test_what_is_asked_of_no_class_is_asked_of_requests_that_are_not_sheddable() -> None:
    world = World(replace(PLAIN, queue=2, sheddable="x-p: batch", sheddable_share=0.5))
    service, now = world.service, world.network.now()
    world.have(capacity=4)
    world.come(2)
    found = [service.explain(now), service.explain(now, sheddable=True)]
    assert [isinstance(one.decision, NoChoice) for one in found] == [False, True]
    choice = NoChoice("all-full", (), True)
    for _ in range(2):
        batch = Waiter(is_sheddable=True)
        assert service.queue.enter(batch, choice, now + 60.0) == "waits"
    outlooks = [service.queue_now(choice), service.queue_now(choice, sheddable=True)]
    assert [one.outlook for one in outlooks] == ["waits", "full"]
