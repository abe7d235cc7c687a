import multiprocessing
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from certs import certificates, files, keys, limits
from certs.ca import terms
from certs.ca.authority import Authority
from certs.ca.terms import TokenTerms
from certs.errors import CertError
from certs.joining import claims
from certs.joining.claims import ClaimRefused, ClaimRequest, GrantStore, Redeemed
from certs.joining.issue import claim_token
from tests.unit.certs.sites import NOW, Site, parsed, request_of


def test_a_claim_yields_a_certificate_for_the_redeemers_key(east: Site) -> None:
    token = east.claim()
    key_pem = keys.to_pem(keys.generate())
    answer = east.grants.redeem(token.name, parsed(request_of(token, key_pem)), NOW)
    assert isinstance(answer, Redeemed)
    certificate = certificates.read(answer.chain_pem)
    assert certificates.public_key_der(certificate) == keys.public_der(
        keys.from_pem(key_pem, "key")
    )
    assert certificates.is_for_clients(certificate)
    assert certificates.common_name(answer.chain_pem) == "to-east"
    assert answer.serial == certificates.serial_of(answer.chain_pem)
    assert answer.ca_pem == token.ca_pem


def test_a_claims_certificate_admits_the_redeeming_site_alone(east: Site) -> None:
    token = east.claim()
    request = parsed(request_of(token))
    answer = east.grants.redeem(token.name, request, NOW)
    assert isinstance(answer, Redeemed)
    assert certificates.site_in_certificate(answer.chain_pem) == request.site_id


def test_the_store_keeps_no_secret_and_is_private(east: Site) -> None:
    token = east.claim()
    path = east.secrets / "grants" / "to-east.json"
    assert token.secret not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert token.secret not in repr(parsed(request_of(token)))
    grant = east.grants.get("to-east")
    assert grant is not None and grant.digest not in repr(grant)


def test_a_retry_with_the_same_key_gets_the_same_answer_also_after_the_expiry(
    east: Site,
) -> None:
    token = east.claim(life_s=900)
    key_pem = keys.to_pem(keys.generate())
    first = east.grants.redeem(token.name, parsed(request_of(token, key_pem)), NOW)
    assert isinstance(first, Redeemed)
    again = east.grants.redeem(token.name, parsed(request_of(token, key_pem)), NOW + 901)
    assert again == msgspec.structs.replace(first, repeated=True)
    grant = east.grants.get(token.name)
    assert grant is not None and (grant.uses_left, len(grant.redeemed)) == (0, 1)


def test_a_retry_after_the_certificate_has_ended_gets_another_and_costs_no_use(
    east: Site,
) -> None:
    token = east.claim()
    good = parsed(request_of(token))
    answer = east.grants.redeem(token.name, good, NOW)
    assert isinstance(answer, Redeemed)
    end = certificates.expires_at(answer.chain_pem)
    assert isinstance(east.grants.redeem(token.name, good, end - 1), Redeemed)
    again = east.grants.redeem(token.name, good, end)
    assert isinstance(again, Redeemed) and again.repeated
    assert certificates.expires_at(again.chain_pem) == end + limits.LINK_LEAF_LIFE_S
    stranger = east.grants.redeem(token.name, parsed(request_of(token)), end)
    assert stranger == ClaimRefused("used")


def test_who_cannot_renew_gets_a_certificate_for_a_year(east: Site) -> None:
    for renews, life_s in (
        (True, limits.LINK_LEAF_LIFE_S),
        (False, limits.LINK_LEAF_LIFE_UNRENEWED_S),
    ):
        token = east.claim(name=f"renews-{renews}".lower())
        asked = msgspec.structs.replace(parsed(request_of(token)), renews=renews)
        answer = east.grants.redeem(token.name, asked, NOW)
        assert isinstance(answer, Redeemed)
        assert certificates.expires_at(answer.chain_pem) == NOW + life_s


def test_another_key_finds_a_one_use_claim_used(east: Site) -> None:
    token = east.claim()
    assert isinstance(east.grants.redeem(token.name, parsed(request_of(token)), NOW), Redeemed)
    assert east.grants.redeem(token.name, parsed(request_of(token)), NOW) == ClaimRefused("used")


