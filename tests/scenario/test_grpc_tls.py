"""http2 with its settings through two sites: by TLS to both ends, sessions, checks by a path."""

import contextlib
import hashlib
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import h2.config
import h2.connection
import h2.events
import pytest

from tests.scenario.clients import TIMEOUT_S
from tests.scenario.grpc_peers import PIECE, GrpcClient, GrpcTarget
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.tls import credential, keep
from tests.scenario.waiting import stays, until
from tests.unit.net.certificates import authority

USER_PORT, CART_PORT, ASKED_PORT = range(SHOP_PORT + 1, SHOP_PORT + 4)
SITES = pytest.mark.parametrize("at", ["room", "door"], ids=["local", "across"])
MIB = 1024 * 1024


class H2Target:
    """A server of http2 in the clear; answers every request with ``status`` and keeps its path."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.status = "200"
        self.asked: list[tuple[bytes, bytes]] = []  # Methods and paths.
        self._door = socket.create_server((address, 0))
        self.port: int = self._door.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self._thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._door.accept()
            except OSError:
                return  # Stopped.
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        config = h2.config.H2Configuration(client_side=False)
        peer = h2.connection.H2Connection(config)
        peer.initiate_connection()
        with contextlib.suppress(OSError), sock:
            sock.settimeout(10)
            sock.sendall(peer.data_to_send())
            while data := sock.recv(65_536):
                for event in peer.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        fields = dict(event.headers)
                        self.asked.append((fields[b":method"], fields[b":path"]))
                        peer.send_headers(event.stream_id, [(":status", self.status)], True)
                sock.sendall(peer.data_to_send())


class Crossing:
    """Two sites; ``shop`` by TLS to clients and to its only target, which is at ``room``."""

    def __init__(self, net: Network, folder: Path, stack: contextlib.ExitStack) -> None:
        self.net = net
        self.door, self.room = net.site("door"), net.site("room")
        for name in ("shop", "db"):
            credential(folder / name, f"{name}.test")
        for site in (self.door, self.room):
            keep(site, "shop", folder / "shop")
        keep(self.room, "db", folder / "db")
        pair = [(folder / "db" / name).read_bytes() for name in ("tls.key", "tls.crt")]
        self.shop = self.grpc_target(stack, "room", grpc.ssl_server_credentials([tuple(pair)]))
        self.room.declare("shop", protocol="http2", tlsCert="shop")
        self.room.connect("shop", self.shop, tlsTrust="db", tlsServerName="db.test")
        self.door.declare(
            "user", USER_PORT, protocol="http2", affinity={"by": "header", "name": "X-User"}
        )
        self.door.declare("cart", CART_PORT, protocol="http2", affinity={"by": "cookie"})
        self.targets: dict[str, GrpcTarget] = {}
        for service in ("user", "cart"):
            for site in (self.door, self.room):
                target = self.grpc_target(stack, site.name)
                self.targets[f"{service} {site.name}"] = target
                # One slot at door is soon taken. At room several: news of one that was taken may
                # come after its end, as it travels in another lane.
                site.connect(service, target, capacity=1 if site is self.door else 4)
        self.asked = H2Target(net.target_address)
        stack.callback(self.asked.stop)
        self.room.declare("asked", ASKED_PORT, protocol="http2")
        health = {"path": "/healthy?x=1", "interval": "100ms"}
        self.room.connect("asked", self.asked, health=health)
        net.link(self.door, self.room, 5, token="cert")
        net.start()
        net.see_each_other()
        for service in ("shop", "asked"):
            net.ready(service, {"room": 1})
        for service in ("user", "cart"):
            net.ready(service, {"door": 1, "room": 1})

    def grpc_target(
        self, stack: contextlib.ExitStack, name: str, credentials: object = None
    ) -> GrpcTarget:
        target = GrpcTarget(name, self.net.target_address, credentials)
        stack.callback(target.stop)
        return target

    def site(self, name: str) -> Site:
        return self.door if name == "door" else self.room

    def by_tls(self, at: str) -> GrpcClient:
        """A client of ``shop`` that believes only in shop.test."""
        root = authority("good").pem().encode()
        return GrpcClient(self.site(at).address, SHOP_PORT, root=root, name="shop.test")

    @contextlib.contextmanager
    def door_full(self, service: str, port: int) -> Iterator[None]:
        """The slot of ``door`` is taken by another's call."""
        target = self.targets[f"{service} door"]
        target.hold()
        with GrpcClient(self.door.address, port) as other:
            call = other.wait()
            until(lambda: target.in_hand == 1, "door is full")
            try:
                yield
            finally:
                target.release()
            assert call.result() == b"door"
        self.net.at_rest(service)


@pytest.fixture(scope="module")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crossing]:
    """The two sites, once for all tests of this file."""
    with contextlib.ExitStack() as stack:
        net = stack.enter_context(Network(tmp_path_factory.mktemp("crossing")))
        yield Crossing(net, tmp_path_factory.mktemp("credentials"), stack)


