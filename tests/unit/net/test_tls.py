"""TLS of the real network: who gets in, and what a cut stream looks like."""

import datetime
import gc
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress

import msgspec
import pytest

from certs.ca.authority import Leaf
from certs.tls.contexts import service_server_context
from router.model.limits import (
    KIB,
    MIB,
    TLS_HANDSHAKE_TIMEOUT_S,
    TLS_HANDSHAKES_MAX,
    TLS_READ_BYTES_MIN,
    TURN_READ_S_MAX,
)
from router.model.wording.other_protocol import NO_TLS
from router.net.epoll import EpollNetwork
from router.net.ports import Connection, DialFailure, Tls
from router.net.tls import PACK_BYTES, packed, tls_reason
from tests.unit.net.certificates import CLAIM, LINK, TO, authority, client_tls, server_tls
from tests.unit.net.recorder import Recorder
from tests.unit.net.self_host import SelfHost


class Scene:
    """A TLS listener and one who dials it."""

    def __init__(self, host: SelfHost) -> None:
        self.host = host
        self.network = EpollNetwork(host)
        self.client, self.server = Recorder(), Recorder()
        self.failures: list[DialFailure] = []
        self.listener = self.network.listen("127.0.0.1", 0, self.server.take, tls=server_tls())

    def dial(self, tls: Tls | None) -> None:
        self.network.dial(
            "127.0.0.1",
            self.listener.address.port,
            self.client.take,
            self.failures.append,
            timeout_s=2.0,
            tls=tls,
        )

    def rejects(self) -> None:
        """The dialer may see its own handshake succeed first (RFC 8446, 4.4.2.4)."""
        self.host.run_while(lambda: not (self.failures or self.client.losses))
        self.host.run_while(lambda: self.network.tls_rejected == 0)
        assert self.server.connection is None
        assert self.client.data == b""
        assert not self.client.told("ended")

    def raw(
        self,
        *,
        tls: Tls | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        """A blocking client of another make; the handshake is done meanwhile, until the listener
        has judged it."""
        made = tls or client_tls()
        assert isinstance(made.context, ssl.SSLContext)
        plain = socket.create_connection(("127.0.0.1", self.listener.address.port))
        wrapped = made.context.wrap_socket(plain, do_handshake_on_connect=False, session=session)
        wrapped.setblocking(False)
        rejected, self.server.connection = self.network.tls_rejected, None
        while self.server.connection is None and self.network.tls_rejected == rejected:
            with suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                wrapped.do_handshake()
            self.host.step(0.01)
        return wrapped


@pytest.fixture
def scene(host: SelfHost) -> Iterator[Scene]:
    made = Scene(host)
    yield made
    made.network.close()


def test_both_ends_know_each_other_after_a_mutual_handshake(scene: Scene) -> None:
    tls = client_tls()
    scene.dial(tls)
    scene.host.run_while(lambda: not (scene.client.connection and scene.server.connection))
    assert scene.server.wire.peer_certificate == tls.certificate
    assert scene.server.wire.alpn == scene.client.wire.alpn == LINK


@pytest.mark.parametrize("how", ["abort", "finish"])
def test_what_tls_holds_of_a_connection_ends_with_it_however_long_its_owner_knows_it(
    scene: Scene, how: str
) -> None:
    gc.collect()
    before = tls_objects()
    scene.dial(client_tls())
    scene.host.run_while(lambda: not (scene.client.connection and scene.server.connection))
    scene.server.on_ended = scene.server.wire.finish
    gc.disable()
    try:
        assert tls_objects() == before + 2
        getattr(scene.client.wire, how)()
        scene.host.run_while(lambda: not (scene.client.losses and scene.server.losses))
        assert tls_objects() == before
        for recorder in (scene.client, scene.server):  # Who knows it still may call it.
            recorder.wire.resume()
            assert recorder.wire.send(b"late")
            recorder.wire.finish()
            recorder.wire.abort()
        scene.host.settle()
        assert scene.network.handler_errors == 0
    finally:
        gc.enable()


def tls_objects() -> int:
    """How many connections hold what TLS needs."""
    return sum(isinstance(one, ssl.SSLObject) for one in gc.get_objects())


@pytest.mark.parametrize("is_reset", [True, False])
def test_who_accepts_and_ends_before_a_word_of_tls_refused(scene: Scene, is_reset: bool) -> None:
    """A load balancer without a backend: no fault of certificates."""
    with socket.create_server(("127.0.0.1", 0)) as balancer:
        scene.network.dial(
            "127.0.0.1",
            balancer.getsockname()[1],
            scene.client.take,
            scene.failures.append,
            timeout_s=2.0,
            tls=client_tls(),
        )
        accepted, _ = balancer.accept()
        if is_reset:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            accepted.shutdown(socket.SHUT_WR)
        with accepted:
            if is_reset:
                accepted.close()
            scene.host.run_while(lambda: not scene.failures)
    assert scene.failures[0].code == "refused"


def test_a_link_without_a_certificate_is_refused(scene: Scene) -> None:
    scene.dial(client_tls(with_leaf=False))
    scene.rejects()


def test_a_claim_needs_no_certificate(scene: Scene) -> None:
    scene.dial(client_tls(alpn=(CLAIM,), with_leaf=False))
    scene.host.run_while(lambda: not (scene.client.connection and scene.server.connection))
    assert scene.server.wire.alpn == CLAIM
    assert scene.server.wire.peer_certificate == b""


def test_a_certificate_of_another_authority_is_refused(scene: Scene) -> None:
    scene.dial(client_tls(issuer="other"))
    scene.rejects()


def test_a_listener_of_another_authority_is_not_connected_to(scene: Scene) -> None:
    scene.dial(client_tls(trusts="other"))
    scene.host.run_while(lambda: not scene.failures)
    assert scene.failures[0].code == "tls"
    assert "certificate refused" in scene.failures[0].reason
    assert scene.failures[0].reason.count(str(scene.listener.address)) == 1
    assert scene.client.connection is None


@pytest.mark.parametrize("expired", ["client", "server"])
def test_a_certificate_that_has_expired_is_handed_to_the_sentence_about_it_at_either_end(
    scene: Scene, expired: str
) -> None:
    over = datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC)
    judged: list[bytes] = []

    def told(chain: tuple[bytes, ...]) -> str:
        judged.append(chain[0])
        return "the clocks differ"

    client = client_tls(until=over if expired == "client" else TO)
    server = server_tls(until=over if expired == "server" else TO)
    scene.listener.set_tls(msgspec.structs.replace(server, tells_time=told))
    scene.dial(msgspec.structs.replace(client, tells_time=told))
    scene.rejects()
    assert judged == [(client if expired == "client" else server).certificate]
    assert [loss and loss.code for loss in scene.client.losses] == (
        ["expired"] if expired == "client" else []
    )
    assert scene.network.handler_errors == 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_1_2_is_refused(scene: Scene) -> None:
    scene.dial(client_tls(newest=ssl.TLSVersion.TLSv1_2))
    scene.rejects()
    assert scene.failures[0].code == "tls"


