"""Places and lines under a seed: words under way, adjacencies as liveness sees them, faults."""

from collections import deque
from collections.abc import Iterable
from hashlib import blake2b
from random import Random

import msgspec

from router.link.routing_messages import LsaMessage, RoutingMessage
from router.model.ids import RouterId
from router.model.limits import RECONNECT_MAX_S, RECONNECT_MIN_S, RECONNECT_STABLE_S
from router.model.messages.acks import LsaAck
from router.routing.adverts.lsa import ReceivedLsa, decode_lsa
from tests.simulation.fleet.clock import VirtualTime
from tests.simulation.fleet.lines import NOTICED_S, Line
from tests.simulation.fleet.places import Notary, NotedIdentity, Place
from tests.simulation.fleet.process import Process
from tests.simulation.fleet.safety import Watch
from tests.unit.routing.fakes import FakeIdentity

STORY_LINES = 400


class Fleet:
    """Everything there is. ``verbose``: words are written into the history too."""

    def __init__(self, seed: int, *, service_ttl_s: float = 60.0, verbose: bool = False) -> None:
        self.random = Random(seed)
        self.time = VirtualTime()
        self.notary = Notary()
        self.places: dict[str, Place] = {}
        self.lines: dict[frozenset[str], Line] = {}
        self.service_ttl_s = service_ttl_s
        self.watch = Watch(self)
        self.story: deque[str] = deque(maxlen=STORY_LINES)
        self.overheard: list[bytes] = []  # Signed words of former times, to be replayed.
        self.words = 0
        self._verbose = verbose
        self._digest = blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        """Of all words so far: equal for equal histories."""
        return self._digest.hexdigest()

    def say(self, what: str) -> None:
        self.story.append(f"{self.time.now:10.3f} {what}")

    # Building.

    def add(self, name: str, *, site: str = "", is_edge: bool = False) -> Place:
        """A place of the site ``site``, else of a new one."""
        identity = NotedIdentity(self.notary, site or name, FakeIdentity(name).router)
        place = self.places[name] = Place(name, identity, is_edge=is_edge)
        return place

    def add_clone(self, name: str, of: Place) -> Place:
        """A place with the identity and a copy of the disk of another."""
        place = self.places[name] = Place(name, of.identity)
        place.kept_epoch, place.skew_s = of.kept_epoch, of.skew_s
        place.declarations, place.adverts = dict(of.declarations), dict(of.adverts)
        return place

    def link(self, one: str, other: str, cost: int) -> Line:
        """Wanted from now on; dialed until it is up."""
        key = frozenset((one, other))
        line = self.lines.get(key)
        if line is None:
            line = self.lines[key] = Line(one, other, cost)
        line.is_wanted = True
        self._redial(line)
        return line

    def lines_of(self, name: str) -> list[Line]:
        return [line for line in self.lines.values() if name in line.ends]

    # Processes.

    def start(self, place: Place) -> None:
        """A new life. It gets its services before links come up, as in `node`."""
        if place.is_alive:
            return
        place.lives += 1
        epoch = place.next_epoch(self.time.now)
        nonce = f"{place.name} {place.lives}".encode()
        self.say(f"{place.name} starts, epoch {epoch}")
        place.process = Process(self, place, nonce, epoch)
        place.process.set_services(place.adverts)
        if place.is_draining:
            place.process.run.take(place.process.routing.set_draining(True, place.process.now()))
        for line in self.lines_of(place.name):
            self._redial(line)

    def end(self, place: Place, *, silently: bool) -> None:
        """A kill, whose kernel says goodbye, or a power cut."""
        if place.process is None or place.process.is_dead:
            return
        self.say(f"{place.name} ends{' silently' if silently else ''}")
        place.process.end()
        for line in self.lines_of(place.name):
            if line.up.pop(place.name, None) is not None:
                if not silently:
                    self._goodbye(line, place.name)
                self._watch_silence(line, place.name)
            self._redial(line)

    def freeze(self, place: Place, seconds: float) -> None:
        """It is stopped; all that comes meanwhile happens then, late timers included."""
        process = place.process
        if process is None or process.is_dead or process.is_frozen:
            return
        self.say(f"{place.name} is stopped for {seconds:.2f} s")
        process.is_frozen = True
        for line in self.lines_of(place.name):
            self._watch_silence(line, place.name)
        self.time.call_at(self.time.now + seconds, lambda: self._thaw(place, process))

    def _thaw(self, place: Place, process: Process) -> None:
        if process.is_dead:
            return
        self.say(f"{place.name} runs again")
        for line in self.lines_of(place.name):
            self._is_heard_again(line, place.name)
        process.thaw()

    def leave(self, place: Place) -> None:
        """It found that it is a copy: its links end for good."""
        for line in self.lines_of(place.name):
            self.close(line, place.name)

    # Lines.

    def block(self, sender: str, receiver: str) -> None:
        """Words of ``sender`` do not arrive there any more; neither end is informed."""
        line = self.lines.get(frozenset((sender, receiver)))
        if line is not None and sender not in line.blocked:
            line.blocked.add(sender)
            self._watch_silence(line, sender)

    def heal(self, line: Line) -> None:
        healed = tuple(line.blocked)
        line.blocked.clear()
        for sender in healed:
            self._is_heard_again(line, sender)
        self._redial(line)

    def close(self, line: Line, name: str) -> None:
        """One end closes it."""
        place = self.places[name]
        if name in line.up and place.process is not None:
            place.process.do(lambda: self._end_is_down(line, name, "closed"))

    def set_cost(self, line: Line, cost: int) -> None:
        """The end that dials says so to the other."""
        line.cost = cost
        life = line.life
        for name, delay_s in zip(line.ends, (0.0, line.quality.delay_s), strict=True):
            self._later(name, delay_s, lambda name=name: self._cost_is(line, name, life))

    def _cost_is(self, line: Line, name: str, life: int) -> None:
        place, other = self.places[name], self.places[line.other(name)]
        if name in line.up and line.life == life and place.process is not None:
            place.process.cost(other, line.cost)

    def _later(self, name: str, delay_s: float, action: object) -> None:
        process = self.places[name].process
        assert callable(action)
        if process is not None:
            self.time.call_at(self.time.now + delay_s, lambda: process.do(action))

    def _end_is_down(self, line: Line, name: str, cause: str) -> None:
        process = self.places[name].process
        if line.up.pop(name, None) is None or process is None:
            return
        other = line.other(name)
        self.say(f"{name} lost {other}: {cause}")
        process.down(self.places[other])
        self._goodbye(line, name)
        self._watch_silence(line, name)
        self._redial(line)

    def _goodbye(self, line: Line, name: str) -> None:
        """The other end hears that ``name`` closed, unless nothing gets there."""
        life, other = line.life, line.other(name)

        def arrived() -> None:
            if line.life == life and name not in line.blocked:
                self._end_is_down(line, other, f"{name} closed")

        self._later(other, line.quality.delay_s + line.quality.jitter_s, arrived)

    def _watch_silence(self, line: Line, sender: str) -> None:
        """The other end notices within some 3 s that nothing comes, if that lasts."""
        line.changes[sender] += 1
        change, life, other = line.changes[sender], line.life, line.other(sender)

        def judge() -> None:
            if line.changes[sender] == change and line.life == life:
                self._end_is_down(line, other, f"nothing heard of {sender}")

        self._later(other, self.random.uniform(*NOTICED_S), judge)

    def _is_heard_again(self, line: Line, sender: str) -> None:
        """A silence that was detected has ended, unless there is another reason for it."""
        if self.places[sender].works and sender in line.up and sender not in line.blocked:
            line.changes[sender] += 1

    def _redial(self, line: Line) -> None:
        """Later and later, full jitter, as `LinkCredentials` does it."""
        if line.is_dialing or not line.is_wanted or line.is_up:
            return
        line.is_dialing = True
        most_s = min(RECONNECT_MAX_S, RECONNECT_MIN_S * 2**line.attempts)
        line.attempts = min(line.attempts + 1, 10)
        self.time.call_at(
            self.time.now + self.random.uniform(0.01, most_s), lambda: self._dial(line)
        )

    def _dial(self, line: Line) -> None:
        line.is_dialing = False
        if line.is_wanted and not line.is_up:
            if self.can_meet(line):
                self._meet(line)
            else:
                self._redial(line)

    def can_meet(self, line: Line) -> bool:
        if line.blocked or not all(self.places[name].works for name in line.ends):
            return False
        for name in line.ends:
            there = self.places[line.other(name)]
            process = self.places[name].process
            known = process.neighbours.get(there.identity.router) if process else None
            if known not in (None, there.name):
                return False  # A twin of it is linked here and was heard a moment ago.
            if self.places[name].is_edge and process and process.neighbours and known is None:
                return False  # An edge keeps to one.
        return True

    def _meet(self, line: Line) -> None:
        """A new lane. An end that had not noticed the old one's death keeps its adjacency."""
        line.life += 1
        line.began_at = self.time.now
        life = line.life
        for name in self.random.sample(line.ends, 2):
            place, other = self.places[name], self.places[line.other(name)]
            assert place.process is not None
            line.changes[name] += 1
            if line.up.get(name, other.lives) != other.lives:
                self.say(f"{name} sees that {other.name} has restarted")
                del line.up[name]
                place.process.down(other)
            if name not in line.up:
                self.say(f"{name} is linked to {other.name}, cost {line.cost}")
                line.up[name] = other.lives
                self.watch.linked(place.process, other)
                place.process.up(other, line.cost)
        self.time.call_at(self.time.now + RECONNECT_STABLE_S, lambda: self._is_stable(line, life))

    def _is_stable(self, line: Line, life: int) -> None:
        if line.life == life and line.is_up:
            line.attempts = 0

    # Words.

    def carry(self, process: Process, router: RouterId, message: RoutingMessage) -> None:
        """Take a word of ``process`` to its neighbor ``router``."""
        place = process.place
        name = process.neighbours.get(router)
        if name is None or process.is_dead:
            return
        self.watch.sent(process, self.places[name], message)
        self._digest.update(f"{self.time.now:.6f} {place.name} {name} ".encode())
        self._digest.update(msgspec.msgpack.encode(message))
        self.words += 1
        if self._verbose:
            self.say(f"  {place.name} -> {name}: {_in_words(message)}")
        if isinstance(message, LsaMessage) and not self.words % 7 and len(self.overheard) < 200:
            self.overheard.append(message.signed)
        line = self.lines[frozenset((place.name, name))]
        life, receiver = line.life, self.places[name].process
        if receiver is None or receiver.is_dead:
            return
        for delay_s in line.quality.arrivals(self.random):
            self.time.call_at(
                self.time.now + delay_s,
                lambda: self._arrives(line, life, place, receiver, message),
            )

    def _arrives(
        self, line: Line, life: int, sender: Place, receiver: Process, message: RoutingMessage
    ) -> None:
        if sender.name not in line.blocked and line.life == life:
            receiver.do(lambda: self._heard(line, life, sender, receiver, message))

    def _heard(
        self, line: Line, life: int, sender: Place, receiver: Process, message: RoutingMessage
    ) -> None:
        if line.life == life and receiver.place.name in line.up:
            self.hear(receiver, sender.identity.router, message)

    def hear(self, receiver: Process, router: RouterId, message: RoutingMessage) -> None:
        """A neighbor's word has arrived."""
        self.watch.hears(receiver, router, message)
        receiver.hear(router, message)
        self.watch.heard(receiver, router, message)

    def living(self) -> Iterable[Process]:
        for place in self.places.values():
            if place.process is not None and not place.process.is_dead:
                yield place.process


def _in_words(message: RoutingMessage) -> str:
    match message:
        case LsaMessage():
            received = decode_lsa(message.signed)
            if not isinstance(received, ReceivedLsa):
                return "garbage"
            lsa = received.lsa
            return f"LSA {lsa.router[:6]}/{lsa.part} {lsa.epoch}.{lsa.sequence} {lsa.body!r:.200}"
        case LsaAck(router=router, part=part, epoch=epoch, sequence=sequence):
            return f"ACK {router[:6]}/{part} {epoch}.{sequence}"
        case _:
            return f"{message!r:.160}"
