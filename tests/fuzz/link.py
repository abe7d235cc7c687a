"""Frames, lanes, control messages and LSAs: laws that hold for whatever a neighbor sends."""

from random import Random

import msgspec

from router.link import control, frames
from router.link.fault import Fault
from router.link.frames import FrameDecoder, LaneViolation
from router.link.ports import OfferedStream, OpenRequest, Refusal, ResetCode, Stream, ToldCount
from router.link.routing_messages import DigestMessage, LoadMessage, LsaMessage
from router.link.streams.buffers import LinkBuffers, ProcessBuffers
from router.link.streams.mux import LaneMux
from router.model import limits
from router.model.errors import RemoteProtocolError
from router.model.ids import RouterId, SiteId
from router.model.messages.acks import LsaAck
from router.model.messages.adverts import LoadReport
from router.routing.adverts.lsa import LsaFault, ReceivedLsa, Services, decode_lsa, signature_fault
from tests.fuzz.mutation import Mutator
from tests.unit.link.lanes import HERE, THERE, Pair, Recorder, Sender, request
from tests.unit.link.wire import FrameLog, Raw, Wire, World
from tests.unit.routing.fakes import FakeIdentity, advert, declare, make_lsa, signed

COUNT = bytes(4)
HEAD = bytes(8) + b"HTTP/1.1 200 OK\r\n"
LENGTH_UNKNOWN = b"\xff" * 8
ASKING = (
    *(frames.OPEN, frames.OPEN, frames.OPEN | frames.END, frames.DATA, frames.DATA, frames.DATA),
    *(frames.DATA | frames.END, frames.FIN, frames.RESET, frames.WINDOW, frames.WINDOW),
    *(frames.TRAILERS | frames.END, frames.PING),
)
ANSWERING = (
    *(frames.OPEN, frames.HEAD, frames.HEAD, frames.DATA, frames.DATA, frames.WINDOW, frames.RESET),
    *(
        frames.HEAD | frames.END,
        frames.DATA | frames.END,
        frames.TRAILERS | frames.END,
        frames.PONG,
        frames.ANSWER | frames.END,
        frames.ANSWER | frames.END,
        frames.ACCEPTED_LATE,
    ),
)
FIRST = (
    *(frames.ACCEPTED, frames.ACCEPTED, frames.ACCEPTED, frames.REFUSED),
    *(frames.ANSWER | frames.END, frames.ACCEPTED_LATE),
)
ANY = (*ASKING, *ANSWERING, frames.ACCEPTED, frames.REFUSED, frames.CONTROL, 0, 15, 0x7F)
TOKENS = (
    *(bytes((kind,)) + b"\0\0\4" for kind in (*range(16), 0x81, 0x84, 0x85, 0x86, 0x8D, 0xFF)),
    *(b"\0\0\0\0", b"\0\0\0\1", b"\0\0\0\2", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0"),
    *(
        b"\xdd\xff\xff\xff\xff",
        b"\xdc\0\2",
        b"\x91",
        b"\xc0",
        b"\xc1",
        b"\xc4\0",
        b"\xcb" + bytes(8),
    ),
    *(
        b"\xa0",
        b"\xd9\xff",
        b"\x80",
        b"\xdf\xff\xff\xff\xff",
        b"\xd6\xff" + bytes(4),
        b"\xcf" + b"\xff" * 8,
    ),
)


class Lawful:
    """A stream handler that notes what must not happen to it. ``holds``: it never reads."""

    def __init__(self, wrong: list[str], *, holds: bool) -> None:
        self.stream: Stream | None = None
        self.calls: list[str] = []
        self.read = 0
        self._wrong = wrong
        self._holds = holds

    def begin(self, stream: Stream) -> None:
        """It is on its way."""
        self.stream = stream
        if self._holds:
            stream.pause()

    def _note(self, call: str) -> None:
        if "lost" in self.calls:
            self._wrong.append(f"{call} after lost")
        if call in ("lost", "ended", "accepted", "refused") and call in self.calls:
            self._wrong.append(f"{call} twice")
        if "ended" in self.calls and call in ("received", "head", "trailers"):
            self._wrong.append(f"{call} after ended")
        self.calls.append(call)

    def accepted(self, in_flight: int) -> None:
        self._note("accepted")

    def refused(self, reason: Refusal, in_flight: int) -> None:
        self._note("refused")

    def head(self, head: bytes, body_bytes: int, ended: bool) -> None:
        self._note("head")

    def received(self, data: memoryview) -> bool:
        self._note("received")
        self.read += len(data)
        if self._holds and self.read > limits.STREAM_WINDOW_BYTES_INITIAL:
            self._wrong.append("more than the window")
        return not self._holds

    def trailers(self, block: bytes) -> None:
        self._note("trailers")

    def ended(self, in_flight: int) -> None:
        self._note("ended")

    def answered(self, head: bytes, body_bytes: int, body: memoryview, in_flight: int) -> None:
        if "accepted" not in self.calls:
            self._note("accepted")
        self._note("head")
        self.received(body)
        self._note("ended")

    def writable(self) -> None:
        self._note("writable")

    def lost(self, cause: ResetCode | None) -> None:
        self._note("lost")

    # As the taker of a stream: the same, in a leg's words.

    def send(self, data: memoryview) -> bool:
        return self.received(data)

    def send_trailers(self, block: bytes) -> None:
        self.trailers(block)

    def finish(self) -> None:
        self.ended(-1)

    def resume(self) -> None:
        self.writable()


class Hostage:
    """The lane under attack, its owner, and the faults noted."""

    def __init__(self, world: World, process: ProcessBuffers, rng: Random) -> None:
        self.world = world
        self.rng = rng
        self.wrong: list[str] = []
        self.faults: list[Fault] = []
        self.handlers: list[Lawful] = []
        self.buffers = LinkBuffers(process)
        wire = self.wire = Wire(world, None, None)
        wire.left.handler = Raw()
        lane = self.lane = LaneMux(wire.right, world, self, self.buffers, dialed=False)
        wire.right.handler = lane
        lane.serve(HERE, SiteId("here"))
        for _ in range(3):
            self.ask()
        self.reserved = self.handlers[0]  # The attacker does not know of it.
        self.known = [4, 6]
        self.answered: set[int] = set()
        self.done: set[int] = set()  # Nothing more is said on these, most of the time.
        self.next_id = 1
        world.settle()

    def ask(self) -> None:
        """A stream of ours to the attacker."""
        handler = Lawful(self.wrong, holds=self.rng.random() < 0.3)
        stream = self.lane.open_stream(request(), handler)
        assert stream is not None
        self.handlers.append(handler)
        handler.begin(stream)

    def lane_message(self, lane: LaneMux, payload: memoryview) -> None:
        control.decode(payload)

    def lane_stream(self, stream: OfferedStream, body: bytes) -> None:
        control.decode_open(body)
        handler = Lawful(self.wrong, holds=self.rng.random() < 0.3)
        self.handlers.append(handler)
        stream.lead_to(handler)
        if self.rng.random() < 0.8:
            stream.accept(1)
            handler.begin(stream)
            if self.rng.random() < 0.5:
                stream.send_head(b"HTTP/1.1 200 OK\r\n", -1)
                stream.send(b"x" * self.rng.randrange(5_000))
                stream.finish(ToldCount(0))
        else:
            stream.refuse("busy", 1)

    def lane_rtt(self, lane: LaneMux, rtt_s: float) -> None:
        assert rtt_s >= 0

    def lane_drained(self, lane: LaneMux) -> None:
        """Hostile frames may say so at any time."""

    def lane_lost(self, lane: LaneMux, fault: Fault) -> None:
        self.faults.append(fault)

    def judge_end(self) -> None:
        """The lane is gone, and everybody knows it once."""
        self.world.advance(limits.LANE_LINGER_S + 0.1)
        assert len(self.faults) == 1, self.faults
        assert all(handler.calls.count("lost") == 1 for handler in self.handlers)
        assert self.lane.stream_count == 0 and self.lane.is_closed
        assert self.buffers.held_bytes == 0, "bytes of a dead lane are still counted"


class LaneAttack:
    """Sequences of frames against one lane after another; an honest lane beside them."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.world = World(1)
        self.honest = Pair(self.world)
        self.victim = Hostage(self.world, self.honest.process, rng)
        self.count = 0
        self.age = 0

    def sequence(self) -> bytes:
        """Some frames, most of them possible."""
        return b"".join(self._frame() for _ in range(self.rng.randrange(1, 25)))

    def _frame(self) -> bytes:
        rng, victim = self.rng, self.victim
        newest = victim.next_id // 2
        theirs = [2 * number + 1 for number in range(max(0, newest - 3), newest)]
        open_ones = [one for one in (*theirs, *victim.known) if one not in victim.done]
        known = rng.choice(open_ones) if open_ones else 0
        if not known:
            kind = frames.OPEN
        elif known % 2:
            kind = rng.choice(ASKING)
        elif known in victim.answered:
            kind = rng.choice(ANSWERING)
        else:
            kind = rng.choice(FIRST)
            victim.answered.add(known)
        if rng.random() < 0.02:
            kind, known = rng.choice(ANY), rng.choice((0, 1, 3, 4, 5, 40, 2**31))
        base = kind & frames.KIND_MASK
        if kind & frames.END or base in (frames.FIN, frames.RESET, frames.REFUSED):
            victim.done.add(victim.next_id if base == frames.OPEN else known)
        ending = COUNT if kind & frames.END and base != frames.ANSWER else b""
        if base == frames.OPEN:
            known = victim.next_id
            victim.next_id += 2
            asked = request(b"GET / HTTP/1.1\r\nHost: a\r\n", rng.choice((0, -1, 5)))
            return frames.encode(kind, known, control.encode_open(asked))
        if base in (frames.PING, frames.PONG, frames.CONTROL):
            return frames.encode(kind, 0, bytes(8))
        return frames.encode(kind, known, self._payload(base) + ending)

    def _payload(self, base: int) -> bytes:
        rng = self.rng
        if base == frames.DATA:
            return b"d" * rng.choice((0, 1, 1, 5, 5, 100, 100, 4_000, 20_000, 60_000))
        if base == frames.WINDOW:
            return int(rng.choice((1, 1024, 65_536, 2**30))).to_bytes(4, "big")
        if base == frames.HEAD:
            return rng.choice((bytes(8), LENGTH_UNKNOWN)) + HEAD[8:]
        if base == frames.ACCEPTED_LATE:
            return COUNT + bytes(4)
        if base == frames.ANSWER:
            body = b"d" * rng.choice((0, 1, 5, 4_000, 60_000))
            size = len(HEAD) - 8
            lie = rng.choice((0, 0, 0, 0, 0, 1, 2**20))
            declared = rng.choice((-1, len(body)))
            prefix = frames.pack_answer(frames.ANSWER_WORD + size, 0, 1, 100, declared, size + lie)
            return prefix[8:] + HEAD[8:] + body
        if base == frames.RESET:
            return bytes((rng.randrange(9),))
        return {frames.TRAILERS: b"a: b\r\n", frames.REFUSED: b"\0" + COUNT}.get(base, COUNT)

    def run(self, mutator: Mutator) -> bytes:
        """One sequence."""
        victim = self.victim
        wire = self.sequence()
        mutated = self.rng.random() < 0.5
        if mutated:
            wire = mutator.mutate(wire)
        for piece in mutator.cut(wire):
            victim.lane.received(memoryview(piece))
            self.world.settle()
        assert victim.wrong == [], victim.wrong
        assert victim.lane.stream_count <= 100 + len(victim.handlers)
        self.count += 1
        self.age += 1
        if victim.faults or mutated or self.age > 20:
            self._replace(victim, mutated=mutated)
        if self.count % 200 == 0:
            self._honest_goes_on()
        return wire

    def _replace(self, victim: Hostage, *, mutated: bool) -> None:
        """Another lane; a stream that this one's attacks did not mean still served until now."""
        if not victim.faults and not mutated:
            answer = frames.encode(frames.ACCEPTED, 2, COUNT) + frames.encode(frames.HEAD, 2, HEAD)
            victim.lane.received(memoryview(answer + frames.encode(frames.FIN, 2, COUNT)))
            self.world.settle()
            heard = [call for call in victim.reserved.calls if call != "writable"]
            assert heard[:3] == ["accepted", "head", "ended"], heard
        victim.wire.break_()
        self.world.settle()
        victim.judge_end()
        self.age = 0
        self.victim = Hostage(self.world, self.honest.process, self.rng)

    def _honest_goes_on(self) -> None:
        pair = self.honest
        sender = Sender(b"h" * 100_000)
        pair.open(sender)
        sender.go()
        self.world.settle()
        arrived: Recorder = pair.right_owner.recorders[-1]
        assert bytes(arrived.data) == sender.total, "an honest lane suffered"
        assert not pair.right_owner.faults
        pair.right_owner.recorders.clear()
        pair.right_owner.offered[-1][0].finish(ToldCount(0))
        pair.right_owner.offered.clear()
        self.world.settle()
        for end in (pair.wire.left, pair.wire.right):
            end.sent_log.clear()
            end.sends.clear()


def fuzz_frames(mutator: Mutator) -> bytes:
    """One byte stream against the decoder."""
    data = mutator.next()
    outcomes = []
    for pieces in ([data], mutator.cut(data)):
        log, code = FrameLog(), ""
        decoder = FrameDecoder(log)
        try:
            for piece in pieces:
                decoder.receive_data(memoryview(piece))
        except LaneViolation as error:
            code = error.code
        outcomes.append((log.frames, code))
    assert outcomes[0] == outcomes[1], "frames depend on the cut"
    return data


def fuzz_control(mutator: Mutator) -> bytes:
    """One payload of a control message and of an OPEN."""
    data = mutator.next()
    try:
        message = control.decode(memoryview(data), ignore_unknown=mutator.rng.random() < 0.5)
        if message is not None:
            assert control.decode(memoryview(control.encode(message))) == message
    except RemoteProtocolError as error:
        assert error.code in ("bad-message", "message-too-large", "version"), error
        if error.code == "version":
            name, version, *_ = msgspec.msgpack.decode(data, type=list[msgspec.Raw])
            assert msgspec.msgpack.decode(name) == "hello", error
            assert msgspec.msgpack.decode(version, type=int) != control.VERSION, error
    try:
        asked = control.decode_open(memoryview(data))
        assert control.decode_open(memoryview(control.encode_open(asked))) == asked
    except RemoteProtocolError as error:
        assert error.code == "bad-open", error
    return data


WEST = FakeIdentity("west")


def fuzz_lsas(mutator: Mutator) -> bytes:
    """One LSA: edited on the way, and made up by its own origin."""
    data = mutator.next()
    received = decode_lsa(data)
    if isinstance(received, ReceivedLsa):
        assert received.signed == data
        payload = msgspec.msgpack.decode(data)[0]
        genuine = signature_fault(received, WEST) is None
        assert genuine == (WEST.sign(payload) == msgspec.msgpack.decode(data)[1])
    else:
        assert isinstance(received, LsaFault) and received.code
    lie = decode_lsa(msgspec.msgpack.encode([data, WEST.sign(data)]))
    assert isinstance(lie, ReceivedLsa | LsaFault)
    return data


def frame_seeds() -> list[bytes]:
    """What honest lanes say, both ways."""
    pair = Pair()
    for size in (0, 5, 3_000):
        sender = Sender(b"s" * size)
        pair.open(sender, request(b"POST / HTTP/1.1\r\nHost: a\r\n", size))
        sender.go()
        pair.world.settle()
        stream = pair.right_owner.offered[-1][0]
        stream.send_head(b"HTTP/1.1 200 OK\r\n", size)
        stream.send(b"r" * size)
        stream.finish(ToldCount(1))
        pair.world.settle()
    pair.left.ping()
    pair.world.settle()
    logs = [bytes(end.sent_log) for end in (pair.wire.left, pair.wire.right)]
    return [log[: 100 + 300 * n] for log in logs for n in range(12)]


def control_seeds() -> list[bytes]:
    """One message of each kind, and OPENs."""
    router, site = RouterId("0123456789abcdef"), SiteId("1" * 32)
    hello = control.Hello(
        version=1,
        minor=0,
        router=router,
        name="west",
        public_key=b"key",
        worker=0,
        cost=3,
        link="east",
        software="spillway",
        nonce=b"n" * 32,
        boot=b"b" * 32,
        session=b"s" * 32,
        secret=b"t" * 32,
    )
    report = LoadReport(router, 5, "shop", 80, 1, 2, 3)
    messages: list[control.Message] = [
        hello,
        control.Proof(b"proof"),
        control.Join(b"x" * 32, b"y" * 32),
        control.Joined(b"y" * 32),
        control.CostMessage(7),
        control.GoAway("lost", "code", "why"),
        LsaMessage(b"signed"),
        LsaAck(router, 1, 2, 3, 4),
        DigestMessage(bytes(64), wants_answer=True),
        LoadMessage((report, report)),
    ]
    opens = [
        OpenRequest((router, THERE), "shop", 80, "http", site, 5, 1, -1, b"GET / HTTP/1.1\r\n"),
        OpenRequest((router,), "db", 5432, "tcp", site, client="1.2.3.4:5", session=2**63),
    ]
    later = msgspec.msgpack.encode(["hello", control.VERSION + 1, "what we cannot read"])
    return [*map(control.encode, messages), later, *map(control.encode_open, opens)]


def lsa_seeds() -> list[bytes]:
    """A topology, services, and their signed parts."""
    services = Services((declare("shop", ports=(80, 443)),), (advert("shop"),))
    first = make_lsa(WEST, neighbours=((FakeIdentity("east"), 3),))
    wires = [signed(first, WEST), signed(make_lsa(WEST, part=1, services=services), WEST)]
    return [*wires, *(msgspec.msgpack.decode(wire)[0] for wire in wires)]
