"""Links through a real HTTP proxy: claims, both lanes, passwords that stay secret, and changes."""

import contextlib
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenario.clients import ask, connected
from tests.scenario.harness import SHOP_PORT, Network, Site, own_address
from tests.scenario.proxies import HttpProxy
from tests.scenario.tls import credential
from tests.scenario.waiting import until

MARKER = "planted-5ecret"
CREATE = ("link", "create")


class Pair:
    """``west`` links to ``east``, which has a service; no link is there yet."""

    def __init__(self, net: Network, *flags: str) -> None:
        self.net = net
        self.east, self.west = net.site("east"), net.site("west", *flags)
        self.east.declare("db", SHOP_PORT, protocol="tcp")
        self.east.connect("db", net.tcp("east"))
        net.start()

    def token(self, *flags: str) -> str:
        return str(self.net.token(self.east, *flags))

    def up(self) -> None:
        until(lambda: self.west.is_up("east"), "the link is up")
        self.net.ready("db", {"east": 1}, self.west)

    def answers(self) -> None:
        with connected(self.west.address, SHOP_PORT) as door:
            assert ask(door, "name") == "east"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with Network(tmp_path / "state") as net:
        yield Pair(net)


def link(site: Site) -> dict[str, object]:
    found: dict[str, object] = site.json("link", "status", "east")[0]
    return found


def places_of(marker: str, root: Path) -> set[str]:
    """Files below ``root`` that hold ``marker``."""
    found = set()
    for folder, _, files in os.walk(root):
        for file in files:
            path = Path(folder) / file
            if path.is_file() and marker.encode() in path.read_bytes():
                found.add(str(path.relative_to(root)))
    return found