@pytest.mark.parametrize("alpn", [(), ("h2",)])
def test_another_protocol_or_none_is_refused(scene: Scene, alpn: tuple[str, ...]) -> None:
    scene.dial(client_tls(alpn=alpn))
    scene.rejects()


def test_a_peer_that_does_not_speak_tls_is_refused(scene: Scene) -> None:
    scene.dial(None)
    scene.host.run_while(lambda: scene.client.connection is None)
    scene.client.wire.send(b"GET / HTTP/1.1\r\n\r\n")
    scene.host.run_while(lambda: scene.network.tls_rejected == 0)
    assert scene.server.connection is None


def test_a_listener_that_does_not_speak_tls_is_not_connected_to(scene: Scene) -> None:
    def answer(connection: Connection) -> Recorder:
        connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        return Recorder()

    plain = scene.network.listen("127.0.0.1", 0, answer)
    scene.network.dial(
        "127.0.0.1",
        plain.address.port,
        scene.client.take,
        scene.failures.append,
        timeout_s=2.0,
        tls=client_tls(),
    )
    scene.host.run_while(lambda: not scene.failures)
    assert scene.failures[0].code == "tls"


def test_a_tcp_end_without_close_notify_is_a_loss_and_no_end(scene: Scene) -> None:
    client = scene.raw()
    client.send(b"half of it")
    scene.host.run_while(lambda: scene.server.data != b"half of it")
    client.shutdown(socket.SHUT_RDWR)
    client.close()
    scene.host.run_while(lambda: not scene.server.losses)
    assert scene.server.lost_code == "cut"
    assert not scene.server.told("ended")