@SITES
def test_calls_by_tls_reach_a_target_by_tls_with_metadata_and_trailers(
    crossing: Crossing, at: str
) -> None:
    with crossing.by_tls(at) as client:
        answer, call = client.echo(b"hello")
        assert answer == b"hello"
        assert dict(call.trailing_metadata())["served-by"] == "room"
        assert client.fail().code() == grpc.StatusCode.NOT_FOUND
    assert crossing.shop.metadata["x-forwarded-proto"] == "https"
    crossing.net.at_rest("shop")


@SITES
def test_streams_by_tls_flow_both_ways_and_many_mebibytes_of_them(
    crossing: Crossing, at: str
) -> None:
    with crossing.by_tls(at) as client:
        messages: queue.Queue[bytes | None] = queue.Queue()
        call = client.both(iter(messages.get, None))
        for message in (b"ab", b"0123456789" * 100_000):
            messages.put(message)
            assert next(call) == message[::-1]
        messages.put(None)
        assert list(call) == []
        assert sum(len(piece) for piece in client.down(128)) == 4 * MIB
        assert client.up(PIECE for _ in range(128)) == (
            hashlib.sha256(PIECE * 128).hexdigest().encode()
        )
    crossing.net.at_rest("shop")


@SITES
def test_a_stream_by_tls_that_nobody_reads_holds_its_target_back(
    crossing: Crossing, at: str
) -> None:
    before = crossing.shop.pieces
    with crossing.by_tls(at) as client:
        stalled = client.down(10_000)  # 320 MiB.
        assert len(next(stalled)) == len(PIECE)
        for _ in range(5):
            assert client.echo(PIECE)[0] == PIECE
        bounded = 16 * MIB // len(PIECE)  # What windows on the way and grpcio take at most.
        stays(lambda: crossing.shop.pieces - before < bounded, "the target is held back", 0.3)
        stalled.cancel()
    crossing.net.at_rest("shop")


@SITES
@pytest.mark.parametrize("offered", [(), ("http/1.1",)])
def test_a_client_without_h2_is_told_by_the_alert_for_it(
    crossing: Crossing, at: str, offered: tuple[str, ...]
) -> None:
    client = ssl.create_default_context(cadata=authority("good").pem())
    if offered:
        client.set_alpn_protocols(list(offered))
    door = socket.create_connection((crossing.site(at).address, SHOP_PORT), TIMEOUT_S)
    with door, pytest.raises(ssl.SSLError, match="alert no application protocol"):
        client.wrap_socket(door, server_hostname="shop.test")


def test_a_client_that_expects_another_name_does_not_call(crossing: Crossing) -> None:
    root = authority("good").pem().encode()
    served = crossing.shop.served
    with GrpcClient(crossing.door.address, SHOP_PORT, root=root, name="bank.test") as client:
        with pytest.raises(grpc.RpcError) as refused:
            client.echo(b"x", timeout_s=2)
        assert refused.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED  # It never connected.
    assert crossing.shop.served == served


def test_calls_with_the_same_header_stay_at_a_site_across_the_link(crossing: Crossing) -> None:
    with GrpcClient(crossing.door.address, USER_PORT) as client:

        def served_by(user: str) -> str:
            _, call = client.echo(b"x", x_user=user)
            return str(dict(call.trailing_metadata())["served-by"])

        with crossing.door_full("user", USER_PORT):
            assert served_by("ann") == "room", "there is no room at door"
        assert [served_by("ann") for _ in range(3)] == ["room"] * 3, "door is free again"
        assert served_by("bob") == "door"
    shown = crossing.door.json("why", "user", "--header", "ann")
    assert shown["decision"]["reason"] == "session stays at room"
    crossing.net.at_rest("user")


def test_a_cookie_given_to_a_call_keeps_the_next_ones_there(crossing: Crossing) -> None:
    with GrpcClient(crossing.door.address, CART_PORT) as client:
        with crossing.door_full("cart", CART_PORT):
            _, call = client.echo(b"x")
            cookie = dict(call.initial_metadata())["set-cookie"].partition(";")[0]
            assert dict(call.trailing_metadata())["served-by"] == "room"
        for _ in range(3):
            _, call = client.echo(b"x", cookie=cookie)
            assert dict(call.trailing_metadata())["served-by"] == "room", "door is free again"
            assert "set-cookie" not in dict(call.initial_metadata())
        assert "cookie" not in crossing.targets["cart room"].metadata, "ours is not passed on"
    crossing.net.at_rest("cart")


def test_a_target_of_http2_is_asked_by_its_path_and_out_while_it_answers_503(
    crossing: Crossing,
) -> None:
    assert crossing.asked.asked[0] == (b"GET", b"/healthy?x=1")
    crossing.asked.status = "503"
    until(lambda: crossing.door.ready_targets("asked") == {"room": 0}, "door knows it is out")
    (target,) = crossing.room.service("asked")["targets"]
    assert "503" in target["error"]
    with GrpcClient(crossing.door.address, ASKED_PORT) as client:
        refused = client.fail()
        assert dict(refused.trailing_metadata())["spillway-error"] == "no-route"
    crossing.asked.status = "200"
    until(lambda: crossing.door.ready_targets("asked") == {"room": 1}, "door knows it is back")
