"""A request that waits for a slot: at another site, whose answer says when it may try again."""

from collections.abc import Callable

import msgspec
import pytest

from router.link.ports import DeadEnd, OpenRequest, ToldCount
from router.model import limits
from router.model.ids import RouterId
from router.model.messages.adverts import LoadReport
from router.model.settings import Timeouts
from router.model.specs import ServiceSpec
from router.service.ports import TargetConfig
from tests.unit.exchange.fakes import FakeStream, candidate, router_of, site_of
from tests.unit.exchange.test_forwarder_http import GET, KEY, POST, Shop

pytestmark = pytest.mark.usefixtures("lateness")

SPEC = ServiceSpec(ports=(8080,), protocol="http", queue_wait_s=2.0, timeouts=Timeouts())


class Scene(Shop):
    """Only ``b`` has a slot, which is taken. Who comes then meets ``act`` after ``act_s``."""

    def __init__(self, act: Callable[[FakeStream], None], act_s: float, way_s: float = 0.0) -> None:
        super().__init__(there=1, farther=0, answer=None)
        self.a.set_service(KEY, SPEC)
        self.mesh.delay_s = way_s
        self.client()
        self.network.advance(0.1 + 4 * way_s)  # How far it is is known now.
        self.act, self.act_s = act, act_s
        self.waits: list[bool] = []
        self.wait_s = 0.0  # Of the last one.
        self.mesh.offered[router_of("b")] = self._offered

    def _offered(self, stream: object, request: OpenRequest) -> None:
        assert isinstance(stream, FakeStream)
        stream.lead_to(DeadEnd())
        self.waits.append(request.wait_ms > 0)
        self.wait_s = request.wait_ms / 1000
        self.network.call_at(self.network.time + self.act_s, lambda: self.act(stream))

    def waited(self) -> int:
        """How many requests have, as it is counted."""
        (snapshot,) = self.a.readings.services_snapshot()
        return sum(snapshot.counters.queue_wait.counts)


def refuse(stream: FakeStream) -> None:
    stream.refuse("busy", 1)


def answer(stream: FakeStream) -> None:
    stream.answer(b"HTTP/1.1 200 OK\r\n", 2, b"ok", ToldCount(1))


def accept_and_answer(stream: FakeStream) -> None:
    stream.accept(1)
    answer(stream)


@pytest.mark.parametrize(
    ("refused_after_s", "is_left_alone"),
    [(0.0, True), (0.4 * limits.STAND_S, True), (0.6 * limits.STAND_S, False)],
)
def test_a_site_that_lets_nobody_stand_is_asked_again_only_after_news_of_it(
    refused_after_s: float, is_left_alone: bool
) -> None:
    scene = Scene(refuse, refused_after_s)
    scene.client()
    scene.network.advance(SPEC.queue_wait_s / 2)
    assert all(scene.waits) and (len(scene.waits) == 1) == is_left_alone


@pytest.mark.parametrize("act", [answer, accept_and_answer])
@pytest.mark.parametrize("request_bytes", [GET, POST])
@pytest.mark.parametrize("way_s", [0.0, limits.FAR_RTT_S])
@pytest.mark.parametrize("seems_full", [True, False])
def test_who_stood_until_a_slot_was_free_has_waited_there(
    act: Callable[[FakeStream], None], request_bytes: bytes, way_s: float, seems_full: bool
) -> None:
    """A far site that seemed to have room may have had it: the way may have been slow."""
    scene = Scene(act, 0.5, way_s)
    if not seems_full:
        scene.set_remotes(b=2)
    client = scene.client(request_bytes)
    scene.network.advance(0.3)
    (record,) = scene.a.readings.past_of(KEY, 1, "all")
    assert (record.reason == "looked full from here, and may wait there") == seems_full
    assert record.overflow_reason == "", "no cheaper site was passed over"
    scene.network.advance(1.0)
    assert scene.status(client) == 200
    stood = seems_full or way_s > 0
    assert (scene.waits, scene.waited()) == ([stood], stood)
    (record,) = scene.a.readings.past_of(KEY, 1, "all")
    says_so = record.reason == "waited until a slot was free there"
    assert says_so == seems_full
    assert record.waited_s == pytest.approx(0.5 if stood else 0.0, abs=0.01)


