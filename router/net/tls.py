"""A TLS connection over `ssl.MemoryBIO`: bytes in, bytes out, on the sockets of `connection`."""

import re
import socket
import ssl
import sys
from collections import deque
from collections.abc import Callable, Sequence

from router.model.limits import (
    LANE_QUANTUM_BYTES,
    LANE_TURN_BYTES_MAX,
    TLS_READ_BYTES,
    TLS_READ_BYTES_MIN,
    TLS_RECORD_BYTES,
    TURN_READ_BYTES_MAX,
    TURN_READ_S_MAX,
)
from router.model.wording.other_protocol import NO_TLS
from router.net.connection import TcpConnection
from router.net.connection_states import ENDED, ENDING, FAILED, FULL, OPEN, OVER, WANTED
from router.net.poller import Poller
from router.net.ports import Address, Buffer, ConnectionHandler, Loss
from router.net.sockets import loss_of
from router.net.unsent import UnsentBytes

TURN_BYTES_MAX = LANE_TURN_BYTES_MAX + LANE_QUANTUM_BYTES  # Larger sends are encrypted in parts.
PACK_BYTES = 4 * TLS_RECORD_BYTES  # Encrypted at a time: full records, and no large allocation.


_EXPIRED = "SSLV3_ALERT_CERTIFICATE_EXPIRED"
_ALERTS = {
    _EXPIRED: "the other end says that our certificate has expired: if it is valid here "
    "(sitectl check), the clocks differ (compare date -u)",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the other end does not take our certificate: by its clock it "
    "may not have begun yet (compare date -u), or it is not of its making",
}
"""A peer's alert before it broke off, by the library's name."""
_PLACE = re.compile(r" ?\(_ssl\.c:[0-9]+\)$")
_NO_CERTIFICATE = "PEER_DID_NOT_RETURN_A_CERTIFICATE"
_NOT_TLS = "WRONG_VERSION_NUMBER"
_OUT_OF_TIME = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED.


def tls_reason(error: ssl.SSLError) -> str:
    """The library's text without its file and line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message.removesuffix('.')}"
    if error.reason == _NOT_TLS:
        return NO_TLS
    if error.reason in _ALERTS:
        return _ALERTS[error.reason]
    if error.reason == _NO_CERTIFICATE:
        return "the client showed no certificate, and the listener demands one"
    return (error.reason or _PLACE.sub("", str(error.strerror or error))).replace("_", " ").lower()


def tls_loss(error: ssl.SSLError) -> Loss:
    """The loss of a connection whose handshake was done."""
    return Loss(code="expired" if error.reason == _EXPIRED else "tls", reason=tls_reason(error))


def is_out_of_time(error: ssl.SSLError) -> bool:
    """Whether the peer's certificate was refused for its dates alone."""
    return isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in _OUT_OF_TIME


def shown_by(peer: ssl.SSLObject) -> tuple[bytes, ...]:
    """The certificates that the peer showed (DER, its leaf first), accepted or not.

    OpenSSL does not store the chain of a client that it refused, only the one that it built from it
    and the trusted certificates to judge the dates.
    """
    if sys.version_info >= (3, 13):
        return tuple(peer.get_unverified_chain() or peer.get_verified_chain())
    # The same by its earlier name: there is no other way to get a refused certificate.
    held = peer._sslobj  # type: ignore[attr-defined]
    chain = held.get_unverified_chain() or held.get_verified_chain() or ()
    return tuple(ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in chain)