def test_a_changed_byte_of_ciphertext_is_a_loss(scene: Scene) -> None:
    client = scene.raw()
    plain = socket.socket(fileno=client.detach())
    plain.send(b"\x17\x03\x03\x00\x20" + bytes(32))
    scene.host.run_while(lambda: not scene.server.losses)
    assert scene.server.lost_code == "tls"
    plain.close()


def test_data_after_our_close_notify_is_still_delivered_also_when_paused(scene: Scene) -> None:
    scene.dial(client_tls())
    scene.host.run_while(lambda: not (scene.client.connection and scene.server.connection))
    data = bytes(range(256)) * 2_000

    def hold(view: memoryview) -> None:
        scene.client.wire.pause()
        scene.client.on_received = None

    scene.client.on_received = hold
    scene.server.wire.send(data)
    scene.host.run_while(lambda: not scene.client.data)
    scene.client.wire.finish()  # With ciphertext of the peer still undecrypted.
    scene.host.run_while(lambda: not scene.server.told("ended"))
    scene.server.wire.send(data)
    scene.server.wire.finish()
    scene.host.settle()
    assert not scene.client.told("ended")
    scene.client.wire.resume()
    scene.host.run_while(lambda: not scene.client.losses)
    assert scene.client.data == data * 2
    assert scene.client.losses == scene.server.losses == [None]


def test_data_that_came_with_the_handshake_survives_a_pause_and_an_early_finish(
    scene: Scene,
) -> None:
    def accept(connection: Connection) -> Recorder:
        connection.pause()
        connection.finish()
        return scene.server.take(connection)

    def connected(connection: Connection) -> Recorder:
        connection.send(b"in one flight with the last of the handshake")
        return scene.client.take(connection)

    listener = scene.network.listen("127.0.0.1", 0, accept, tls=server_tls())
    scene.network.dial(
        "127.0.0.1",
        listener.address.port,
        connected,
        scene.failures.append,
        timeout_s=2.0,
        tls=client_tls(),
    )
    scene.host.run_while(lambda: not scene.client.told("ended"))
    assert scene.server.calls == []
    scene.server.wire.resume()
    scene.client.wire.finish()
    scene.host.run_while(lambda: not scene.server.losses)
    assert scene.server.data == b"in one flight with the last of the handshake"
    assert scene.server.losses == [None]


def test_an_end_read_together_with_data_waits_while_paused(scene: Scene) -> None:
    client = scene.raw()
    scene.server.wire.pause()
    client.send(b"last words")
    with suppress(ssl.SSLWantReadError):
        client.unwrap()
    scene.host.settle()
    assert scene.server.calls == []
    scene.server.on_received = lambda data: scene.server.wire.pause()
    scene.server.wire.resume()
    scene.host.run_while(lambda: not scene.server.data)
    scene.host.settle()
    assert scene.server.calls == ["received"]
    scene.server.wire.resume()
    scene.host.run_while(lambda: not scene.server.told("ended"))
    client.close()


def test_a_close_notify_alone_is_an_end_for_who_pauses_on_what_came_with_it(scene: Scene) -> None:
    client = scene.raw()
    told: list[str] = []
    scene.server.wire.pause()
    client.send(b"last words")
    with suppress(ssl.SSLWantReadError):
        client.unwrap()
    scene.host.settle()
    scene.server.on_received = lambda data: scene.server.wire.pause(lambda: told.append("left"))
    scene.server.wire.resume()
    scene.host.run_while(lambda: not told)
    assert scene.server.calls == ["received"] and told == ["left"]
    scene.server.wire.resume()
    scene.host.run_while(lambda: not scene.server.told("ended"))
    client.close()


def test_an_end_that_waited_is_told_although_tcp_has_ended_meanwhile(scene: Scene) -> None:
    """The kernel's end must not be read in place of the close_notify that came before it."""
    client = scene.raw()
    scene.server.wire.pause()
    client.send(b"last words")
    with suppress(ssl.SSLWantReadError):
        client.unwrap()
    plain = socket.socket(fileno=client.detach())
    scene.host.settle()
    plain.shutdown(socket.SHUT_WR)
    scene.server.on_received = lambda data: scene.server.wire.pause()
    scene.server.wire.resume()
    scene.host.run_while(lambda: not scene.server.data)
    scene.host.settle()
    assert scene.server.calls == ["received"]
    scene.server.wire.resume()
    scene.host.run_while(lambda: scene.server.calls[-1] == "received")
    assert scene.server.calls == ["received", "ended"]
    plain.close()


