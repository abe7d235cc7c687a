"""Dialing through an HTTP proxy, and what becomes of one that does not do its part."""

import ssl
from collections.abc import Iterator

import msgspec
import pytest

from router.model import limits
from router.net import tunnel
from router.net.epoll import EpollNetwork
from router.net.ports import DialFailure, Proxy, Tls
from router.net.proxy_connect import basic
from tests.scenario.proxies import ESTABLISHED, HttpProxy, Misbehaviour, answering
from tests.unit.net.certificates import client_tls, server_tls
from tests.unit.net.recorder import Recorder
from tests.unit.net.self_host import SelfHost

SECRET = "do-not-show-this"


class Scene:
    """A TLS listener behind a proxy, and one who dials it."""

    def __init__(self, host: SelfHost) -> None:
        self.host = host
        self.network = EpollNetwork(host)
        self.client, self.server = Recorder(), Recorder()
        self.failures: list[DialFailure] = []
        self.listener = self.network.listen("127.0.0.1", 0, self.server.take, tls=server_tls())

    def dial(
        self,
        proxy: HttpProxy,
        *,
        host: str = "127.0.0.1",
        password: str = "",
        tls: Tls | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        via = Proxy(
            host="127.0.0.1",
            port=proxy.port,
            tls=tls,
            authorization=basic("user", password) if password else "",
        )
        dial = self.network.dial(
            host,
            self.listener.address.port,
            self.client.take,
            self.failures.append,
            timeout_s=timeout_s,
            tls=client_tls(),
            via=via,
        )
        self.host.run_while(lambda: not (self.failures or self.client.connection))
        dial.cancel()

    def connects(self) -> None:
        assert self.failures == []
        self.host.run_while(lambda: self.server.connection is None)
        self.client.wire.send(b"ping")
        self.host.run_while(lambda: bytes(self.server.data) != b"ping")
        self.server.wire.send(b"pong")
        self.host.run_while(lambda: bytes(self.client.data) != b"pong")

    def fails(self, code: str) -> str:
        (failure,) = self.failures
        assert failure.code == code, failure
        assert SECRET not in failure.reason
        return failure.reason


@pytest.fixture
def scene(host: SelfHost) -> Iterator[Scene]:
    made = Scene(host)
    yield made
    made.network.close()


def proxy_tls() -> tuple[ssl.SSLContext, Tls]:
    """The proxy's certificate context, and the trust of its client."""
    there, here = server_tls(), client_tls(with_leaf=False)
    assert isinstance(there.context, ssl.SSLContext)
    return there.context, msgspec.structs.replace(here, alpn=(), alpn_required=False)


def test_a_connection_comes_about_end_to_end(scene: Scene) -> None:
    with HttpProxy() as proxy:
        scene.dial(proxy)
        scene.connects()
        assert proxy.asked == [f"127.0.0.1:{scene.listener.address.port}"]
        assert proxy.authorizations == [""]
        assert scene.client.wire.alpn == "spillway/1"
        assert scene.client.wire.peer.host == "127.0.0.1"


def test_names_are_looked_up_by_the_proxy_alone(scene: Scene) -> None:
    with HttpProxy(names={"east.invalid": "127.0.0.1"}) as proxy:
        scene.dial(proxy, host="east.invalid")
        scene.connects()
        assert proxy.asked == [f"east.invalid:{scene.listener.address.port}"]


def test_an_ipv6_address_is_bracketed(scene: Scene) -> None:
    with HttpProxy(names={"::1": "127.0.0.1"}) as proxy:
        scene.dial(proxy, host="::1")
        scene.connects()
        assert proxy.asked == [f"[::1]:{scene.listener.address.port}"]


def test_a_password_is_sent_as_basic_authentication(scene: Scene) -> None:
    with HttpProxy(user="user", password=SECRET) as proxy:
        scene.dial(proxy, password=SECRET)
        scene.connects()


def test_a_wrong_password_is_told_with_the_next_step(scene: Scene) -> None:
    with HttpProxy(user="user", password="right") as proxy:
        scene.dial(proxy, password=SECRET)
        reason = scene.fails("proxy")
    assert f"the proxy http://127.0.0.1:{proxy.port} wants another authentication (407" in reason
    assert "sitectl link set" in reason


def test_a_proxy_is_spoken_to_by_tls(scene: Scene) -> None:
    theirs, ours = proxy_tls()
    with HttpProxy(tls=theirs, user="user", password=SECRET) as proxy:
        scene.dial(proxy, password=SECRET, tls=ours)
        scene.connects()


def test_much_goes_both_ways_through_a_proxy_of_tls_and_an_end_arrives(scene: Scene) -> None:
    theirs, ours = proxy_tls()
    with HttpProxy(tls=theirs) as proxy:
        scene.dial(proxy, tls=ours)
        scene.host.run_while(lambda: scene.server.connection is None)
        size = 3_000_000
        scene.client.wire.send(b"c" * size)
        scene.server.wire.send(b"s" * size)
        scene.host.run_while(lambda: len(scene.server.data) < size or len(scene.client.data) < size)
        scene.client.wire.finish()
        scene.host.run_while(lambda: not scene.server.told("ended"))
        scene.server.wire.finish()
        scene.host.run_while(lambda: not (scene.client.losses and scene.server.losses))
        scene.host.run_while(lambda: proxy.open_tunnels > 0)


def test_an_abort_through_a_proxy_of_tls_leaves_nothing(scene: Scene) -> None:
    theirs, ours = proxy_tls()
    with HttpProxy(tls=theirs) as proxy:
        scene.dial(proxy, tls=ours)
        scene.connects()
        scene.client.wire.abort()
        scene.host.run_while(lambda: not scene.server.losses)
        assert scene.server.losses != [None]
        scene.host.run_while(lambda: proxy.open_tunnels > 0)


def test_a_proxy_whose_certificate_is_not_trusted_is_refused(scene: Scene) -> None:
    theirs, _ = proxy_tls()
    stranger = client_tls(with_leaf=False, trusts="other")
    with HttpProxy(tls=theirs) as proxy:
        scene.dial(proxy, tls=msgspec.structs.replace(stranger, alpn=()))
        assert "--proxy-ca" in scene.fails("proxy")


def test_a_proxy_that_is_gone_is_named(scene: Scene) -> None:
    with HttpProxy() as proxy:
        pass
    scene.dial(proxy)
    reason = scene.fails("refused")
    assert f"by the proxy http://127.0.0.1:{proxy.port}" in reason


def test_a_destination_that_is_gone_is_told_apart(scene: Scene) -> None:
    scene.listener.close()
    with HttpProxy() as proxy:
        scene.dial(proxy)
        reason = scene.fails("unreachable")
    assert "could not connect (502 Bad Gateway)" in reason
    assert str(scene.listener.address) in reason


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 \r\n\r\n",
        b"HTTP/1.0 200 OK\r\nVia: x\r\nContent-Length: 99\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ESTABLISHED,
    ],
)
@pytest.mark.parametrize("piecewise", [False, True])
def test_answers_that_mean_yes(scene: Scene, head: bytes, piecewise: bool) -> None:
    with HttpProxy(head=head, piecewise=piecewise) as proxy:
        scene.dial(proxy)
        scene.connects()


