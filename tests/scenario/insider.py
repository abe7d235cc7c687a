"""A hostile member: a valid certificate, its identity, and any bytes it likes."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from certs import keys
from certs.ca.authority import Leaf
from certs.identity import SiteIdentity
from certs.tls.contexts import client_context
from certs.token_files import tokens
from router.link import control, frames
from router.link.frames import FrameDecoder
from router.link.ports import OpenRequest
from router.link.routing_messages import LsaMessage
from router.link.sessions import handshake
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import Declaration, TargetsAdvert
from router.model.specs import ServiceSpec
from router.routing.adverts.lsa import Adjacency, Lsa, PartRef, Services, Topology, encode_lsa

TIMEOUT_S = 5.0


class Said(msgspec.Struct, frozen=True):
    """One frame of the router."""

    kind: int
    stream: int
    payload: bytes


class HostileIdentity:
    """An identity key made for the occasion; `router.model.own_identity.OwnIdentity`."""

    def __init__(self, name: str) -> None:
        self.key = SiteIdentity(keys.generate())
        self.name = name
        self.router = RouterId(self.key.site_id[:16])
        self.site = SiteId(self.key.site_id)
        self.public_key = self.key.public_key

    def sign(self, data: bytes) -> bytes:
        """By the identity key."""
        return self.key.sign(data)

    def verify(self, public_key: bytes, signature: bytes, data: bytes) -> bool:
        """Never asked: an insider believes all."""
        return True

    def site_of(self, public_key: bytes) -> SiteId:
        """The site whose key that is."""
        return SiteId("")


class Insider:
    """A lane to a router's link port, dialed with the certificate of a token file.

    A thread reads; ``said`` holds the frames that came, ``closed`` is set at the end. PINGs are
    answered while ``answers_pings``.
    """

    def __init__(self, token_file: Path, name: str = "mallory") -> None:
        token = tokens.read_file(token_file)
        context = self.context_of(token_file)
        self.certificate = ssl.PEM_cert_to_DER_cert(token.certificate_pem)
        self.identity = HostileIdentity(name)
        self.socket = socket.create_connection(token.endpoints[0], TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing)
        self._lock = threading.Lock()  # A TLS object bears one thread at a time.
        self._shake_hands()
        self.said: list[Said] = []
        self.closed = threading.Event()
        self.arrived = threading.Condition()
        self.answers_pings = True
        self._next_id = 1

    @staticmethod
    def context_of(token_file: Path) -> ssl.SSLContext:
        """A client with the token's certificate."""
        token = tokens.read_file(token_file)
        leaf = Leaf(key_pem=token.key_pem, chain_pem=token.certificate_pem)
        return client_context(leaf, token.ca_pem)

    def __enter__(self) -> "Insider":
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Go without a word."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _shake_hands(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.socket.sendall(self._outgoing.read())
                self._incoming.write(self.socket.recv(65_536))
        self.socket.sendall(self._outgoing.read())

    # Frames.

    def send(self, kind: int, stream: int = 0, payload: bytes = b"") -> None:
        """One frame, valid or not."""
        self.write(frames.header(kind, len(payload), stream) + payload)

    def write(self, data: bytes) -> None:
        """Raw bytes of a lane; silent when the router has hung up."""
        try:
            with self._lock:
                self.tls.write(data)
                self.socket.sendall(self._outgoing.read())
        except OSError:
            self.closed.wait(TIMEOUT_S)

    def say(self, message: control.Message) -> None:
        """A control message."""
        self.send(frames.CONTROL, 0, control.encode(message))

    def listen(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        decoder = FrameDecoder(self)
        try:
            self.socket.settimeout(None)
            while data := self.socket.recv(65_536):
                for plain in self._decrypted(data):
                    decoder.receive_data(memoryview(plain))
        except (OSError, ValueError):
            return  # The router hung up, or we did.
        finally:
            with self.arrived:
                self.closed.set()
                self.arrived.notify_all()

    def _decrypted(self, data: bytes) -> list[bytes]:
        pieces: list[bytes] = []
        with self._lock:
            self._incoming.write(data)
            try:
                while piece := self.tls.read(65_536):
                    pieces.append(piece)
            except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                return pieces
        return pieces

    def frame(self, kind: int, stream_id: int, payload: memoryview) -> None:
        """One frame of the router."""
        with self.arrived:
            self.said.append(Said(kind, stream_id, bytes(payload)))
            self.arrived.notify_all()
        if kind == frames.PING and self.answers_pings:
            self.send(frames.PONG, 0, bytes(payload))

    def heard(self, wanted: Callable[[Said], bool], timeout_s: float = TIMEOUT_S) -> Said | None:
        """The first frame that ``wanted`` accepts; None: the lane ended or time passed."""

        def found() -> Said | None:
            return next((said for said in self.said if wanted(said)), None)

        with self.arrived:
            self.arrived.wait_for(lambda: found() or self.closed.is_set(), timeout_s)
            return found()

    def answer(self, stream: int, kind: int | None = None) -> Said | None:
        """The first frame of ``stream``, or the first of that kind."""
        return self.heard(lambda said: said.stream == stream and kind in (None, said.kind))

    def messages(self) -> list[control.Message]:
        """The control messages that came."""
        decoded = [
            control.decode(memoryview(said.payload))
            for said in list(self.said)
            if said.kind == frames.CONTROL
        ]
        return [message for message in decoded if message is not None]

    def goaway(self) -> control.GoAway | None:
        """Why the router hung up, once it has; None: without a word."""
        assert self.closed.wait(TIMEOUT_S), "the router did not hang up"
        return next((m for m in self.messages() if isinstance(m, control.GoAway)), None)

    # The handshake.

    def hello(self, **changes: object) -> control.Hello:
        """A good HELLO, or one with ``changes``."""
        hello = control.Hello(
            version=1,
            minor=0,
            router=self.identity.router,
            name=self.identity.name,
            public_key=self.identity.public_key,
            nonce=b"n" * 32,
            boot=b"b" * 32,
            session=b"s" * 32,
            secret=b"t" * 32,
            worker=0,
            cost=1,
            link="evil",
            software="evil/1",
        )
        return msgspec.structs.replace(hello, **changes)

    def join_network(self, **changes: object) -> control.Hello:
        """HELLO and PROOF, as an honest dialer says them; the router's HELLO."""
        ours = self.hello(**changes)
        self.listen()
        self.say(ours)
        assert self.heard(lambda said: said.kind == frames.CONTROL), "no HELLO came"
        theirs = self.messages()[0]
        if isinstance(theirs, control.GoAway):
            raise AssertionError(f"not welcome: {theirs}")
        assert isinstance(theirs, control.Hello), theirs
        self.theirs = theirs
        leaf = self.tls.getpeercert(binary_form=True)
        assert leaf is not None
        text = handshake.transcript(
            "dialler",
            ours.nonce,
            theirs.nonce,
            handshake.fingerprint(self.certificate),
            handshake.fingerprint(leaf),
        )
        self.say(control.Proof(self.identity.sign(text)))
        return theirs

    # What a member says.

    def lsa(self, neighbour: control.Hello, site: str, cost: int = 1, **changes: object) -> Lsa:
        """Part 0 of ours with one adjacency to ``neighbour``."""
        fields: dict[str, object] = {
            "router": self.identity.router,
            "site": self.identity.site,
            "part": 0,
            "epoch": 1,
            "sequence": 1,
            "boot_epoch": 1,
            "boot_nonce": b"b" * 8,
            "public_key": self.identity.public_key,
            "body": Topology(
                adjacencies=(Adjacency(RouterId(neighbour.router), SiteId(site), cost),),
                draining=False,
                stub=False,
                name=self.identity.name,
                version="evil",
                parts=(),
            ),
        }
        return Lsa(**{**fields, **changes})  # type: ignore[arg-type]

    def tell(self, lsa: Lsa) -> None:
        """Sign an LSA with our key, whichever site it describes, and send it."""
        self.say(LsaMessage(encode_lsa(lsa, self.identity)))

    def offer(self, neighbour: control.Hello, site: str, service: str, port: int) -> None:
        """Declare ``service`` and claim a target for it, so that requests for it come to us."""
        self.declare(neighbour, site, {service: ServiceSpec(protocol="http", ports=(port,))})

    def declare(
        self,
        neighbour: control.Hello,
        site: str,
        specs: dict[str, ServiceSpec],
        sequence: int = 1,
        declared_at_s: float = 1.0,
    ) -> None:
        """Declare services of any content, each with a target."""
        declared = [
            Declaration(name=name, spec=spec, declared_at_s=declared_at_s)
            for name, spec in specs.items()
        ]
        adverts = [
            TargetsAdvert(name=name, port=port, targets_ready=1, capacity=None)
            for name, spec in specs.items()
            for port in spec.ports
        ]
        first = self.lsa(neighbour, site, sequence=sequence)
        assert isinstance(first.body, Topology)
        body = msgspec.structs.replace(first.body, parts=(PartRef(1, sequence),))
        services = Services(tuple(declared), tuple(adverts))
        self.tell(msgspec.structs.replace(first, part=1, body=services))
        self.tell(msgspec.structs.replace(first, body=body))

    def heard_lsas(self) -> list[bytes]:
        """The signed LSAs that came."""
        return [m.signed for m in self.messages() if isinstance(m, LsaMessage)]

    def open(self, request: OpenRequest, *, end: bool = True) -> int:
        """OPEN a stream; its id."""
        number, self._next_id = self._next_id, self._next_id + 2
        self.send(frames.OPEN | (frames.END if end else 0), number, control.encode_open(request))
        return number
