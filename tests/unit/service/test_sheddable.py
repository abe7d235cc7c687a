"""Which requests are sheddable, and how a serving site treats those that other sites send."""

import pytest

from router.link.ports import OpenRequest
from router.model.ids import ServiceKey, SiteId
from router.model.specs import ServiceSpec
from router.service.ports import TargetConfig
from router.service.sheddable import SheddableRule, rule_of
from tests.unit.exchange.fakes import FakeMesh, FakeNetwork, FakeStream, FakeTarget, Site, router_of
from tests.unit.service.test_fair_lines import Opener

KEY = ServiceKey("shop", 8080)
PLAIN = b"GET / HTTP/1.1\r\nHost: shop\r\n"
BATCH = PLAIN + b"X-Priority: batch\r\n"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (b"x-priority: batch\r\n", True),
        (b"X-PRIORITY:batch\r\nAccept: */*\r\n", True),
        (b"Accept: */*\r\nX-Priority: \t batch \r\n", True),
        (b"X-Priority: high\r\nX-Priority: batch\r\n", True),
        (b"X-Priority: Batch\r\n", False),
        (b"X-Priority: batches\r\n", False),
        (b"X-Priority: batch, high\r\n", False),
        (b"My-X-Priority: batch\r\n", False),
        (b"X-Other: X-Priority: batch\r\n", False),
        (b"", False),
    ],
)
def test_a_head_is_judged_by_field_and_value(lines: bytes, expected: bool) -> None:
    rule = SheddableRule("x-priority: batch", 0.5)
    assert rule.covers(PLAIN + lines) is expected
    assert not rule.covers(b"GET /x-priority:batch HTTP/1.1\r\nHost: shop\r\n")


def test_characters_with_a_meaning_in_patterns_stand_for_themselves() -> None:
    rule = SheddableRule("x.y: a+(b)", 0.5)
    assert rule.covers(PLAIN + b"X.Y: a+(b)\r\n")
    assert not rule.covers(PLAIN + b"XaY: a+(b)\r\n") and not rule.covers(PLAIN + b"x.y: aa(b)\r\n")


def test_without_the_setting_and_for_tcp_there_is_no_rule() -> None:
    assert rule_of(ServiceSpec(ports=(1,), protocol="http"), None) is None
    assert rule_of(ServiceSpec(ports=(1,), protocol="tcp", sheddable="a: b"), None) is None
    config = ServiceSpec(ports=(1,), protocol="http2", sheddable="a: b")
    rule = rule_of(config, None)
    assert rule is not None and rule_of(config, rule) is rule


@pytest.mark.parametrize("text", ["a: a", "a: b", "a: c"])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_changed_setting_is_another_rule(text: str, share: float) -> None:
    known = SheddableRule(text, share)
    config = ServiceSpec(ports=(1,), protocol="http", sheddable="a: b", sheddable_share=0.5)
    rule = rule_of(config, known)
    assert rule is not None
    assert (rule.text, rule.share) == ("a: b", 0.5)
    assert (rule is known) == ((text, share) == ("a: b", 0.5))


class Serving:
    """Site b with 4 slots, of which sheddable requests get 2; a neighbor opens streams there."""

    def __init__(self, queue: int | None = None) -> None:
        self.network = FakeNetwork()
        self.mesh = FakeMesh(self.network)
        self.site = Site(self.network, self.mesh, "b")
        target = FakeTarget(self.network, "10.0.0.1", 1, lambda party: None)
        config = ServiceSpec(
            ports=(8080,),
            protocol="http",
            queue=queue,
            sheddable="x-priority: batch",
            sheddable_share=0.5,
        )
        self.site.forwarder.set_service(KEY, config)
        terms = TargetConfig(connector="main", capacity=4)
        self.site.forwarder.set_targets(KEY, {str(target): terms})
        self.network.run()

    def open(self, head: bytes, wait_ms: int = 0) -> tuple[FakeStream, Opener]:
        near, handler = FakeStream(self.mesh, router_of("b")), Opener()
        far = FakeStream(self.mesh, router_of("a"), SiteId("a"))
        near.other, far.other = far, near
        near.handler = handler  # type: ignore[assignment]
        request = OpenRequest(
            path=(router_of("b"),),
            service=KEY.name,
            port=KEY.port,
            protocol="http",
            ingress=SiteId("a"),
            wait_ms=wait_ms,
            head=head,
        )
        self.site.forwarder.stream_offered(far, request)
        self.network.run()
        return near, handler

    @property
    def in_flight(self) -> int:
        return self.site.forwarder.readings.load_of(KEY).in_flight


def test_the_serving_site_judges_the_head_by_its_own_rule() -> None:
    world = Serving()
    batch = [world.open(BATCH)[1] for _ in range(4)]
    assert [one.refusals for one in batch] == [[], [], ["busy"], ["busy"]]
    plain = [world.open(PLAIN)[1] for _ in range(3)]
    assert [one.refusals for one in plain] == [[], [], ["busy"]]
    assert world.in_flight == 4


def test_sheddable_streams_wait_behind_the_others() -> None:
    world = Serving()
    holders = [world.open(PLAIN) for _ in range(4)]
    world.open(BATCH, wait_ms=5000)
    world.open(PLAIN, wait_ms=5000)
    for stream, _ in holders[:2]:
        stream.reset("cancelled")
        world.network.run()
    load = world.site.forwarder.readings.load_of(KEY)
    assert (load.in_flight, load.waiting) == (3, 1), "one slot is free, and the share is used"
    for stream, _ in holders[2:]:
        stream.reset("cancelled")
        world.network.run()
    load = world.site.forwarder.readings.load_of(KEY)
    assert (load.in_flight, load.waiting) == (2, 0)


def test_one_that_is_not_sheddable_takes_the_place_of_one_that_is_in_a_full_queue() -> None:
    world = Serving(queue=2)
    for _ in range(4):
        world.open(PLAIN)
    waiting = [world.open(BATCH, wait_ms=5000)[1] for _ in range(2)]
    assert world.open(BATCH, wait_ms=5000)[1].refusals == ["busy"]
    assert [world.open(PLAIN, wait_ms=5000)[1].refusals for _ in range(3)] == [[], [], ["busy"]]
    assert [one.refusals for one in waiting] == [["busy"], ["busy"]]
    assert world.open(BATCH, wait_ms=5000)[1].refusals == ["busy"], "no place is left for it"