def test_who_stood_at_another_router_of_this_site_was_served_here_and_did_not_spill() -> None:
    shop, sibling = Shop(here=1, there=0, farther=0, answer=None), RouterId("sibling")
    full = candidate("a", cost=limits.SIBLING_COST, capacity=1)
    beside = msgspec.structs.replace(full, router=sibling, paths=((sibling,),))
    shop.a.ports.set_remotes(KEY, [beside])
    shop.a.ports.report_load(LoadReport(sibling, 1, KEY.name, KEY.port, 1, 1, 1), site_of("a"))
    streams: list[FakeStream] = []

    def offered(stream: object, _: OpenRequest) -> None:
        assert isinstance(stream, FakeStream)
        stream.lead_to(DeadEnd())
        streams.append(stream)

    shop.mesh.offered[sibling] = offered
    shop.client()  # It has the slot here.
    clients = [shop.client() for _ in range(2)]
    shop.network.advance(0.4)
    (stream,) = streams
    reasons = ["looked full from here, and may wait there"]
    reasons.append("waited until a slot was free here, at another of its routers or workers")
    for reason in reasons:
        standing = [one for one in shop.a.readings.past_of(KEY, 9, "all") if one.reason == reason]
        (record,) = standing
        assert (record.site, record.spill_reason, record.overflow_reason) == (site_of("a"), "", "")
        accept_and_answer(stream)
        shop.network.advance(0.1)
    assert [bytes(one.got[:15]) for one in clients].count(b"HTTP/1.1 200 OK") == 1


@pytest.mark.parametrize(
    ("other", "stands_s"),
    [("", SPEC.queue_wait_s), ("full", limits.STAND_S), ("has room", 0.0)],
)
def test_how_long_a_request_stands_at_a_far_site_depends_on_who_else_could_take_it(
    other: str, stands_s: float
) -> None:
    scene = Scene(answer, 0.5, limits.FAR_RTT_S)
    scene.set_remotes(b=2, c=int(other == "has room"))
    if other == "full":
        config = {str(scene.targets["a"]): TargetConfig(connector="t", capacity=1)}
        scene.a.set_targets(KEY, config)
        scene.network.run()
        scene.client()
    client = scene.client()
    scene.network.advance(1.0)
    assert scene.waits == [stands_s > 0]
    assert (scene.wait_s, scene.status(client)) == (stands_s, 200)


@pytest.mark.parametrize(
    ("queue", "reason"),
    [
        (0, "no request may wait: the queue of the service is 0"),
        (1, "the queue is full"),
        (3, "the queue is full"),
    ],
)
def test_who_may_not_wait_is_told_why(queue: int, reason: str) -> None:
    shop = Shop(here=1, there=0, farther=0, answer=None)
    shop.a.set_service(KEY, msgspec.structs.replace(SPEC, queue=queue))
    clients = [shop.client() for _ in range(1 + queue)]
    shop.network.advance(0.1)
    assert not any(client.got for client in clients)
    assert shop.status(shop.client()) == 503
    (record,) = shop.a.readings.past_of(KEY, 1, "all")
    assert record.reason == reason


BATCH = GET.replace(b"\r\n\r\n", b"\r\nX-Priority: batch\r\n\r\n")


@pytest.mark.parametrize("waits", [GET, BATCH])
@pytest.mark.parametrize("comes", [GET, BATCH])
def test_of_a_full_queue_a_sheddable_request_gives_its_place_to_one_that_is_not(
    waits: bytes, comes: bytes
) -> None:
    shop = Shop(here=1, there=0, farther=0, answer=None)
    changes: dict[str, object] = {"queue": 1, "sheddable": "x-priority: batch"}
    shop.a.set_service(KEY, msgspec.structs.replace(SPEC, sheddable_share=1.0, **changes))
    shop.client()
    first, second = shop.client(waits), shop.client(comes)
    gives_way = waits == BATCH and comes == GET
    refused, stays = (first, second) if gives_way else (second, first)
    code = b"shed" if BATCH in (waits if gives_way else comes,) else b"all-full"
    assert shop.status(refused) == 503 and b"Spillway-Error: " + code + b"\r\n" in refused.got
    assert not stays.got and shop.a.readings.queued() == {KEY: 1}
    reasons = {one.reason for one in shop.a.readings.past_of(KEY, 9, "denied")}
    displaced = "the queue is full, and a request that is not sheddable has its place"
    assert reasons == {displaced if gives_way else "the queue is full"}
    decisions = shop.a.readings.services_snapshot()[0].counters.decisions
    assert sum(count for (_, verdict), count in decisions.items() if verdict == "shed") == (
        code == b"shed"
    )


def test_who_waits_for_a_service_that_is_removed_is_told() -> None:
    shop = Shop(here=1, there=0, farther=0, answer=None)
    shop.client()
    client = shop.client()
    service = shop.a.readings
    assert service.queued() == {KEY: 1}
    shop.a.remove_service(KEY)
    shop.network.run()
    assert shop.status(client) == 503 and b"Spillway-Error: no-route\r\n" in client.got
