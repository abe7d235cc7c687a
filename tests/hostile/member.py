"""A member with a valid certificate: it dials one router, joins, and says what a test wants."""

import base64
import contextlib
import os
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import yaml
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.hostile import wire
from tests.hostile.wire import Frame

TIMEOUT_S = 10.0
READ_BYTES = 65_536


class Offer(msgspec.Struct, frozen=True):
    """Targets that the member says it has; its fields are those of an LSA."""

    name: str
    port: int
    targets_ready: int = 1
    capacity: int | None = 1000


class Keys:
    """A site with its key, and its router."""

    def __init__(self, former: "Keys | None" = None) -> None:
        """``former``: the same site and router."""
        self._key: ec.EllipticCurvePrivateKey = (
            ec.generate_private_key(ec.SECP256R1()) if former is None else former._key
        )
        self.public_key = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.site = wire.site_id(self.public_key)
        self.router: str = os.urandom(8).hex() if former is None else former.router

    def lsa(self, part: int, body: Sequence[object], sequence: int, router: str) -> Frame:
        """A part of one of its routers."""
        numbers = (part, 1, sequence, 1)
        payload = msgspec.msgpack.encode(
            [router, self.site, *numbers, b"rogue123", self.public_key, body]
        )
        return wire.control("lsa", msgspec.msgpack.encode([payload, self._sign(payload)]))

    def _sign(self, data: bytes) -> bytes:
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))


