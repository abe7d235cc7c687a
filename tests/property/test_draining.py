"""The law of draining: by no order of events is a stream lost, whatever goes and whenever."""

import random

from hypothesis import example, given
from hypothesis import strategies as st

from router.link.ports import ToldCount
from router.model import limits
from router.net.ports import Tls
from tests.unit.link.lanes import Recorder
from tests.unit.link.routers import Router, linked
from tests.unit.link.wire import World


class History:
    """Two linked sites whose lanes run at different speeds, and streams both ways."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.world = World(seed)
        self.west, self.east = linked(self.world)
        self.west.links.set_drain_grace(1e9)
        self.opened: list[tuple[Router, Router, Recorder]] = []
        self.leaves = 0
        self.stopping = False
        self.finishing = False
        self.stopped: list[bool] = []

    def step(self) -> None:
        """One thing happens, and some of the bytes under way arrive."""
        things = [self._open] * 6 + [self._end] * 4 + [self._lag] * 3
        things += [self._renew, self._delete, self._link_again, self._stop, self._finish]
        self.random.choice(things)()
        for _ in range(self.random.randint(0, 4)):
            self.world.turn()

    def _open(self) -> None:
        here, there = self.random.choice([(self.west, self.east), (self.east, self.west)])
        if here is self.east and self.finishing:
            return
        handler = Recorder()
        handler.stream = here.links.open_stream(here.request(there), handler)
        if handler.stream is not None:
            self.opened.append((here, there, handler))

    def _end(self) -> None:
        """Finish a stream at both ends that stand open; the egress's may not have come yet."""
        side = self.random.choice([self.west, self.east])
        if side.owner.offered:
            stream, _ = side.owner.offered.pop(self.random.randrange(len(side.owner.offered)))
            stream.send(b"x" * self.random.choice([0, 10, 100_000]))
            stream.finish(ToldCount(0))

    def _lag(self) -> None:
        """One direction of one lane is held up, or goes on."""
        wire = self.random.choice(self.world.wires)
        end = self.random.choice([wire.left, wire.right])
        if end.held:
            end.release()
        else:
            end.hold()

    def _renew(self) -> None:
        if "to-east" in self.west.specs:
            self.leaves += 1
            self.west.tls = Tls(None, b"leaf %d" % self.leaves, self.west.tls.alpn)
            self.west.link("east")

    def _delete(self) -> None:
        if self.west.specs.pop("to-east", None) is not None:
            self.west.links.set_links(self.west.specs)

    def _link_again(self) -> None:
        if not self.stopping:
            self.west.link("east")

    def _stop(self) -> None:
        if not self.stopping:
            self.stopping = True
            self.east.links.drain()

    def _finish(self) -> None:
        if self.stopping and not self.finishing:
            self.finishing = True
            self.east.links.finish(lambda: self.stopped.append(True))

    def come_to_an_end(self) -> None:
        """All arrives and every stream is finished by both its ends."""
        self._stop()
        self._finish()
        for wire in self.world.wires:
            for end in (wire.left, wire.right):
                end.release()
        for _ in range(10):
            self.world.settle()
            for side in (self.west, self.east):
                while side.owner.offered:
                    self._end()
        for _, _, handler in self.opened:
            assert handler.stream is not None
            if "lost" not in handler.names:
                handler.stream.finish()
        self.world.advance(limits.LANE_LINGER_S * 2)


@given(seed=st.integers(0, 2**32), steps=st.integers(1, 60))
@example(seed=145, steps=27)  # The next lanes of a link, which is deleted, carry streams already.
@example(seed=499, steps=27)  # The next lanes are up later than those of the re-created link.
@example(seed=20, steps=10)  # A re-created link overtakes the message that its old self drains.
@example(seed=195433307, steps=18)  # Streams behind a PROOF that a stopping site has not read.
@example(seed=1005404, steps=22)  # A link that is to succeed another, which is deleted meanwhile.
@example(seed=8192, steps=42)  # Lanes deleted before their dialer hears that it was let in.
@example(seed=910079998, steps=29)  # A data lane that joins while its link drains.
def test_no_stream_is_lost_to_anything_that_drains(seed: int, steps: int) -> None:
    history = History(seed)
    for _ in range(steps):
        history.step()
    history.come_to_an_end()
    for _, _, handler in history.opened:
        assert handler.losses == [None]
        assert handler.names[0] in ("accepted", "refused")
    for side in (history.west, history.east):
        assert all(recorder.losses == [None] for recorder in side.owner.recorders)
        assert side.links.streams == side.links.buffered_bytes == 0
    assert history.stopped == [True]
