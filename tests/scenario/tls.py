"""Peers that speak TLS by Python's own means, with every kind of end; credentials in folders."""

import contextlib
import datetime
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import msgspec

from certs.tls.service_tls import TlsStore, read_folder
from tests.scenario.clients import reset
from tests.scenario.harness import Site
from tests.unit.net.certificates import FROM, TO, Authority, authority

TIMEOUT_S = 10.0
PIECE_BYTES = 65_536


class Ending(msgspec.Struct, frozen=True):
    """All that a peer sent, and how it ended: ``end`` (close_notify), ``cut`` or ``reset``."""

    data: bytes
    how: str


class Wire:
    """One end of a TLS connection over a socket; each direction ends by itself."""

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext, name: str | None = None
    ) -> None:
        """``name``: what a client asks for; a server has None and a context for servers."""
        sock.settimeout(TIMEOUT_S)
        self.sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server_side = context.protocol is ssl.PROTOCOL_TLS_SERVER
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side, name)
        self._until_done(self.tls.do_handshake)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.sock.close()

    @property
    def certificate(self) -> bytes:
        """DER of the peer's."""
        return self.tls.getpeercert(binary_form=True) or b""

    def send(self, data: bytes) -> None:
        """All of ``data``."""
        for at in range(0, len(data), PIECE_BYTES):
            self.tls.write(data[at : at + PIECE_BYTES])
            self.sock.sendall(self._outgoing.read())

    def read(self) -> bytes:
        """Some bytes; empty: close_notify came. ConnectionError: a reset. EOFError: a cut."""
        while True:
            try:
                return self.tls.read(PIECE_BYTES)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLWantReadError:
                got = self.sock.recv(PIECE_BYTES)
                if not got:
                    raise EOFError("TCP ended without close_notify") from None
                self._incoming.write(got)

    def read_exactly(self, size: int) -> bytes:
        """``size`` bytes; the connection must last for them."""
        data = b""
        while len(data) < size:
            got = self.read()
            assert got, f"ended after {data!r}"
            data += got
        return data

    def rest(self) -> Ending:
        """All until the end of the peer's direction."""
        data = bytearray()
        try:
            while got := self.read():
                data += got
        except EOFError:
            return Ending(bytes(data), "cut")
        except ConnectionError:
            return Ending(bytes(data), "reset")
        return Ending(bytes(data), "end")

    def finish(self) -> None:
        """Our direction is complete: close_notify and FIN. The other goes on."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.sock.sendall(self._outgoing.read())
        self.sock.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """FIN without close_notify, as an attacker on the way could send."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close by a reset."""
        reset(self.sock)

    def _until_done(self, step: Callable[[], None]) -> None:
        while True:
            try:
                step()
            except ssl.SSLWantReadError:
                self._flush()
                got = self.sock.recv(PIECE_BYTES)
                if not got:
                    raise EOFError("the peer left during the handshake") from None
                self._incoming.write(got)
            except ssl.SSLError:
                self._flush()  # The alert.
                raise
            else:
                self._flush()
                return

    def _flush(self) -> None:
        if self._outgoing.pending:
            self.sock.sendall(self._outgoing.read())


def trusting(issuer: str = "good", *, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """A client's context; names are checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority(issuer).pem())
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def connect(
    host: str, port: int, name: str = "shop.test", context: ssl.SSLContext | None = None
) -> Wire:
    """A client's end."""
    sock = socket.create_connection((host, port), TIMEOUT_S)
    try:
        return Wire(sock, context or trusting(), name)
    except BaseException:
        sock.close()
        raise


def credential(
    folder: Path,
    dns: str = "shop.test",
    *,
    issuer: Authority | None = None,
    until: datetime.datetime = TO,
    since: datetime.datetime = FROM,
) -> bytes:
    """Fill ``folder`` as a user would: a fresh pair and the CA. The DER of the certificate."""
    issuer = issuer or authority()
    folder.mkdir(exist_ok=True)
    certificate, key, der = issuer.leaf("leaf", dns, since=since, until=until)
    (folder / "tls.crt").write_bytes(certificate)
    (folder / "tls.key").write_bytes(key)
    (folder / "ca.crt").write_text(issuer.pem())
    return der


def keep(site: Site, name: str, folder: Path) -> None:
    """Put the files in ``folder`` into a site's secrets, as a person with an editor would."""
    TlsStore(site.directory / "secrets" / "tls").write(name, read_folder(folder))


class TlsTarget:
    """A target that speaks TLS: ``serve`` has each connection for itself, in a thread.

    With ``proxied`` the PROXY header is read before the handshake and kept in ``headers``.
    """

    def __init__(
        self,
        address: str,
        folder: Path,
        serve: Callable[[Wire], None],
        *,
        proxied: bool = False,
        wants: Authority | None = None,
        alpn: tuple[str, ...] = (),
    ) -> None:
        self.address = address
        self.headers: list[bytes] = []
        self.shown: list[bytes] = []  # Certificates of those who connected.
        self._serve, self._proxied = serve, proxied
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        if wants is not None:
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_verify_locations(cadata=wants.pem())
        if alpn:
            self._context.set_alpn_protocols(list(alpn))
        self._door = socket.create_server((address, 0), backlog=128)
        self.port: int = self._door.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self._thread.join(TIMEOUT_S)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._door.accept()
            except OSError:
                return  # Stopped.
            threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError, ssl.SSLError), sock:
            sock.settimeout(TIMEOUT_S)
            if self._proxied:
                self.headers.append(proxy_header_of(sock))
            wire = Wire(sock, self._context)
            self.shown.append(wire.certificate)
            self._serve(wire)


def proxy_header_of(sock: socket.socket) -> bytes:
    """The PROXY header at the beginning of a connection, and no byte more."""
    head = sock.recv(16, socket.MSG_WAITALL)
    (size,) = struct.unpack("!H", head[14:16])
    return head + (sock.recv(size, socket.MSG_WAITALL) if size else b"")


@contextlib.contextmanager
def serving(
    address: str,
    folder: Path,
    serve: Callable[[Wire], None],
    *,
    proxied: bool = False,
    wants: Authority | None = None,
    alpn: tuple[str, ...] = (),
) -> Iterator[TlsTarget]:
    """A `TlsTarget` for as long as the block lasts."""
    target = TlsTarget(address, folder, serve, proxied=proxied, wants=wants, alpn=alpn)
    try:
        yield target
    finally:
        target.stop()
