"""One request through each site: its answer, and that it leaves no trace and no count."""

import pytest

from router.exchange.trials import Trial
from router.link.ports import ToldCount
from router.model import limits
from router.model.settings import Health
from router.model.specs import PolicySpec, ServiceSpec
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import router_of, site_of
from tests.unit.exchange.test_forwarder_http import KEY, BadEgress, Shop
from tests.unit.exchange.test_forwarder_tcp import KEY as TCP_KEY
from tests.unit.exchange.test_forwarder_tcp import Two
from tests.unit.service.test_refused_messages import Refusing

TORN = ("send_head", b"HTTP/1.1 503 No\r\n", 4)


def tried(shop: Shop, *sites: str, wait_s: float = 0.0) -> dict[str, Trial]:
    """The outcome at each of ``sites``, by name."""
    found: list[Trial] = []
    assert shop.a.try_sites(KEY, [site_of(site) for site in sites], found.extend)
    shop.network.run()
    shop.network.advance(wait_s)
    assert {trial.site for trial in found} == {site_of(site) for site in sites}
    by_id = {site_of(site): site for site in sites}
    return {by_id[trial.site]: trial for trial in found}


def outcomes(found: dict[str, Trial]) -> dict[str, str]:
    return {site: trial.outcome for site, trial in found.items()}


def test_each_site_serves_one_though_the_policy_would_stay_here() -> None:
    shop = Shop(here=5)
    found = tried(shop, "a", "b", "c")
    assert outcomes(found) == {"a": "ok", "b": "ok", "c": "ok"}
    assert {trial.status for trial in found.values()} == {200}
    assert shop.requests() == [1, 1, 1]


def test_a_site_without_a_share_is_tried_too() -> None:
    shop = Shop(here=5)
    split = ServiceSpec(ports=(8080,), protocol="http", policy=PolicySpec("split", {"a": 1}))
    shop.a.set_service(KEY, split)
    assert outcomes(tried(shop, "a", "b")) == {"a": "ok", "b": "ok"}


def test_nothing_stays_and_no_request_is_counted() -> None:
    shop = Shop(here=1)
    tried(shop, "a", "b")
    assert shop.in_flight() == [0, 0, 0]
    (snapshot,) = shop.a.readings.services_snapshot()
    assert snapshot.counters.requests_total == 0
    assert snapshot.demand == 0
    left = shop.network.pending_timers
    shop.network.advance(limits.TRIAL_S)
    tried(shop, "a", "b")
    assert shop.network.pending_timers == left, "nor is any waited for"
    assert shop.status(shop.client()) == 200


def test_the_path_of_health_checks_is_asked_for() -> None:
    shop = Shop(here=1, answer=None)
    config = TargetConfig(connector="main", health=Health(path="/healthz"))
    shop.a.set_targets(KEY, {str(shop.targets["a"]): config})
    shop.network.run()
    shop.a.try_sites(KEY, [site_of("a"), site_of("b")], lambda trials: None)
    shop.network.run()
    for site in ("a", "b"):
        heads = [bytes(party.got) for party in shop.targets[site].serving]
        assert any(head.startswith(b"GET /healthz HTTP/1.1\r\n") for head in heads), heads
        assert any(b"\r\nHost: shop\r\n" in head for head in heads)


def test_a_full_site_is_busy_and_its_slot_is_left_alone() -> None:
    shop = Shop(here=1, answer=None)
    shop.client()
    assert shop.in_flight() == [1, 0, 0]
    found = tried(shop, "a")
    assert outcomes(found) == {"a": "busy"}
    assert shop.in_flight() == [1, 0, 0]


