"""OpenShift as a login sees it, in this process: OAuth server and API server, over TLS.

As OpenShift does it: the ServiceAccount is the client and its token the secret, the way back must
be below the Route that its annotation names, codes count once and with their verifier, and tokens
judge by scopes: Kubernetes' own reviews answer for the token, OpenShift's with empty scopes for the
user.
"""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from tests.kubernetes.listening import Listener
from tests.kubernetes.pki import Pki

NAMESPACE, ACCOUNT, ROUTE_HOST = "shop", "spillway-router", "127.0.0.1"
CLIENT = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
SCOPES = {"user:info", "user:check-access"}
AUTHORIZE, TOKEN = "/oauth/authorize", "/oauth/token"
METADATA = "/.well-known/oauth-authorization-server"
USER = "/apis/user.openshift.io/v1/users/~"
REVIEW = "/apis/authorization.openshift.io/v1/subjectaccessreviews"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class OpenShift:
    """Serves while it is entered. A test turns ``user``, ``viewers`` and ``instead``."""

    def __init__(self, directory: Path) -> None:
        self.pki = Pki(directory / "pki", "127.0.0.1")
        self.account = directory / "account"
        self.account.mkdir()
        self.secret = f"eyJ.{secrets.token_urlsafe(24)}"
        (self.account / "token").write_text(self.secret)
        (self.account / "ca.crt").write_bytes(self.pki.ca_pem)
        self.user = "eve"
        """Who sits at the browser; empty: who says no."""
        self.viewers = {"eve"}
        self.has_s256 = True
        self.has_oauth = True
        self.instead: dict[str, Answer] = {}
        """Other answers, by path."""
        self.asked: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, tuple[str, set[str]]] = {}
        self.issued: list[str] = []
        """All codes and tokens there ever were: none may be seen elsewhere."""
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._instead])
        app.router.add_get(METADATA, self._metadata)
        app.router.add_get(AUTHORIZE, self.authorize)
        app.router.add_post(TOKEN, self._token)
        app.router.add_get(USER, self._whoami)
        app.router.add_post(REVIEW, self._review)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        assert self._runner.server is not None
        self._door = Listener(("127.0.0.1", 0), self.pki.server_context, self._runner.server)
        self.url = f"https://127.0.0.1:{self._door.port}"
        return self

    async def __aexit__(self, *args: object) -> None:
        await self._door.close()  # A browser may be in the midst of a handshake.
        await self._runner.cleanup()

    @web.middleware
    async def _instead(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        self.asked.append(request.path)
        answer = await self.instead.get(request.path, handler)(request)
        answer.force_close()  # Else a browser keeps its connection until long after the test.
        return answer

    async def _metadata(self, request: web.Request) -> web.Response:
        if not self.has_oauth:
            return web.json_response({"kind": "Status", "code": 404}, status=404)
        return web.json_response(
            {
                "issuer": self.url,
                "authorization_endpoint": self.url + AUTHORIZE,
                "token_endpoint": self.url + TOKEN,
                "scopes_supported": sorted({"user:full", *SCOPES}),
                "response_types_supported": ["code", "token"],
                "grant_types_supported": ["authorization_code", "implicit"],
                "code_challenge_methods_supported": ["plain", "S256"] if self.has_s256 else [],
            }
        )

    async def authorize(self, request: web.Request) -> web.Response:
        """The user's browser; who is logged in there says yes, or no where there is no name."""
        asked = dict(request.query)
        back = asked.get("redirect_uri", "")
        if asked.get("client_id") != CLIENT or not self._is_ours(back):
            return web.json_response({"error": "invalid_request"}, status=400)
        if not set(asked.get("scope", "").split()) <= SCOPES:
            given = {"error": "invalid_scope"}
        elif not self.user:
            given = {"error": "access_denied", "error_description": "<b>no</b>"}
        else:
            given = {"code": self.code(asked)}
        query = urlencode({**given, "state": asked.get("state", "")})
        return web.Response(status=302, headers={"Location": f"{back}?{query}"})

    def code(self, asked: dict[str, str], client: str = CLIENT) -> str:
        """A code that ``client`` may redeem."""
        made = f"sha256~{secrets.token_urlsafe(16)}"
        self.codes[made] = {**asked, "client_id": client, "user": self.user}
        self.issued.append(made)
        return made

    def _is_ours(self, back: str) -> bool:
        """Below the Route that the annotation names."""
        parts = urlsplit(back)
        return parts.hostname == ROUTE_HOST and parts.path == "/oauth/callback"

    async def _token(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        asked = self.codes.pop(form.get("code", ""), None)
        if form.get("client_id") != CLIENT or form.get("client_secret") != self.secret:
            return web.json_response({"error": "unauthorized_client"}, status=401)
        if (
            asked is None
            or form.get("grant_type") != "authorization_code"
            or asked["client_id"] != CLIENT
            or asked["redirect_uri"] != form.get("redirect_uri")
            or not _fits(asked.get("code_challenge"), form.get("code_verifier"))
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        made = f"sha256~{secrets.token_urlsafe(16)}"
        self.issued.append(made)
        self.tokens[made] = (asked["user"], set(asked["scope"].split()))
        return web.json_response({"access_token": made, "token_type": "Bearer", "expires_in": 60})

    def _who(self, request: web.Request, scope: str) -> str:
        """The user whose token may do what ``scope`` allows; 401, 403 else."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            raise web.HTTPUnauthorized
        user, scopes = self.tokens[token]
        if scope not in scopes:
            raise web.HTTPForbidden
        return user

    async def _whoami(self, request: web.Request) -> web.Response:
        user = self._who(request, "user:info")
        return web.json_response({"kind": "User", "metadata": {"name": user}, "groups": []})

    async def _review(self, request: web.Request) -> web.Response:
        user = self._who(request, "user:check-access")
        asked: dict[str, Any] = await request.json()
        of_user = asked.get("scopes") == []  # Null: of this token, which may read nothing.
        allowed = (
            of_user
            and user in self.viewers
            and (asked["namespace"], asked["verb"], asked["resource"])
            == (NAMESPACE, "get", "services")
        )
        answer = {"kind": "SubjectAccessReviewResponse", "namespace": NAMESPACE, "allowed": allowed}
        return web.json_response(answer, status=201)


def _fits(challenge: str | None, verifier: str | None) -> bool:
    """RFC 7636, 4.6."""
    if challenge is None or verifier is None:
        return challenge is None and verifier is None
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge


async def endless(request: web.Request) -> web.StreamResponse:
    """An answer without an end."""
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b"[" * 65_536)


async def silent(request: web.Request) -> web.StreamResponse:
    """No answer at all."""
    await asyncio.Event().wait()
    raise AssertionError


def of_size(size_bytes: int, metadata: dict[str, Any]) -> Answer:
    """A good answer of so many bytes."""

    async def answer(request: web.Request) -> web.Response:
        text = web.json_response(metadata).text or ""
        return web.Response(text=text.ljust(size_bytes), content_type="application/json")

    return answer


def elsewhere(place: str) -> Answer:
    """A redirect, which would carry a secret along."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": place})

    return answer
