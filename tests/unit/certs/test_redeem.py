import json
import os
from pathlib import Path

import msgspec
import pytest

from certs import files, keys, limits
from certs.errors import CertError
from certs.joining.claims import GrantStore
from certs.joining.redeem import ClaimAnswer, ClaimDesk, make_request, read_answer
from certs.token_files.tokens import Token
from tests.unit.certs.sites import NOW, OTHER_SITE_ID, Site, request_of

SOURCE = "192.0.2.7"


@pytest.fixture
def desk(east: Site) -> ClaimDesk:
    return ClaimDesk(east.grants)


def test_request_and_answer_make_a_credential(east: Site, desk: ClaimDesk) -> None:
    token = east.claim()
    key_pem, body = make_request(token, OTHER_SITE_ID, "west")
    answer = desk.answer(token.name, body, SOURCE, NOW)
    assert (answer.status, answer.outcome) == (200, "redeemed")
    credential = read_answer(answer.status, answer.body, key_pem, token)
    assert credential.leaf.key_pem == key_pem
    assert credential.ca_pem == token.ca_pem
    assert "PRIVATE" not in repr(credential)
    _, retry = make_request(token, OTHER_SITE_ID, "west", key_pem)
    again = desk.answer(token.name, retry, SOURCE, NOW)
    assert (again.status, again.body, again.outcome) == (200, answer.body, "repeated")
    grant = east.grants.get(token.name)
    assert grant is not None and grant.redeemed[0].site_id == OTHER_SITE_ID


def test_all_refusals_look_the_same(east: Site, desk: ClaimDesk) -> None:
    token = east.claim()
    used, revoked = east.claim("used"), east.claim("revoked")
    assert desk.answer("used", request_of(used), SOURCE, NOW).status == 200
    east.grants.revoke("revoked")
    wrong = msgspec.structs.replace(token, secret="x" * 32)
    cheaper = msgspec.structs.replace(token, cost=1)
    answers = [
        desk.answer("nobody", request_of(token), "::1", NOW),
        desk.answer("..//", request_of(token), "::1", NOW),
        desk.answer(token.name, request_of(wrong), "::1", NOW),
        desk.answer(token.name, request_of(cheaper), "10.0.0.1", NOW),
        desk.answer(token.name, request_of(token), "10.0.0.1", NOW + 901),
        desk.answer("used", request_of(used), "10.0.0.1", NOW),
        desk.answer("revoked", request_of(revoked), "10.0.0.1", NOW),
    ]
    assert {(answer.status, answer.body) for answer in answers} == {
        (403, b'{"code":"claim-refused"}')
    }
    assert [answer.outcome for answer in answers] == [
        "unknown",
        "unknown",
        "wrong-code",
        "edited",
        "expired",
        "used",
        "revoked",
    ]


def hostile_bodies() -> list[bytes]:
    good = {
        "secret": "x" * 32,
        "csr": "",
        "checksum": "0" * 64,
        "site_id": OTHER_SITE_ID,
        "site_name": "west",
    }
    changes: list[dict[str, object]] = [
        {"secret": None},
        {"secret": "x" * 1000},
        {"csr": 7},
        {"site_id": "short"},
        {"site_id": f"{OTHER_SITE_ID}\n"},
        {"site_name": ""},
        {"site_name": "x" * 1000},
        {"site_name": "we\x1b[1mst"},
        {"checksum": ["0"]},
    ]
    return [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 16_000,
        b'{"secret":"\\ud800"}',
        b'{"unknown":' + b"[" * 16_000,
        *(json.dumps(good | change).encode() for change in changes),
    ]


@pytest.mark.parametrize("body", hostile_bodies())
def test_a_body_that_is_no_request_is_a_bounded_400(
    east: Site, desk: ClaimDesk, body: bytes
) -> None:
    east.claim()
    answer = desk.answer("to-east", body, SOURCE, NOW)
    assert answer == ClaimAnswer(400, b'{"code":"bad-request"}', "bad-request")


def test_a_body_over_the_bound_is_not_even_parsed(desk: ClaimDesk) -> None:
    body = b"x" * (limits.CLAIM_BODY_BYTES_MAX + 1)
    assert desk.answer("to-east", body, SOURCE, NOW).status == 413


def test_five_failures_a_minute_slow_one_source_down_and_no_other(
    east: Site, desk: ClaimDesk
) -> None:
    token = east.claim()
    for _ in range(5):
        assert desk.answer("nobody", b"", SOURCE, NOW).status == 400
    limited = desk.answer(token.name, request_of(token), SOURCE, NOW + 59)
    assert (limited.status, limited.outcome) == (429, "rate-limited")
    assert desk.answer("nobody", b"", "192.0.2.8", NOW).status == 400
    assert desk.answer(token.name, request_of(token), SOURCE, NOW + 60).status == 200


