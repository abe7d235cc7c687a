import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certs import files, identity, keys
from certs.errors import CertError
from certs.identity import SiteIdentity


def test_a_site_id_is_the_hash_of_its_public_key(tmp_path: Path) -> None:
    made = SiteIdentity.create(tmp_path / "secrets")
    assert made.site_id == hashlib.sha256(made.public_key).digest()[:16].hex()
    assert made.site_id == identity.site_id_of(made.public_key)
    assert (tmp_path / "secrets" / "identity.key").stat().st_mode & 0o777 == 0o600


def test_an_identity_survives_loading(tmp_path: Path) -> None:
    made = SiteIdentity.create(tmp_path / "secrets")
    loaded = SiteIdentity.load(tmp_path / "secrets")
    assert loaded.site_id == made.site_id
    assert identity.verify(made.public_key, loaded.sign(b"data"), b"data")


def test_a_second_identity_is_never_made_over_the_first(tmp_path: Path) -> None:
    made = SiteIdentity.create(tmp_path / "secrets")
    with pytest.raises(CertError, match="has an identity already"):
        SiteIdentity.create(tmp_path / "secrets")
    assert SiteIdentity.load(tmp_path / "secrets").site_id == made.site_id


def test_a_missing_identity_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(CertError, match="sitectl init"):
        SiteIdentity.load(tmp_path)


def test_a_key_that_is_torn_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    files.write_secret(path, b"-----BEGIN PRIVATE KEY-----\ntorn")
    with pytest.raises(CertError, match="no readable private key"):
        SiteIdentity.load(tmp_path)
    other = ec.generate_private_key(ec.SECP384R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    files.write_secret(path, other)
    with pytest.raises(CertError, match="not an ECDSA P-256 key"):
        SiteIdentity.load(tmp_path)


def test_a_signature_fits_one_key_and_one_text_only(tmp_path: Path) -> None:
    one, two = SiteIdentity(keys.generate()), SiteIdentity(keys.generate())
    signature = one.sign(b"data")
    assert identity.verify(one.public_key, signature, b"data")
    assert not identity.verify(two.public_key, signature, b"data")
    assert not identity.verify(one.public_key, signature, b"date")
    assert not identity.verify(one.public_key, signature[:-1], b"data")
    assert not identity.verify(one.public_key, b"", b"data")


def test_keys_of_other_kinds_verify_nothing() -> None:
    spki = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    p384 = ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(*spki)
    weak = rsa.generate_private_key(65537, 1024).public_key().public_bytes(*spki)
    for public_key in (b"", b"\x30\x82", p384, weak):
        assert not identity.verify(public_key, b"signature", b"data")


def test_a_key_never_shows_in_a_representation() -> None:
    made = SiteIdentity(keys.generate())
    assert repr(made) == f"SiteIdentity({made.site_id})"


def test_a_key_that_systemd_hands_over_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = SiteIdentity.create(tmp_path / "secrets")
    handed = tmp_path / "credentials"
    handed.mkdir()
    (tmp_path / "secrets" / "identity.key").rename(handed / identity.CREDENTIAL)
    (handed / identity.CREDENTIAL).chmod(0o440)  # As systemd has it, and root's: an ACL opens it.
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed))
    assert SiteIdentity.load(tmp_path / "secrets").site_id == made.site_id


def test_credentials_of_another_unit_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user may run sitectl within another systemd unit."""
    made = SiteIdentity.create(tmp_path / "secrets")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert SiteIdentity.load(tmp_path / "secrets").site_id == made.site_id


def test_a_handed_over_key_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SiteIdentity.create(tmp_path / "secrets")
    (tmp_path / identity.CREDENTIAL).mkdir()  # Unreadable for root, too.
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(CertError, match="systemd hands over cannot be read") as caught:
        SiteIdentity.load(tmp_path / "secrets")
    assert identity.CREDENTIAL in caught.value.subject
    assert "LoadCredential" in caught.value.hint


@pytest.mark.parametrize("text", ["", "soon", "-1", "1" * 13])
def test_a_damaged_mark_of_a_restore_is_named(tmp_path: Path, text: str) -> None:
    assert identity.restored_at(tmp_path) == 0
    files.write_secret(tmp_path / identity.RESTORED_FILE, b"1700000000\n")
    assert identity.restored_at(tmp_path) == 1_700_000_000
    files.write_secret(tmp_path / identity.RESTORED_FILE, text.encode())
    with pytest.raises(CertError, match="is damaged"):
        identity.restored_at(tmp_path)
