import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs import certificates, files, keys, limits
from certs.ca import signing_requests
from certs.ca.authority import Authority, ensure_leaf
from certs.errors import CertError
from tests.unit.certs.sites import NOW, Site

DAY = limits.DAY_S


def test_the_ca_lives_two_years_and_may_sign_leaves_only(east: Site) -> None:
    ca = certificates.read(east.authority.ca_pem)
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints).value
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    assert usage.key_cert_sign and not usage.digital_signature
    assert certificates.expires_at(east.authority.ca_pem) == NOW + 730 * DAY


def test_a_loaded_ca_issues_for_the_same_trust(east: Site) -> None:
    loaded = Authority.load(east.secrets)
    leaf = loaded.issue_server_leaf(east.identity.site_id, NOW)
    assert east.authority.issued(certificates.read(leaf.chain_pem))
    with pytest.raises(CertError, match="has a CA already"):
        Authority.create(east.secrets, east.identity.site_id, NOW)


def test_a_ca_whose_making_was_interrupted_is_finished(east: Site) -> None:
    (east.secrets / "ca.crt").unlink()
    with pytest.raises(CertError, match="has no CA"):
        Authority.load(east.secrets)
    made = Authority.create(east.secrets, east.identity.site_id, NOW)
    assert Authority.load(east.secrets).ca_pem == made.ca_pem


def test_a_ca_whose_key_was_lost_is_not_said_to_be_made_by_init(east: Site) -> None:
    (east.secrets / "ca.key").unlink()
    with pytest.raises(CertError, match="the key of the site's CA is missing") as caught:
        Authority.load(east.secrets)
    assert "init" not in str(caught.value) and "backup" in str(caught.value)


def test_a_ca_certificate_of_another_key_is_refused(east: Site, tmp_path: Path) -> None:
    other = Site(tmp_path, "other")
    files.write_secret(east.secrets / "ca.crt", other.authority.ca_pem.encode())
    with pytest.raises(CertError, match=r"does not belong to ca\.key"):
        Authority.load(east.secrets)


def test_a_server_leaf_names_its_site_and_is_for_serving_only(east: Site) -> None:
    leaf = east.authority.issue_server_leaf(east.identity.site_id, NOW)
    found = certificates.read(leaf.chain_pem)
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert certificates.site_in_certificate(leaf.chain_pem) == east.identity.site_id
    assert certificates.site_in_certificate(certificates.to_der(leaf.chain_pem)) is not None
    assert not certificates.is_for_clients(found)
    assert certificates.expires_at(leaf.chain_pem) == NOW + 7 * DAY


def test_a_client_leaf_carries_the_issuers_name_and_no_site(east: Site) -> None:
    pem = east.authority.issue_client_leaf(keys.generate().public_key(), "to-east", NOW)
    assert certificates.is_for_clients(certificates.read(pem))
    assert certificates.common_name(pem) == "to-east"
    assert certificates.site_in_certificate(pem) is None
    assert int(certificates.serial_of(pem), 16) == certificates.read(pem).serial_number


def test_a_leaf_never_outlives_its_ca_and_never_ends_before_it_begins(east: Site) -> None:
    key = keys.generate().public_key()
    late = NOW + limits.CA_LIFE_S - DAY
    pem = east.authority.issue_client_leaf(key, "late", late)
    assert certificates.expires_at(pem) == NOW + limits.CA_LIFE_S
    with pytest.raises(CertError, match="end before it begins"):
        east.authority.issue_client_leaf(key, "late", NOW, expires_at=NOW - 1)


def test_a_leaf_is_due_after_two_thirds_of_its_life(east: Site) -> None:
    leaf = east.authority.issue_server_leaf(east.identity.site_id, NOW)
    due = certificates.renewal_at(leaf.chain_pem)
    assert NOW + 4.6 * DAY < due < NOW + 4.67 * DAY
    assert not certificates.needs_renewal(leaf.chain_pem, due - 1)
    assert certificates.needs_renewal(leaf.chain_pem, due)


def test_the_own_leaf_is_kept_until_due_and_then_replaced(east: Site) -> None:
    def leaf_at(now: float) -> str:
        return ensure_leaf(east.secrets, east.authority, site_id, now).chain_pem

    site_id = east.identity.site_id
    first = leaf_at(NOW)
    assert leaf_at(NOW + 4 * DAY) == first
    second = leaf_at(NOW + 5 * DAY)
    assert second != first
    assert leaf_at(NOW + 5 * DAY) == second
    assert leaf_at(NOW) != second, "the clock was set back: not valid yet"


