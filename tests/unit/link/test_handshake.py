"""A peer that lies in the handshake is refused, and told why."""

import hmac
from collections.abc import Callable

import pytest

from router.link import control, frames
from router.link.control import Hello, Join, Proof
from router.link.routing_messages import LsaMessage
from router.link.sessions import handshake
from router.link.sessions.handshake import Role, fingerprint, transcript
from router.model import limits
from router.model.errors import HandshakeRejected
from tests.unit.link.routers import FakeIdentity, Router, linked
from tests.unit.link.wire import Raw, Wire, World, frames_of

NONCE = b"n" * 32


class Dialer:
    """A dialer made by hand, which can say anything to ``router``."""

    def __init__(self, world: World, router: Router, name: str = "liar") -> None:
        self.world = world
        self.identity = FakeIdentity(name)
        self.leaf = b"leaf of " + name.encode()
        self.raw = Raw()
        self.router = router
        tls = type(router.tls)(None, self.leaf, router.tls.alpn)
        world.dial(
            router.name, 1, lambda connection: self.raw, lambda _: None, timeout_s=1.0, tls=tls
        )
        world.settle()
        self.wire: Wire = world.wires[-1]

    def hello(self, **changes: object) -> Hello:
        values: dict[str, object] = {
            "version": 1,
            "minor": 0,
            "router": self.identity.router,
            "name": self.identity.name,
            "public_key": self.identity.public_key,
            "nonce": NONCE,
            "boot": b"b" * 32,
            "session": b"s" * 32,
            "secret": b"k" * 32,
            "worker": 0,
            "cost": 1,
            "link": "by-hand",
            "software": "test",
        }
        return Hello(**(values | changes))  # type: ignore[arg-type]

    def say(self, *messages: control.Message) -> None:
        for message in messages:
            self.wire.left.send(frames.encode(frames.CONTROL, 0, control.encode(message)))
        self.world.settle()

    @property
    def heard(self) -> list[control.Message | None]:
        return [
            control.decode(memoryview(payload))
            for kind, _, payload in frames_of(self.raw.data)
            if kind == frames.CONTROL
        ]

    def transcript(self, role: Role = "dialler", nonce: bytes = NONCE) -> bytes:
        answer = next(message for message in self.heard if isinstance(message, Hello))
        return transcript(
            role,
            nonce,
            answer.nonce,
            fingerprint(self.leaf),
            fingerprint(self.router.tls.certificate),
        )

    def goaway(self) -> control.GoAway:
        last = self.heard[-1]
        assert isinstance(last, control.GoAway)
        return last


def test_an_honest_dialer_by_hand_is_let_in() -> None:
    world = World()
    east = Router(world, "east")
    dialer = Dialer(world, east)
    dialer.say(dialer.hello(cost=7))
    answer, proof = dialer.heard
    assert isinstance(answer, Hello) and answer.name == "east"
    assert isinstance(proof, Proof)
    assert proof.signature == east.identity.sign(dialer.transcript("acceptor"))
    assert east.owner.events == []
    dialer.say(Proof(dialer.identity.sign(dialer.transcript())))
    assert east.owner.named("up") == [("up", "liar", 7)]


