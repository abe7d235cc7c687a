"""One login by OpenShift as a browser carries it."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.admin.console.openshift import LoginTries, challenge, redirect_uri, refusal
from router.model import limits

CHANCE = bytes(range(32))


def test_a_try_is_known_again_by_its_own_cookie_and_state() -> None:
    tries = LoginTries(b"k" * 32)
    begun = tries.begin(CHANCE, 100.7)
    assert tries.verifier(begun.cookie, begun.state, 101.0) == begun.verifier
    assert 43 <= len(begun.verifier) <= 128  # RFC 7636, 4.1.
    assert begun.verifier not in begun.cookie and begun.verifier != begun.state


def test_a_state_of_another_browser_or_process_is_none() -> None:
    tries = LoginTries(b"k" * 32)
    mine, theirs = tries.begin(CHANCE, 0.0), tries.begin(CHANCE[::-1], 0.0)
    assert tries.verifier(mine.cookie, theirs.state, 1.0) is None
    assert tries.verifier("", theirs.state, 1.0) is None
    assert tries.verifier(mine.cookie, "", 1.0) is None
    assert tries.verifier(mine.cookie, "ä", 1.0) is None
    assert LoginTries(b"j" * 32).verifier(mine.cookie, mine.state, 1.0) is None
    later = mine.cookie.replace("0.", "500.", 1)
    assert tries.verifier(later, mine.state, 501.0) is None


def test_a_try_lasts_its_time_and_no_longer() -> None:
    tries = LoginTries(b"k" * 32)
    begun = tries.begin(CHANCE, 50.0)
    end = 50.0 + limits.CONSOLE_OAUTH_TRY_S
    assert tries.verifier(begun.cookie, begun.state, end - 0.1) is not None
    assert tries.verifier(begun.cookie, begun.state, end) is None
    assert tries.verifier(begun.cookie, begun.state, 49.0) is None


@given(st.text(max_size=80), st.text(max_size=80), st.floats(0, 1e9))
def test_nothing_that_was_made_up_is_a_try(cookie: str, state: str, now: float) -> None:
    assert LoginTries(b"k" * 32).verifier(cookie, state, now) is None


def test_a_challenge_is_that_of_the_rfc() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # Appendix B.
    digest = hashlib.sha256(verifier.encode()).digest()
    assert base64.urlsafe_b64decode(challenge(verifier) + "=") == digest


@pytest.mark.parametrize(
    ("host", "uri"),
    [
        ("Console.apps.corp", "https://console.apps.corp/oauth/callback"),
        ("10.0.0.7:8010", "https://10.0.0.7:8010/oauth/callback"),
        ("[::1]:8010", "https://[::1]:8010/oauth/callback"),
        ("", ""),
        ("evil.corp/x?", ""),
        ("user@evil.corp", ""),
        ("a b", ""),
        ("a:b", ""),
    ],
)
def test_the_way_back_is_as_the_browser_came(host: str, uri: str) -> None:
    assert redirect_uri(host, is_tls=True) == uri


def test_nothing_of_what_stands_in_the_way_back_is_repeated() -> None:
    assert "not allowed" in refusal("access_denied")
    assert "<script>" not in refusal("<script>")
