"""A member with a valid identity who says what no honest router says. He acks nothing."""

import msgspec

from router.link.routing_messages import LsaMessage
from router.model.limits import COST_MAX, COUNTER_MAX, LSA_BURST
from router.model.messages import packed
from router.routing.adverts.lsa import Lsa, ReceivedLsa, decode_lsa
from tests.simulation.fleet.fleet import Fleet
from tests.simulation.fleet.places import NotedIdentity, Place
from tests.simulation.fleet.process import Process
from tests.unit.routing.fakes import FakeIdentity, make_lsa, signed

FLOOD = 3 * LSA_BURST


class Rogue:
    """Linked to one place at a time, while that lives; its words arrive at once."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._identity = NotedIdentity(fleet.notary, "mallory")
        self.place = fleet.places["mallory"] = Place("mallory", self._identity)
        self.place.is_rogue = True
        self._sequence = 0
        self._phantoms = 0
        self._host: Process | None = None

    def take(self, kind: str, one: int, number: int) -> None:
        honest = [p for p in self._fleet.living() if not p.place.is_edge and not p.is_frozen]
        if not honest:
            return
        host = honest[one % len(honest)]
        self._join(host)
        match kind:
            case "flood":
                for _ in range(FLOOD):
                    self._say(host, self._own(host, number))
            case "phantoms":
                for _ in range(1 + number % 5):
                    self._phantoms += 1
                    who = NotedIdentity(self._fleet.notary, f"phantom {self._phantoms}")
                    self._say(host, signed(make_lsa(who, neighbours=((self._identity, 1),)), who))
            case "lie":
                self._say(host, self._own(host, number, lies=True))
            case "replay":
                for signed_word in self._fleet.overheard[number % 20 :: 20]:
                    self._say(host, signed_word)
            case "alter":
                if self._fleet.overheard:
                    word = bytearray(self._fleet.overheard[number % len(self._fleet.overheard)])
                    word[number * 7 % len(word)] ^= 1 << number % 8
                    self._say(host, bytes(word))
            case "forge":
                self._forge(host, number)

    def leave(self) -> None:
        """He goes for good."""
        host, router = self._host, self._identity.router
        if host is not None and not host.is_dead and router in host.neighbours:
            host.down(self.place)
        self._host = None

    def _join(self, host: Process) -> None:
        if self._host is not host:
            self.leave()
            self._host = host
            self._fleet.link("mallory", host.place.name, 1).is_wanted = False
            self._fleet.watch.linked(host, self.place)
            host.up(self.place, 1)

    def _say(self, host: Process, data: bytes) -> None:
        self._fleet.hear(host, self._identity.router, LsaMessage(data))

    def _own(self, host: Process, number: int, *, lies: bool = False) -> bytes:
        """True, or with neighbors and costs that are not."""
        self._sequence += 1
        neighbours: list[tuple[FakeIdentity, int]] = [(host.place.identity, 1)]
        if lies:
            costs = (0, -5, COST_MAX + 1, 1)
            others = [p.identity for p in self._fleet.places.values()]  # Himself too.
            neighbours = [(who, costs[number % 4]) for who in others for _ in range(1 + number % 2)]
        lsa = make_lsa(
            self._identity, neighbours=tuple(neighbours), epoch=1, sequence=self._sequence
        )
        if lies and number % 11 == 0:
            lsa = msgspec.structs.replace(lsa, epoch=COUNTER_MAX)
        return signed(lsa, self._identity)

    def _forge(self, host: Process, number: int) -> None:
        """A later word in another's name, signed with his own key or with none."""
        if not self._fleet.overheard:
            return
        received = decode_lsa(self._fleet.overheard[number % len(self._fleet.overheard)])
        assert isinstance(received, ReceivedLsa)
        lsa: Lsa = msgspec.structs.replace(received.lsa, epoch=received.lsa.epoch + 1 + number % 9)
        if number % 3 == 0:
            lsa = msgspec.structs.replace(lsa, public_key=self._identity.public_key)
        encoded = packed.pack(lsa)
        self._say(host, msgspec.msgpack.encode([encoded, self._identity.sign(encoded)]))
