"""Two lanes back to back, and handlers that record their calls."""

from typing import Any

import msgspec

from router.link import control
from router.link.fault import Fault
from router.link.ports import OfferedStream, OpenRequest, Refusal, ResetCode, ToldCount
from router.link.streams.buffers import LinkBuffers, ProcessBuffers
from router.link.streams.mux import LaneMux
from router.link.streams.opened_stream import OpenedLaneStream
from router.model.ids import RouterId, SiteId
from tests.unit.link.wire import Wire, World

HERE, THERE = RouterId("a" * 16), RouterId("b" * 16)


def request(head: bytes = b"", body_bytes: int = 0) -> OpenRequest:
    return OpenRequest((THERE,), "web", 80, "http", SiteId("1" * 32), 0, 0, body_bytes, head)


class Counted(msgspec.Struct):
    """A ledger that says so many."""

    load: int


class Recorder:
    """A stream handler that keeps all it hears, in order."""

    def __init__(self) -> None:
        self.stream: Any = None  # Of either end.
        self.calls: list[tuple[object, ...]] = []
        self.data = bytearray()
        self.pause_at: int | None = None
        self.fail_on: str = ""

    def _note(self, *call: object) -> None:
        self.calls.append(call)
        if self.fail_on == call[0]:
            raise RuntimeError("a handler that fails")

    @property
    def names(self) -> list[object]:
        return [call[0] for call in self.calls]

    @property
    def losses(self) -> list[object]:
        return [call[1] for call in self.calls if call[0] == "lost"]

    def accepted(self, in_flight: int) -> None:
        self._note("accepted", in_flight)

    def refused(self, reason: Refusal, in_flight: int) -> None:
        self._note("refused", reason, in_flight)

    def head(self, head: bytes, body_bytes: int, ended: bool) -> None:
        self._note("head", head, body_bytes, ended)

    def received(self, data: memoryview) -> bool:
        self.data += data
        if self.fail_on == "received":
            raise RuntimeError("a handler that fails")
        return self.pause_at is None or len(self.data) < self.pause_at

    def trailers(self, block: bytes) -> None:
        self._note("trailers", block)

    def ended(self, in_flight: int) -> None:
        self._note("ended", in_flight)

    def answered(self, head: bytes, body_bytes: int, body: memoryview, in_flight: int) -> None:
        self.data += body
        self._note("answered", head, body_bytes, in_flight)

    def writable(self) -> None:
        self._note("writable")

    def lost(self, cause: ResetCode | None) -> None:
        self._note("lost", cause)

    # The same events at the end that accepts the stream, under a leg's names.

    def send(self, data: memoryview) -> bool:
        return self.received(data)

    def send_trailers(self, block: bytes) -> None:
        self.trailers(block)

    def finish(self) -> None:
        self.ended(-1)

    def resume(self) -> None:
        self.writable()


class Sender(Recorder):
    """Sends ``total`` bytes as fast as it is let, then finishes."""

    def __init__(self, total: bytes) -> None:
        super().__init__()
        self.total = total
        self.sent = 0
        self.step = 20_000

    def go(self) -> None:
        assert self.stream is not None
        while self.sent < len(self.total):
            piece = self.total[self.sent : self.sent + self.step]
            self.sent += len(piece)
            if not self.stream.send(piece):
                return
        self.stream.finish(ToldCount(7))

    def writable(self) -> None:
        self.go()


class Owner:
    """A lane's owner. ``handlers`` go to the streams offered, in order."""

    def __init__(self) -> None:
        self.offered: list[tuple[OfferedStream, OpenRequest]] = []
        self.recorders: list[Recorder] = []
        self.accept = True
        self.faults: list[Fault] = []
        self.messages: list[control.Message | None] = []
        self.rtts: list[float] = []
        self.make: type[Recorder] = Recorder
        self.fail = False
        self.drained = 0

    def lane_message(self, lane: LaneMux, payload: memoryview) -> None:
        self.messages.append(control.decode(payload))

    def lane_stream(self, stream: OfferedStream, body: bytes) -> None:
        request = control.decode_open(body)
        if self.fail:
            raise RuntimeError("an owner that fails")
        recorder = self.make()
        recorder.stream = stream
        stream.lead_to(recorder)
        self.offered.append((stream, request))
        self.recorders.append(recorder)
        if self.accept:
            stream.accept(1)

    def lane_rtt(self, lane: LaneMux, rtt_s: float) -> None:
        self.rtts.append(rtt_s)

    def lane_drained(self, lane: LaneMux) -> None:
        self.drained += 1

    def lane_lost(self, lane: LaneMux, fault: Fault) -> None:
        self.faults.append(fault)


class Pair:
    """A dialed lane (left) and the accepted one (right)."""

    def __init__(self, world: World | None = None, *, serving: bool = True) -> None:
        self.world = world or World()
        self.wire = Wire(self.world, None, None)
        self.process = ProcessBuffers()
        self.left_owner, self.right_owner = Owner(), Owner()
        self.left = LaneMux(
            self.wire.left, self.world, self.left_owner, LinkBuffers(self.process), dialed=True
        )
        self.right = LaneMux(
            self.wire.right, self.world, self.right_owner, LinkBuffers(self.process), dialed=False
        )
        self.wire.left.handler = self.left
        self.wire.right.handler = self.right
        if serving:
            self.left.serve(THERE, SiteId("there"))
            self.right.serve(HERE, SiteId("here"))

    def open(self, handler: Recorder, asked: OpenRequest | None = None) -> OpenedLaneStream:
        """A stream from left to right."""
        stream = self.left.open_stream(asked or request(), handler)
        assert stream is not None
        handler.stream = stream
        return stream

    def opened(self) -> tuple[OpenedLaneStream, Recorder, OfferedStream, Recorder]:
        """A stream that the right end has accepted: ingress and egress with their handlers."""
        handler = Recorder()
        stream = self.open(handler)
        self.world.settle()
        return stream, handler, self.right_owner.offered[-1][0], self.right_owner.recorders[-1]
