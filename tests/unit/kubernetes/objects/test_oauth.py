"""Requests to OpenShift's OAuth, and its possible answers."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.kubernetes.manifests.image import PULL_POLICY
from router.kubernetes.manifests.site import render
from router.kubernetes.objects import oauth
from router.kubernetes.objects.picture import SiteOptions
from router.model import limits
from router.model.errors import LoginFailed

METADATA: dict[str, Any] = {
    "issuer": "https://oauth.apps.corp",
    "authorization_endpoint": "https://oauth.apps.corp/oauth/authorize",
    "token_endpoint": "https://oauth.apps.corp/oauth/token",
    "code_challenge_methods_supported": ["plain", "S256"],
}
BEARER = {"access_token": "sha256~abc", "token_type": "Bearer", "expires_in": 86_400}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


def raw(found: object) -> bytes:
    return json.dumps(found).encode()


def test_a_browser_is_sent_there_as_the_service_account_with_state_and_challenge() -> None:
    found = oauth.endpoints(raw(METADATA))
    url = oauth.login_url(found, "shop", "https://c.corp/oauth/callback", "st&te", "chal")
    assert url.startswith("https://oauth.apps.corp/oauth/authorize?")
    assert parse_qs(urlsplit(url).query) == {
        "response_type": ["code"],
        "client_id": ["system:serviceaccount:shop:spillway-router"],
        "redirect_uri": ["https://c.corp/oauth/callback"],
        "scope": ["user:info user:check-access"],
        "state": ["st&te"],
        "code_challenge": ["chal"],
        "code_challenge_method": ["S256"],
    }


def test_a_server_that_does_not_name_s256_is_asked_without_it() -> None:
    found = oauth.endpoints(raw({**METADATA, "code_challenge_methods_supported": ["plain"]}))
    assert "code_challenge" not in oauth.login_url(found, "shop", "https://c", "s", "c")
    assert "code_verifier" not in oauth.exchange(found, "shop", "secret", "https://c", "x", "v")
    known = oauth.endpoints(raw(METADATA))
    assert oauth.exchange(known, "shop", "secret", "https://c", "x", "v")["code_verifier"] == "v"


@pytest.mark.parametrize(
    "address",
    [
        "http://oauth.apps.corp/oauth/token",
        "https://somebody@oauth.apps.corp/oauth/token",
        "https://oauth.apps.corp/oauth/token#here",
        "https:///oauth/token",
        "https://oauth.apps.corp:port/",
        "https://oauth.apps.corp/a b",
        "javascript:alert(1)",
        "",
        None,
        7,
    ],
)
@pytest.mark.parametrize("key", ["authorization_endpoint", "token_endpoint"])
def test_a_secret_goes_to_no_address_without_tls(key: str, address: object) -> None:
    with pytest.raises(LoginFailed, match="no usable address"):
        oauth.endpoints(raw({**METADATA, key: address}))


def test_a_token_is_a_bearers_visible_and_of_limited_length() -> None:
    assert oauth.token_of(200, raw(BEARER)) == "sha256~abc"
    longest = "t" * limits.CONSOLE_OAUTH_TEXT_BYTES_MAX
    assert oauth.token_of(200, raw({**BEARER, "access_token": longest})) == longest
    for wrong in (longest + "t", "", "a\r\nX: y", "a b", "ä", None, ["a"]):
        with pytest.raises(LoginFailed) as failed:
            oauth.token_of(200, raw({**BEARER, "access_token": wrong}))
        assert not failed.value.is_refusal
    with pytest.raises(LoginFailed):
        oauth.token_of(200, raw({**BEARER, "token_type": "mac"}))


def test_a_code_that_is_refused_is_the_fault_of_who_showed_it() -> None:
    for status, is_refusal in ((400, True), (401, True), (500, False), (302, False)):
        with pytest.raises(LoginFailed) as failed:
            oauth.token_of(status, raw({"error": "invalid_grant", "error_description": "SECRET"}))
        assert failed.value.is_refusal is is_refusal
        assert "SECRET" not in str(failed.value)


def test_a_user_has_a_name_that_can_be_shown_and_is_not_too_long() -> None:
    longest = "u" * limits.CONSOLE_OAUTH_USER_BYTES_MAX
    for name in ("kube:admin", "Ève <x>", longest):
        assert oauth.user_of(200, raw({"metadata": {"name": name}})) == name
    for wrong in ("", longest + "u", "a\nb", "\x1b[2J", "\ud800", None, 7):
        with pytest.raises(LoginFailed):
            oauth.user_of(200, raw({"metadata": {"name": wrong}}))
    with pytest.raises(LoginFailed, match="403"):
        oauth.user_of(403, raw({"metadata": {"name": "eve"}}))


def test_only_a_plain_yes_lets_in() -> None:
    oauth.allow(201, raw({"allowed": True}), "eve", "shop")
    for answer in ({"allowed": False}, {"allowed": "true"}, {"allowed": 1}, {}, {"status": True}):
        with pytest.raises(LoginFailed, match="eve may not look at namespace shop"):
            oauth.allow(201, raw(answer), "eve", "shop")
    with pytest.raises(LoginFailed) as failed:
        oauth.allow(403, raw({"allowed": True}), "eve", "shop")
    assert not failed.value.is_refusal


def test_a_review_is_of_all_the_rights_of_the_user_in_the_namespace() -> None:
    asked = oauth.review("shop")
    assert (asked["verb"], asked["resource"], asked["namespace"]) == ("get", "services", "shop")
    assert asked["scopes"] == []  # Null would mean: only the rights of this token.


@given(st.binary(max_size=60) | JSON_VALUES.map(raw))
def test_whatever_is_answered_nobody_is_let_in_by_accident(body: bytes) -> None:
    for read in (
        lambda: oauth.endpoints(body),
        lambda: oauth.token_of(200, body),
        lambda: oauth.user_of(200, body),
        lambda: oauth.allow(200, body, "eve", "shop"),
    ):
        with pytest.raises(LoginFailed):
            read()


@pytest.mark.parametrize(
    ("wish", "is_there"),
    [
        ({"console_authentication": "openshift", "ingress": "route"}, True),
        ({"console_authentication": "openshift", "ingress": "none"}, False),
        ({"console_authentication": "openshift", "ingress": "route", "console": False}, False),
        ({"ingress": "route"}, False),
    ],
)
def test_the_service_account_names_the_route_when_the_key_says_so(
    wish: dict[str, Any], is_there: bool
) -> None:
    options = SiteOptions(name="shop", **{"console": True, **wish})
    rendered = render(options, namespace="shop", image="x", pull_policy=PULL_POLICY, openshift=True)
    account = next(one for one in rendered.objects if one["kind"] == "ServiceAccount")
    told = account["metadata"]["annotations"].get(oauth.REFERENCE)
    assert (told is not None) is is_there
    if told is not None:
        reference = json.loads(told)["reference"]
        assert reference == {"kind": "Route", "name": "spillway-console"}
