"""Credentials of services as they come, go, are replaced and expire under a running router."""

import datetime
import os
import ssl
from pathlib import Path

from cryptography import x509

from certs.tls.service_tls import Contents, TlsStore
from router.net.ports import Tls
from router.service.ports import NoTls
from router.trust.service_tls import ServiceTls
from tests.unit.net.certificates import Authority, authority

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
YEAR = datetime.timedelta(days=365)


class Secrets:
    """A site's ``secrets/tls`` and the answers it gives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tls"
        self.store = TlsStore(self.folder)
        self.now = NOW.timestamp()
        self.told: list[str] = []
        self.tls = ServiceTls(self.folder, lambda: self.now, tell=self._hear)

    def _hear(self, severity: str, code: str, subject: str, message: str, hint: str = "") -> None:
        self.told.append(f"{severity} {code} {subject}: {message}")

    def put(self, name: str = "shop", *, until: datetime.datetime = NOW + YEAR) -> bytes:
        """A fresh pair; the DER of its certificate."""
        certificate, key, der = authority().leaf("shop", until=until)
        self.store.write(name, Contents("", certificate, key))
        return der

    def shown(self) -> bytes:
        tls = self.tls.listener("shop", "http")
        assert isinstance(tls, Tls)
        return tls.certificate

    def refusal(self) -> NoTls:
        tls = self.tls.listener("shop", "http")
        assert isinstance(tls, NoTls)
        return tls


def context_of(tls: Tls | NoTls) -> ssl.SSLContext:
    assert isinstance(tls, Tls)
    assert isinstance(tls.context, ssl.SSLContext)
    return tls.context


def test_a_missing_pair_is_refused_by_the_name_of_its_files_until_it_is_there(
    tmp_path: Path,
) -> None:
    secrets = Secrets(tmp_path)
    refusal = secrets.refusal()
    assert refusal.reason == f"{tmp_path}/tls/shop/tls.crt is not there"
    assert "Put tls.crt and tls.key into" in refusal.hint
    assert not secrets.tls.look()
    der = secrets.put()
    assert secrets.tls.look()
    assert secrets.shown() == der
    assert not secrets.tls.look()


def test_a_missing_file_of_a_namespace_is_named_by_its_secret(tmp_path: Path) -> None:
    tls = ServiceTls(tmp_path / "tls", of_secrets=True)
    refusal = tls.target("pods", "", "10.0.0.1", "tcp")
    assert isinstance(refusal, NoTls)
    assert refusal.reason == "Secret/pods/ca.crt is not there"
    assert refusal.hint == "Put ca.crt into Secret/pods"


def test_a_pair_is_taken_up_by_content_and_not_by_time(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    secrets.put()
    before = secrets.shown()
    times = [(p, p.stat()) for p in (secrets.folder / "shop").iterdir()]
    for path, _ in times:
        os.utime(path, (1, 1))
    assert not secrets.tls.look()
    after = secrets.put()
    for path, was in times:
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert secrets.tls.look()
    assert secrets.shown() == after != before


def test_what_was_good_stays_in_use_while_its_files_are_not(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    der = secrets.put()
    assert secrets.shown() == der
    (secrets.folder / "shop" / "tls.key").unlink()
    assert secrets.tls.look()
    assert secrets.shown() == der
    (problem,) = secrets.tls.problems()
    assert "tls.key is not there" in problem.message
    new = secrets.put()
    assert secrets.tls.look()
    assert secrets.shown() == new
    assert secrets.tls.problems() == []


def test_a_pair_half_of_which_is_replaced_stays_the_old_one(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    der = secrets.put()
    assert secrets.shown() == der
    certificate, key, new = authority().leaf("shop")
    secrets.store.write("shop", Contents("", certificate))
    secrets.tls.look()
    assert secrets.shown() == der
    secrets.store.write("shop", Contents("", key=key))
    secrets.tls.look()
    assert secrets.shown() == new


def test_that_clients_are_shown_another_certificate_is_told_once(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    secrets.put()
    secrets.shown()
    secrets.tls.look()
    assert secrets.told == []
    secrets.put(until=NOW + 2 * YEAR)
    secrets.tls.look()
    secrets.tls.look()
    assert secrets.told == [
        "info service-certificate tls/shop: Clients are shown another certificate of tls/shop, "
        "valid until 2032-01-01T00:00:00Z."
    ]
    secrets.store.write("shop", Contents("", b"no certificate"))
    secrets.tls.look()
    assert len(secrets.told) == 1


def test_an_expired_pair_is_shown_no_more(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    secrets.put(until=NOW + YEAR)
    assert secrets.shown()
    assert secrets.tls.expiries() == {"tls/shop": (NOW + YEAR).timestamp()}
    secrets.now += YEAR.total_seconds()
    assert secrets.tls.look()
    assert "tls.crt expired at 2031-01-01" in secrets.refusal().reason
    assert secrets.tls.expiries() == {}


def test_a_pair_of_the_future_is_shown_once_it_is_valid(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    certificate, key, der = authority().leaf("shop", since=NOW + YEAR, until=NOW + 2 * YEAR)
    secrets.store.write("shop", Contents("", certificate, key))
    assert "not valid before" in secrets.refusal().reason
    secrets.now += YEAR.total_seconds() + 1
    assert secrets.tls.look()
    assert secrets.shown() == der


def test_only_h2_must_be_agreed_on(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    secrets.put()
    answers = [secrets.tls.listener("shop", name) for name in ("tcp", "http", "http2")]
    assert all(isinstance(tls, Tls) for tls in answers)
    assert [(t.alpn, t.alpn_required) for t in answers if isinstance(t, Tls)] == [
        ((), False),
        (("http/1.1",), False),
        (("h2",), True),
    ]


def test_targets_are_judged_by_chain_and_by_name_where_there_is_one(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    missing = secrets.tls.target("db-ca", "", "db.test", "tcp")
    assert isinstance(missing, NoTls)
    assert "ca.crt is not there" in missing.reason
    secrets.store.write("db-ca", Contents("", ca=authority().pem().encode()))
    assert secrets.tls.look()
    for server_name, host, checks in (
        ("", "db.test", True),
        ("db.test", "10.0.0.5", True),
        ("", "10.0.0.5", False),
        ("", "::1", False),
    ):
        context = context_of(secrets.tls.target("db-ca", server_name, host, "tcp"))
        assert context.check_hostname is checks, host
        assert context.verify_mode is ssl.CERT_REQUIRED


def test_names_are_not_checked_and_nothing_is_shown_where_a_connector_says_so(
    tmp_path: Path,
) -> None:
    secrets = Secrets(tmp_path)
    certificate, key, der = authority().leaf("client")
    contents = Contents("", certificate, key, authority().pem().encode())
    secrets.store.write("db-ca", contents)
    asked = secrets.tls.target("db-ca", "", "db.test", "tcp", check_name=False)
    context = context_of(asked)
    assert (context.check_hostname, context.verify_mode) == (False, ssl.CERT_REQUIRED)
    assert isinstance(asked, Tls) and asked.certificate == der
    hidden = secrets.tls.target("db-ca", "", "db.test", "tcp", show_cert=False)
    assert isinstance(hidden, Tls) and hidden.certificate == b""
    assert context_of(hidden).check_hostname


def test_the_same_question_has_the_same_answer_until_files_change(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    secrets.store.write("db-ca", Contents("", ca=authority().pem().encode()))
    first = secrets.tls.target("db-ca", "", "10.0.0.5", "tcp")
    assert secrets.tls.target("db-ca", "", "10.0.0.6", "tcp") is first
    secrets.store.write("db-ca", Contents("", ca=Authority("next").pem().encode()))
    assert secrets.tls.look()
    assert secrets.tls.target("db-ca", "", "10.0.0.5", "tcp") != first


def test_what_is_wanted_no_more_is_not_shown_as_expiring(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    secrets.put()
    secrets.shown()
    secrets.tls.keep(frozenset(), frozenset(), frozenset())
    assert secrets.tls.expiries() == {}


def test_a_listener_that_demands_certificates_needs_the_ca_and_follows_it(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    secrets.put()
    demanding = secrets.tls.listener("shop", "http", "clients")
    assert isinstance(demanding, NoTls)
    assert demanding.is_of_clients
    assert demanding.reason == f"{tmp_path}/tls/clients/ca.crt is not there"
    secrets.store.write("clients", Contents("", ca=authority().pem().encode()))
    assert secrets.tls.look()
    before = secrets.tls.listener("shop", "http", "clients")
    assert context_of(before).verify_mode is ssl.CERT_REQUIRED
    assert before is secrets.tls.listener("shop", "http", "clients")
    asks_nobody = secrets.tls.listener("shop", "http")
    assert context_of(asks_nobody).verify_mode is ssl.CERT_NONE
    secrets.store.write("clients", Contents("", ca=authority("another").pem().encode()))
    assert secrets.tls.look()
    after = secrets.tls.listener("shop", "http", "clients")
    assert _issuers(after) == ["another"] and _issuers(before) == ["good"]
    assert secrets.tls.listener("shop", "http") is asks_nobody
    assert not secrets.tls.look()


def test_a_ca_that_was_forgotten_meanwhile_does_not_come_back(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    secrets.put()
    secrets.store.write("clients", Contents("", ca=authority().pem().encode()))
    assert _issuers(secrets.tls.listener("shop", "http", "clients")) == ["good"]
    secrets.tls.keep(frozenset({"shop"}), frozenset(), frozenset())
    secrets.store.write("clients", Contents("", ca=authority("another").pem().encode()))
    assert not secrets.tls.look()
    assert _issuers(secrets.tls.listener("shop", "http", "clients")) == ["another"]


def test_a_pair_beside_the_ca_of_clients_need_not_be_usable(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    secrets.put()
    secrets.put("clients", until=NOW - YEAR)
    secrets.store.write("clients", Contents("", ca=authority().pem().encode()))
    assert isinstance(secrets.tls.listener("shop", "http", "clients"), Tls)


def _issuers(tls: Tls | NoTls) -> list[str]:
    """Common names of the CAs that a listener's context believes."""
    found = context_of(tls).get_ca_certs(binary_form=True)
    return [x509.load_der_x509_certificate(ca).subject.rfc4514_string()[3:] for ca in found]
