"""A member that opens streams and resets them at once: what reaches a target stays bounded."""

import threading
import time
from pathlib import Path

from tests.hostile import wire
from tests.hostile.member import Member
from tests.hostile.wire import Frame
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import until

HEAD = b"GET / HTTP/1.1\r\nHost: shop\r\n"
STREAMS, SLOTS, SERVICE_S = 598, 2, 0.3


class Storm(Member):
    """It resets each stream as soon as that is accepted, and opens the next one."""

    def __init__(self, token_file: Path) -> None:
        super().__init__(token_file)
        self.accepted = self.left = 0
        self.is_over = threading.Event()
        self.on_stream = self._next

    def begin(self) -> None:
        self.left = STREAMS
        self.send(self._open())

    def _open(self) -> Frame:
        self.left -= 1
        return self.open_frame("shop", SHOP_PORT, HEAD)

    def _next(self, frame: Frame) -> list[Frame]:
        answers = []
        if frame.kind == wire.ACCEPTED:
            self.accepted += 1
            answers.append(wire.reset(frame.stream, wire.CANCELLED))
        elif frame.kind != wire.REFUSED:
            return []
        if not self.left:
            self.is_over.set()
            return answers
        return [*answers, self._open()]


def test_resets_do_not_put_more_on_a_target_than_it_has_slots(net: Network, tmp_path: Path) -> None:
    room = net.site("room")
    target = net.http("room", SERVICE_S)
    room.declare("shop")
    room.connect("shop", target, capacity=SLOTS)
    net.start()
    net.ready("shop", {"room": 1})
    token = tmp_path / "member.token"
    room.ctl("token", "create", str(token), "--token-type", "cert")
    assert fetch(room.address, SHOP_PORT).status == 200
    target.hold()
    before = len(target.seen)
    with Storm(token) as storm:
        began = time.monotonic()
        storm.begin()
        assert storm.is_over.wait(30)
        took_s = time.monotonic() - began
        reached = len(target.seen) - before
        print(f"{STREAMS} streams in {took_s:.2f} s, {reached} requests reached the target")
        assert reached <= SLOTS * (took_s / SERVICE_S + 1)
        assert storm.accepted <= SLOTS * (took_s / SERVICE_S + 1)
    target.release()
    until(lambda: fetch(room.address, SHOP_PORT).status == 200, "it serves again")
    net.at_rest("shop")