LIES: dict[str, Callable[[Dialer], bytes]] = {
    "another key": lambda d: FakeIdentity("other").sign(d.transcript()),
    "swapped role": lambda d: d.identity.sign(d.transcript("acceptor")),
    "another nonce": lambda d: d.identity.sign(d.transcript(nonce=b"o" * 32)),
    "no signature": lambda d: b"x",
    "the acceptor's own proof": lambda d: d.heard[1].signature,  # type: ignore[union-attr]
    "another leaf": lambda d: d.identity.sign(
        d.transcript().replace(fingerprint(d.leaf), fingerprint(b"other leaf"))
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_wrong_proof_is_refused(lie: Callable[[Dialer], bytes]) -> None:
    world = World()
    east = Router(world, "east")
    dialer = Dialer(world, east)
    dialer.say(dialer.hello())
    dialer.say(Proof(lie(dialer)))
    assert (dialer.goaway().kind, dialer.goaway().code) == ("refused", "bad-proof")
    assert east.owner.events == [] and east.links.status() == []


def test_a_proof_is_no_good_on_another_connection() -> None:
    world = World()
    east = Router(world, "east")
    first = Dialer(world, east)
    first.say(first.hello())
    proof = Proof(first.identity.sign(first.transcript()))
    first.say(proof)
    second = Dialer(world, east)
    second.say(second.hello())
    second.say(proof)
    assert second.goaway().code == "bad-proof"


def test_claiming_another_site_in_hello_fails_at_the_proof() -> None:
    world = World()
    east = Router(world, "east")
    dialer = Dialer(world, east)
    dialer.say(dialer.hello(public_key=FakeIdentity("north").public_key, name="north"))
    dialer.say(Proof(dialer.identity.sign(dialer.transcript())))
    assert dialer.goaway().code == "bad-proof"
    assert east.owner.events == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 2}, "version"),
        ({"required": ("teleport",)}, "unsupported-feature"),
        ({"router": FakeIdentity("east").router}, "self-link"),
        ({"public_key": FakeIdentity("east").public_key}, "identity-conflict"),
    ],
)
def test_a_hello_that_cannot_be_served_is_refused_with_advice(
    changes: dict[str, object], code: str
) -> None:
    world = World()
    dialer = Dialer(world, Router(world, "east"))
    dialer.say(dialer.hello(**changes))
    assert (dialer.goaway().kind, dialer.goaway().code) == ("refused", code)
    assert dialer.goaway().hint


SIBLING = {
    "public_key": FakeIdentity("east").public_key,
    "name": "east",
    "required": ("sibling",),
    "features": ("sibling",),
}


def test_another_router_of_the_site_is_let_in_at_no_cost_if_it_says_so() -> None:
    world = World()
    east = Router(world, "east")
    dialer = Dialer(world, east)
    dialer.say(dialer.hello(**SIBLING, cost=7))
    assert isinstance(dialer.heard[-1], Proof)
    dialer.say(Proof(east.identity.sign(dialer.transcript())))
    assert east.owner.named("up") == [("up", "east", 0)]
    dialer.say(control.CostMessage(9))
    assert east.owner.named("cost") == [] and east.links.adjacent == {dialer.identity.router: 0}
    assert east.links.status() == []
    assert east.links.adjacencies.siblings == {dialer.identity.router}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"router": FakeIdentity("east").router}, "self-link"),
        ({"public_key": FakeIdentity("liar").public_key}, "wrong-site"),
        ({"required": ()}, "identity-conflict"),
    ],
)
def test_who_says_it_is_a_router_of_the_site_and_is_not_is_refused(
    changes: dict[str, object], code: str
) -> None:
    world = World()
    dialer = Dialer(world, Router(world, "east"))
    dialer.say(dialer.hello(**(SIBLING | changes)))
    assert (dialer.goaway().kind, dialer.goaway().code) == ("refused", code)
    assert dialer.goaway().hint


def test_who_has_the_sites_public_key_alone_is_no_router_of_it() -> None:
    world = World()
    east = Router(world, "east")
    dialer = Dialer(world, east)
    dialer.say(dialer.hello(**SIBLING))
    dialer.say(Proof(dialer.identity.sign(dialer.transcript())))
    assert dialer.goaway().code == "bad-proof" and east.owner.events == []


def test_an_edge_has_no_other_routers_of_its_site() -> None:
    world = World()
    dialer = Dialer(world, Router(world, "east", is_edge=True))
    dialer.say(dialer.hello(**SIBLING))
    assert dialer.goaway().code == "unsupported-feature"


@pytest.mark.parametrize(
    "changes",
    [
        {"cost": 0},
        {"cost": 65_536},
        {"cost": True},
        {"name": "new\nline"},
        {"name": "<b>"},
        {"router": "UPPER"},
        {"nonce": b"short"},
        {"features": ("x",) * 65},
        {"software": "s" * 2_000},
    ],
    ids=str,
)
def test_a_hello_out_of_bounds_is_a_violation(changes: dict[str, object]) -> None:
    world = World()
    dialer = Dialer(world, Router(world, "east"))
    dialer.say(dialer.hello(**changes))
    assert (dialer.goaway().kind, dialer.goaway().code) == ("violation", "bad-message")