class TlsConnection(TcpConnection):
    """`ports.Connection` after a handshake.

    The data of one `send` is encrypted at once, in full records. While ciphertext waits for the
    kernel nothing more is encrypted: plaintext is kept, so that it can still be dropped. A TCP end
    without close_notify is a loss, never an end (RFC 8446, 6.1).
    """

    __slots__ = (
        "_alpn",
        "_certificate",
        "_end_pending",
        "_incoming",
        "_notified",
        "_object",
        "_outgoing",
        "_plain",
        "_plain_bytes",
        "_read_bytes",
    )

    def __init__(
        self,
        poller: Poller,
        sock: socket.SocketType,
        peer: Address,
        local: Address,
        on_close: Callable[[], None] | None = None,
        *,
        tls: tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO],
        unsent: bytes,
        alpn: str,
        peer_certificate: bytes,
    ) -> None:
        super().__init__(poller, sock, peer, local, on_close)
        self._object, self._incoming, self._outgoing = tls
        self._alpn = alpn
        self._certificate = peer_certificate
        self._plain: deque[bytes | memoryview] = deque()
        self._plain_bytes = 0
        self._read_bytes = TLS_READ_BYTES_MIN  # At a time: more while it is cheap to handle.
        self._end_pending = False  # close_notify was read, `ended` waits for `resume`.
        self._notified = False  # Our close_notify is with the ciphertext.
        if unsent:
            self._out = UnsentBytes(poller)
            self._out.add((unsent,))

    @property
    def peer_certificate(self) -> bytes:
        return self._certificate

    @property
    def alpn(self) -> str:
        return self._alpn

    @property
    def unsent_bytes(self) -> int:
        return super().unsent_bytes + self._plain_bytes

    def _has_handed_on(self) -> bool:
        return self._out is None and not self._plain_bytes

    def send(self, *parts: Buffer) -> bool:
        if self.sending is not OPEN and self.sending is not FULL:
            return True
        size = sum(map(len, parts))
        if self._out is not None or size > TURN_BYTES_MAX:
            self._plain.extend(bytes(part) for part in parts if part)
            self._plain_bytes += size
            self._poller.unsent_bytes += size
            if self._out is None:
                self._refill()
        elif size:
            self._encrypt(parts, size)
        out = self._out
        if (0 if out is None else out.size_bytes) + self._plain_bytes > self._high:
            self.sending = FULL
            return False
        return True

    def resume(self) -> None:
        super().resume()
        if self.reading is WANTED and (self._end_pending or self._incoming.pending):
            self._poller.soon(self, self._pump)

    def attach(self, handler: ConnectionHandler) -> None:
        super().attach(handler)
        if self.sending is not OVER and self._incoming.pending:
            self._poller.soon(self, self._pump)  # It came together with the end of the handshake.

    # Reading.

    def _read(self) -> None:
        poller = self._poller
        wanted = self._read_bytes
        cipher = poller.cipher_view[:wanted]
        began = poller.now()
        budget, until = TURN_READ_BYTES_MAX, began + TURN_READ_S_MAX
        while True:
            try:
                size = self._socket.recv_into(cipher)
            except BlockingIOError:
                return
            except OSError as error:
                self._lose(loss_of(error))
                return
            if not size:
                self._pump()  # Earlier bytes may wait for us, also a close_notify.
                if self.reading is WANTED:
                    self._lose(self._cause or Loss(code="cut", reason="cut off: no close_notify"))
                return
            poller.bytes_in += size
            self._incoming.write(cipher[:size])
            self._pump()
            budget -= size
            ended = poller.now()
            if ended > until:
                self._read_bytes = max(TLS_READ_BYTES_MIN, wanted // 2)
            elif size == wanted and ended - began < TURN_READ_S_MAX / 4:
                self._read_bytes = min(TLS_READ_BYTES, 2 * wanted)
            if size < wanted or budget <= 0 or ended > until:
                return
            if self.reading is not WANTED:
                return

    def _pump(self) -> None:
        """Decrypt and deliver arrived bytes, until paused."""
        if self.sending is OVER:
            return
        handler, incoming, view = self._handler, self._incoming, self._poller.plain_view
        assert handler is not None
        while self.reading is WANTED and incoming.pending and not self._end_pending:
            left = incoming.pending
            used, failure = self._decrypt(view)
            if used:
                handler.received(view[:used])
            if failure is not None:
                self._lose(failure)
                return
            if incoming.pending == left and not used:
                break
        if self._outgoing.pending and self.sending is not ENDED and self.sending is not OVER:
            self._put(self._outgoing.read())  # An answer of TLS itself, such as a key update.
        if self._end_pending and self.reading is WANTED:
            self._end_pending = False
            self._peer_finished()
        elif self._end_pending and self._left is not None:
            self._tell_left()  # By close_notify: the end of TCP need not follow.

    def _decrypt(self, view: memoryview) -> tuple[int, Loss | None]:
        """Fill ``view`` with whole records; a record fits or is left for the next call."""
        read, incoming = self._object.read, self._incoming
        used = 0
        try:
            while used + TLS_RECORD_BYTES <= len(view):
                size = read(TLS_RECORD_BYTES, view[used:])
                if not size:
                    self._end_pending = True
                    break
                used += int(size)
                if not incoming.pending:
                    break
        except ssl.SSLWantReadError:
            return used, None  # The rest of a record is still under way.
        except ssl.SSLZeroReturnError:
            self._end_pending = True
        except ssl.SSLError as error:
            return used, tls_loss(error)
        return used, None

    # Writing.

    def _encrypt(self, parts: Sequence[Buffer], size: int) -> None:
        """Encrypt ``size`` bytes of ``parts`` and write the records at once."""
        write, take = self._object.write, self._outgoing.read
        try:
            if size <= PACK_BYTES:
                write(parts[0] if len(parts) == 1 else b"".join(parts))
                self._write((take(),))
                return
            pieces: list[bytes] = []
            for piece in packed(parts):
                write(piece)
                pieces.append(take())
        except ssl.SSLError as error:
            self._lose(tls_loss(error))
            return
        self._write(tuple(pieces))

    def _refill(self) -> None:
        """Encrypt kept plaintext, a turn's share at a time, until the kernel has enough."""
        plain = self._plain
        # No plaintext is left if sending has failed or is over.
        while plain and self._out is None:
            parts: list[Buffer] = []
            room = LANE_TURN_BYTES_MAX
            while plain and room:
                part = plain.popleft()
                if len(part) > room:
                    whole = memoryview(part)
                    plain.appendleft(whole[room:])
                    part = whole[:room]
                parts.append(part)
                room -= len(part)
            size = LANE_TURN_BYTES_MAX - room
            self._plain_bytes -= size
            self._poller.unsent_bytes -= size
            self._encrypt(parts, size)

    def _drained(self) -> None:
        self._refill()
        if self._out is None and self.sending is not FAILED and self.sending is not OVER:
            super()._drained()

    def _send_end(self) -> None:
        if not self._notified:
            self._notified = True
            self._notify()
            if self._out is not None or self.sending is not ENDING:
                return  # Called again when the close_notify was sent.
        super()._send_end()

    def _notify(self) -> None:
        # `unwrap` also looks for the peer's answer and would choke on data before it.
        waiting = self._incoming.read()
        try:
            self._object.unwrap()
        except ssl.SSLWantReadError:
            pass  # The peer has not finished yet, and need not.
        except ssl.SSLError as error:
            self._lose(tls_loss(error))
            return
        self._incoming.write(waiting)
        self._put(self._outgoing.read())

    def _put(self, ciphertext: bytes) -> None:
        if self._out is not None:
            self._out.add((ciphertext,))
        elif ciphertext and self.sending is not FAILED:
            self._write((ciphertext,))

    def _write_failed(self, error: OSError) -> None:
        self._drop_plain()
        super()._write_failed(error)

    def _lose(self, cause: Loss | None) -> None:
        self._drop_plain()
        super()._lose(cause)

    def _tell_loss(self) -> None:
        # Free TLS memory, up to 600 KiB, now, however long others still refer to us.
        del self._object, self._incoming, self._outgoing
        super()._tell_loss()

    def _drop_plain(self) -> None:
        self._poller.unsent_bytes -= self._plain_bytes
        self._plain.clear()
        self._plain_bytes = 0


def packed(parts: Sequence[Buffer]) -> list[Buffer]:
    """``parts`` joined and cut into pieces of `PACK_BYTES`; exact fits are not copied."""
    pieces: list[Buffer] = []
    gathered: list[Buffer] = []
    room = PACK_BYTES
    for part in parts:
        if len(part) == PACK_BYTES:  # Not copied, however little is before it.
            if gathered:
                pieces.append(b"".join(gathered))
                gathered, room = [], PACK_BYTES
            pieces.append(part)
            continue
        view = memoryview(part)
        while len(view) >= room:
            gathered.append(view[:room])
            pieces.append(gathered[0] if len(gathered) == 1 else b"".join(gathered))
            view = view[room:]
            gathered, room = [], PACK_BYTES
        if view:
            gathered.append(view)
            room -= len(view)
    if gathered:
        pieces.append(b"".join(gathered))
    return pieces
