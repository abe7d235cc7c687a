"""Whole exchanges in memory: a mutated client before a session, mutated targets behind its legs."""

from router.exchange.clients.http1.session import HttpSession
from router.http.http1.bytes_cache import BytesCache
from router.http.http1.responses import KnownResponses
from router.model.requests import Request
from router.model.settings import Timeouts
from router.model.specs import ServiceSpec
from router.service.ports import ClientLeg, LegHandler, TargetConfig
from router.service.targets.target_ways import TargetWays
from tests.corpus import responses, strict
from tests.fuzz.http import TOKENS, Answering, Asking
from tests.fuzz.mutation import Mutator
from tests.unit.exchange.fakes_http import FakeConnection, FakeNetwork
from tests.unit.exchange.frontends import PLAIN, frontend
from tests.unit.exchange.taken import DirectExchange, Told, service_of

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SERVING = ServiceSpec(ports=(), half_close="serve")
TARGET = "127.0.0.1:9001"
LONG_S = 10_000.0  # Longer than any deadline.


class Asked:
    """One whole request at a target, and its answer."""

    def __init__(self, message: strict.Message, reply: bytes) -> None:
        self.method, target, _ = message.start.split(b" ")
        self.target = target
        self.reply = reply


class Scene:
    """A client's connection, its session, and the connections to the target behind it."""

    def __init__(self, mutator: Mutator, answers: Mutator) -> None:
        self.mutator, self.answers = mutator, answers
        self.network = FakeNetwork()
        self.client = FakeConnection(self.network)
        targets = TargetWays(self.network, "near", Timeouts(), KnownResponses(), BytesCache())
        targets.set_targets({TARGET: TargetConfig(connector="t")})
        self.service = service_of(targets, self.network, Told([]))
        self.statuses: list[int] = []
        self.targets: list[tuple[FakeConnection, bytearray]] = []
        self.methods: list[bytes] = []  # Of the requests that got a leg.
        self.asked: dict[int, Asked] = {}  # By the number of the leg that carried it.
        self.session = HttpSession(
            self.client,
            frontend(self.network, SERVING if mutator.rng.random() < 0.5 else PLAIN, "near"),
            open_leg=self._open_leg,
            refused=self.statuses.append,
        )
        self.session.tell_answers(self.statuses.append)
        self.client.handler = self.session

    def _open_leg(self, request: Request, handler: LegHandler) -> ClientLeg:
        leg = DirectExchange(request, handler, self.service, TARGET)
        self.methods.append(request.head.split(b" ", 1)[0])
        return leg

    def go_on(self) -> None:
        """Let targets take connections, read, and answer."""
        self.network.turn()
        busy = True
        while busy:
            busy = False
            while self.network.dials:
                if self.network.dials[0].cancelled:
                    self.network.dials.pop(0)
                else:
                    self.targets.append((self.network.connect(), bytearray()))
            for connection, got in self.targets:
                got += connection.take()
                found = strict.read_request(bytes(got))
                if found is not None and not connection.is_lost and not connection.is_aborted():
                    del got[: found[1]]
                    self._answer(connection, found[0])
                    busy = True
            self.network.turn()

    def _answer(self, connection: FakeConnection, message: strict.Message) -> None:
        rng = self.mutator.rng
        reply = self.answers.next() if rng.random() < 0.6 else OK
        number = len(self.methods) - 1
        assert number not in self.asked, "a request was sent twice"
        self.asked[number] = Asked(message, reply)
        # Bytes after a response are known to be too many only if they come with its last bytes:
        # later they look like the answer to the next request on that connection.
        told = Answering(head_only=message.start.startswith(b"HEAD "), upgrade="").feed([reply])
        for piece in [reply] if told.parser.excess else self.answers.cut(reply):
            if not connection.is_aborted() and not connection.is_lost:
                connection.deliver(piece)
        self.network.turn()
        if told.parser.excess:
            assert connection.is_aborted(), "a connection with too many bytes is used again"
        elif reply is not OK:
            connection.end()
            self.network.turn()

    def finish(self) -> None:
        """The client finishes, and then nothing happens any more."""
        if not self.client.is_aborted() and not self.client.is_lost:
            self.client.end_unread()
            self.client.end()
        self.go_on()
        self.network.advance(LONG_S)


def fuzz_exchanges(mutator: Mutator) -> bytes:
    """One client and its targets."""
    data = mutator.next()
    answers = Mutator(mutator.rng, ANSWERS, TOKENS)
    scene = Scene(mutator, answers)
    for piece in mutator.cut(data):
        if scene.client.is_finished() or scene.client.is_aborted():
            break
        if scene.client.is_paused():
            break  # The kernel would hold it back; it gets no further.
        scene.client.deliver(piece)
        scene.go_on()
    scene.finish()
    expected = [taken for taken in Asking().feed([data]).taken if taken.complete]
    starts = [tuple(taken.head.head.split(b" ", 2)[:2]) for taken in expected]
    for number, asked in scene.asked.items():
        assert number < len(starts), "a target sees requests that no client sent"
        assert (asked.method, asked.target) == starts[number], "a target sees another request"
    judge_answers(scene)
    assert scene.client.is_finished() or scene.client.is_aborted(), "the session goes on for ever"
    assert all(one.is_lost for one, _ in scene.targets), "connections stay"
    assert scene.network.pending_timers == 0, "timers stay"
    return data


def judge_answers(scene: Scene) -> None:
    """What the client got are the targets' answers and ours, whole unless it was reset."""
    got = bytes(scene.client.sent)
    whole = not scene.client.is_aborted()
    finals = 0
    while got:
        asked = scene.asked.get(finals)
        method = scene.methods[finals] if finals < len(scene.methods) else b"GET"
        found = strict.read_response(got, method, ended=whole)
        if found is None:
            assert not whole, f"a torn response looks whole: {got!r}"
            return
        message, length = found
        got = got[length:]
        status = int(message.start[9:12])
        if status == 101:
            return
        if status < 200:
            continue
        if not message.values(b"spillway-error"):
            assert asked is not None, "an answer to no request"
            told = Answering(head_only=method == b"HEAD", upgrade="").feed([asked.reply])
            assert told.heads and told.heads[-1].status == status, "not what the target said"
            assert message.body == told.read, "not the body that the target sent"
        finals += 1


ANSWERS = [one.raw for one in responses.CASES.values() if len(one.raw) < 4_000]
