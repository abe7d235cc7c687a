"""Targets that answer nothing, at a router whose other workers have their part of the slots."""

from router.model import limits
from router.model.events import Note
from router.node.services.unanswering_targets import UnansweringTargets
from router.workers.recent_port_figures import RecentPortFigures, TargetPart
from tests.simulation.other_worker import OtherWorker
from tests.unit.exchange.test_forwarder_http2 import KEY, Shop
from tests.unit.service.test_abandoned import SLOTS
from tests.unit.service.test_abandoned import Shop as DeafShop


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
    judge = UnansweringTargets(shop.a.forwarder, lambda *event, **_: None)
    assert [note.code for note in told(shop, judge)] == ["SW0349"]
    other = OtherWorker()
    judge.judge_with(other)
    address = str(shop.target)
    for count, codes in ((2, []), (3, ["SW0349"]), (2, [])):
        targets, owed = {address: TargetPart(count, 3, None)}, {address: count}
        other.reports(RecentPortFigures(key=KEY, change=None, targets=targets, awaited=owed))
        assert [note.code for note in told(shop, judge)] == codes


def test_a_target_that_hangs_is_not_said_to_answer_when_its_clients_give_up() -> None:
    shop, told = DeafShop(), list[tuple[str, str]]()
    shop.serve_one(0.2)
    judge = UnansweringTargets(
        shop.forwarder, lambda *event, **_: told.append((event[1], event[3]))
    )
    clients = [shop.ask() for _ in range(SLOTS)]
    for _ in range(4 * SLOTS):
        for _ in range(5):
            shop.network.advance(1.0)
            judge.look(shop.network.now())
        clients.pop(0).abort()
        shop.network.run()
        judge.look(shop.network.now())
        shop.network.advance(0.5)  # The target was given this time to notice.
        clients.append(shop.ask())
        judge.look(shop.network.now())
    assert "target-stuck" in [code for code, _ in told]
    assert not [text for _, text in told if "answers requests again" in text]
