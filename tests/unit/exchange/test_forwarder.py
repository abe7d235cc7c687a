"""A forwarder as a whole: its name, its targets, its news, its end."""

from router.model import limits
from router.model.ids import ServiceKey
from router.model.specs import ServiceSpec
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import FakeTarget, answer_ok, site_of
from tests.unit.exchange.test_forwarder_http import KEY, Shop

OTHER = ServiceKey("cart", 81)


def test_a_site_is_called_what_it_is_called_now_also_by_services_that_come() -> None:
    shop = Shop(here=1)
    shop.a.ports.set_site_name("renamed")
    shop.a.set_service(OTHER, ServiceSpec(ports=(81,), protocol="http"))
    for key in (KEY, OTHER):
        explained = shop.a.readings.explain(key, 0.0)
        assert explained is not None
        names = {one.site: one.site_name for one in explained.candidates}
        assert names.get(site_of("a"), "renamed") == "renamed"
        assert "a" not in names.values()


def test_targets_that_change_are_told_once_at_the_end_of_the_turn() -> None:
    shop, told = Shop(here=1), list[int]()
    shop.a.news.follow_targets(lambda: told.append(shop.a.readings.load_of(KEY).targets_ready))
    config = TargetConfig(connector="main", capacity=1)
    more = [FakeTarget(shop.network, f"10.0.1.{number}", 80) for number in range(3)]
    shop.a.set_targets(KEY, {str(one): config for one in (shop.targets["a"], *more)})
    assert told == []
    shop.network.run()
    assert told[-1] == 4
    told.clear()
    shop.network.advance(3 * limits.HEALTH_INTERVAL_S)
    assert told == [], "nothing changed"
    shop.a.set_targets(KEY, {str(one): config for one in more})
    shop.a.set_targets(KEY, {str(more[0]): config})
    shop.network.run()
    assert told == [1]


def test_a_forwarder_that_is_finished_checks_no_target() -> None:
    shop, drained = Shop(here=1), list[bool]()

    def checks() -> int:
        before = len(shop.network.dialed)
        shop.network.advance(3 * limits.HEALTH_INTERVAL_S)
        return shop.network.dialed[before:].count(shop.targets["a"].address)

    seen = [checks() > 0]
    shop.a.drain(lambda: drained.append(True))
    seen.append(checks() > 0)
    shop.a.finish()
    assert ([*seen, checks() > 0], drained) == ([True, True, False], [True])


def test_a_process_that_follows_another_one_listens_where_that_does() -> None:
    shop = Shop(here=1)
    led, listening = set[ServiceKey](), []
    for _ in range(2):
        shop.a.follow_listeners(lambda key, where: key in led)
        listening.append(shop.a.listeners.is_bound(KEY, 8080))
        led.add(KEY)
    assert listening == [False, True]


def test_requests_are_timed_once_it_is_wanted() -> None:
    shop = Shop(here=1, answer=None)
    slices = []
    for _ in range(2):
        client = shop.client()
        shop.network.advance(0.2)
        (target,) = [one for one in shop.targets["a"].serving if one.got]
        answer_ok(target)
        shop.network.run()
        assert shop.status(client) == 200
        ((_, latencies),) = shop.a.readings.latencies_of(KEY)
        slices.append(bool(latencies))
        shop.a.sampling.sample_latency()
    assert slices == [False, True]
