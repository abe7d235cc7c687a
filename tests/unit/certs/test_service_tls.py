"""Credentials of services: which are accepted, which refused, and with which message."""

import datetime
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certs.errors import CertError
from certs.tls.service_tls import Contents, TlsStore, leaf_of, read_folder, trust_of
from tests.unit.net.certificates import FROM, TO, Authority, authority

NOW_S = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC).timestamp()
DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.fromtimestamp(NOW_S, datetime.UTC)


def pair(name: str = "shop") -> Contents:
    certificate, key, _ = authority().leaf(name, "shop.test")
    return Contents("/site/secrets/tls/shop", certificate, key)


def encrypted(key: bytes) -> bytes:
    loaded = serialization.load_pem_private_key(key, None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


def test_a_pair_is_taken_with_the_moment_of_its_end() -> None:
    certificate, key, der = authority().leaf("shop")
    leaf = leaf_of(Contents("/x", certificate, key), NOW_S)
    assert leaf.der == der
    assert leaf.expires_at == TO.timestamp()
    assert "PRIVATE" not in repr(leaf)


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
        ec.generate_private_key(ec.SECP384R1()),
    ],
    ids=["rsa-2048", "p-384"],
)
def test_keys_of_all_usual_kinds_are_taken(key: rsa.RSAPrivateKey) -> None:
    certificate, pem, _ = authority().leaf("shop", key=key)
    assert leaf_of(Contents("/x", certificate, pem), NOW_S).expires_at


def test_what_cannot_be_used_names_the_file_and_the_next_step() -> None:
    good, other = pair(), pair("other")
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    weak_certificate, weak_key, _ = authority().leaf("shop", key=weak)
    old, old_key, _ = authority().leaf("shop", until=FROM + DAY)
    new, new_key, _ = authority().leaf("shop", since=NOW + DAY)
    for certificate, key, file, words in (
        (b"", b"", "tls.crt", "is not there"),
        (good.certificate, b"", "tls.key", "is not there"),
        (b"", good.key, "tls.crt", "is not there"),
        (b"nonsense", good.key, "tls.crt", "no readable certificate"),
        (good.certificate, b"nonsense", "tls.key", "no readable private key"),
        (good.certificate, encrypted(good.key), "tls.key", "is encrypted"),
        (good.certificate, other.key, "tls.key", "does not belong to tls.crt"),
        (weak_certificate, weak_key, "tls.crt", "key too small"),
        (old, old_key, "tls.crt", "expired at 2020-01-02"),
        (new, new_key, "tls.crt", "is not valid before 2030-01-02"),
    ):
        with pytest.raises(CertError) as caught:
            leaf_of(Contents("/site/secrets/tls/shop", certificate, key), NOW_S)
        assert caught.value.subject == f"/site/secrets/tls/shop/{file}", words
        assert words in caught.value.reason
        assert caught.value.hint


def test_trust_needs_the_ca_alone_and_takes_a_pair_along() -> None:
    ca = authority().pem().encode()
    assert trust_of(Contents("/x", ca=ca), NOW_S).leaf is None
    both = pair()
    trust = trust_of(Contents("/x", both.certificate, both.key, ca), NOW_S)
    assert trust.leaf is not None
    with pytest.raises(CertError, match=r"ca\.crt.*is not there"):
        trust_of(Contents("/x"), NOW_S)
    with pytest.raises(CertError, match=r"tls\.key.*is not there"):
        trust_of(Contents("/x", both.certificate, ca=ca), NOW_S)
    with pytest.raises(CertError, match=r"ca\.crt.*no readable certificate"):
        trust_of(Contents("/x", ca=b"nonsense"), NOW_S)
    with pytest.raises(CertError, match=r"ca\.crt.*has expired"):
        trust_of(Contents("/x", ca=ca), TO.timestamp())


def test_several_cas_stand_in_one_file() -> None:
    cas = authority().pem() + Authority("second").pem()
    assert trust_of(Contents("/x", ca=cas.encode()), NOW_S).ca_pem == cas


def test_files_are_written_private_and_read_back(tmp_path: Path) -> None:
    store = TlsStore(tmp_path / "tls")
    assert store.read("shop") == Contents(str(tmp_path / "tls" / "shop"))
    given = pair()
    assert store.write("shop", given)
    assert not store.write("shop", given)
    read = store.read("shop")
    assert (read.certificate, read.key, read.ca) == (given.certificate, given.key, b"")
    folder = tmp_path / "tls" / "shop"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {p.name: stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {
        "tls.crt": 0o600,
        "tls.key": 0o600,
    }


def test_a_file_that_others_may_read_is_refused_until_it_is_replaced(tmp_path: Path) -> None:
    store = TlsStore(tmp_path / "tls")
    store.write("shop", pair())
    (tmp_path / "tls" / "shop" / "tls.key").chmod(0o644)
    with pytest.raises(CertError, match="chmod 0600"):
        store.read("shop")
    store.write("shop", pair())
    assert store.read("shop").key


@pytest.mark.parametrize("name", ["../links", "a/b", "", "A", "a..b", "x" * 64])
def test_a_name_never_leaves_its_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(CertError, match="no name"):
        TlsStore(tmp_path).read(name)


def test_a_users_folder_may_be_open_and_hold_links(tmp_path: Path) -> None:
    given = pair()
    (tmp_path / "real.pem").write_bytes(given.certificate)
    (tmp_path / "tls.crt").symlink_to(tmp_path / "real.pem")
    (tmp_path / "tls.key").write_bytes(given.key)
    read = read_folder(tmp_path)
    assert (read.certificate, read.key, read.ca) == (given.certificate, given.key, b"")