def test_a_listener_takes_up_another_certificate_and_keeps_its_connections(scene: Scene) -> None:
    scene.dial(client_tls())
    scene.host.run_while(lambda: not (scene.client.connection and scene.server.connection))
    old, new = scene.client.wire, server_tls()
    scene.listener.set_tls(new)
    second = Recorder()
    scene.network.dial(
        "127.0.0.1",
        scene.listener.address.port,
        second.take,
        scene.failures.append,
        timeout_s=2.0,
        tls=client_tls(),
    )
    scene.host.run_while(lambda: second.connection is None)
    assert second.wire.peer_certificate == new.certificate != old.peer_certificate
    assert not scene.client.losses


def test_a_session_of_tls_1_2_is_resumed_no_longer_than_its_certificate_is_valid(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf = authority().leaf("server")
    pair = Leaf(key_pem=leaf[1].decode(), chain_pem=leaf[0].decode())
    context = service_server_context(pair, (), authority().pem())
    scene.listener.set_tls(Tls(context=context, certificate=leaf[2], alpn=()))
    tls = client_tls(alpn=(), newest=ssl.TLSVersion.TLSv1_2)
    first = scene.raw(tls=tls)
    first.setblocking(True)
    first.do_handshake()
    second = scene.raw(tls=tls, session=first.session)
    assert scene.network.tls_rejected == 0
    monkeypatch.setattr("router.net.handshake.time.time", TO.timestamp)
    third = scene.raw(tls=tls, session=first.session)
    assert second.session_reused and third.session_reused
    assert scene.network.tls_rejected == 1
    for one in (first, second, third):
        one.close()


@pytest.mark.parametrize("offered", [(), ("h2",), (CLAIM,)])
def test_a_protocol_that_is_offered_and_not_required_turns_nobody_away(
    scene: Scene, offered: tuple[str, ...]
) -> None:
    tls = msgspec.structs.replace(server_tls(), alpn=(CLAIM,), alpn_required=False)
    scene.listener.set_tls(tls)
    made = msgspec.structs.replace(client_tls(alpn=offered), alpn_required=False)
    scene.dial(made)
    scene.host.run_while(lambda: not (scene.client.connection and scene.server.connection))
    assert (
        scene.client.wire.alpn == scene.server.wire.alpn == (CLAIM if offered == (CLAIM,) else "")
    )


def test_a_dialer_says_its_preface_in_clear_and_shakes_hands_after_it(scene: Scene) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    made = server_tls()
    assert isinstance(made.context, ssl.SSLContext)
    seen: list[bytes] = []

    def serve() -> None:
        door, _ = server.accept()
        seen.append(door.recv(7))
        assert isinstance(made.context, ssl.SSLContext)
        with made.context.wrap_socket(door, server_side=True) as wrapped:
            seen.append(wrapped.recv(100))

    thread = threading.Thread(target=serve)
    thread.start()
    scene.network.dial(
        "127.0.0.1",
        server.getsockname()[1],
        scene.client.take,
        scene.failures.append,
        timeout_s=2.0,
        tls=msgspec.structs.replace(client_tls(), preface=b"PREFACE"),
    )
    scene.host.run_while(lambda: scene.client.connection is None)
    scene.client.wire.send(b"secret")
    scene.host.settle()
    thread.join()
    server.close()
    assert seen == [b"PREFACE", b"secret"]


@pytest.mark.parametrize(("asked", "fits"), [("here.test", True), ("there.test", False)])
def test_a_dialer_checks_the_name_it_was_told_and_not_that_of_the_host(
    scene: Scene, asked: str, fits: bool
) -> None:
    scene.listener.set_tls(server_tls(dns="here.test"))
    tls = client_tls()
    assert isinstance(tls.context, ssl.SSLContext)
    tls.context.check_hostname = True
    scene.dial(msgspec.structs.replace(tls, server_name=asked))
    scene.host.run_while(lambda: not (scene.client.connection or scene.failures))
    assert bool(scene.client.connection) is fits


@pytest.mark.parametrize(
    ("named", "sent"),
    [("links.example.", "links.example"), ("10.1.2.3", None), ("fd00::7", None), ("", None)],
)
def test_a_dialer_that_checks_no_name_still_says_which_host_it_wants(
    scene: Scene, named: str, sent: str | None
) -> None:
    """A passthrough Route or ingress routes by that name; it never sees the content."""
    heard: list[str | None] = []
    made = server_tls()
    assert isinstance(made.context, ssl.SSLContext)
    made.context.sni_callback = lambda _object, name, _context: heard.append(name)
    scene.listener.set_tls(made)
    scene.dial(msgspec.structs.replace(client_tls(), server_name=named))
    scene.host.run_while(lambda: not (scene.client.connection and scene.server.connection))
    assert heard == [sent]


def test_silent_clients_hold_no_more_handshakes_than_allowed_and_not_for_ever(
    scene: Scene,
) -> None:
    port = scene.listener.address.port
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(TLS_HANDSHAKES_MAX + 5)]
    scene.host.settle()
    # The listener itself is one more. They are one source: its oldest made room for the later.
    assert scene.network.sockets_open == TLS_HANDSHAKES_MAX
    scene.dial(client_tls())
    scene.host.run_while(lambda: scene.server.connection is None)
    for sock in silent:
        sock.close()