def test_a_leaf_that_does_not_fit_is_replaced(east: Site, tmp_path: Path) -> None:
    other = Site(tmp_path, "other")
    site_id = east.identity.site_id
    stranger = other.authority.issue_server_leaf(site_id, NOW)
    misnamed = east.authority.issue_server_leaf(other.identity.site_id, NOW)
    fitting = east.authority.issue_server_leaf(site_id, NOW)
    for key_pem, chain_pem in [
        (stranger.key_pem, stranger.chain_pem),
        (misnamed.key_pem, misnamed.chain_pem),
        (stranger.key_pem, fitting.chain_pem),
        ("torn", fitting.chain_pem),
        (fitting.key_pem, "torn"),
    ]:
        files.write_secret(east.secrets / "leaf.key", key_pem.encode())
        files.write_secret(east.secrets / "leaf.crt", chain_pem.encode())
        leaf = ensure_leaf(east.secrets, east.authority, site_id, NOW)
        assert leaf.chain_pem != chain_pem
        assert ensure_leaf(east.secrets, east.authority, site_id, NOW) == leaf
    assert (east.secrets / "leaf.key").stat().st_mode & 0o777 == 0o600


def request(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, *extensions: x509.ExtensionType
) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody else")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    signed = builder.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def test_nothing_of_a_request_but_its_key_counts(east: Site) -> None:
    key = keys.generate()
    greedy = request(
        key,
        x509.BasicConstraints(ca=True, path_length=None),
        x509.SubjectAlternativeName(
            [x509.UniformResourceIdentifier(certificates.site_uri(east.identity.site_id))]
        ),
    )
    pem = east.authority.issue_client_leaf(signing_requests.key_of_csr(greedy), "to-east", NOW)
    found = certificates.read(pem)
    assert certificates.common_name(pem) == "to-east"
    assert certificates.site_in_certificate(pem) is None
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificates.public_key_der(found) == keys.public_der(key)


def test_requests_with_another_kind_of_key_or_a_bad_signature_are_refused() -> None:
    with pytest.raises(CertError, match="not ECDSA P-256"):
        signing_requests.key_of_csr(request(ec.generate_private_key(ec.SECP384R1())))
    with pytest.raises(CertError, match="not ECDSA P-256"):
        signing_requests.key_of_csr(request(rsa.generate_private_key(65537, 1024)))
    with pytest.raises(CertError, match="cannot be read"):
        signing_requests.key_of_csr("no request")
    good = x509.load_pem_x509_csr(request(keys.generate()).encode())
    der = bytearray(good.public_bytes(serialization.Encoding.DER))
    der[der.index(b"somebody")] ^= 1  # The signed content is different now.
    forged = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(CertError, match="not signed by its own key"):
        signing_requests.key_of_csr(forged.decode())


def certificate_with(*uris: str) -> bytes:
    key = keys.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cn")])
    moment = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    alternatives = [x509.UniformResourceIdentifier(uri) for uri in uris]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(moment)
        .not_valid_after(moment + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(key, hashes.SHA256())
    )
    return signed.public_bytes(serialization.Encoding.DER)


def test_a_certificate_speaks_for_a_site_only_if_it_names_exactly_one() -> None:
    one, two = f"spillway://site/{'a' * 32}", f"spillway://site/{'b' * 32}"
    assert certificates.site_in_certificate(certificate_with(one)) == "a" * 32
    for uris in [
        (one, two),
        (one, "https://example"),
        (f"{one}\0.evil",),
        (f"{one}\n",),
        (one.upper(),),
        ("spillway://site/short",),
        ("https://example",),
    ]:
        assert certificates.site_in_certificate(certificate_with(*uris)) is None
    assert certificates.site_in_certificate(b"garbage") is None


def test_what_is_no_certificate_is_an_error_that_names_it() -> None:
    for garbage in (b"", b"\x30\x80", "no pem"):
        with pytest.raises(CertError, match="no readable certificate"):
            certificates.serial_of(garbage)
    with pytest.raises(CertError, match=r"ca\.crt: holds no readable"):
        certificates.read_all("", "ca.crt")
