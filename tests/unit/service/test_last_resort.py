"""A target of last resort, a pod that was told to stop, serves while no other target does."""

from msgspec.structs import replace

from router.model.ids import ServiceKey
from router.model.specs import ServiceSpec
from router.service.ports import TargetConfig
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
LEAVES = "its pod is to end"
STAYS = TargetConfig(connector="main")
LEAVING = replace(STAYS, last_resort=LEAVES)


class Shop:
    """A site with two targets, known or not; another site that serves or does not."""

    def __init__(self, **targets: TargetConfig) -> None:
        self.network = FakeNetwork()
        self.site = Site(self.network, FakeMesh(self.network), "a")
        self.forwarder = self.site.forwarder
        self.targets = {
            "one": FakeTarget(self.network, "10.0.0.1", 80, answer_ok),
            "two": FakeTarget(self.network, "10.0.0.2", 80, answer_ok),
        }
        self.forwarder.set_service(KEY, ServiceSpec(ports=(8080,), protocol="http"))
        self.have(**targets)
        self.forwarder.set_listeners({KEY: ("127.0.0.1", 8080)})

    def have(self, **targets: TargetConfig) -> None:
        self.forwarder.set_targets(KEY, {str(self.targets[n]): c for n, c in targets.items()})
        self.network.run()

    def elsewhere(self, *, serves: bool) -> None:
        self.forwarder.ports.set_remotes(KEY, [candidate("b")] if serves else [])
        self.network.run()

    def ready(self) -> list[str]:
        up = {one.host for one in self.forwarder.readings.targets.of(KEY) if one.ready}
        return [name for name, one in self.targets.items() if one.address.host in up]

    def shown(self) -> list[str]:
        """The state of each target that is shown, in a word."""
        return [one.error or "ready" for one in self.forwarder.readings.targets.of(KEY)]

    def get(self) -> Party:
        party = self.site.connect("127.0.0.1", 8080)
        party.send(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
        self.network.run()
        return party


def test_the_only_one_of_all_goes_on_without_a_gap() -> None:
    shop = Shop(one=STAYS)
    shop.have(one=LEAVING)
    assert shop.ready() == ["one"]
    assert shop.get().got.startswith(b"HTTP/1.1 200")


def test_while_another_site_serves_it_stands_aside_and_is_shown_no_more() -> None:
    shop = Shop(one=STAYS)
    shop.elsewhere(serves=True)
    shop.have(one=LEAVING)
    assert shop.shown() == []


def test_when_nobody_serves_any_more_it_steps_in() -> None:
    shop = Shop(one=STAYS)
    shop.elsewhere(serves=True)
    shop.have(one=LEAVING)
    shop.elsewhere(serves=False)
    assert shop.ready() == ["one"]
    assert shop.get().got.startswith(b"HTTP/1.1 200")


def test_once_it_serves_it_goes_on_though_another_site_does_so_too() -> None:
    """Else two sites that each have only such a target would take turns."""
    shop = Shop(one=STAYS)
    shop.have(one=LEAVING)
    shop.elsewhere(serves=True)
    assert shop.ready() == ["one"]
    shop.have(one=LEAVING)
    assert shop.ready() == ["one"]


def test_beside_a_target_that_is_ready_here_it_stands_aside() -> None:
    shop = Shop(one=STAYS, two=STAYS)
    shop.have(one=LEAVING, two=STAYS)
    assert shop.shown() == ["ready"]
    shop.have(one=LEAVING, two=replace(STAYS, unusable="its pod is not ready"))
    assert shop.ready() == ["one"]


def test_it_goes_on_until_the_one_that_follows_it_can_be_reached() -> None:
    """The cluster may call a pod ready that this router does not reach yet."""
    shop = Shop(one=STAYS)
    shop.targets["two"].stop()
    shop.have(one=LEAVING, two=STAYS)
    assert shop.ready() == ["one"]
    shop.targets["two"] = FakeTarget(shop.network, "10.0.0.2", 80, answer_ok)
    shop.network.advance(30.0)
    assert shop.ready() == ["two"]
    assert shop.shown() == ["ready"]


def test_other_routers_of_the_site_have_the_same_pods_and_do_not_count() -> None:
    """Else each leaves it to the others, until they have told that they have none."""
    shop = Shop(one=STAYS)
    shop.forwarder.ports.set_remotes(KEY, [replace(candidate("b"), site=site_of("a"))])
    shop.network.run()
    shop.have(one=LEAVING)
    assert shop.ready() == ["one"]


def test_what_may_not_be_used_is_no_last_resort() -> None:
    shop = Shop(one=STAYS)
    shop.have(one=replace(LEAVING, unusable="it is drained"))
    assert shop.shown() == ["it is drained"]


def test_the_target_beside_it_dies_and_it_steps_in() -> None:
    shop = Shop(one=STAYS, two=STAYS)
    shop.have(one=LEAVING, two=STAYS)
    shop.targets["two"].stop()
    shop.network.advance(30.0)
    assert shop.ready() == ["one"]