def test_messages_out_of_order_are_violations() -> None:
    world = World()
    east = Router(world, "east")
    cases: list[tuple[str, Callable[[Dialer], list[control.Message]]]] = [
        ("proof first", lambda d: [Proof(b"x")]),
        ("hello twice", lambda d: [d.hello(), d.hello()]),
        ("cost before proof", lambda d: [d.hello(), control.CostMessage(3)]),
        ("joined first", lambda d: [control.Joined(NONCE)]),
        ("lsa before proof", lambda d: [d.hello(), LsaMessage(b"x")]),
        ("join on a control lane", lambda d: [d.hello(), Join(NONCE, NONCE)]),
    ]
    for name, messages in cases:
        dialer = Dialer(world, east)
        dialer.say(*messages(dialer))
        assert (dialer.goaway().kind, dialer.goaway().code) == ("violation", "bad-order"), name
    assert east.owner.events == []


def test_silence_at_any_step_ends_at_the_deadline() -> None:
    world = World()
    east = Router(world, "east")
    silent, half = Dialer(world, east), Dialer(world, east)
    half.say(half.hello())
    world.advance(limits.HELLO_TIMEOUT_S - 0.1)
    assert not silent.raw.has_ended and not half.raw.has_ended
    world.advance(2.0)
    assert silent.goaway().code == half.goaway().code == "hello-timeout"
    assert silent.raw.losses and half.raw.losses


def test_lanes_that_say_nothing_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LINK_HANDSHAKES_MAX", 3)
    world = World()
    east = Router(world, "east")
    dialers = [Dialer(world, east) for _ in range(5)]
    assert [bool(dialer.raw.losses) for dialer in dialers] == [False] * 3 + [True] * 2


def test_without_certificate_or_with_another_protocol_there_is_no_lane() -> None:
    world = World()
    east = Router(world, "east")
    for leaf, alpn in ((b"", "spillway/1"), (b"leaf", "spillway-claim/1")):
        raw = Raw()
        tls = type(east.tls)(None, leaf, (alpn,))
        world.dial("east", 1, lambda _, raw=raw: raw, lambda _: None, timeout_s=1, tls=tls)  # type: ignore[misc]
        world.settle()
        assert raw.losses


def test_join_with_a_wrong_proof_or_session_is_sent_away() -> None:
    world = World()
    _, east = linked(world)
    hello = next(
        control.decode(memoryview(payload))
        for kind, _, payload in frames_of(world.wires[0].right.sent_log)
        if kind == frames.CONTROL
    )
    assert isinstance(hello, Hello)
    dialer = Dialer(world, east)
    leaves = fingerprint(dialer.leaf), fingerprint(east.tls.certificate)
    right = handshake.join_proof(hello.secret, "dialler", hello.session, *leaves)
    for join in (
        Join(hello.session, b"x" * 32),
        Join(b"x" * 32, right),
        Join(
            hello.session,
            handshake.join_proof(hello.secret, "acceptor", hello.session, *leaves),
        ),
    ):
        dialer = Dialer(world, east)
        dialer.say(join)
        assert (dialer.goaway().kind, dialer.goaway().code) == ("lost", "wrong-router")
    # A load balancer may take a lane to a router that does not have its link: that is no news.
    assert east.owner.refusals == ["JOIN without the secret of its link"] * 2
    assert [line.lanes for line in east.links.status()] == [1]


def test_an_acceptor_that_cannot_prove_itself_is_refused_by_the_dialer() -> None:
    world = World()
    west = Router(world, "west")
    raw = Raw()
    world.listen("east", 1, lambda _: raw, tls=west.tls)
    west.link("east")
    world.settle()
    liar = Dialer(world, Router(world, "helper"), "east")
    for message in (liar.hello(), Proof(b"not this")):
        world.wires[0].right.send(frames.encode(frames.CONTROL, 0, control.encode(message)))
    world.settle()
    (line,) = west.links.status()
    assert line.state == "refused" and "did not prove" in line.error
    assert west.owner.events[-1] == ("changed", "to-east")
    assert west.owner.named("up", "admit") == []