@pytest.mark.parametrize(
    ("misbehaves", "code", "words"),
    [
        (answering(b"HTTP/1.1 302 Found\r\nLocation: http://x\r\n\r\n"), "proxy", "302"),
        (answering(b"HTTP/1.1 403 " + SECRET.encode() + b"\r\n\r\n"), "proxy", "(403 Forbidden)"),
        (answering(b"HTTP/1.1 405 No\r\n\r\n"), "proxy", "405"),
        (answering(b"HTTP/1.1 401 No\r\n\r\n"), "proxy", "user and password right?"),
        (answering(b"HTTP/1.1 504 Late\r\n\r\n"), "unreachable", "504"),
        (answering(b"HTTP/1.1 799 Odd\r\n\r\n"), "unreachable", "(799)"),
        (answering(b"HTTP/1.1 101 Switching\r\n\r\n"), "proxy", "not HTTP"),
        (answering(b"SSH-2.0-OpenSSH\r\n"), "proxy", "not HTTP"),
        (answering(b"HTTP/2 200\r\n\r\n"), "proxy", "not HTTP"),
        (answering(b"HTTP/1.1 20 OK\r\n\r\n"), "proxy", "not HTTP"),
        (answering(b""), "refused", "closed the connection before"),
        (answering(b"HTTP/1.1 200 OK\r\nVia"), "refused", "closed the connection before"),
        (answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000), "proxy", "16384 bytes"),
        (answering(b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000), "proxy", "16384 bytes"),
    ],
)
def test_a_proxy_that_does_not_connect(
    scene: Scene, misbehaves: Misbehaviour, code: str, words: str
) -> None:
    with HttpProxy(misbehaves=misbehaves) as proxy:
        scene.dial(proxy, password=SECRET)
        reason = scene.fails(code)
    assert words in reason
    assert f"the proxy http://127.0.0.1:{proxy.port}" in reason


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nX: y"])
def test_a_proxy_that_never_comes_to_an_end_is_given_up(
    scene: Scene, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert limits.PROXY_ANSWER_TIMEOUT_S == 10.0
    monkeypatch.setattr(tunnel, "PROXY_ANSWER_TIMEOUT_S", 0.1)
    with HttpProxy(misbehaves=answering(answer, pause_s=0.01, closes=False)) as proxy:
        scene.dial(proxy)
        assert "did not answer CONNECT within 0.1 s" in scene.fails("timeout")


def test_a_cancelled_dial_leaves_no_connection_to_the_proxy(scene: Scene) -> None:
    with HttpProxy(misbehaves=answering(b"", closes=False)) as proxy:
        dial = scene.network.dial(
            "127.0.0.1",
            1,
            scene.client.take,
            scene.failures.append,
            timeout_s=5.0,
            tls=client_tls(),
            via=Proxy(host="127.0.0.1", port=proxy.port),
        )
        scene.host.run_while(lambda: proxy.open_tunnels == 0)
        dial.cancel()
        scene.host.run_while(lambda: proxy.open_tunnels > 0)
    assert scene.failures == [] and scene.client.connection is None


def test_a_host_that_cannot_stand_in_a_request_is_refused(scene: Scene) -> None:
    with HttpProxy() as proxy:
        scene.dial(proxy, host="a b\r\nX: y")
        assert "not allowed" in scene.fails("name")
        assert proxy.asked == []


def test_a_proxy_shows_no_secret() -> None:
    proxy = Proxy(host="::1", port=3128, authorization=basic("user", SECRET))
    shown = f"{proxy} {proxy!r} {[proxy]} {proxy.__rich_repr__()}"
    assert SECRET not in shown and proxy.authorization.split()[1] not in shown
    assert str(proxy) == "http://[::1]:3128"
