"""--tls-cert, --tls-trust and --proxy-protocol: copied files, written documents, refusals."""

import contextlib
import json
import os
import re
import ssl
import stat
from pathlib import Path

import pytest

from tests.unit.net.certificates import FROM, authority
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin

CREATE = ("service", "create", "shop", "8443", "--protocol", "http")
BIND = ("service", "bind", "shop", "host", "10.0.0.5", "--target-port", "9001")
EXPOSE = ("expose", "host", "10.0.0.5", "--address", "shop", "--port", "8443")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder with a pair and its CA, open to others."""
    made = tmp_path / "My.Certs"
    made.mkdir()
    fill(made)
    return made


def fill(folder: Path, **validity: object) -> None:
    certificate, key, _ = authority().leaf("shop", "shop.test", **validity)  # type: ignore[arg-type]
    (folder / "tls.crt").write_bytes(certificate)
    (folder / "tls.key").write_bytes(key)
    (folder / "ca.crt").write_text(authority().pem())


def kept(here: CommandLine, name: str) -> dict[str, bytes]:
    """The files of a credential of the site ``here``; each is private."""
    place = here.state / "here" / "secrets" / "tls" / name
    assert stat.S_IMODE(place.stat().st_mode) == stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()} == {0o600}
    return {path.name: path.read_bytes() for path in place.iterdir()}


def test_a_folder_becomes_the_credential_of_the_service(here: CommandLine, folder: Path) -> None:
    done = here.ok(*CREATE, "--tls-cert", str(folder))
    assert "PRIVATE" not in done.output
    assert "tlsCert: shop\n" in here.config()["service-shop.yaml"]
    assert kept(here, "shop") == {
        name: (folder / name).read_bytes() for name in ("tls.crt", "tls.key")
    }
    assert "unchanged" in here.ok(*CREATE, "--tls-cert", str(folder)).output


def test_a_certificate_is_replaced_and_given_up_by_set(here: CommandLine, folder: Path) -> None:
    here.ok(*CREATE, "--tls-cert", str(folder))
    before = kept(here, "shop")
    fill(folder)
    here.ok("service", "set", "shop", "--tls-cert", str(folder))
    assert kept(here, "shop") == {n: (folder / n).read_bytes() for n in before} != before
    here.ok("service", "set", "shop", "--tls-cert", "")
    assert "tlsCert" not in here.config()["service-shop.yaml"]


def test_a_name_is_taken_as_it_is_and_what_lacks_is_said(here: CommandLine) -> None:
    done = here.ok(*CREATE, "--tls-cert", "shop-tls")
    assert "tlsCert: shop-tls" in here.config()["service-shop.yaml"]
    assert str(here.state / "here" / "secrets" / "tls" / "shop-tls") in done.stderr


@pytest.mark.parametrize("verb", [CREATE, EXPOSE], ids=["create", "expose"])
@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("tls.key", b"", "tls.key: is not there"),
        ("tls.key", authority().leaf("x")[1], "does not belong to tls.crt"),
        ("tls.crt", b"nonsense", "holds no readable certificate"),
        ("tls.crt", authority().leaf("x", until=FROM.replace(year=2021))[0], "expired at 2021"),
    ],
    ids=["missing", "mismatch", "nonsense", "expired"],
)
def test_a_folder_that_cannot_be_used_is_refused_and_nothing_is_written(
    here: CommandLine, folder: Path, verb: tuple[str, ...], file: str, content: bytes, words: str
) -> None:
    (folder / file).unlink()
    if content:
        (folder / file).write_bytes(content)
    result = here(*verb, "--tls-cert", str(folder), "-o", "json")
    assert result.exit_code == 1
    error = json.loads(result.stderr)
    assert words in error["message"] and str(folder) in error["message"]
    assert error["hint"]
    assert "service-shop.yaml" not in here.config()
    assert not (here.state / "here" / "secrets" / "tls").exists()


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_what_is_no_file_in_a_folder_is_refused_at_once(
    here: CommandLine, folder: Path, kind: str
) -> None:
    odd = folder / "tls.key"
    odd.unlink()
    if kind == "fifo":
        os.mkfifo(odd)
    elif kind == "device":
        odd.symlink_to("/dev/zero")
    else:
        odd.mkdir()
    result = here(*CREATE, "--tls-cert", str(folder))
    assert result.exit_code == 1
    assert f"{odd}: " in result.stderr
    assert ("is no regular file" in result.stderr) is (kind != "folder")


@pytest.mark.parametrize(("value", "code"), [("./nowhere", 4), ("No Name", 2), ("a..b", 2)])
def test_what_is_neither_folder_nor_name_is_refused(
    here: CommandLine, value: str, code: int
) -> None:
    assert here(*CREATE, "--tls-cert", value).exit_code == code
    assert "service-shop.yaml" not in here.config()


def test_targets_get_the_trust_of_a_folder_named_after_it(here: CommandLine, folder: Path) -> None:
    (folder / "tls.crt").unlink()
    (folder / "tls.key").unlink()
    here.ok("service", "create", "shop", "8443")
    here.ok(*BIND, "--tls-trust", str(folder), "--tls-server-name", "shop.test")
    text = next(text for name, text in here.config().items() if name.startswith("connector"))
    assert "tlsTrust: shop-my-certs\n" in text and "tlsServerName: shop.test\n" in text
    assert kept(here, "shop-my-certs") == {"ca.crt": (folder / "ca.crt").read_bytes()}
    assert "unchanged" in here.ok(*BIND).output
    here.ok(*BIND, "--proxy-protocol", "--capacity", "3")
    text = next(text for name, text in here.config().items() if name.startswith("connector"))
    assert "tlsTrust: shop-my-certs\n" in text and "proxyProtocol: true\n" in text


def test_expose_takes_all_of_them_at_once(here: CommandLine, folder: Path) -> None:
    flags = ("--tls-cert", str(folder), "--tls-trust", str(folder), "--proxy-protocol")
    here.ok(*EXPOSE, *flags)
    assert "tlsCert: shop\n" in here.config()["service-shop.yaml"]
    text = next(text for name, text in here.config().items() if name.startswith("connector"))
    assert "tlsTrust: shop-my-certs\n" in text and "proxyProtocol: true\n" in text
    assert set(kept(here, "shop-my-certs")) == {"ca.crt", "tls.crt", "tls.key"}
    assert "unchanged" in here.ok(*EXPOSE, *flags).output


@pytest.mark.parametrize("protocol", ["http", "http2"])
def test_the_proxy_protocol_is_for_tcp(here: CommandLine, protocol: str) -> None:
    here.ok("service", "create", "shop", "8443", "--protocol", protocol)
    result = here(*BIND, "--proxy-protocol")
    assert result.exit_code == 2
    assert "X-Forwarded-For" in result.stderr
    words = ("expose", "host", "10.0.0.5", "--address", "web", "--port", "1", "--protocol")
    assert here(*words, protocol, "--proxy-protocol").exit_code == 2


@pytest.mark.parametrize("verb", [CREATE, EXPOSE], ids=["create", "expose"])
def test_a_certificate_is_made_for_who_asks_for_one(
    here: CommandLine, verb: tuple[str, ...]
) -> None:
    done = here.ok(*verb, "--generate-tls-secrets")
    assert "PRIVATE" not in done.output and "ca.crt" in done.stderr
    assert "tlsCert: shop\n" in here.config()["service-shop.yaml"]
    made = kept(here, "shop")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    place = here.state / "here" / "secrets" / "tls" / "shop"
    server.load_cert_chain(place / "tls.crt", place / "tls.key")
    for name in ("shop", "localhost", "127.0.0.1"):
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
        client.load_verify_locations(cadata=made["ca.crt"].decode())
        shake_hands(client, server, name)
    assert "unchanged" in here.ok(*verb, "--generate-tls-secrets").output
    assert kept(here, "shop") == made
    assert here(*verb, "--generate-tls-secrets", "--tls-cert", "x").exit_code == 2


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(back, there, server_hostname=name),
        server.wrap_bio(there, back, server_side=True),
    )
    for _ in range(3):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    assert ends[0].version() and ends[1].version()


def test_a_server_name_needs_a_trust(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8443")
    assert here(*BIND, "--tls-server-name", "shop.test").exit_code == 2


def test_another_site_keeps_its_own_certificate_for_a_service_it_does_not_declare(
    here: CommandLine, admin: FakeAdmin, folder: Path
) -> None:
    admin.items("/api/v1/services", {"name": "shop", "port": 8443, "tls_cert": "web-tls"})
    here.ok("service", "set", "shop", "--tls-cert", str(folder))
    assert set(kept(here, "web-tls")) == {"tls.crt", "tls.key"}
    assert "service-shop.yaml" not in here.config()
    assert here("service", "set", "shop", "--tls-cert", "other").exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("--affinity", "client"),
        ("--request-id=X-Request-Id",),
        ("--half-close", "serve"),
        ("--timeout", "response=1s"),
        ("--limit", "headers=50"),
        ("--health-path", "/healthz"),
    ],
)
def test_settings_of_a_service_declared_elsewhere_are_not_dropped_beside_a_certificate(
    here: CommandLine, admin: FakeAdmin, folder: Path, words: tuple[str, ...]
) -> None:
    admin.items("/api/v1/services", {"name": "shop", "port": 8443, "tls_cert": "web-tls"})
    assert here("service", "set", "shop", "--tls-cert", str(folder), *words).exit_code == 4
    assert not (here.state / "here" / "secrets" / "tls" / "web-tls").exists()


def test_a_service_elsewhere_without_tls_gets_no_certificate_here(
    here: CommandLine, admin: FakeAdmin, folder: Path
) -> None:
    admin.items("/api/v1/services", {"name": "shop", "port": 8443, "tls_cert": ""})
    result = here("service", "set", "shop", "--tls-cert", str(folder))
    assert result.exit_code == 4
    assert "does not speak TLS" in result.stderr
    assert here("service", "set", "nobody", "--tls-cert", str(folder)).exit_code == 4


def test_the_proxy_protocol_can_be_left_again(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8443")
    here.ok(*BIND, "--proxy-protocol")
    assert "unchanged" in here.ok(*BIND).output
    here.ok(*BIND, "--no-proxy-protocol")
    text = next(text for name, text in here.config().items() if name.startswith("connector"))
    assert "proxyProtocol" not in text


@pytest.mark.parametrize("flags", [("--tls-cert", "FOLDER"), ("--generate-tls-secrets",)])
def test_a_service_that_is_not_created_leaves_no_credential(
    here: CommandLine, folder: Path, flags: tuple[str, ...]
) -> None:
    here.ok("service", "create", "shop", "8080", "--protocol", "http")
    result = here(*CREATE, *(str(folder) if flag == "FOLDER" else flag for flag in flags))
    assert result.exit_code == 5
    assert not (here.state / "here" / "secrets" / "tls" / "shop").exists()


def test_a_new_pair_under_the_same_name_is_told_as_such(here: CommandLine, folder: Path) -> None:
    here.ok(*CREATE, "--tls-cert", str(folder))
    change = ("service", "set", "shop", "--tls-cert", str(folder))
    assert "unchanged" in here.ok(*change).output
    fill(folder)
    assert here.ok(*change).stdout == "service shop has a new certificate\n"
    assert "unchanged" in here.ok(*change).output


def test_a_certificate_is_made_for_a_service_that_is_there(here: CommandLine) -> None:
    here.ok(*CREATE)
    change = ("service", "set", "shop", "--generate-tls-secrets")
    assert here.ok(*change).stdout == "service shop updated\n"
    assert "tlsCert: shop\n" in here.config()["service-shop.yaml"]
    assert set(kept(here, "shop")) == {"tls.crt", "tls.key", "ca.crt"}
    assert "unchanged" in here.ok(*change).output
    assert here(*change, "--tls-cert", "x").exit_code == 2
    assert here("service", "set", "other", "--generate-tls-secrets").exit_code == 4


# Certificates of clients.


def listener(here: CommandLine) -> str:
    return here.config()["listener-shop.yaml"]


def test_the_ca_of_clients_alone_is_copied_and_the_listener_names_it(
    here: CommandLine, folder: Path
) -> None:
    flags = ("--tls-cert", str(folder), "--tls-client-trust", str(folder))
    here.ok(*CREATE, *flags)
    assert kept(here, "shop-my-certs") == {"ca.crt": (folder / "ca.crt").read_bytes()}
    assert "tlsClientTrust: shop-my-certs\n" in listener(here)
    assert "tlsClientTrust" not in here.config()["service-shop.yaml"]
    assert "unchanged" in here.ok(*CREATE, *flags).output


def test_another_address_keeps_what_the_listener_demands(here: CommandLine, folder: Path) -> None:
    here.ok(*CREATE, "--tls-cert", str(folder))
    here.ok("service", "set", "shop", "--tls-client-trust", str(folder))
    assert "tlsClientTrust: shop-my-certs\n" in listener(here)
    here.ok("service", "set", "shop", "--listen", "9443")
    assert "tlsClientTrust: shop-my-certs\n" in listener(here)
    assert "listen: '9443'\n" in listener(here)
    here.ok("service", "set", "shop", "--tls-client-trust", "")
    assert "tlsClientTrust" not in listener(here)
    assert "listen: '9443'\n" in listener(here)


@pytest.mark.parametrize("moment", ["create", "set", "set both"])
def test_a_service_of_several_ports_demands_certificates_at_each(
    here: CommandLine, folder: Path, moment: str
) -> None:
    trust, listen = ("--tls-client-trust", str(folder)), ("--listen", "9443")
    at_first = {"create": (*trust, *listen), "set": listen, "set both": ()}[moment]
    here.ok("service", "create", "shop", "81", "82", "--tls-cert", str(folder), *at_first)
    if moment != "create":
        here.ok("service", "set", "shop", *trust, *(listen if moment == "set both" else ()))
    listeners = [text for name, text in here.config().items() if name.startswith("listener")]
    assert [re.findall(r"port: (\d+)", text) for text in listeners] == [["82"], ["81"]]
    assert all("tlsClientTrust: shop-my-certs\n" in text for text in listeners)
    here.ok("service", "set", "shop", "--tls-client-trust", "")
    assert "tlsClientTrust" not in str(here.config())


def test_a_listener_that_moves_to_one_port_leaves_the_others_demanding(
    here: CommandLine, folder: Path
) -> None:
    flags = ("--tls-cert", str(folder), "--tls-client-trust", str(folder))
    here.ok("service", "create", "shop", "81", "82", *flags)
    here.ok("service", "create", "shop-81", "90", "--listen", "99")
    here.ok("service", "set", "shop", "--listen", "9443")
    config = here.config()
    assert "service: shop-81\n" in config["listener-shop-81.yaml"]
    assert "port:" not in config["listener-shop.yaml"], "it is about all others"
    assert "port: 81\n" in config["listener-shop-81-listener.yaml"]
    assert "listen: '9443'\n" in config["listener-shop-81-listener.yaml"]
    for name in ("listener-shop.yaml", "listener-shop-81-listener.yaml"):
        assert "tlsClientTrust: shop-my-certs\n" in config[name]


def test_a_listener_in_clear_cannot_demand_certificates(here: CommandLine, folder: Path) -> None:
    flag = ("--tls-client-trust", str(folder))
    assert "needs TLS at the listener" in here.ended(2, *CREATE, *flag).output
    assert "service-shop.yaml" not in here.config()
    here.ok(*CREATE)
    assert "--tls-cert FOLDER" in here.ended(2, "service", "set", "shop", *flag).output
    assert not (here.state / "here" / "secrets" / "tls").exists()
    here.ok("service", "set", "shop", "--tls-cert", str(folder), *flag)
    assert "tlsClientTrust: shop-my-certs\n" in listener(here)


def test_a_service_of_another_site_can_demand_certificates_here(
    here: CommandLine, folder: Path
) -> None:
    done = here.ok("service", "set", "far", "--tls-client-trust", str(folder))
    assert "admits only clients with a certificate of far-my-certs" in done.output
    assert "tlsClientTrust: far-my-certs\n" in here.config()["listener-far.yaml"]
    (folder / "ca.crt").unlink()
    assert (
        "ca.crt" in here.ended(1, "service", "set", "far", "--tls-client-trust", str(folder)).output
    )


@pytest.mark.parametrize("service_sync", [True, False])
@pytest.mark.parametrize("called", ["far", "far-81"])
def test_every_port_of_a_service_of_another_site_demands_certificates(
    here: CommandLine, folder: Path, tmp_path: Path, called: str, service_sync: bool
) -> None:
    """Its ports are not known here, so the Listener of one port is not enough."""
    if not service_sync:
        place = here.state / "here" / "config" / "site-here.yaml"
        place.write_text(
            "apiVersion: spillway/v1\nkind: Site\nname: here\nspec: {serviceSync: false}\n"
        )
    path = tmp_path / "one-port.yaml"
    path.write_text(
        f"apiVersion: spillway/v1\nkind: Listener\nname: {called}\n"
        "spec: {service: far, port: 81, listen: '9081'}\n"
    )
    here.ok("apply", "-f", str(path))
    here.ok("service", "set", "far", "--tls-client-trust", str(folder))
    trusted = {
        name: text for name, text in here.config().items() if "tlsClientTrust: far-my-certs" in text
    }
    added = "listener-far.yaml" if called == "far-81" else "listener-far-clients.yaml"
    assert set(trusted) == {f"listener-{called}.yaml", added}
    assert "port:" not in trusted[added]
    listens = re.findall("listen: (.*)", trusted[added])
    assert listens == ([] if service_sync else ["none"]), "it opens no port that was closed"
    here.ok("service", "set", "far", "--tls-client-trust", "")
    assert "tlsClientTrust" not in str(here.config())
