"""Listeners that demand a certificate of each client: none, wrong, expired, right, rotated."""

import contextlib
import datetime
import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.tls import Wire, connect, credential, keep, trusting
from tests.scenario.waiting import until
from tests.scenario.worker_sites import are_ready, owners
from tests.unit.net.certificates import TO, Authority, authority

DB_PORT = SHOP_PORT + 1
NEW = "new clients"
COUNTER = "spillway_tls_handshakes_failed_total"


def demand(site: Site, service: str, credential: str) -> None:
    """Have the listener of ``service`` demand certificates by ``credential``."""
    site.document("Listener", service, {"service": service, "tlsClientTrust": credential})


class Demanding:
    """One site. `shop` is http and `db` is tcp, and both demand certificates of the CA ``good``."""

    def __init__(self, net: Network, folder: Path, workers: int = 1) -> None:
        self.folder = folder
        self.site: Site = net.site("a")
        self.site.environment["SPILLWAY_WORKERS"] = str(workers)
        target = net.http("a")
        credential(folder / "shop")
        keep(self.site, "shop", folder / "shop")
        self.trust(authority())
        for service, port, protocol in (("shop", SHOP_PORT, "http"), ("db", DB_PORT, "tcp")):
            self.site.declare(service, port, protocol=protocol, tlsCert="shop")
            demand(self.site, service, "clients")
            self.site.connect(service, target)
        net.start()
        for service in ("shop", "db"):
            net.ready(service, {"a": 1})
        if workers > 1:
            until(lambda: are_ready(self.site, workers), "all workers serve")
            until(lambda: owners(self.site) == workers, "all accept clients")

    def trust(self, *issuers: Authority) -> None:
        """Put these CAs into the credential ``clients``."""
        ca = self.folder / "clients"
        ca.mkdir(exist_ok=True)
        (ca / "ca.crt").write_text("".join(issuer.pem() for issuer in issuers))
        keep(self.site, "clients", ca)

    def client(self, issuer: str = "good", until: datetime.datetime = TO) -> ssl.SSLContext:
        """A client's context with a certificate by ``issuer``."""
        name = self.folder / f"client-{issuer.replace(' ', '-')}"
        credential(name, issuer=authority(issuer), until=until)
        context = trusting()
        context.load_cert_chain(name / "tls.crt", name / "tls.key")
        return context

    def failures(self, service: str) -> int:
        """Handshakes that failed at the listener, as the metrics have it."""
        pattern = rf'{COUNTER}{{port="\d+",service="{service}"}} (\S+)'
        (found,) = re.findall(pattern, self.site.metrics())
        return int(float(found))


@pytest.fixture
def demanding(net: Network, tmp_path: Path) -> Demanding:
    return Demanding(net, tmp_path)


