"""Bounds of tokens, claims and secret files: the limit itself passes, one past it does not."""

from pathlib import Path

import msgspec
import pytest

from certs import certificates, files, limits, names
from certs.errors import CertError
from certs.joining.claims import ClaimRefused, Redeemed
from certs.joining.redeem import ClaimDesk
from certs.links.revocation import REVOKED_FILE, Revocations
from certs.token_files import secretyaml, tokens
from tests.unit.certs.sites import NOW, Site, parsed, request_of


@pytest.fixture
def east(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_chain_has_so_many_certificates(east: Site) -> None:
    most = limits.CHAIN_CERTIFICATES_MAX
    assert len(certificates.read_all(east.authority.ca_pem * most)) == most
    with pytest.raises(CertError, match=str(most + 1)):
        certificates.read_all(east.authority.ca_pem * (most + 1))


def test_a_token_file_has_so_many_bytes(east: Site) -> None:
    text = tokens.dump(east.claim())
    filled = text + "#" * (limits.TOKEN_BYTES_MAX - len(text))
    assert tokens.load(filled, "token").name == "to-east"
    with pytest.raises(CertError, match="longer"):
        tokens.load(filled + "#", "token")


def test_a_token_file_is_so_deep() -> None:
    def nested(depth: int) -> str:
        """Levels, the value itself included."""
        return "{a: " * (depth - 1) + "1" + "}" * (depth - 1)

    assert secretyaml.parse(nested(limits.TOKEN_DEPTH_MAX), "token")
    with pytest.raises(CertError):
        secretyaml.parse(nested(limits.TOKEN_DEPTH_MAX + 1), "token")


def test_a_token_names_so_many_endpoints(east: Site) -> None:
    def with_endpoints(count: int) -> str:
        token = east.certificate_token()
        endpoints = tuple((f"h{number}.example", 55671) for number in range(count))
        return tokens.dump(msgspec.structs.replace(token, endpoints=endpoints))

    most = limits.TOKEN_ENDPOINTS_MAX
    assert len(tokens.load(with_endpoints(most), "token").endpoints) == most
    with pytest.raises(CertError, match="endpoints"):
        tokens.load(with_endpoints(most + 1), "token")


def test_names_and_hosts_have_so_many_characters() -> None:
    assert names.is_name("n" * limits.NAME_CHARACTERS_MAX)
    assert not names.is_name("n" * (limits.NAME_CHARACTERS_MAX + 1))
    assert names.is_site_name("n" * limits.SITE_NAME_CHARACTERS_MAX)
    assert not names.is_site_name("n" * (limits.SITE_NAME_CHARACTERS_MAX + 1))
    label = "h" * 63
    host = ".".join((label, label, label, "h" * (limits.HOST_CHARACTERS_MAX - 3 * 64)))
    assert len(host) == limits.HOST_CHARACTERS_MAX
    assert names.is_host(host)
    assert not names.is_host(host + "h")


def test_a_claim_bears_so_many_wrong_codes(east: Site) -> None:
    def tried(wrong: int) -> Redeemed | ClaimRefused:
        token = east.claim(f"claim-{wrong}")
        right = parsed(request_of(token))
        guess = msgspec.structs.replace(right, secret=tokens.new_secret())
        for _ in range(wrong):
            assert east.grants.redeem(token.name, guess, NOW) == ClaimRefused("wrong-code")
        return east.grants.redeem(token.name, right, NOW)

    assert isinstance(tried(limits.CLAIM_TRIES_MAX - 1), Redeemed)
    assert tried(limits.CLAIM_TRIES_MAX) == ClaimRefused("locked")
    again = east.claim("another")  # Who holds it rightly asks for a new one.
    assert isinstance(east.grants.redeem(again.name, parsed(request_of(again)), NOW), Redeemed)


def test_a_claim_has_so_many_uses(east: Site) -> None:
    assert east.claim("most", uses=limits.CLAIM_USES_MAX)
    for uses in (0, limits.CLAIM_USES_MAX + 1):
        with pytest.raises(CertError, match="uses"):
            east.claim("other", uses=uses)


def test_a_site_has_so_many_grants(east: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GRANTS_MAX", 3)
    for number in range(3):
        east.claim(f"claim-{number}")
    with pytest.raises(CertError, match="3 grants"):
        east.claim("one-more")


def test_a_source_fails_so_often_a_minute(east: Site) -> None:
    desk = ClaimDesk(east.grants)
    bodies = [request_of(east.claim(f"claim-{n}")) for n in range(2)]
    answers = [desk.answer("nothing", bodies[0], "192.0.2.1", NOW) for _ in range(6)]
    most = limits.CLAIMS_PER_SOURCE_PER_MIN
    assert [answer.status for answer in answers] == [403] * most + [429]
    assert desk.answer("claim-1", bodies[1], "192.0.2.1", NOW + 59.9).status == 429
    assert desk.answer("claim-1", bodies[1], "192.0.2.1", NOW + 60.0).status == 200


def test_so_many_sources_are_remembered(east: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CLAIM_SOURCES_MAX", 3)
    desk = ClaimDesk(east.grants)
    body = request_of(east.claim())

    def fails(source: str) -> int:
        return [desk.answer("nothing", body, source, NOW).status for _ in range(5)][-1]

    for number in range(3):
        assert fails(f"192.0.2.{number}") == 403
    assert desk.answer("nothing", body, "192.0.2.0", NOW).status == 429
    fails("192.0.2.9")  # One past the limit: who was heard of least lately is forgotten.
    assert desk.answer("nothing", body, "192.0.2.1", NOW).status == 403
    assert desk.answer("nothing", body, "192.0.2.9", NOW).status == 429


def test_a_body_has_so_many_bytes(east: Site) -> None:
    desk = ClaimDesk(east.grants)
    body = request_of(east.claim())
    filled = body + b" " * (limits.CLAIM_BODY_BYTES_MAX - len(body))
    assert desk.answer("to-east", filled, "192.0.2.1", NOW).status == 200
    assert desk.answer("to-east", filled + b" ", "192.0.2.1", NOW).status == 413


@pytest.mark.parametrize("most", [limits.SECRET_FILE_BYTES_MAX, limits.GRANT_FILE_BYTES_MAX])
def test_a_secret_file_has_so_many_bytes(tmp_path: Path, most: int) -> None:
    path = tmp_path / "secret"
    files.write_secret(path, bytes(most))
    assert len(files.read_secret(path, most)) == most
    files.write_secret(path, bytes(most + 1))
    with pytest.raises(CertError):
        files.read_secret(path, most)


def test_a_list_of_the_revoked_has_so_many_bytes(tmp_path: Path) -> None:
    listed = b'{"serials":["1f"],"sites":[],"version":1}'
    directory = tmp_path / "secrets"
    Revocations(directory)
    path = directory / REVOKED_FILE
    files.write_secret(path, listed + b" " * (limits.REVOKED_FILE_BYTES_MAX - len(listed)))
    assert Revocations(directory).is_revoked("1f", "")
    files.write_secret(path, listed + b" " * (limits.REVOKED_FILE_BYTES_MAX - len(listed) + 1))
    with pytest.raises(CertError):
        Revocations(directory)
