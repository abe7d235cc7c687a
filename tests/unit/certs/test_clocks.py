"""What certificates tell of clocks that differ."""

import ctypes
from pathlib import Path

import pytest

from certs import certificates, keys
from certs.ca.authority import Authority, ensure_leaf
from certs.clocks import about, clock_skew_report, is_synchronised, span, utc
from certs.errors import CertError

NOW, DAY_S = 1_800_000_000.0, 86_400.0
SITE = "ab" * 16


def leaf_made_at(tmp_path: Path, now: float) -> tuple[bytes, bytes]:
    """A server's leaf and its CA, in DER, by a clock that says ``now``."""
    authority = Authority.create(tmp_path / f"{now:.0f}", SITE, now)
    leaf = authority.issue_server_leaf(SITE, now)
    return certificates.to_der(leaf.chain_pem), certificates.to_der(authority.ca_pem)


def test_a_certificate_of_the_future_tells_by_how_much_and_since_when_it_counts(
    tmp_path: Path,
) -> None:
    text = clock_skew_report(leaf_made_at(tmp_path, NOW + 3 * DAY_S), NOW, None)
    assert "differ by about 3 days, or more" in text
    assert utc(NOW + 3 * DAY_S - 300) in text
    assert "timedatectl" in text and "date -u" in text


@pytest.mark.parametrize(
    ("synchronised", "said"),
    [(True, "something sets its clock. "), (False, "nothing sets its clock. "), (None, "fast. ")],
)
@pytest.mark.parametrize("apart_s", [DAY_S, -17 * DAY_S])
def test_what_the_kernel_says_is_told_and_neither_clock_is_blamed(
    tmp_path: Path, synchronised: bool | None, said: str, apart_s: float
) -> None:
    text = clock_skew_report(leaf_made_at(tmp_path, NOW + apart_s), NOW, synchronised)
    assert "Either this host's clock is " in text and "likely" not in text
    assert said in text or synchronised is None


def test_a_router_s_certificate_that_ended_is_no_reason_to_link_anew(tmp_path: Path) -> None:
    text = clock_skew_report(leaf_made_at(tmp_path, NOW - 17 * DAY_S), NOW, False)
    assert "about 10 days ago" in text and "renews its own in time" in text
    assert "new token" not in text


def test_a_link_s_certificate_that_ended_may_be_just_that(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path, SITE, NOW)
    chain = authority.issue_client_leaf(keys.generate().public_key(), "t", NOW, site_id=SITE)
    text = clock_skew_report((certificates.to_der(chain),), NOW + 31 * DAY_S, True)
    assert "if that is right, type there: sitectl link renew" in text
    assert text.count("clock is fast") == 1


@pytest.mark.parametrize(
    ("ended_s", "said"),
    [(1, "less than 10 min ago"), (599, "less than 10 min ago"), (840, "about 10 min ago")],
)
def test_a_certificate_that_ended_just_now_is_not_said_to_have_ended_long_ago(
    tmp_path: Path, ended_s: float, said: str
) -> None:
    authority = Authority.create(tmp_path, SITE, NOW)
    chain = authority.issue_client_leaf(keys.generate().public_key(), "t", NOW, site_id=SITE)
    der = certificates.to_der(chain)
    ends = certificates.read(der).not_valid_after_utc.timestamp()
    text = clock_skew_report((der,), ends + ended_s, None)
    assert f"ended at {utc(ends)}, {said} by this host's clock" in text


def test_rubbish_is_no_reason_to_fail() -> None:
    assert clock_skew_report((b"rubbish",), NOW, None).startswith("the clocks differ")
    assert clock_skew_report((), NOW, None).startswith("the clocks differ")


def test_the_same_text_is_told_for_a_while_so_that_it_is_told_once(tmp_path: Path) -> None:
    chain = leaf_made_at(tmp_path, NOW + DAY_S)
    assert len({clock_skew_report(chain, NOW + second, None) for second in range(0, 600, 10)}) == 1