def test_a_site_that_never_answers_is_late_and_its_target_is_let_go() -> None:
    shop = Shop(answer=None)
    shop.network.advance(3.0)
    found: list[Trial] = []
    assert shop.a.try_sites(KEY, [site_of("b")], found.extend)
    shop.network.advance(0.9 * limits.TRIAL_S)
    assert not found, "it may answer still"
    shop.network.advance(0.1 * limits.TRIAL_S)
    (trial,) = found
    assert (trial.outcome, round(trial.seconds, 6)) == ("late", limits.TRIAL_S)
    shop.network.run()
    assert shop.in_flight() == [0, 0, 0]


def test_what_a_silent_site_does_not_take_goes_nowhere_else() -> None:
    shop = Shop(here=5)
    shop.mesh.offered[router_of("b")] = lambda stream, request: None
    assert outcomes(tried(shop, "b", wait_s=limits.TRIAL_S)) == {"b": "late"}
    assert shop.requests() == [0, 0, 0] and len(shop.mesh.opens) == 1


def test_a_head_that_the_site_refuses_is_named_and_reported() -> None:
    shop = Shop(here=1)
    Refusing(shop, "refuse", "bad-head", 0)
    assert outcomes(tried(shop, "a", "b", "c")) == {"a": "ok", "b": "bad-head", "c": "ok"}
    assert shop.a.refused_messages.counts(KEY) == {"request-refused-there": 1}


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ((("answer", b"nonsense", 0, b"", ToldCount(0)),), "bad-answer"),
        ((("reset", "target-reset"),), "target-reset"),
        ((("answer", b"HTTP/1.1 503 No\r\n", 0, b"", ToldCount(0)),), "ok"),
        ((TORN, ("send", b"tor"), ("break_off", "target-reset")), "target-reset"),
        ((TORN, ("send", b"tor"), ("finish",)), "bad-answer"),
    ],
)
def test_what_a_site_answers_is_told(script: tuple[tuple[object, ...], ...], outcome: str) -> None:
    shop = Shop()
    BadEgress(shop, *script)
    found = tried(shop, "b")
    assert outcomes(found) == {"b": outcome}
    assert found["b"].status == (503 if outcome == "ok" or TORN in script else 0)


def test_a_site_that_no_link_leads_to_has_no_route() -> None:
    shop = Shop()
    shop.mesh.cut(router_of("b"))
    assert outcomes(tried(shop, "b")) == {"b": "no-route"}


def test_a_response_without_end_is_good_once_much_of_it_came() -> None:
    shop = Shop()
    piece = b"x" * 65_536
    pieces = (("send", piece),) * (limits.TRIAL_BODY_BYTES_MAX // len(piece) + 1)
    BadEgress(shop, ("send_head", b"HTTP/1.1 200 OK\r\n", -1), *pieces)
    assert outcomes(tried(shop, "b")) == {"b": "ok"}


def test_only_so_many_run_at_once() -> None:
    shop = Shop(answer=None)
    ended: list[Trial] = []
    for _ in range(limits.TRIALS_AT_ONCE_MAX):
        assert shop.a.try_sites(KEY, [site_of("c")], ended.extend)
    assert not shop.a.try_sites(KEY, [site_of("c")], ended.extend)
    shop.network.advance(limits.TRIAL_S)
    assert len(ended) == limits.TRIALS_AT_ONCE_MAX
    for _ in range(limits.TRIALS_AT_ONCE_MAX):
        assert shop.a.try_sites(KEY, [], ended.extend)
    assert not shop.a.try_sites(KEY, [], ended.extend)


def test_a_tcp_service_is_tried_by_a_connection_that_is_not_half_closed() -> None:
    """A server may take an end for the client's word that it wants nothing."""
    world, found = Two(1, 1), list[Trial]()
    sites = [site_of("a"), site_of("b")]
    assert world.a.forwarder.try_sites(TCP_KEY, sites, found.extend)
    world.network.run()
    assert {(one.site, one.outcome) for one in found} == {(site, "ok") for site in sites}
    for target in (world.target_a, world.target_b):
        party = target.parties[-1]  # Before it came a check of health.
        assert party.losses and not party.got_end
    assert world.counts == (0, 0)
