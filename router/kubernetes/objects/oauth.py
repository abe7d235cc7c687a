"""OpenShift's OAuth as values: requests to it, and the content of its answers.

The router's ServiceAccount is the client, as for any OpenShift OAuth proxy. The user's token may
only reveal the name and check permissions (`SCOPE`).

Permissions are checked by OpenShift's own SubjectAccessReview with empty ``scopes``: those of the
user. Kubernetes' SelfSubjectAccessReview would check the token itself, which has none.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from router.kubernetes.objects import names
from router.model import limits
from router.model.errors import LoginFailed
from router.model.unreadable import UNREADABLE_JSON

METADATA_PATH: Final = "/.well-known/oauth-authorization-server"
USER_PATH: Final = "/apis/user.openshift.io/v1/users/~"
REVIEW_PATH: Final = "/apis/authorization.openshift.io/v1/subjectaccessreviews"
SCOPE: Final = "user:info user:check-access"
S256: Final = "S256"
REFERENCE: Final = "serviceaccounts.openshift.io/oauth-redirectreference.spillway-console"
"""Annotation of the ServiceAccount: where OpenShift may redirect a user who logs in."""
LOOK: Final = "Try again; if it stays: sitectl events --code console-login-failed"
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")


class Endpoints(msgspec.Struct, frozen=True):
    """Endpoints of OpenShift's OAuth server. ``has_s256``: it supports PKCE (RFC 7636)."""

    authorize: str
    token: str
    has_s256: bool


def redirect_reference() -> str:
    """The value of `REFERENCE`: the console's Route, whatever its host is."""
    reference = {"kind": "Route", "name": names.CONSOLE}
    whole = {"kind": "OAuthRedirectReference", "apiVersion": "v1", "reference": reference}
    return msgspec.json.encode(whole).decode()


def client_id(namespace: str) -> str:
    """The router's id as an OAuth client."""
    return f"system:serviceaccount:{namespace}:{names.ROUTER}"


def endpoints(body: bytes) -> Endpoints:
    """Endpoints from the server's metadata (RFC 8414). LoginFailed: they are unusable."""
    found = _mapping(body, "The API server does not say where OpenShift's OAuth is.")
    methods = found.get("code_challenge_methods_supported")
    return Endpoints(
        _https(found.get("authorization_endpoint")),
        _https(found.get("token_endpoint")),
        isinstance(methods, list) and S256 in methods,
    )


def login_url(
    found: Endpoints, namespace: str, redirect_uri: str, state: str, challenge: str
) -> str:
    """The URL where a browser logs in (RFC 6749, 4.1.1). ``challenge``: S256 of the verifier."""
    asked = {
        "response_type": "code",
        "client_id": client_id(namespace),
        "redirect_uri": redirect_uri,
        "scope": SCOPE,
        "state": state,
    }
    if found.has_s256:
        asked |= {"code_challenge": challenge, "code_challenge_method": S256}
    joint = "&" if "?" in found.authorize else "?"
    return f"{found.authorize}{joint}{urlencode(asked)}"


def exchange(
    found: Endpoints, namespace: str, secret: str, redirect_uri: str, code: str, verifier: str
) -> dict[str, str]:
    """The form that exchanges ``code`` for a token (RFC 6749, 4.1.3)."""
    asked = {
        "grant_type": "authorization_code",
        "client_id": client_id(namespace),
        "client_secret": secret,
        "redirect_uri": redirect_uri,
        "code": code,
    }
    return asked | ({"code_verifier": verifier} if found.has_s256 else {})


def token_of(status: int, body: bytes) -> str:
    """The user's token. LoginFailed: there is none."""
    if status in (400, 401):
        raise LoginFailed(
            "OpenShift does not take the code of this login: it was used, is too old, or is of "
            "another client.",
            "Log in again; if it stays, the router's token may be no longer good: sitectl status",
            is_refusal=True,
        )
    _good(status, "OpenShift's OAuth server")
    found = _mapping(body, "OpenShift's OAuth server gives no token.")
    token, kind = found.get("access_token"), found.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer" or not is_text(token):
        raise LoginFailed("OpenShift's OAuth server gives no token.", LOOK)
    assert isinstance(token, str)
    return token


def user_of(status: int, body: bytes) -> str:
    """The name of the user. LoginFailed: there is none, or it is not printable."""
    _good(status, "The API server, asked who you are,")
    metadata = _mapping(body, "The API server does not say who you are.").get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if (
        not isinstance(name, str)
        or not name
        or not name.isprintable()
        or len(name.encode("utf-8", "surrogatepass")) > limits.CONSOLE_OAUTH_USER_BYTES_MAX
    ):
        raise LoginFailed("The API server does not say who you are.", LOOK)
    return name


def review(namespace: str) -> dict[str, Any]:
    """The question whether the user may get Services of ``namespace`` by all permissions."""
    return {
        "kind": "SubjectAccessReview",
        "apiVersion": "authorization.openshift.io/v1",
        "namespace": namespace,
        "verb": "get",
        "resourceAPIGroup": "",
        "resource": "services",
        "scopes": [],
    }


def allow(status: int, body: bytes, user: str, namespace: str) -> None:
    """Check the answer to a review. LoginFailed: ``user`` lacks the permission."""
    _good(status, "The API server, asked what you may do,")
    found = _mapping(body, "The API server does not say what you may do.")
    if found.get("allowed") is not True:
        raise LoginFailed(
            f"{user} may not look at namespace {namespace}.",
            f"Who looks after it gives that right: oc policy add-role-to-user view USER -n "
            f"{namespace}",
            is_refusal=True,
        )


def is_text(found: object) -> bool:
    """Whether ``found`` may be a code or a token: visible ASCII, not too long."""
    return (
        isinstance(found, str)
        and len(found) <= limits.CONSOLE_OAUTH_TEXT_BYTES_MAX
        and _VISIBLE.fullmatch(found) is not None
    )


def _good(status: int, who: str) -> None:
    if not 200 <= status < 300:
        raise LoginFailed(f"{who} answers with status {status}.", LOOK)


def _mapping(body: bytes, reason: str) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except UNREADABLE_JSON as error:
        raise LoginFailed(reason, LOOK) from error


def _https(found: object) -> str:
    """Check a URL that gets a secret or a browser: only TLS is allowed."""
    reason = "The API server names no usable address of OpenShift's OAuth."
    if not isinstance(found, str) or not is_text(found):
        raise LoginFailed(reason, LOOK)
    try:
        parts = urlsplit(found)
        is_good = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise LoginFailed(reason, LOOK) from error
    if not is_good or parts.username is not None or parts.fragment:
        raise LoginFailed(reason, LOOK)
    return found
