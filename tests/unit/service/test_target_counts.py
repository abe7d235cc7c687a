"""Each request that a target of this site had is counted once, at the site that served it."""

from collections.abc import Callable

import pytest

from router.callers.callers import Callers
from router.model.ids import ServiceKey, SiteId
from router.model.latency import FINE_BOUNDS_S, quantile
from router.model.port_reading import SERVED_NOWHERE
from router.model.specs import ServiceProtocol, ServiceSpec
from router.service.ports import TargetConfig
from tests.unit.callers.names import Names
from tests.unit.exchange.fakes import (
    FakeMesh,
    FakeNetwork,
    FakeTarget,
    Party,
    Site,
    answer_ok,
    candidate,
    site_of,
)

KEY = ServiceKey("shop", 8080)
GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n"  # It is not repeated.


def fails(party: Party) -> None:
    party.send(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")


def finds_nothing(party: Party) -> None:
    party.send(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")


def breaks_off(party: Party) -> None:
    party.abort()


def echoes(party: Party) -> None:
    party.send(bytes(party.got))
    party.finish()


class Shop:
    """Sites ``a``, where clients are, and ``b``, with targets as told; requests are counted."""

    def __init__(
        self,
        here: tuple[Callable[[Party], None], ...] = (),
        there: tuple[Callable[[Party], None], ...] = (),
        protocol: ServiceProtocol = "http",
    ) -> None:
        self.network = FakeNetwork()
        mesh = FakeMesh(self.network)
        self.sites = {name: Site(self.network, mesh, name) for name in "ab"}
        self.callers = {name: Callers(Names(), self.network.now) for name in "ab"}
        self.targets: dict[str, FakeTarget] = {}
        for name, answers in (("a", here), ("b", there)):
            forwarder = self.sites[name].forwarder
            forwarder.observing.callers = self.callers[name]
            forwarder.set_service(KEY, ServiceSpec(ports=(8080,), protocol=protocol))
            configs: dict[str, TargetConfig] = {}
            for number, answer in enumerate(answers, start=1):
                host = f"10.0.{ord(name) - ord('a')}.{number}"
                target = self.targets[host] = FakeTarget(self.network, host, 80, answer)
                configs[str(target)] = TargetConfig(connector=f"{name}-{number}", capacity=5)
            forwarder.set_targets(KEY, configs)
        self.sites["a"].forwarder.set_listeners({KEY: ("127.0.0.1", 8080)})
        self.network.run()
        if there:
            self.sites["a"].forwarder.ports.set_remotes(KEY, [candidate("b", cost=1, capacity=5)])

    def client(self, request: bytes = GET) -> Party:
        party = self.sites["a"].connect("127.0.0.1", 8080)
        party.send(request)
        self.network.run()
        return party

    def rows(self, site: str) -> list[tuple[str, str, int, int]]:
        """Target, its name, requests, failures."""
        return sorted(
            (target, edge.name, edge.requests, edge.failed)
            for (key, target), edge in self.callers[site].targets.edges()
            if key == KEY
        )


@pytest.mark.parametrize(
    ("answer", "failed"),
    [(answer_ok, 0), (finds_nothing, 0), (fails, 1), (breaks_off, 1)],
)
@pytest.mark.parametrize("here", [True, False], ids=["local", "remote"])
def test_a_request_is_counted_where_its_target_is(
    answer: Callable[[Party], None], failed: int, here: bool
) -> None:
    shop = Shop((answer,)) if here else Shop((), (answer,))
    shop.client(POST)
    wanted = ("10.0.0.1:80", "a-1", 1, failed) if here else ("10.0.1.1:80", "b-1", 1, failed)
    assert (shop.rows("a"), shop.rows("b")) == (([wanted], []) if here else ([], [wanted]))


@pytest.mark.parametrize("here", [True, False], ids=["local", "remote"])
def test_a_connection_of_tcp_is_counted_when_it_ends(here: bool) -> None:
    shop = Shop((answer_ok,), protocol="tcp") if here else Shop((), (answer_ok,), protocol="tcp")
    site = "a" if here else "b"
    shop.targets["10.0.0.1" if here else "10.0.1.1"].answer = echoes
    client = shop.sites["a"].connect("127.0.0.1", 8080)
    shop.network.run()
    assert shop.rows(site) == []
    client.send(b"hello")
    shop.network.run()
    client.finish()
    shop.network.run()
    ((_, _, requests, failed),) = shop.rows(site)
    assert (requests, failed) == (1, 0)


def test_a_target_that_refuses_has_failed_and_the_next_one_is_counted_too() -> None:
    shop = Shop((answer_ok, answer_ok))
    shop.targets["10.0.0.1"].stop()
    shop.targets["10.0.0.2"].stop()
    shop.targets["10.0.0.2"].start()
    for _ in range(4):  # One of them was at the first target, until it is known to be down.
        shop.client()
    rows = {target: (requests, failed) for target, _, requests, failed in shop.rows("a")}
    assert rows == {"10.0.0.1:80": (1, 1), "10.0.0.2:80": (4, 0)}


def test_a_client_that_leaves_is_a_failure_of_its_request() -> None:
    shop = Shop((lambda party: None,))
    shop.client().abort()
    shop.network.run()
    assert shop.rows("a") == [("10.0.0.1:80", "a-1", 1, 1)]


@pytest.mark.parametrize("here", [True, False], ids=["local", "remote"])
def test_the_time_is_that_at_the_target(here: bool) -> None:
    waiting: list[Party] = []
    shop = Shop((waiting.append,)) if here else Shop((), (waiting.append,))
    shop.client()
    shop.network.time += 0.3
    answer_ok(waiting[0])
    shop.network.run()
    ((_, edge),) = shop.callers["a" if here else "b"].targets.edges()
    assert quantile(edge.counts, 0.5) == 0.3


class Calls:
    """A caller that records the counts."""

    def __init__(self) -> None:
        self.counted: list[tuple[SiteId, bool, int]] = []

    def count(self, key: ServiceKey, site: SiteId, failed: bool, bucket: int) -> None:
        assert key == KEY
        self.counted.append((site, failed, bucket))


@pytest.mark.parametrize("here", [True, False], ids=["local", "remote"])
def test_a_request_is_counted_by_who_calls_with_its_site_and_time(
    here: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls()
    monkeypatch.setattr(Callers, "arrived", lambda *_: calls)
    waiting: list[Party] = []
    shop = Shop((waiting.append,)) if here else Shop((), (waiting.append,))
    site = site_of("a" if here else "b")
    for answer in (answer_ok, fails):
        shop.client(POST)
        shop.network.time += 0.02
        answer(waiting.pop())
        shop.network.run()
    bucket = FINE_BOUNDS_S.index(0.021)
    assert calls.counted == [(site, False, bucket), (site, True, bucket)]
    (served, failed) = shop.sites["a"].forwarder.readings.past_of(KEY, 2, "all")
    assert served.origin is None and failed.origin is None, "they keep no connection"


def test_a_request_that_no_site_took_is_counted_by_who_calls_as_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = Calls()
    monkeypatch.setattr(Callers, "arrived", lambda *_: calls)
    Shop().client()
    assert calls.counted == [(SERVED_NOWHERE, True, 0)]


def test_nothing_is_counted_while_nobody_counts() -> None:
    shop = Shop((answer_ok,))
    shop.sites["a"].forwarder.observing.callers = None
    shop.client()
    assert shop.rows("a") == []


def test_a_trial_is_no_request_of_the_target_here() -> None:
    shop = Shop((answer_ok,), protocol="tcp")
    assert shop.sites["a"].forwarder.try_sites(KEY, [site_of("a")], lambda trials: None)
    shop.network.run()
    assert shop.rows("a") == []
