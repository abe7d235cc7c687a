"""Renewal: when it is due, which certificate is issued, and that only the right key counts."""

import random

import msgspec
import pytest

from certs import certificates, keys, limits
from certs.ca import signing_requests
from certs.ca.authority import Authority
from certs.ca.terms import TokenTerms, of_certificate
from certs.errors import CertError
from certs.identity import SiteIdentity
from certs.links import renewal
from certs.token_files.tokens import Token
from tests.unit.certs.sites import NOW, Site

NONCE = bytes(range(32))
WEEK_S = limits.LINK_LEAF_LIFE_S
TERMS = TokenTerms(export=("shop-*",))


def old_chain(east: Site, site_id: str | None, terms: TokenTerms = TERMS) -> str:
    return east.authority.issue_client_leaf(
        keys.generate().public_key(),
        "to-east",
        NOW,
        site_id=site_id,
        expires_at=NOW + WEEK_S,
        terms=terms if site_id else TokenTerms(),
    )


@pytest.fixture
def west() -> SiteIdentity:
    return SiteIdentity.generate()[0]


@pytest.fixture
def token(east: Site) -> Token:
    return east.claim()


def test_a_thousand_that_joined_in_one_minute_do_not_renew_in_one(east: Site) -> None:
    rng = random.Random(7)
    chain = old_chain(east, None)
    dues = sorted(renewal.due_at(chain, rng.random()) + rng.uniform(0, 60) for _ in range(1_000))
    begins = certificates.read(chain).not_valid_before_utc.timestamp()
    assert dues[0] >= begins + 0.56 * WEEK_S
    assert dues[-1] <= begins + limits.RENEW_AT_SHARE * (WEEK_S + 300) + 60
    in_a_minute = max(sum(1 for due in dues if at <= due < at + 60) for at in dues)
    assert in_a_minute <= 10, "of 1,000, on average one"


@pytest.mark.parametrize("life_s", [3_600, limits.DAY_S, WEEK_S, 365 * limits.DAY_S])
def test_a_certificate_of_a_token_is_renewed_at_once_if_a_new_one_lasts_longer(
    east: Site, life_s: int
) -> None:
    token = east.certificate_token(life_s=life_s)
    chain = token.certificate_pem
    at_two_thirds = renewal.due_at(chain, 0.0)
    assert NOW < at_two_thirds < NOW + life_s
    due = renewal.due_at(chain, 0.0, token)
    assert due == (at_two_thirds if life_s >= WEEK_S else certificates.begins_at(chain))


def test_a_renewed_certificate_has_holder_name_and_terms_of_the_old(
    east: Site, west: SiteIdentity
) -> None:
    key = keys.generate()
    old = old_chain(east, west.site_id)
    later = NOW + 4 * limits.DAY_S
    csr = signing_requests.make_csr(key)
    chain = renewal.issue(east.authority, old, csr, west.site_id, later)
    assert certificates.site_in_certificate(chain) == west.site_id
    assert certificates.common_name(chain) == "to-east" and of_certificate(chain) == TERMS
    assert certificates.expires_at(chain) == later + WEEK_S
    credential = renewal.read_renewed(
        chain, east.authority.ca_pem, keys.to_pem(key), west.site_id, "east"
    )
    assert credential.leaf.chain_pem == chain


def test_an_answer_over_the_link_is_checked_before_it_is_kept(
    east: Site, west: SiteIdentity
) -> None:
    key, other = keys.generate(), keys.generate()
    pem, ca = keys.to_pem(key), east.authority.ca_pem
    authority, now = east.authority, NOW
    good = authority.issue_client_leaf(key.public_key(), "t", now, site_id=west.site_id)
    stranger, _ = Authority.generate(west.site_id, NOW)
    for chain, cas, site in (
        (authority.issue_client_leaf(other.public_key(), "t", now, site_id=west.site_id), ca, ""),
        (good, stranger.ca_pem, ""),
        (authority.issue_server_leaf(west.site_id, now).chain_pem, ca, ""),
        (good, ca, "22" * 16),
        ("garbage", ca, ""),
        (good, "garbage", ""),
    ):
        with pytest.raises(CertError):
            renewal.read_renewed(chain, cas, pem, site or west.site_id, "east")
    renewal.read_renewed(good, ca, pem, west.site_id, "east")


