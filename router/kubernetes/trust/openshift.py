"""Users' identities from OpenShift, asked of its OAuth server and its API server.

Both must show a certificate by a CA of the service account's bundle or of the system. The bundle
has the CA of the API server and that of the default ingress, which serves the OAuth server; the
system knows the CA of an ingress with a purchased certificate. Nothing is stored between logins,
least of all the user's token.
"""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from router.kubernetes.client.api_calls import JSON, ApiAnswer
from router.kubernetes.client.kubeconfig import (  # First: reports a missing installation.
    SERVICE_ACCOUNT,
    read_config,
)
from router.kubernetes.objects import oauth
from router.model import limits
from router.model.errors import LoginFailed

# isort: split
import httpx2

_FORM: Final = "application/x-www-form-urlencoded"
_GONE: Final = (404, 410)


class OpenShiftLogin:
    """Logins for one namespace.

    ``server``: URL of the API server.
    ``account``: the directory with the token and the CA bundle of the router's ServiceAccount,
    which the kubelet renews.
    """

    def __init__(self, server: str, namespace: str, account: Path = SERVICE_ACCOUNT) -> None:
        self._server, self._namespace = server.rstrip("/"), namespace
        self._account = account

    async def absence(self) -> str:
        """Why OpenShift cannot be asked here; empty: it can, or that is not known yet."""
        if not (self._account / "token").is_file():
            return "the router does not run in a pod with a service account"
        if not self._server.startswith("https://"):
            return "the API server is reached without TLS"
        try:
            async with asyncio.timeout(limits.CONSOLE_OAUTH_S):
                answer = await self._metadata(await self._trust(), self._secret())
        except (LoginFailed, TimeoutError):
            return ""  # A login attempt shows the error.
        return "this cluster has no OAuth server of OpenShift" if answer.status in _GONE else ""

    async def login_url(self, redirect_uri: str, state: str, challenge: str) -> str:
        """The URL for the browser. LoginFailed: the cluster does not provide one."""
        found = await self._endpoints(await self._trust(), self._secret())
        return oauth.login_url(found, self._namespace, redirect_uri, state, challenge)

    async def user(self, code: str, redirect_uri: str, verifier: str) -> str:
        """The user who returned with ``code``. LoginFailed: unknown, or without permission."""
        trust, secret = await self._trust(), self._secret()
        found = await self._endpoints(trust, secret)
        form = oauth.exchange(found, self._namespace, secret, redirect_uri, code, verifier)
        given = await _ask(
            trust,
            "POST",
            found.token,
            "OpenShift's OAuth server",
            body=str(httpx2.QueryParams(form)).encode(),
            content_type=_FORM,
        )
        token = oauth.token_of(given.status, given.body)
        told = await self._api(trust, token, "GET", oauth.USER_PATH)
        user = oauth.user_of(told.status, told.body)
        asked = msgspec.json.encode(oauth.review(self._namespace))
        judged = await self._api(trust, token, "POST", oauth.REVIEW_PATH, asked)
        oauth.allow(judged.status, judged.body, user, self._namespace)
        return user

    async def _endpoints(self, trust: ssl.SSLContext, secret: str) -> oauth.Endpoints:
        answer = await self._metadata(trust, secret)
        if answer.status != 200:
            reason = f"The API server, asked for OpenShift's OAuth, answers {answer.status}."
            raise LoginFailed(reason, oauth.LOOK)
        return oauth.endpoints(answer.body)

    async def _metadata(self, trust: ssl.SSLContext, secret: str) -> ApiAnswer:
        return await self._api(trust, secret, "GET", oauth.METADATA_PATH)

    async def _api(
        self, trust: ssl.SSLContext, token: str, method: str, path: str, body: bytes | None = None
    ) -> ApiAnswer:
        """One request to the API server, with the rights of ``token``."""
        bearer = {"Authorization": f"Bearer {token}"}
        return await _ask(
            trust, method, self._server + path, "The API server", headers=bearer, body=body
        )

    async def _trust(self) -> ssl.SSLContext:
        try:
            return await asyncio.to_thread(_context, self._account / "ca.crt")
        except (OSError, ValueError) as error:
            raise LoginFailed(
                "The CA bundle of the router's service account cannot be read.", oauth.LOOK
            ) from error

    def _secret(self) -> str:
        """The token of the service account, which is the secret of the OAuth client."""
        reason = "The token of the router's service account cannot be read."
        try:
            text = (self._account / "token").read_text("ascii").strip()
        except (OSError, ValueError) as error:
            raise LoginFailed(reason, oauth.LOOK) from error
        if not text:
            raise LoginFailed(reason, oauth.LOOK)
        return text


def open_login(kubeconfig: str | None, context: str | None, namespace: str) -> OpenShiftLogin:
    """The login for the cluster that the store follows. ConfigError SW0431, as the store raises."""
    return OpenShiftLogin(read_config(kubeconfig, context).cluster.server, namespace)


def _context(bundle: Path) -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_verify_locations(bundle)
    return made


async def _ask(
    trust: ssl.SSLContext,
    method: str,
    url: str,
    who: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    content_type: str = JSON,
) -> ApiAnswer:
    """One answer, read to its end. Redirects are not followed: they would carry a secret along."""
    sent = {"Accept": JSON, "Accept-Encoding": "identity", **(headers or {})}
    if body is not None:
        sent["Content-Type"] = content_type
    answered = bytearray()
    wait_s = limits.CONSOLE_OAUTH_ANSWER_S
    try:
        async with (
            asyncio.timeout(wait_s),
            httpx2.AsyncClient(verify=trust, timeout=wait_s, follow_redirects=False) as client,
            client.stream(method, url, headers=sent, content=body) as response,
        ):
            async for piece in response.aiter_raw():
                answered += piece
                if len(answered) > limits.CONSOLE_OAUTH_ANSWER_BYTES_MAX:
                    raise LoginFailed(f"{who} answers with too much.", oauth.LOOK)
            return ApiAnswer(response.status_code, bytes(answered))
    except TimeoutError as error:
        raise LoginFailed(f"{who} does not answer within {wait_s:.0f} s.", oauth.LOOK) from error
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        cause = f"{who} cannot be reached ({type(error).__name__})."
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            cause = f"{who} shows a certificate that neither the cluster's CA nor the system knows."
        raise LoginFailed(cause, oauth.LOOK) from error
