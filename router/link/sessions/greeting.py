"""One end's part of a link's handshake: its messages and proofs, and its check of the peer's.

Values in, values out; `handshake` has the proofs, `session` moves the messages.
"""

import random

import msgspec

from router.link import control
from router.link.neighbour import Neighbour
from router.link.sessions import handshake
from router.link.sessions.handshake import Role
from router.model import limits
from router.model.errors import HandshakeRejected, RemoteProtocolError
from router.model.ids import SiteId
from router.model.own_identity import OwnIdentity

SOFTWARE = "spillway/0.1"

Leaves = tuple[bytes, bytes]
"""Certificates in DER that were shown on one connection: ours, the peer's."""


class Life(msgspec.Struct, frozen=True):
    """Describes one process. ``boot`` is random, ``born`` grows with each process of a router,
    ``place`` is where it runs, ``restored`` when its state was restored from a backup (Unix
    seconds; 0: never), ``worker`` its number among the workers of one router."""

    boot: bytes
    born: int = 0
    place: str = ""
    restored: int = 0
    worker: int = 0


class Greeting:
    """Nonce, session and secret of this end, and the HELLO of the other end once received."""

    def __init__(
        self,
        identity: OwnIdentity,
        role: Role,
        rng: random.Random,
        abilities: handshake.Abilities,
        life: "Life",
    ) -> None:
        self.session_id = rng.randbytes(control.NONCE_BYTES)
        self.peer: control.Hello | None = None
        self._identity = identity
        self._role = role
        self._life = life
        self._abilities = abilities
        self._nonce = rng.randbytes(control.NONCE_BYTES)
        self._secret = rng.randbytes(control.NONCE_BYTES)

    @property
    def peer_boot(self) -> bytes:
        """The ``boot`` of the neighbor's process; empty before its HELLO."""
        return self.peer.boot if self.peer is not None else b""

    @property
    def peer_born(self) -> tuple[int, int]:
        """When the neighbor's state was restored (0: never), and the epoch its process began
        with."""
        return (self.peer.restored, self.peer.born) if self.peer is not None else (0, 0)

    @property
    def peer_worker(self) -> int:
        """The number of the neighbor's process among the workers of its router; 0 before its
        HELLO."""
        return self.peer.worker if self.peer is not None else 0

    @property
    def peer_is_newer(self) -> bool:
        """The peer may send messages that we do not know."""
        return self.peer is not None and self.peer.minor > control.MINOR

    @property
    def peer_drains(self) -> bool:
        """The peer knows DRAIN and LAST."""
        return self.peer is not None and self.peer.minor >= control.DRAINS_FROM_MINOR

    @property
    def peer_renews(self) -> bool:
        """The peer knows the messages of renewal."""
        return self.peer is not None and handshake.RENEWS in self.peer.features

    @property
    def peer_takes_answers(self) -> bool:
        """The peer knows ANSWER and ACCEPTED-LATE."""
        return self.peer is not None and handshake.TAKES_ANSWERS in self.peer.features

    def hello(self, *, cost: int, link: str) -> control.Hello:
        """Our HELLO."""
        return control.Hello(
            version=control.VERSION,
            minor=control.MINOR,
            router=self._identity.router,
            name=self._identity.name,
            public_key=self._identity.public_key,
            nonce=self._nonce,
            boot=self._life.boot,
            session=self.session_id,
            secret=self._secret,
            worker=self._life.worker,
            cost=cost,
            link=link,
            software=SOFTWARE,
            features=tuple(sorted(self._abilities.features)),
            required=tuple(sorted(self._abilities.required)),
            born=self._life.born,
            place=self._life.place[: limits.PLACE_CHARS_MAX],
            restored=self._life.restored,
        )

    def hear(self, hello: control.Hello, expected_site: SiteId | None) -> Neighbour:
        """The identity that the peer claims. Raises HandshakeRejected, RemoteProtocolError."""
        if self.peer is not None:
            raise RemoteProtocolError("bad-order", "a second HELLO")
        if hello.nonce == self._nonce:
            raise RemoteProtocolError("reflected", "our own nonce came back")
        self.peer = hello
        return handshake.judge_hello(hello, self._identity, expected_site, self._abilities)

    def proof(self, leaves: Leaves) -> control.Proof:
        """Our proof that we own our identity key, on the connection of these ``leaves``."""
        return control.Proof(self._identity.sign(self._transcript(self._role, leaves)))

    def check(self, proof: control.Proof, leaves: Leaves) -> None:
        """Check the peer's proof. Raises HandshakeRejected."""
        assert self.peer is not None
        signed = self._transcript(handshake.other(self._role), leaves)
        if not self._identity.verify(self.peer.public_key, proof.signature, signed):
            raise HandshakeRejected(
                "bad-proof",
                f"{self.peer.name} did not prove that it owns its identity key",
                "Something between the two sites may be impersonating one of them",
            )

    def join(self, leaves: Leaves) -> tuple[control.Join, bytes]:
        """Dialer: JOIN for a connection of these leaves, and the proof that JOINED must bring."""
        assert self.peer is not None
        session, ours_theirs = self.peer.session, _fingerprints(leaves)
        proof = handshake.join_proof(self.peer.secret, "dialler", session, *ours_theirs)
        answer = handshake.join_proof(self._secret, "acceptor", session, *ours_theirs)
        return control.Join(session, proof), answer

    def joined(self, join: control.Join, leaves: Leaves) -> control.Joined:
        """Acceptor: the answer to a JOIN. Raises HandshakeRejected."""
        assert self.peer is not None
        acceptor_leaf, dialer_leaf = _fingerprints(leaves)
        both = (dialer_leaf, acceptor_leaf)
        expected = handshake.join_proof(self._secret, "dialler", self.session_id, *both)
        if not handshake.join_is_proven(expected, join.proof):
            raise HandshakeRejected("wrong-router", "JOIN without the secret of its link")
        proof = handshake.join_proof(self.peer.secret, "acceptor", self.session_id, *both)
        return control.Joined(proof)

    def _transcript(self, role: Role, leaves: Leaves) -> bytes:
        """The bytes that ``role`` signs."""
        assert self.peer is not None
        own_leaf, peer_leaf = _fingerprints(leaves)
        ours, theirs = (self._nonce, own_leaf), (self.peer.nonce, peer_leaf)
        dialer, acceptor = (ours, theirs) if self._role == "dialler" else (theirs, ours)
        return handshake.transcript(role, dialer[0], acceptor[0], dialer[1], acceptor[1])


def _fingerprints(leaves: Leaves) -> Leaves:
    return handshake.fingerprint(leaves[0]), handshake.fingerprint(leaves[1])