def exchange(east: Site, west: SiteIdentity, token: Token) -> tuple[str, bytes, bytes]:
    """Key, request and answer of a renewal beside the link."""
    key_pem = keys.to_pem(keys.generate())
    request = renewal.make_request(west, token.site_id, key_pem, NONCE)
    found = renewal.read_request(request, east.identity.site_id)
    assert found is not None
    asked, site = found
    assert site == west.site_id
    chain = renewal.issue(east.authority, old_chain(east, site), asked.csr, site, NOW)
    answer = renewal.make_answer(east.identity, asked, chain, east.authority.ca_pem)
    return key_pem, request, answer


def test_who_cannot_link_any_more_renews_by_its_identity(
    east: Site, west: SiteIdentity, token: Token
) -> None:
    key_pem, request, answer = exchange(east, west, token)
    got = renewal.read_answer(200, answer, request, key_pem, west.site_id, token)
    assert certificates.site_in_certificate(got.leaf.chain_pem) == west.site_id
    assert b"PRIVATE" not in request and token.secret.encode() not in request


def test_a_request_that_anybody_changed_is_none(
    east: Site, west: SiteIdentity, token: Token
) -> None:
    own = east.identity.site_id
    request = renewal.make_request(west, own, keys.to_pem(keys.generate()), NONCE)
    asked = msgspec.json.decode(request, type=renewal.RenewalRequest)
    other = renewal.make_request(
        SiteIdentity.generate()[0], own, keys.to_pem(keys.generate()), b"n" * 32
    )
    thief = msgspec.json.decode(other, type=renewal.RenewalRequest)
    changes: list[dict[str, str]] = [
        {"csr": thief.csr},
        {"nonce": thief.nonce},
        {"public_key": thief.public_key},
        {"signature": thief.signature},
        {"site": "22" * 16},
        {"nonce": "AAAA"},
        {"signature": "no base64!"},
    ]
    for change in changes:
        body = msgspec.json.encode(msgspec.structs.replace(asked, **change))
        assert renewal.read_request(body, own) is None, change
    assert renewal.read_request(request, "22" * 16) is None, "meant for another site"
    for cut in range(0, len(request), 7):
        assert renewal.read_request(request[:cut], own) is None
    long = request + b" " * limits.CLAIM_BODY_BYTES_MAX
    assert renewal.read_request(long, own) is None
    assert renewal.read_request(request, own) is not None


def test_an_answer_counts_for_one_request_of_one_site_by_one_key(
    east: Site, west: SiteIdentity, token: Token
) -> None:
    key_pem, request, answer = exchange(east, west, token)
    _, other_request, other_answer = exchange(east, west, token)
    given = msgspec.json.decode(answer, type=renewal.Given)
    impostor = SiteIdentity.generate()[0]
    found = renewal.read_request(request, token.site_id)
    assert found is not None
    forged = renewal.make_answer(impostor, found[0], given.chain, given.cas)
    swapped = msgspec.json.encode(
        msgspec.structs.replace(given, cas=Authority.generate(token.site_id, NOW)[0].ca_pem)
    )
    for body, asked in (
        (other_answer, request),
        (answer, other_request),
        (forged, request),
        (swapped, request),
        (request, request),  # Reflected.
        (answer[:-3], request),
        (b"", request),
    ):
        with pytest.raises(CertError):
            renewal.read_answer(200, body, asked, key_pem, west.site_id, token)
    strange = msgspec.structs.replace(token, site_id="22" * 16)
    with pytest.raises(CertError, match="is not"):
        renewal.read_answer(200, answer, request, key_pem, west.site_id, strange)


@pytest.mark.parametrize(("status", "retryable"), [(403, False), (429, True), (503, True)])
def test_a_refusal_says_whether_to_ask_again(
    east: Site, west: SiteIdentity, token: Token, status: int, retryable: bool
) -> None:
    key_pem, request, _ = exchange(east, west, token)
    with pytest.raises(CertError) as caught:
        renewal.read_answer(status, b"", request, key_pem, west.site_id, token)
    assert caught.value.retryable is retryable
