"""One login by OpenShift, as the browser carries it: cookie, state and verifier. Pure.

The router stores nothing between the two requests, so strangers who begin logins cost nothing: it
derives state and verifier from the cookie with a key of this process. A state is valid only in the
browser that began the login (login CSRF; RFC 6749, 10.12).
"""

import base64
import hashlib
import hmac
import re
from typing import Final

import msgspec

from router.model import limits

CALLBACK: Final = "/oauth/callback"
BEGIN: Final = "/login/openshift"
PROOF: Final = b"openshift"
"""The proof of users admitted by OpenShift; no digest of a password is that short."""
_COOKIE: Final = re.compile(r"(\d{1,15})\.[A-Za-z0-9_-]{43}")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")
_KNOWN: Final = {
    "access_denied": "it was not allowed there",
    "invalid_scope": "it does not give what the console asks for",
    "server_error": "it failed itself",
    "temporarily_unavailable": "it is not available",
    "unauthorized_client": "it does not know this console as a client",
}


class Everybody:
    """Users admitted by OpenShift stay until their session ends."""

    def proof(self, name: str, /) -> bytes | None:
        """The same for every user."""
        return PROOF


class Try(msgspec.Struct, frozen=True):
    """A login in progress. ``verifier``: RFC 7636, 4.1."""

    cookie: str
    state: str
    verifier: str


class LoginTries:
    """Creates login tries and recognizes them. ``key``: random, of this process."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def begin(self, chance: bytes, now: float) -> Try:
        """``chance``: 32 random bytes. ``now``: seconds."""
        return self._of(f"{int(now)}.{_text(chance)}")

    def verifier(self, cookie: str, state: str, now: float) -> str | None:
        """The verifier of the try; None: it began in another browser, or too long ago."""
        found = _COOKIE.fullmatch(cookie)
        if found is None:
            return None
        known = self._of(cookie)
        if not hmac.compare_digest(known.state.encode(), state.encode("utf-8", "surrogatepass")):
            return None
        age_s = now - int(found[1])
        return known.verifier if 0 <= age_s < limits.CONSOLE_OAUTH_TRY_S else None

    def _of(self, cookie: str) -> Try:
        return Try(cookie, self._made("state", cookie), self._made("verifier", cookie))

    def _made(self, what: str, cookie: str) -> str:
        return _text(hmac.digest(self._key, f"{what}\0{cookie}".encode(), "sha256"))


def challenge(verifier: str) -> str:
    """The S256 challenge of ``verifier`` (RFC 7636, 4.2)."""
    return _text(hashlib.sha256(verifier.encode("ascii")).digest())


def redirect_uri(host: str, *, is_tls: bool) -> str:
    """The URL to which OpenShift sends the browser back, with the host of its request. Empty: not a
    host.

    OpenShift compares it with the Route that the ServiceAccount names.
    """
    if _HOST.fullmatch(host) is None:
        return ""
    return f"{'https' if is_tls else 'http'}://{host.lower()}{CALLBACK}"


def refusal(error: str) -> str:
    """A readable sentence for OpenShift's ``error`` (RFC 6749, 4.1.2.1); it repeats no part of
    it."""
    return f"OpenShift did not log you in: {_KNOWN.get(error, 'it gave no reason that is known')}."


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