def ask(wire: Wire) -> bytes:
    """The answer to one more request."""
    wire.send(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
    return wire.read()


def is_refused(site: Site, port: int, context: ssl.SSLContext) -> bool:
    """Whether a client gets not one byte. With TLS 1.3 it hears so after its own handshake."""
    try:
        with connect(site.address, port, context=context) as wire:
            wire.send(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
            return wire.read() == b""
    except (ssl.SSLError, ConnectionError, EOFError):
        return True


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_only_a_client_with_a_valid_certificate_of_that_ca_gets_an_answer(
    demanding: Demanding, version: ssl.TLSVersion
) -> None:
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    refused = {
        "none": (trusting(), "the client showed no certificate"),
        "another CA": (demanding.client("another"), "certificate refused"),
        "expired": (demanding.client(until=yesterday), "certificate has expired"),
    }
    for context, _ in refused.values():
        context.maximum_version = version
    right = demanding.client()
    right.maximum_version = version
    site = demanding.site
    for service, port in (("shop", SHOP_PORT), ("db", DB_PORT)):
        for name, (context, _) in refused.items():
            assert is_refused(site, port, context), f"{service}: {name}"
        until(lambda s=service: demanding.failures(s) == len(refused), "each is counted", 5.0)  # type: ignore[misc]
        with connect(site.address, port, context=right) as wire:
            assert ask(wire).startswith(b"HTTP/1.1 200")
    for name, (context, words) in refused.items():

        def is_logged(context: ssl.SSLContext = context, words: str = words) -> bool:
            """The log has one refusal a second."""
            return is_refused(site, DB_PORT, context) and words in site.log_tail()

        until(is_logged, f"the log names the reason of: {name}", 5.0)
    assert f'"listener":"{site.address}:{DB_PORT}"' in site.log_tail()


def test_another_ca_counts_for_new_connections_and_drops_no_open_one(
    demanding: Demanding,
) -> None:
    site = demanding.site
    old, new = demanding.client(), demanding.client(NEW)
    with contextlib.ExitStack() as stack:
        opened = [
            stack.enter_context(connect(site.address, port, context=old))
            for port in (SHOP_PORT, DB_PORT)
        ]
        for wire in opened:
            assert ask(wire).startswith(b"HTTP/1.1 200")
        assert is_refused(site, SHOP_PORT, new)
        demanding.trust(authority(), authority(NEW))  # Both, as long as clients change over.
        until(lambda: not is_refused(site, SHOP_PORT, new), "the new CA counts", 5.0)
        assert not is_refused(site, SHOP_PORT, old)
        demanding.trust(authority(NEW))
        for port in (SHOP_PORT, DB_PORT):
            until(lambda port=port: is_refused(site, port, old), "the old CA is over", 5.0)  # type: ignore[misc]
            assert not is_refused(site, port, new)
        for wire in opened:
            assert ask(wire).startswith(b"HTTP/1.1 200")


def test_each_worker_demands_certificates_follows_the_ca_and_counts_who_fails(
    net: Network, tmp_path: Path
) -> None:
    demanding = Demanding(net, tmp_path, workers=2)
    site, many = demanding.site, 12  # Of which each worker has some.
    before, new = demanding.failures("db"), demanding.client(NEW)
    assert all(is_refused(site, DB_PORT, new) for _ in range(many))
    until(lambda: demanding.failures("db") == before + many, "the workers' are added up", 5.0)
    demanding.trust(authority(NEW))

    def all_know(context: ssl.SSLContext, *, refused: bool) -> bool:
        return all(is_refused(site, DB_PORT, context) is refused for _ in range(many))

    until(lambda: all_know(new, refused=False), "each has the new CA", 10.0)
    until(lambda: all_know(demanding.client(), refused=True), "none has the old one", 10.0)


def test_without_the_ca_the_listener_lets_nobody_in_and_says_which_file_is_missing(
    net: Network, tmp_path: Path
) -> None:
    site, target = net.site("a"), net.http("a")
    credential(tmp_path / "shop")
    keep(site, "shop", tmp_path / "shop")
    (tmp_path / "shop" / "ca.crt").unlink()
    keep(site, "pair", tmp_path / "shop")
    site.declare("shop", SHOP_PORT, tlsCert="shop")
    demand(site, "shop", "pair")
    site.declare("clear", DB_PORT)
    demand(site, "clear", "shop")
    site.connect("shop", target)
    net.start()
    for service, port, words in (
        ("shop", SHOP_PORT, "pair/ca.crt is not there"),
        ("clear", DB_PORT, "the listener has none of its own"),
    ):
        listener = site.service(service)["listener"]
        assert listener["state"] == "error"
        assert words in listener["error"]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((site.address, port), 5)
    hints = {
        problem["message"].split(" ")[1]: problem for problem in site.get("status")["problems"]
    }
    assert any("--tls-client-trust FOLDER" in one["hint"] for one in hints.values()), hints


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_names_the_alert_that_it_gets(demanding: Demanding) -> None:
    site = demanding.site

    def s_client(*words: str) -> str:
        command = ["openssl", "s_client", "-connect", f"{site.address}:{SHOP_PORT}", *words]
        request = "GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
        ran = subprocess.run(command, input=request, capture_output=True, text=True, timeout=20)
        return ran.stdout + ran.stderr

    demanding.client()
    folder = demanding.folder / "client-good"
    pair = ("-cert", str(folder / "tls.crt"), "-key", str(folder / "tls.key"))
    assert "alert certificate required" in s_client("-ign_eof")
    assert "HTTP/1.1 200" in s_client("-ign_eof", *pair)