def test_a_claim_of_two_uses_yields_two_certificates(east: Site) -> None:
    token = east.claim(uses=2)
    answers = [east.grants.redeem(token.name, parsed(request_of(token)), NOW) for _ in range(3)]
    serials = {answer.serial for answer in answers if isinstance(answer, Redeemed)}
    assert len(serials) == 2
    assert answers[2] == ClaimRefused("used")


def refused(east: Site, name: str, request: ClaimRequest, now: float = NOW) -> str:
    answer = east.grants.redeem(name, request, now)
    assert isinstance(answer, ClaimRefused)
    return answer.reason


def test_each_refusal_has_its_reason(east: Site) -> None:
    token = east.claim(life_s=900)
    good = parsed(request_of(token))
    wrong_code = msgspec.structs.replace(good, secret="x" * 32)
    assert refused(east, "nobody", good) == "unknown"
    assert refused(east, "../identity", good) == "unknown"
    assert refused(east, token.name, wrong_code) == "wrong-code"
    assert refused(east, token.name, msgspec.structs.replace(good, secret="ü")) == "wrong-code"
    cheaper = msgspec.structs.replace(token, cost=1)
    assert refused(east, token.name, parsed(request_of(cheaper))) == "edited"
    assert refused(east, token.name, msgspec.structs.replace(good, csr="none")) == "bad-csr"
    assert refused(east, token.name, good, NOW + 900) == "expired"
    assert isinstance(east.grants.redeem(token.name, good, NOW + 899), Redeemed)
    east.grants.revoke(token.name)
    assert refused(east, token.name, good) == "revoked"


def test_ten_wrong_codes_lock_a_claim_even_for_the_right_one(east: Site) -> None:
    token = east.claim()
    good = parsed(request_of(token))
    for _ in range(10):
        assert (
            refused(east, token.name, msgspec.structs.replace(good, secret="x" * 32))
            == "wrong-code"
        )
    assert refused(east, token.name, good) == "locked"
    again = east.claim("second")
    assert isinstance(east.grants.redeem(again.name, parsed(request_of(again)), NOW), Redeemed)


def test_revoking_tells_the_serials_that_the_claim_yielded(east: Site) -> None:
    token = east.claim(uses=2)
    answer = east.grants.redeem(token.name, parsed(request_of(token)), NOW)
    assert isinstance(answer, Redeemed)
    assert east.grants.revoke(token.name) == (answer.serial,)
    assert east.grants.revoke("nobody") == ()


def test_a_name_is_granted_once(east: Site) -> None:
    east.claim()
    with pytest.raises(CertError, match="exists already"):
        east.claim()


def test_sweeping_forgets_only_what_expired_unused(east: Site) -> None:
    east.claim("old", life_s=10)
    used = east.claim("used", life_s=10)
    east.claim("young", life_s=100)
    east.grants.redeem("used", parsed(request_of(used)), NOW)
    files.write_secret(east.secrets / "grants" / "torn.json", b"{torn")
    east.grants.sweep(NOW + 50)
    assert east.grants.names() == ["torn", "used", "young"]


def test_a_damaged_grant_is_named(east: Site) -> None:
    token = east.claim()
    files.write_secret(east.secrets / "grants" / "to-east.json", b"{torn")
    with pytest.raises(CertError, match=r"to-east\.json: is damaged"):
        east.grants.redeem(token.name, parsed(request_of(token)), NOW)


def test_two_hundred_redemptions_at_once_yield_one_identity(east: Site) -> None:
    token = east.claim()
    requests = [parsed(request_of(token)) for _ in range(200)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda each: east.grants.redeem(token.name, each, NOW), requests))
    assert sum(isinstance(answer, Redeemed) for answer in answers) == 1
    assert answers.count(ClaimRefused("used")) == 199


def redeem_in_process(secrets: Path, name: str, bodies: list[bytes], results: Path) -> None:
    """In a child: redeem each body, note every certificate's serial by one atomic append."""
    store = GrantStore(secrets / "grants", Authority.load(secrets))
    for body in bodies:
        answer = store.redeem(name, parsed(body), NOW)
        if isinstance(answer, Redeemed):
            with results.open("a") as file:
                file.write(f"{answer.serial}\n")