def test_claim_and_both_lanes_go_through_the_proxy_and_its_password_is_nowhere_else(
    pair: Pair, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text(f"{MARKER}\n")
    with HttpProxy(user="me", password=MARKER) as proxy:
        url = proxy.url.replace("//", "//me@")
        flags = ("--proxy", url, "--proxy-password-file", str(password), "--wait", "50")
        created = pair.west.ctl(*CREATE, pair.token(), "--name", "east", *flags)
        pair.up()
        until(lambda: link(pair.west)["lanes"] == 1, "the data lane is up")
        assert proxy.asked == [pair.east.link_door] * 3  # The claim, control and data.
        pair.answers()
        shown = link(pair.west)
        assert (shown["endpoint"], shown["via"]) == (pair.east.link_door, proxy.url)
        told = [created.out, created.err, pair.west.ctl("link", "status", "-o", "json").out]
        told += [pair.west.ctl("events", "-o", "json").out, pair.west.ctl("link", "status").out]
        assert all(MARKER not in text for text in told)
        # A proxy that asks for another password now: the link is refused, and says what to do.
        proxy.password = "another"
        proxy.cut()
        until(lambda: link(pair.west)["state"] == "refused", "the proxy refuses")
        error = str(link(pair.west)["error"])
        assert proxy.url in error and "407" in error and "sitectl link set" in error
        assert MARKER not in error
        # Said again, at once.
        password.write_text("another")
        pair.west.ctl("link", "set", "east", *flags[:4])
        pair.up()
    encoded = f"me:{MARKER}"
    assert places_of(MARKER, tmp_path / "state") == set()
    assert places_of(encoded, tmp_path / "state") == set()
    kept = tmp_path / "state/west/secrets/links/east/proxy.json"
    assert "another" in kept.read_text() and kept.stat().st_mode & 0o777 == 0o600
    assert places_of('"another"', tmp_path / "state") == {"west/secrets/links/east/proxy.json"}


def test_a_link_moves_to_a_proxy_and_back_without_losing_a_stream(pair: Pair) -> None:
    pair.west.ctl(*CREATE, pair.token(), "--name", "east", "--wait", "50")
    pair.up()
    with HttpProxy() as proxy, connected(pair.west.address, SHOP_PORT) as old:
        assert ask(old, "name") == "east"
        pair.west.ctl("link", "set", "east", "--proxy", proxy.url)
        until(lambda: len(proxy.asked) == 2, "both lanes go through the proxy")
        pair.up()
        with connected(pair.west.address, SHOP_PORT) as new:
            assert ask(new, "name") == "east"
            assert ask(old, "name") == "east"
            pair.west.ctl("link", "set", "east", "--proxy", "none")
            until(lambda: link(pair.west)["via"] == "", "the link leaves the proxy")
            pair.up()
            assert ask(old, "name") == "east"
            assert ask(new, "name") == "east"
        until(lambda: proxy.open_tunnels == 0, "nothing is left at the proxy")


def test_a_link_comes_back_when_its_proxy_does(pair: Pair) -> None:
    proxy = HttpProxy()
    proxy.start()
    pair.west.ctl(*CREATE, pair.token(), "--name", "east", "--proxy", proxy.url, "--wait", "50")
    pair.up()
    proxy.stop()
    until(lambda: link(pair.west)["state"] == "down", "the link is down")
    until(lambda: proxy.url in str(link(pair.west)["error"]), "the proxy is named")
    with HttpProxy(port=proxy.port):
        pair.up()
        pair.answers()


def test_a_proxy_is_spoken_to_by_tls_and_must_be_certified(pair: Pair, tmp_path: Path) -> None:
    folder = tmp_path / "proxy"
    credential(folder, "localhost")
    ca = folder / "ca.crt"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    with HttpProxy(tls=context) as proxy:
        url = f"https://localhost:{proxy.port}"
        words = (*CREATE, pair.token(), "--name", "east", "--proxy", url, "--wait", "50")
        assert "TLS" in pair.west.ctl(*words, code=1).err
        pair.west.ctl("link", "set", "east", "--proxy", url, "--proxy-ca", str(ca))
        pair.up()
        pair.answers()


def test_the_proxy_of_a_site_is_that_of_links_that_name_none(tmp_path: Path) -> None:
    with HttpProxy() as proxy, Network(tmp_path / "state") as net:
        pair = Pair(net, "--link-proxy", proxy.url)
        pair.west.ctl(*CREATE, pair.token(), "--name", "east", "--wait", "50")
        pair.up()
        assert link(pair.west)["via"] == proxy.url
        pair.west.ctl("update", "--link-proxy", "none")
        until(lambda: link(pair.west)["via"] == "", "the link goes without")
        pair.up()


def test_the_environment_counts_only_when_asked_for(tmp_path: Path) -> None:
    with HttpProxy() as proxy, Network(tmp_path / "state") as net:
        east, west = net.site("east"), net.site("west")
        east.start()
        token = str(net.token(east))
        west.quick(*CREATE, token, "--name", "east")
        west.run({"HTTPS_PROXY": proxy.url, "NO_PROXY": "example.org"})
        until(lambda: west.is_up("east"), "the link is up")
        assert proxy.asked == []
        west.ctl("link", "set", "east", "--proxy", "env")
        until(lambda: len(proxy.asked) == 2, "both lanes go through the proxy")
        until(lambda: west.is_up("east"), "the link is up")
        assert link(west)["via"] == proxy.url


def test_a_token_of_several_endpoints_takes_the_first_that_answers(pair: Pair) -> None:
    hosts = ("192.0.2.1", f"{own_address()}:9", "nowhere.invalid", pair.east.link_door)
    flags = [word for host in hosts for word in ("--ingress-host", host)]
    pair.west.ctl(*CREATE, pair.token(*flags), "--name", "east", "--wait", "5")
    assert link(pair.west)["endpoint"] == pair.east.link_door
    pair.up()
    pair.answers()


def test_an_error_lists_every_endpoint_that_was_tried(pair: Pair) -> None:
    dead = [f"{own_address()}:9", f"{own_address()}:10"]
    flags = [word for host in dead for word in ("--ingress-host", host)]
    pair.west.ctl(*CREATE, pair.token(*flags), "--name", "east")
    error = until(lambda: pair.west.link_error("east"), "the link says why")
    assert all(f"{host} refused the connection" in error for host in dead)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--proxy", "ftp://x:1"), "expected http://HOST:PORT"),
        (("--proxy", f"http://me:{MARKER}@x:1:1"), "expected http://HOST:PORT"),
        (("--proxy", "none", "--proxy-ca", "x"), "neither password nor CA"),
        (("--proxy-password-file", "-"), "of which proxy"),
        (("--proxy", "http://x:1", "--proxy-password-file", "-"), "whose password"),
        (("--proxy", "http://x:1", "--proxy-ca", "x"), "for an https proxy"),
        (("--proxy", "http://me@x:1", "--proxy-password-file", "/nowhere"), "no password in"),
    ],
)
def test_flags_that_do_not_fit_are_refused(pair: Pair, words: tuple[str, ...], said: str) -> None:
    code = 4 if "/nowhere" in words else 2
    done = pair.west.ctl(*CREATE, pair.token(), "--name", "east", *words, code=code)
    assert said in done.err and MARKER not in done.err
    assert pair.west.link("east") is None


@pytest.mark.programs("tinyproxy")
def test_tinyproxy_takes_a_link_with_and_without_the_right_password(
    pair: Pair, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    config = tmp_path / "tinyproxy.conf"
    config.write_text(
        f"Port {port}\nListen 127.0.0.1\nMaxClients 20\nTimeout 600\n"
        f"BasicAuth me {MARKER}\nConnectPort {pair.east.link_port}\n"
    )
    password = tmp_path / "password"
    password.write_text("wrong")
    proxy = subprocess.Popen(["tinyproxy", "-d", "-c", str(config)], stdout=subprocess.DEVNULL)
    try:
        flags = ("--proxy", f"http://me@127.0.0.1:{port}", "--proxy-password-file", str(password))
        until(lambda: _listens(port), "tinyproxy listens")
        words = (*CREATE, pair.token(), "--name", "east", *flags, "--wait", "50")
        assert (
            f"the proxy http://127.0.0.1:{port} wants another" in pair.west.ctl(*words, code=1).err
        )
        password.write_text(MARKER)
        pair.west.ctl("link", "set", "east", *flags)
        pair.up()
        pair.answers()
    finally:
        proxy.terminate()
        proxy.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False
