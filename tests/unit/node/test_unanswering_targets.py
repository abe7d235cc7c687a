"""Targets that answer nothing, at a router whose other workers have their part of the slots."""

from router.model import limits
from router.model.events import Note
from router.node.services.unanswering_targets import UnansweringTargets
from router.workers.recent_port_figures import RecentPortFigures, TargetPart
from tests.simulation.other_worker import OtherWorker
from tests.unit.exchange.test_forwarder_http2 import KEY, Shop


def told(shop: Shop, judge: UnansweringTargets) -> list[Note]:
    """After a while in which nothing is answered."""
    for _ in range(round(limits.TARGET_STUCK_S) + 2):
        shop.network.advance(1.0)
        judge.look(shop.network.now())
    return judge.notes(shop.network.now())


def test_of_http2_only_a_target_that_is_full_at_all_workers_hangs() -> None:
    """The head of a gRPC answer comes with its first message, however late."""
    shop = Shop(remote=False, capacity=limits.TARGET_STUCK_AWAITED)
    shop.ask()
    shop.target.act = shop.target.hold
    for _ in range(limits.TARGET_STUCK_AWAITED):
        shop.ask()
    judge = UnansweringTargets(shop.a.forwarder, lambda *event: None)
    assert [note.code for note in told(shop, judge)] == ["SW0349"]
    other = OtherWorker()
    judge.judge_with(other)
    address = str(shop.target)
    for count, codes in ((2, []), (3, ["SW0349"]), (2, [])):
        targets, owed = {address: TargetPart(count, 3, None)}, {address: count}
        other.reports(RecentPortFigures(key=KEY, change=None, targets=targets, awaited=owed))
        assert [note.code for note in told(shop, judge)] == codes