class Clock(SelfHost):
    """Time that the test moves."""

    at = 100.0

    def now(self) -> float:
        return self.at


def test_what_is_dear_to_handle_is_read_in_smaller_pieces_until_it_is_not() -> None:
    host, sizes = Clock(), list[int]()
    scene = Scene(host)
    dear_bytes = 32 * KIB
    client = scene.raw()
    works_s = TURN_READ_S_MAX / dear_bytes

    def work(data: memoryview) -> None:
        sizes.append(len(data))
        host.at += len(data) * works_s

    scene.server.on_received = work

    client.send(bytes(128 * KIB))
    while not sizes:
        host.step(0.01)
    first = sizes[0]

    def pieces(size: int) -> list[int]:
        """In which so much is handed on."""
        sizes.clear()
        left = memoryview(bytes(size))
        while sum(sizes) < size:
            with suppress(ssl.SSLWantWriteError):
                left = left[client.send(left) :]
            host.step(0.01)
        return sizes

    assert first <= TLS_READ_BYTES_MIN
    assert max(pieces(8 * MIB)[-4:]) <= 2 * dear_bytes
    works_s = 0.0
    assert max(pieces(8 * MIB)) > 2 * dear_bytes
    client.close()
    scene.network.close()


def test_little_that_is_cheap_has_no_more_read_of_what_is_dear() -> None:
    host, sizes = Clock(), list[int]()
    scene = Scene(host)
    dear_bytes = 32 * KIB
    client = scene.raw()

    def work(data: memoryview) -> None:
        if data[0]:
            sizes.append(len(data))
            host.at += len(data) * TURN_READ_S_MAX / dear_bytes

    scene.server.on_received = work

    def send(data: bytes, size: int) -> None:
        for _ in range(size // len(data)):
            client.send(data)
            if len(data) == 1:
                host.step(0.01)
        for _ in range(8):
            host.step(0.0)

    for _ in range(3):
        send(bytes(1), 8)
        sizes.clear()
        send(b"\1" * 8 * KIB, 96 * KIB)
    assert max(sizes) <= 2 * dear_bytes
    client.close()
    scene.network.close()


def test_a_handshake_has_a_deadline() -> None:
    host = Clock()
    network = EpollNetwork(host)
    listener = network.listen("127.0.0.1", 0, lambda connection: None, tls=server_tls())
    silent = socket.create_connection(("127.0.0.1", listener.address.port))
    while network.sockets_open < 2:
        host.step(0.01)
    host.at += TLS_HANDSHAKE_TIMEOUT_S + 0.1
    host.step(0.0)
    assert network.tls_rejected == 1
    silent.close()
    network.close()


def test_handshakes_have_a_part_of_a_turn_and_each_comes_to_its_end() -> None:
    host = Clock()

    def shake(*_: object) -> None:
        host.at += TURN_READ_S_MAX / 2

    network = EpollNetwork(host)
    ours, theirs = server_tls(), client_tls()
    assert isinstance(ours.context, ssl.SSLContext)
    assert isinstance(theirs.context, ssl.SSLContext)
    ours.context.sni_callback = shake
    listener = network.listen("127.0.0.1", 0, lambda connection: None, tls=ours)
    clients = []
    for _ in range(TLS_HANDSHAKES_MAX // 4):
        client = socket.create_connection(("127.0.0.1", listener.address.port))
        sent = ssl.MemoryBIO()
        hello = theirs.context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="east")
        with suppress(ssl.SSLWantReadError):
            hello.do_handshake()
        client.sendall(sent.read())
        clients.append(client)
    turns: list[float] = []
    while select.select(clients, [], [], 0.0)[0] != clients:
        before = host.at
        host.step(0.0)
        turns.append(host.at - before)
    assert max(turns) <= 2 * TURN_READ_S_MAX
    for client in clients:
        client.close()
    network.close()


def test_a_handshake_whose_last_word_waits_for_us_is_not_too_late() -> None:
    """As after a late wake: all have come, and only some are read in this turn."""
    host = Clock()
    accepted: list[Connection] = []

    def accept(connection: Connection) -> None:
        host.at += TURN_READ_S_MAX / 2
        accepted.append(connection)

    network = EpollNetwork(host)
    listener = network.listen("127.0.0.1", 0, accept, tls=server_tls())
    context = client_tls().context
    assert isinstance(context, ssl.SSLContext)
    last_words: dict[socket.socket, bytes] = {}
    for _ in range(TLS_HANDSHAKES_MAX // 8):
        client = socket.create_connection(("127.0.0.1", listener.address.port))
        heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
        hello = context.wrap_bio(heard, said, server_hostname="east")
        with suppress(ssl.SSLWantReadError):
            hello.do_handshake()
        client.sendall(said.read())
        while not select.select([client], [], [], 0.0)[0]:
            host.step(0.01)
        heard.write(client.recv(64 * KIB))
        hello.do_handshake()
        last_words[client] = said.read()
    for client, words in last_words.items():
        client.sendall(words)
    host.at += TLS_HANDSHAKE_TIMEOUT_S + 1.0
    while len(accepted) + network.tls_rejected < len(last_words):
        host.step(0.01)
    assert network.tls_rejected == 0
    for client in last_words:
        client.close()
    network.close()


def test_a_handshake_that_fails_here_says_nothing_of_the_other_end(scene: Scene) -> None:
    class Short(ssl.SSLObject):
        def do_handshake(self) -> None:
            raise MemoryError

    tls = client_tls()
    assert isinstance(tls.context, ssl.SSLContext)
    tls.context.sslobject_class = Short
    scene.dial(tls)
    scene.host.run_while(lambda: not scene.failures)
    (failure,) = scene.failures
    assert failure.code == "error" and "MemoryError" in failure.reason


def test_parts_are_packed_into_full_pieces() -> None:
    data = bytes(range(256)) * 1024
    parts = [data[:8], data[8:PACK_BYTES], data[PACK_BYTES : 3 * PACK_BYTES], data[-100:], b""]
    pieces = packed(parts)
    assert [len(piece) for piece in pieces] == [PACK_BYTES, PACK_BYTES, PACK_BYTES, 100]
    assert b"".join(pieces) == b"".join(parts)


def test_a_whole_piece_is_neither_copied_nor_shifted_by_what_comes_before_it() -> None:
    whole, little = bytes(PACK_BYTES), b"window"
    pieces = packed([little, little, whole, whole, little])
    assert pieces == [2 * little, whole, whole, little]
    assert pieces[1] is whole


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ssl.SSLError(1, "unknown error (_ssl.c:992)"), "unknown error"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol (_ssl.c:2427)"), "eof occurred"),
    ],
)
def test_no_reason_has_a_place_in_the_source_of_a_library(error: ssl.SSLError, told: str) -> None:
    error.reason = ""  # As the library leaves it where it has none.
    assert tls_reason(error).startswith(told) and "ssl" not in tls_reason(error)


def test_an_answer_without_tls_is_told_in_words() -> None:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:992)")
    error.reason = "WRONG_VERSION_NUMBER"
    assert tls_reason(error) == NO_TLS


def test_a_name_that_does_not_fit_is_told_without_the_librarys_full_stop() -> None:
    """A sentence of ours ended in two."""
    error = ssl.SSLCertVerificationError()
    error.verify_message = "Hostname mismatch, certificate is not valid for 'pay.test'."
    assert tls_reason(error) == (
        "certificate refused: Hostname mismatch, certificate is not valid for 'pay.test'"
    )
