"""Credentials of services that come, go, are replaced and prove nothing, at running sites."""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.tls import TlsTarget, Wire, connect, credential, keep, serving
from tests.scenario.waiting import until
from tests.unit.net.certificates import FROM, authority


def read_all(wire: Wire) -> None:
    """A target that listens and ends in order."""
    wire.rest()
    wire.finish()


def target_of(site: Site, service: str) -> Any:
    """The only target of a service at its own site."""
    (target,) = site.service(service)["targets"]
    return target


def greeting(site: Site) -> bytes:
    """The answer to one request on a new connection."""
    with connect(site.address, SHOP_PORT) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
        ending = wire.rest()
    assert ending.how == "end"
    return ending.data


def test_a_site_without_the_credential_listens_to_nobody_and_heals_by_itself(
    net: Network, tmp_path: Path
) -> None:
    site, target = net.site("a"), net.http("a")
    site.declare("shop", SHOP_PORT, tlsCert="shop")
    site.connect("shop", target)
    net.start()
    listener = site.service("shop")["listener"]
    assert listener["state"] == "error"
    assert str(site.directory / "secrets" / "tls" / "shop" / "tls.crt") in listener["error"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((site.address, SHOP_PORT), 5)
    (problem,) = site.get("status")["problems"]
    assert "tls.crt is not there" in problem["message"]
    assert "sitectl service set shop --tls-cert FOLDER" in problem["hint"]
    credential(tmp_path / "shop")
    keep(site, "shop", tmp_path / "shop")
    until(lambda: site.service("shop")["listener"]["state"] == "bound", "it listens", 2.0)
    assert greeting(site).endswith(b"a\n")
    assert 'spillway_certificate_expiry_timestamp_seconds{name="tls/shop"}' in site.metrics()


def test_a_certificate_is_replaced_under_load_and_nobody_notices(
    net: Network, tmp_path: Path
) -> None:
    site, target = net.site("a"), net.http("a")
    first = credential(tmp_path / "first")
    net.sites[0].declare("shop", SHOP_PORT, tlsCert="shop")
    keep(site, "shop", tmp_path / "first")
    site.connect("shop", target)
    net.start()
    net.ready("shop", {"a": 1})
    stop = threading.Event()
    answers: list[object] = []

    def load() -> None:
        while not stop.is_set():
            try:
                answers.append(greeting(site)[:12])
            except (OSError, EOFError, AssertionError) as error:
                answers.append(error)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    with connect(site.address, SHOP_PORT) as wire:
        assert wire.certificate == first
        for number in range(3):
            folder = tmp_path / f"next{number}"
            new = credential(folder)
            site.ctl("service", "status")  # Some time under load.
            keep(site, "shop", folder)

            def shows(wanted: bytes) -> bool:
                with connect(site.address, SHOP_PORT) as later:
                    return later.certificate == wanted

            until(lambda new=new: shows(new), "new connections get the new one", 3.0)  # type: ignore[misc]
        wire.send(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")  # The first connection goes on.
        assert wire.read().startswith(b"HTTP/1.1 200")
    stop.set()
    for thread in threads:
        thread.join()
    assert len(answers) > 20
    assert set(answers) == {b"HTTP/1.1 200"}


def test_a_target_is_used_only_while_it_proves_who_it_is(net: Network, tmp_path: Path) -> None:
    site = net.site("a")
    good, other = authority(), authority("other")
    credential(tmp_path / "right", "db.test")
    credential(tmp_path / "wrong-ca", "db.test", issuer=other)
    credential(tmp_path / "wrong-name", "web.test")
    credential(tmp_path / "expired", "db.test", until=FROM.replace(year=2021))
    ours = credential(tmp_path / "client", "site.test")
    ca = tmp_path / "ca-alone"
    ca.mkdir()
    (ca / "ca.crt").write_text(good.pem())
    keep(site, "db", ca)
    keep(site, "with-client", tmp_path / "client")
    cases = {
        "wrong-ca": "certificate refused",
        "wrong-name": "hostname mismatch",
        "expired": "certificate has expired",
        "right": "",
    }
    targets: dict[str, TlsTarget] = {}
    ports: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        for number, name in enumerate((*cases, "mutual", "unshown", "by-address", "untrusted")):
            folder = tmp_path / (name if name in cases else "right")
            wants = good if name in ("mutual", "unshown") else None
            place = serving(net.target_address, folder, read_all, wants=wants)
            target = targets[name] = stack.enter_context(place)
            ports[name] = SHOP_PORT + number
            site.declare(name, ports[name], protocol="tcp")
            reach: dict[str, Any] = {"tlsTrust": "db", "tlsServerName": "db.test"}
            if name == "mutual":
                reach["tlsTrust"] = "with-client"
            elif name == "by-address":
                del reach["tlsServerName"]  # Its certificate names no address: the chain counts.
            elif name == "untrusted":
                reach["tlsTrust"] = "nowhere"
            site.connect(name, target, **reach)
        net.start()
        for name in ("right", "mutual", "by-address"):
            net.ready(name, {"a": 1})
        for name, words in cases.items():
            if words:
                error = until(lambda name=name: target_of(site, name)["error"], name)  # type: ignore[misc]
                assert words in error.lower(), error
                assert not target_of(site, name)["ready"]
        assert "tls/nowhere/ca.crt is not there" in target_of(site, "untrusted")["error"]
        for name in ("right", "mutual", "by-address"):
            with socket.create_connection((site.address, ports[name]), 10) as sock:
                sock.sendall(b"all of it")
                sock.shutdown(socket.SHUT_WR)
                assert sock.recv(10) == b""
        assert set(targets["mutual"].shown) == {ours}
        unshown = target_of(site, "unshown")  # Refused after our own handshake has succeeded.
        assert not unshown["ready"]
        assert "right after the TLS handshake" in unshown["error"]
        assert "certificate required" in unshown["error"].lower()
        keep(site, "nowhere", ca)
        until(lambda: target_of(site, "untrusted")["ready"], "a target heals once it is trusted")
