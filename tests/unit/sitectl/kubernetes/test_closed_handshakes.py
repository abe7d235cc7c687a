"""An API server that closes connections before their TLS handshake is over."""

import contextlib
import datetime
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sitectl.base.failure import Exit, Failure
from sitectl.kubernetes.connection import HttpCluster

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
HOST = "127.0.0.1"


def certificate(folder: Path) -> Path:
    """A key and a certificate that it signed, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(pem))
    return file


class Closing:
    """Closes its first ``closed`` connections; serves one request on each later connection.

    With ``takes_request``, it ends the handshake and reads the request before it closes. With
    ``resets``, the kernel sends a reset in place of an end.
    """

    def __init__(
        self, file: Path, closed: int, *, takes_request: bool = False, resets: bool = False
    ) -> None:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(file)
        self._closed, self._takes_request, self._resets = closed, takes_request, resets
        self.accepted = self.requests = 0
        self._listener = socket.create_server((HOST, 0))
        self.url = f"https://{HOST}:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            with self._listener.accept()[0] as link:
                hello = link.recv(4096, socket.MSG_PEEK)
                if not hello:
                    return
                self.accepted += 1
                closes = self.accepted <= self._closed
                if closes and not self._takes_request:
                    link.recv(65536)
                    if self._resets:
                        now = struct.pack("ii", 1, 0)
                        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
                    continue
                with self._tls.wrap_socket(link, server_side=True) as secured:
                    asked = b""
                    # Read all of it: a close with an unread body would reset the answer.
                    while not asked.endswith(b"\r\n\r\n{}"):
                        asked += secured.recv(4096)
                    self.requests += 1
                    if not closes:
                        secured.sendall(ANSWER)

    def end(self) -> None:
        """A connection without a byte ends the thread."""
        socket.create_connection(self._listener.getsockname()).close()
        self._thread.join()
        self._listener.close()


@contextlib.contextmanager
def cluster_of(server: Closing) -> Iterator[HttpCluster]:
    """The cluster whose API server is ``server``."""
    try:
        with httpx2.Client(base_url=server.url, verify=False, trust_env=False) as http:
            yield HttpCluster(http, "west", server.url)
    finally:
        server.end()


@pytest.mark.parametrize("resets", [False, True])
def test_a_handshake_that_the_server_closes_is_tried_again(tmp_path: Path, resets: bool) -> None:
    server = Closing(certificate(tmp_path), closed=1, resets=resets)
    with cluster_of(server) as cluster:
        assert cluster.call("POST", "/api/v1/namespaces/west/secrets", {}).status == 200
    assert (server.accepted, server.requests) == (2, 1)


def test_a_handshake_is_tried_again_only_one_time(tmp_path: Path) -> None:
    server = Closing(certificate(tmp_path), closed=9)
    with cluster_of(server) as cluster, pytest.raises(Failure) as caught:
        cluster.call("POST", "/api/v1/namespaces/west/secrets", {})
    assert caught.value.exit_code is Exit.UNREACHABLE and server.accepted == 2


def test_a_request_that_was_sent_is_not_sent_again(tmp_path: Path) -> None:
    server = Closing(certificate(tmp_path), closed=1, takes_request=True)
    with cluster_of(server) as cluster, pytest.raises(Failure) as caught:
        cluster.call("POST", "/api/v1/namespaces/west/secrets", {})
    assert caught.value.exit_code is Exit.UNREACHABLE
    assert (server.accepted, server.requests) == (1, 1)