def test_one_source_is_one_ipv6_network_and_one_ipv4_address_however_written(
    desk: ClaimDesk,
) -> None:
    for last in range(5):
        assert desk.answer("nobody", b"", f"2001:db8::{last}", NOW).status == 400
    assert desk.answer("nobody", b"", "2001:db8::ffff", NOW).status == 429
    assert desk.answer("nobody", b"", "2001:db8:0:1::1", NOW).status == 400
    for _ in range(5):
        assert desk.answer("nobody", b"", SOURCE, NOW).status == 400
    assert desk.answer("nobody", b"", f"::ffff:{SOURCE}", NOW).status == 429


def test_who_redeems_rightly_is_not_slowed_down(east: Site, desk: ClaimDesk) -> None:
    token = east.claim(uses=20)
    for _ in range(20):
        assert desk.answer(token.name, request_of(token), SOURCE, NOW).status == 200


def test_a_clock_that_is_set_back_locks_nobody_out(desk: ClaimDesk) -> None:
    for _ in range(5):
        desk.answer("nobody", b"", SOURCE, NOW)
    assert desk.answer("nobody", b"", SOURCE, NOW - 3600).status == 400


def test_a_full_disk_is_said_to_be_temporary_and_costs_nothing(
    east: Site, desk: ClaimDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = east.claim()
    key_pem, body = make_request(token, OTHER_SITE_ID, "west")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        answer = desk.answer(token.name, body, SOURCE, NOW)
    assert (answer.status, answer.outcome) == (503, "not stored: No space left on device")
    with pytest.raises(CertError) as told:
        read_answer(answer.status, answer.body, key_pem, token)
    assert told.value.retryable
    assert desk.answer(token.name, body, SOURCE, NOW).status == 200


@pytest.mark.parametrize(
    ("status", "retryable", "words"),
    [
        (403, False, "used, expired, revoked or edited"),
        (429, True, "too many failed claims"),
        (503, True, "cannot answer claims now"),
        (400, False, "status 400"),
        (302, False, "status 302"),
    ],
)
def test_a_refusal_tells_the_redeemer_the_next_step(
    east: Site, status: int, retryable: bool, words: str
) -> None:
    with pytest.raises(CertError, match=words) as told:
        read_answer(status, b"", keys.to_pem(keys.generate()), east.claim())
    assert told.value.retryable == retryable
    assert told.value.hint


def test_why_a_site_cannot_answer_claims_is_in_its_events(east: Site) -> None:
    with pytest.raises(CertError) as told:
        read_answer(503, b"", keys.to_pem(keys.generate()), east.claim())
    assert told.value.hint == "See why. At east: sitectl events --code claim-refused"


def answer_with(token: Token, desk: ClaimDesk, **changes: str) -> tuple[str, bytes]:
    key_pem, body = make_request(token, OTHER_SITE_ID, "west")
    fields = json.loads(desk.answer(token.name, body, SOURCE, NOW).body)
    return key_pem, json.dumps(fields | changes).encode()


def test_an_answer_that_does_not_fit_is_refused(
    east: Site, desk: ClaimDesk, tmp_path: Path
) -> None:
    evil = Site(tmp_path, "evil")
    stranger = evil.certificate_token()
    leaf = east.authority.issue_server_leaf(east.identity.site_id, NOW)
    token = east.claim(uses=9)
    key_pem, body = answer_with(token, desk)
    with pytest.raises(CertError, match="of another key"):
        read_answer(200, body, keys.to_pem(keys.generate()), token)
    key_pem, body = answer_with(token, desk, ca=stranger.ca_pem)
    with pytest.raises(CertError, match="not of the token's CA"):
        read_answer(200, body, key_pem, token)
    key = keys.from_pem(key_pem, "key").public_key()
    forged = evil.authority.issue_client_leaf(key, "west", NOW)
    body = json.dumps({"chain": forged, "ca": token.ca_pem}).encode()
    with pytest.raises(CertError, match="not of the token's CA"):
        read_answer(200, body, key_pem, token)
    body = json.dumps({"chain": leaf.chain_pem, "ca": token.ca_pem}).encode()
    with pytest.raises(CertError, match="not for linking"):
        read_answer(200, body, leaf.key_pem, token)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[" * 9_999, b'{"chain":"","ca":""}', b"\xff", b" " * 99_999]
)
def test_an_answer_of_garbage_is_refused(east: Site, body: bytes) -> None:
    with pytest.raises(CertError):
        read_answer(200, body, keys.to_pem(keys.generate()), east.claim())


def test_a_desk_that_must_not_wait_asks_to_come_again_while_the_grants_are_locked(
    east: Site,
) -> None:
    """A command stopped while it holds the lock must not stop a router's traffic."""
    token = east.claim()
    desk = ClaimDesk(GrantStore(east.secrets / "grants", east.authority, waits=False))
    with files.locked(east.secrets / "grants" / ".lock"):
        assert desk.answer(token.name, request_of(token), SOURCE, NOW).status == 503
    assert desk.answer(token.name, request_of(token), SOURCE, NOW).status == 200
