"""AccessGrants are claims of ours, and only tokens of ours are redeemed."""

import pytest

from router.documents.skupper2.links import is_ours
from tests.unit.documents.skupper2.test_translate import of, text_of

OURS = "https://10.0.0.1:55671/spillway/claims/shop?site=x"


@pytest.mark.parametrize(
    ("spec", "uses", "window_s"),
    [
        ("{}", 1, 600.0),
        ("redemptionsAllowed: 0", 1, 600.0),
        ("redemptionsAllowed: 7\nexpirationWindow: 1h30m", 7, 5400.0),
        ("expirationWindow: 1.5h0m10s500ms", 1, 5410.5),
        ("expirationWindow: ''", 1, 600.0),
    ],
)
def test_a_grant_has_the_redemptions_and_the_window_of_skupper(
    spec: str, uses: int, window_s: float
) -> None:
    found = of(text_of("AccessGrant", "g", spec))
    assert found.errors == found.notes == ()
    (grant,) = found.grants
    assert (grant.name, grant.uses, grant.window_s) == ("g", uses, window_s)


@pytest.mark.parametrize(
    ("spec", "path", "reason"),
    [
        ("redemptionsAllowed: -1", "spec.redemptionsAllowed", "1 to 1000 redemptions, not -1"),
        ("redemptionsAllowed: 5000", "spec.redemptionsAllowed", "not 5000"),
        ("expirationWindow: soon", "spec.expirationWindow", "expected a duration"),
        ("expirationWindow: 10", "spec.expirationWindow", "expected a duration"),
        ("expirationWindow: 900ms", "spec.expirationWindow", "no site could redeem it"),
        ("expirationWindow: 99999999h", "spec.expirationWindow", "longer than ten years"),
        ("expirationWindow: -5m", "spec.expirationWindow", "expected a duration"),
    ],
)
def test_a_grant_that_nobody_could_use_is_refused(spec: str, path: str, reason: str) -> None:
    found = of(text_of("AccessGrant", "g", spec))
    assert found.grants == ()
    (error,) = found.errors
    assert error.path == path and reason in error.reason


def test_a_code_that_people_chose_is_not_used() -> None:
    (note,) = of(text_of("AccessGrant", "g", "code: sesame")).notes
    assert note.path == "spec.code" and "at random" in note.reason


def test_a_token_of_ours_is_taken_with_all_it_says() -> None:
    spec = f"url: {OURS}\ncode: abc\nca: PEM\nlinkCost: 0"
    found = of(text_of("AccessToken", "east", spec))
    assert found.errors == found.notes == ()
    (token,) = found.tokens
    assert (token.name, token.url, token.code, token.ca) == ("east", OURS, "abc", "PEM")
    assert token.cost == 1 and token.secret == {}
    assert "abc" not in repr(token)


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.1:9090/9f3a",
        "https://10.0.0.1:9090/ns/grant",
        "http://10.0.0.1:9090/spillway/claims/x",
        "https://[::1/spillway/claims/x",
        "/spillway/claims/x",
        "https://x/y?/spillway/claims/x",
    ],
)
def test_any_other_token_is_skuppers(url: str) -> None:
    assert not is_ours(url)
    found = of(text_of("AccessToken", "t", f"url: '{url}'\ncode: c\nca: c"))
    assert found.tokens == ()
    (error,) = found.errors
    assert "would use it up" in error.reason and "sitectl link create FILE" in error.hint


def test_a_token_of_ours_needs_code_and_ca() -> None:
    assert [e.path for e in of(text_of("AccessToken", "t", f"url: {OURS}")).errors] == [
        "spec.code",
        "spec.ca",
    ]