def test_our_own_nonce_is_not_taken_back() -> None:
    world = World()
    west = Router(world, "west")
    raw = Raw()
    world.listen("mirror", 1, lambda _: raw, tls=west.tls)
    west.link("mirror")
    world.settle()
    world.wires[0].right.send(bytes(raw.data))
    world.settle()
    assert "nonce" in west.links.status()[0].error


def test_an_unknown_message_is_ignored_from_a_newer_peer_only() -> None:
    unknown = frames.encode(frames.CONTROL, 0, b"\x92\xa4next\x01")
    for minor, kept in ((control.MINOR + 1, True), (control.MINOR, False)):
        world = World()
        east = Router(world, "east")
        dialer = Dialer(world, east)
        dialer.say(dialer.hello(minor=minor))
        dialer.say(Proof(dialer.identity.sign(dialer.transcript())))
        dialer.wire.left.send(unknown)
        world.settle()
        assert [one.state for one in east.links.status()] == ["up" if kept else "down"]


def test_what_is_signed_is_what_the_protocol_page_says() -> None:
    nonces, leaves = (b"d" * 32, b"a" * 32), (b"D" * 32, b"A" * 32)
    assert transcript("dialler", *nonces, *leaves) == (
        b"spillway/1 link proof\0dialler\0" + b"d" * 32 + b"a" * 32 + b"D" * 32 + b"A" * 32
    )
    told = b"spillway/1 lane join\0acceptor\0" + b"s" * 32 + b"D" * 32 + b"A" * 32
    expected = hmac.digest(b"k" * 32, told, "sha256")
    assert handshake.join_proof(b"k" * 32, "acceptor", b"s" * 32, *leaves) == expected


def test_a_dialer_is_up_only_when_the_acceptor_has_let_it_in() -> None:
    world = World()
    west, east = Router(world, "west"), Router(world, "east")
    east.owner.rejection = HandshakeRejected("revoked", "east has revoked the access of west")
    west.link("east")
    world.settle()
    (line,) = west.links.status()
    assert line.state == "refused" and "has revoked the access" in line.error
    assert west.owner.named("up", "down") == [] == east.owner.named("up", "down")


@pytest.mark.parametrize("first", ["pong", "message", "stream"])
def test_whatever_an_acceptor_says_after_it_let_the_dialer_in_brings_the_link_up(
    first: str,
) -> None:
    world = World()
    west, acceptor = Router(world, "west"), Raw()
    world.listen("east", 1, lambda _: acceptor, tls=west.tls)
    west.link("east")
    world.settle()
    wire = world.wires[0].right
    east = Dialer(world, Router(world, "helper"), "east")
    (hello,) = (
        message
        for kind, _, payload in frames_of(bytes(acceptor.data))
        if kind == frames.CONTROL
        and isinstance(message := control.decode(memoryview(payload)), Hello)
    )
    leaves = fingerprint(west.tls.certificate), fingerprint(west.tls.certificate)
    proof = east.identity.sign(transcript("acceptor", hello.nonce, NONCE, *leaves))
    for message in (east.hello(), Proof(proof)):
        wire.send(frames.encode(frames.CONTROL, 0, control.encode(message)))
    world.settle()
    assert west.owner.named("up") == [], "it proved itself, and has not judged us"
    (ping,) = (body for kind, _, body in frames_of(bytes(acceptor.data)) if kind == frames.PING)
    opened = control.encode_open(Router(world, "asks").request(west))
    said = {
        "pong": (frames.PONG, 0, ping),
        "message": (frames.CONTROL, 0, control.encode(control.RenewDue())),
        "stream": (frames.OPEN, 2, opened),
    }
    wire.send(frames.encode(*said[first]))
    world.settle()
    assert west.owner.named("up") == [("up", "east", 1)]
    assert len(west.owner.offered) == (first == "stream")
