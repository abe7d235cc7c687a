"""Who calls whom, counted once a request: by caller at its ingress, by target where it was."""

from collections.abc import Callable

import pytest

from router.model.ids import ServiceKey, SiteId
from router.model.port_reading import SERVED_NOWHERE
from router.net.ports import Address
from router.service.histograms import bucket_of
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import Party, site_of
from tests.unit.exchange.test_forwarder_http import GET, KEY, Shop
from tests.unit.exchange.test_forwarder_tcp import KEY as DB
from tests.unit.exchange.test_forwarder_tcp import Two, serving

HERE, THERE = site_of("a"), site_of("b")


class Named:
    """Counts of one router: a `CallerNaming`, its `CallerCounts` and its `TargetCounts`."""

    def __init__(self, key: ServiceKey = KEY) -> None:
        self.key = key
        self.arrivals: list[str] = []
        self.by_caller: list[tuple[ServiceKey, SiteId, bool, int]] = []
        self.by_target: list[tuple[str, str, SiteId, bool, float]] = []
        self.targets = TargetSide(self)

    def arrived(self, peer: Address, local: Address) -> "Named":
        self.arrivals.append(str(local))
        return self

    def count(self, key: ServiceKey, site: SiteId, failed: bool, bucket: int) -> None:
        self.by_caller.append((key, site, failed, bucket))


class TargetSide:
    def __init__(self, named: Named) -> None:
        self._named = named

    def count(
        self,
        key: ServiceKey,
        target: str,
        name: str,
        client_site: SiteId,
        failed: bool,
        seconds: float,
    ) -> None:
        assert key == self._named.key
        self._named.by_target.append((target, name, client_site, failed, round(seconds, 6)))


def served(shop: Shop, site: str) -> Party:
    (party,) = [party for party in shop.targets[site].serving if party.got]
    return party


def answer(status: bytes) -> Callable[[Party], None]:
    return lambda party: party.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("here", [True, False], ids=["here", "elsewhere"])
@pytest.mark.parametrize(
    ("end", "failed"),
    [
        (answer(b"200 OK"), False),
        (answer(b"404 No"), False),
        (answer(b"500 No"), True),
        (Party.abort, True),
    ],
    ids=["200", "404", "500", "reset"],
)
def test_a_request_is_counted_for_its_caller_and_for_its_target_as_it_ended(
    here: bool, end: Callable[[Party], None], failed: bool
) -> None:
    shop = Shop(here=int(here), there=1, farther=0, answer=None)
    named = {name: Named() for name in "ab"}
    for name, one in named.items():
        shop.sites[name].forwarder.observing.callers = one
    shop.client(GET.replace(b"GET", b"POST"))
    shop.network.advance(1.5)
    end(served(shop, "a" if here else "b"))
    shop.network.run()
    site = HERE if here else THERE
    assert named["a"].by_caller == [(KEY, site, failed, bucket_of(1.5))]
    assert named["a"].arrivals == ["127.0.0.1:8080"] and not named["b"].arrivals
    target = str(shop.targets["a" if here else "b"])
    assert named["a" if here else "b"].by_target == [(target, "main", HERE, failed, 1.5)]
    assert not named["b" if here else "a"].by_target


def test_a_request_that_no_site_served_is_a_failure_of_its_caller() -> None:
    shop, named = Shop(here=1, there=0, farther=0, answer=None), Named()
    shop.a.set_targets(KEY, {"10.0.0.99:80": TargetConfig(connector="main", capacity=1)})
    shop.network.silent.add(Address("10.0.0.99", 80))
    shop.a.observing.callers = named
    client = shop.client()
    shop.network.advance(60.0)
    assert shop.status(client) in (502, 503)
    assert [(site, failed) for _, site, failed, _ in named.by_caller] == [(SERVED_NOWHERE, True)]


@pytest.mark.parametrize("here", [True, False], ids=["here", "elsewhere"])
@pytest.mark.parametrize(
    ("end", "failed"),
    [
        (lambda client, target: target.finish(), False),
        (lambda client, target: client.abort(), False),
        (lambda client, target: target.abort(), True),
    ],
    ids=["whole", "reset by the client", "reset by the target"],
)
def test_a_tcp_connection_fails_by_its_target_and_not_by_a_client_that_leaves(
    here: bool, end: Callable[[Party, Party], None], failed: bool
) -> None:
    world = Two(here=int(here), there=1)
    named = {"a": Named(DB), "b": Named(DB)}
    world.a.forwarder.observing.callers = named["a"]
    world.b.forwarder.observing.callers = named["b"]
    client = world.client()
    (target,) = serving(world.target_a if here else world.target_b)
    target.send(b"answer")
    world.network.run()
    assert client.got == b"answer"
    end(client, target)
    world.network.run()
    client.finish()
    world.network.run()
    site, counted = (HERE, named["a"]) if here else (THERE, named["b"])
    assert [one[1:3] for one in named["a"].by_caller] == [(site, failed)]
    assert [one[3] for one in counted.by_target] == [failed]


def test_a_tcp_client_that_leaves_before_a_target_has_it_gave_up() -> None:
    world, named = Two(here=1, there=0), Named(DB)
    world.a.forwarder.observing.callers = named
    world.network.silent.add(Address("10.0.0.1", 5432))
    client = world.client()
    client.abort()
    world.network.run()
    assert [one[1:3] for one in named.by_caller] == [(SERVED_NOWHERE, True)]
    assert [one[3] for one in named.by_target] == [True]