def test_durations_are_read_by_people() -> None:
    assert [span(s) for s in (0, 40, 3_600, 86_100, 93_600, 3 * DAY_S)] == [
        "0 s",
        "40 s",
        "1 h",
        "23 h 55 min",
        "1 day 2 h",
        "3 days",
    ]
    assert [about(s) for s in (400, 86_400, 10 * DAY_S)] == ["10 min", "24 h", "10 days"]
    assert utc(1e18) == "never"


def test_the_latest_beginning_of_a_chain_counts_with_what_certificates_are_backdated_by(
    tmp_path: Path,
) -> None:
    """A CA of long ago and a leaf of a clock that was moved since: 12 min ahead, less 5."""
    leaf, _ = leaf_made_at(tmp_path, NOW + 17 * 60)
    _, old = leaf_made_at(tmp_path, NOW - 10 * DAY_S)
    assert "differ by about 20 min, or more" in clock_skew_report((leaf, old), NOW, None)


@pytest.mark.parametrize(("said", "known"), [(0, True), (5, False), (-1, None)])
def test_what_adjtimex_returns_tells_whether_somebody_sets_the_clock_right(
    monkeypatch: pytest.MonkeyPatch, said: int, known: bool | None
) -> None:
    class Library:
        def adjtimex(self, buffer: object) -> int:
            return said

    monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno: Library())
    assert is_synchronised() is known


def test_the_kernel_says_whether_this_clock_is_kept_right_or_nothing() -> None:
    assert is_synchronised() in (True, False, None)


def test_a_leaf_outlives_a_clock_that_leaves_the_life_of_its_ca(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path, SITE, NOW)
    first = ensure_leaf(tmp_path, authority, SITE, NOW)
    assert ensure_leaf(tmp_path, authority, SITE, NOW + 3_000 * DAY_S) == first
    assert ensure_leaf(tmp_path, authority, SITE, NOW - 3_000 * DAY_S) == first
    (tmp_path / "leaf.crt").unlink()
    other = ensure_leaf(tmp_path, authority, SITE, NOW + 3_000 * DAY_S)
    assert certificates.expires_at(other.chain_pem) == NOW + 366 * DAY_S
    assert authority.trouble(NOW) == ""
    assert "CA begins at" in authority.trouble(NOW - DAY_S)
    assert "CA ended at" in authority.trouble(NOW + 3_000 * DAY_S)


@pytest.mark.parametrize("clock", [NOW - DAY_S, NOW + 3_000 * DAY_S], ids=["slow", "fast"])
def test_neighbors_take_a_leaf_that_was_made_by_a_wrong_clock(tmp_path: Path, clock: float) -> None:
    """It lasted for two years, as the CA, and they refused it, also once the clock was right."""
    authority = Authority.create(tmp_path, SITE, NOW)
    leaf = ensure_leaf(tmp_path, authority, SITE, clock)
    assert certificates.unfit_for_links(certificates.read(leaf.chain_pem)) == ""
    assert ensure_leaf(tmp_path, authority, SITE, NOW + DAY_S) == leaf, "the clock is right now"


def test_a_leaf_that_neighbors_refuse_is_made_anew(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path, SITE, NOW)
    long = authority.issue_server_leaf(SITE, NOW, expires_at=authority.ends_at)
    (tmp_path / "leaf.key").write_bytes(long.key_pem.encode())
    (tmp_path / "leaf.key").chmod(0o600)
    (tmp_path / "leaf.crt").write_bytes(long.chain_pem.encode())
    (tmp_path / "leaf.crt").chmod(0o600)
    made = ensure_leaf(tmp_path, authority, SITE, NOW)
    assert made != long
    assert certificates.unfit_for_links(certificates.read(made.chain_pem)) == ""


def test_an_authority_that_ended_says_so_instead_of_issuing(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path, SITE, NOW)
    key = keys.generate().public_key()
    with pytest.raises(CertError, match=r"CA ended at .*revoke-access"):
        authority.issue_client_leaf(key, "t", NOW + 3_000 * DAY_S)