class Member(Keys):
    """One link, control lane only, so that streams ride on it.

    A thread reads: it answers PINGs, acknowledges LSAs and calls ``on_stream`` with every frame of
    a stream; the frames that this returns are sent back.
    """

    def __init__(
        self, token_file: Path, name: str = "mallory", former: "Member | None" = None
    ) -> None:
        """``former``: the same site and router, which joined before and says newer things now."""
        super().__init__(former)
        secret = yaml.safe_load(token_file.read_text())
        notes = secret["metadata"]["annotations"]
        files = {key: base64.b64decode(text) for key, text in secret["data"].items()}
        host, _, port = notes["spillway.dev/endpoints"].split(",")[0].rpartition(":")
        self.name = name
        self.cost = int(notes.get("skupper.io/cost", 1))
        self.on_stream: Callable[[Frame], list[Frame]] = lambda _: []
        self.closed = threading.Event()
        self._sequence: int = 0 if former is None else former._sequence
        self._next_stream = 1
        self._lock = threading.Lock()
        self._into, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._leaf = ssl.PEM_cert_to_DER_cert(files["tls.crt"].decode())
        self._tls = _context(files).wrap_bio(self._into, self._out)
        self._socket = socket.create_connection((host.strip("[]"), int(port)), TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._shake_hands()
        self._frames = wire.FrameReader()
        self._neighbour = self._join()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Go without a word."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self.closed.wait(TIMEOUT_S)
        self._socket.close()

    @property
    def neighbour(self) -> tuple[str, str]:
        """Router and site id."""
        return self._neighbour

    # Sending.

    def send(self, *frames: Frame) -> None:
        """Frames in one write; silent once the router has hung up."""
        with contextlib.suppress(OSError):
            self.write(b"".join(map(wire.encode, frames)))

    def write(self, data: bytes) -> None:
        """Frames that are encoded already."""
        with self._lock:
            self._tls.write(data)
            self._socket.sendall(self._out.read())

    def open_frame(self, service: str, port: int, head: bytes) -> Frame:
        """OPEN of an http request without a body, to a target of the neighbor."""
        router, _ = self._neighbour
        request = [[router], service, port, "http", self.site, 0, 0, 0, head]
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        return Frame(wire.OPEN, stream, msgspec.msgpack.encode([*request, "", 0, "", ""]), True)

    def offer(self, *offers: Offer, cost: int | None = None) -> None:
        """Say that it has these targets and no others, at ``cost`` from its neighbor."""
        self._say([["services", [], list(offers)]], self.cost if cost is None else cost)

    def declare(
        self, services: Mapping[str, Sequence[int]], declared_at_s: float = 0.0, *, each: int = 1
    ) -> None:
        """Say that these services exist, with these ports, and no others; ``each``: in a part."""
        told = [
            {"name": name, "spec": {"ports": list(ports)}, "declared_at_s": declared_at_s}
            for name, ports in services.items()
        ]
        parts = [told[at : at + each] for at in range(0, len(told), each)]
        self._say([["services", part, []] for part in parts], self.cost)

    def _say(self, parts: Sequence[Sequence[object]], cost: int) -> None:
        self._sequence += 1
        router, site = self._neighbour
        topology: list[object] = [
            *("topology", [[router, site, cost]], False, False, self.name, "rogue"),
            [[part, self._sequence] for part in range(1, len(parts) + 1)],
        ]
        self.send(*(self._lsa(part, body) for part, body in enumerate(parts, 1)))
        self.send(self._lsa(0, topology))

    def _lsa(self, part: int, body: Sequence[object]) -> Frame:
        return self.lsa(part, body, self._sequence, self.router)

    # How it joins.

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._socket.sendall(self._out.read())
                self._into.write(self._socket.recv(READ_BYTES))
        self._socket.sendall(self._out.read())

    def _join(self) -> tuple[str, str]:
        """HELLO and PROOF; router and site id of the neighbor."""
        nonce = os.urandom(32)
        ids = (self.router, self.name, self.public_key)
        secrets = (nonce, *(os.urandom(32) for _ in range(3)))
        self.send(wire.control("hello", 1, 0, *ids, *secrets, 0, self.cost, "rogue", "rogue/1"))
        theirs = self._hello_back()
        leaf = self._tls.getpeercert(binary_form=True)
        assert leaf is not None
        text = wire.proof_text(b"dialler", (nonce, theirs[6]), self._leaf, leaf)
        self.send(wire.control("proof", self._sign(text)))
        return theirs[3], wire.site_id(theirs[5])

    def _hello_back(self) -> list[Any]:
        until = time.monotonic() + TIMEOUT_S
        while time.monotonic() < until:
            for frame in self._received(self._socket.recv(READ_BYTES)):
                if frame.kind == wire.CONTROL:
                    message = wire.message_of(frame)
                    assert message[0] == "hello", f"not welcome: {message}"
                    return message
        raise TimeoutError("no HELLO came")

    # Receiving.

    def _received(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        with self._lock:
            self._into.write(data)
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                while plain := self._tls.read(READ_BYTES):
                    frames += self._frames.feed(plain)
        return frames

    def _read(self) -> None:
        try:
            self._socket.settimeout(None)
            while data := self._socket.recv(READ_BYTES):
                answers = [one for frame in self._received(data) for one in self._answers(frame)]
                if answers:
                    self.send(*answers)
        except OSError:
            return  # The router hung up, or we did.
        finally:
            self.closed.set()

    def _answers(self, frame: Frame) -> list[Frame]:
        if frame.stream:
            return self.on_stream(frame)
        if frame.kind == wire.PING:
            return [Frame(wire.PONG, 0, frame.payload)]
        if frame.kind == wire.CONTROL:
            message = wire.message_of(frame)
            if message[0] == "lsa":
                router, _, part, epoch, sequence, *_ = msgspec.msgpack.decode(
                    msgspec.msgpack.decode(message[1])[0]
                )
                return [wire.control("ack", router, part, epoch, sequence)]
        return []


def _context(files: dict[str, bytes]) -> ssl.SSLContext:
    """A client that shows the token's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.set_alpn_protocols(["spillway/1"])
    context.load_verify_locations(cadata=files["ca.crt"].decode())
    with tempfile.NamedTemporaryFile() as pair:
        pair.write(files["tls.key"] + b"\n" + files["tls.crt"])
        pair.flush()
        context.load_cert_chain(pair.name)
    return context