def test_two_processes_redeeming_at_once_yield_one_identity(east: Site, tmp_path: Path) -> None:
    token = east.claim()
    context = multiprocessing.get_context("fork")
    results = tmp_path / "results"
    children = [
        context.Process(
            target=redeem_in_process,
            args=(east.secrets, token.name, [request_of(token) for _ in range(20)], results),
        )
        for _ in range(3)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert len(results.read_text().split()) == 1


def killed_at(step: str, secrets: Path, name: str, body: bytes) -> None:
    """In a child: redeem, and be killed the moment ``step`` of writing the grant is reached."""
    real = getattr(os, step)

    def kill(*arguments: object, **named: object) -> object:
        if step == "unlink":  # The first thing after the rename: nothing was answered yet.
            os.kill(os.getpid(), signal.SIGKILL)
        real_result = real(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        return real_result

    setattr(os, step, kill)
    GrantStore(secrets / "grants", Authority.load(secrets)).redeem(name, parsed(body), NOW)


@pytest.mark.parametrize("step", ["write", "fsync", "rename", "unlink"])
def test_a_kill_between_marking_and_answering_never_costs_or_doubles_the_identity(
    east: Site, step: str
) -> None:
    token = east.claim()
    body = request_of(token)
    child = multiprocessing.get_context("fork").Process(
        target=killed_at, args=(step, east.secrets, token.name, body)
    )
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    stored = east.grants.get(token.name)
    assert stored is not None
    retry = east.grants.redeem(token.name, parsed(body), NOW)
    assert isinstance(retry, Redeemed)
    assert retry.repeated == bool(stored.redeemed) == (step in ("rename", "unlink"))
    stranger = east.grants.redeem(token.name, parsed(request_of(token)), NOW)
    assert stranger == ClaimRefused("used")


def test_a_grant_of_a_newer_version_says_so() -> None:
    with pytest.raises(CertError, match="newer version"):
        claims.decode(b'{"version": 2}', "Secret/spillway-grant-a")


def test_a_claim_on_terms_yields_certificates_on_terms(east: Site) -> None:
    agreed = TokenTerms(declare=(), export=("till",), import_=("shop-*",))
    token = claim_token(
        east.grants,
        east.authority,
        name="kiosk",
        site_id=east.identity.site_id,
        site_name="east",
        endpoints=(("10.0.0.1", 55671),),
        now=NOW,
        terms=agreed,
    )
    grant = east.grants.get("kiosk")
    assert grant is not None and grant.terms == agreed
    answer = east.grants.redeem("kiosk", parsed(request_of(token)), NOW)
    assert isinstance(answer, Redeemed)
    assert terms.of_certificate(answer.chain_pem) == agreed


def test_a_grant_of_a_version_without_terms_is_free_and_it_reads_ours_only_when_free(
    east: Site,
) -> None:
    class Older(msgspec.Struct):
        name: str
        allow: tuple[str, ...] = ()

    free, _ = claims.new_grant(east.claim("free"))
    assert msgspec.json.decode(claims.encode(free), type=Older).allow == ()
    assert claims.decode(claims.encode(free), "here").terms == terms.FREE
    bound, _ = claims.new_grant(east.claim("bound"), terms=TokenTerms(declare=()))
    assert claims.decode(claims.encode(bound), "here").terms == TokenTerms(declare=())
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(claims.encode(bound), type=Older)


def test_terms_that_are_too_long_to_be_stated_are_refused(east: Site) -> None:
    wide = tuple(f"{number:060}" for number in range(32))
    fits, longer = TokenTerms(declare=(*wide, "x" * 16)), TokenTerms(declare=(*wide, "x" * 17))
    assert len(msgspec.json.encode(fits)) == limits.TERMS_BYTES_MAX
    claims.new_grant(east.claim("fits"), terms=fits)
    with pytest.raises(CertError, match="more than"):
        claims.new_grant(east.claim("longer"), terms=longer)
    with pytest.raises(CertError, match="cannot be"):
        claims.new_grant(east.claim("wrong"), terms=TokenTerms(declare=("No Name",)))
