"""The login by OpenShift: a redirect to its OAuth server, and the return with a code."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from router.admin.answers import failure
from router.admin.console import login_page
from router.admin.console.auth import FailureLimiter
from router.admin.console.openshift import (
    BEGIN,
    CALLBACK,
    LoginTries,
    challenge,
    redirect_uri,
    refusal,
)
from router.model import limits
from router.model.addresses import source_of
from router.model.errors import LoginFailed

_AGAIN = "This login was begun elsewhere, or too long ago."
_AGAIN_HINT = "Log in again."


class OpenShift(Protocol):
    """Calls the cluster. Raises LoginFailed."""

    async def login_url(self, redirect_uri: str, state: str, challenge: str) -> str:
        """The URL of OpenShift's login page."""

    async def user(self, code: str, redirect_uri: str, verifier: str) -> str:
        """The name of the user with ``code``, if that user may look."""


class Failed(Protocol):
    """Write an event about a failed login."""

    def __call__(self, source: str, reason: str, /) -> None: ...


class OpenShiftDoor:
    """The two requests of a login. ``admit`` puts the session's cookie on an answer."""

    def __init__(
        self,
        openshift: OpenShift,
        pacing: FailureLimiter,
        admit: Callable[[web.Request, web.Response, str], None],
        failed: Failed,
        *,
        site: str,
        cookie: str,
        is_tls: bool,
        clock: Callable[[], float],
    ) -> None:
        self._openshift, self._pacing = openshift, pacing
        self._admit, self._failed = admit, failed
        self._site, self._cookie, self._is_tls, self._clock = site, cookie, is_tls, clock
        self._tries = LoginTries(secrets.token_bytes(32))
        self._asking = 0

    def add_to(self, app: web.Application) -> None:
        """Add its routes. HEAD never calls OpenShift."""
        app.router.add_get(BEGIN, self._begin, allow_head=False)
        app.router.add_get(CALLBACK, self._callback, allow_head=False)

    def page(self, said: str = "", status: int = 200) -> web.Response:
        """The login page; ``said``: why the last try failed."""
        text = login_page.render_openshift(self._site, BEGIN, said)
        answer = web.Response(text=text, status=status, content_type="text/html")
        self._forget(answer)
        return answer

    async def _begin(self, request: web.Request) -> web.Response:
        begun = self._tries.begin(secrets.token_bytes(32), self._clock())
        back = redirect_uri(request.headers.get("Host", ""), is_tls=self._is_tls)
        if not back:
            return failure(400, "bad-request", "The Host of this request is no name.")
        if self._asking >= limits.CONSOLE_OAUTH_AT_ONCE_MAX:
            return self._busy()
        self._asking += 1
        try:
            async with asyncio.timeout(limits.CONSOLE_OAUTH_S):
                url = await self._openshift.login_url(back, begun.state, challenge(begun.verifier))
        except TimeoutError:
            return self._fail(request, _late())
        except LoginFailed as error:
            return self._fail(request, error)
        finally:
            self._asking -= 1
        answer = web.Response(status=303, headers={"Location": url})
        answer.set_cookie(
            self._cookie,
            begun.cookie,
            max_age=int(limits.CONSOLE_OAUTH_TRY_S),
            path="/",
            httponly=True,
            secure=self._is_tls,
            samesite="Lax",  # The return begins at OpenShift's page.
        )
        return answer

    async def _callback(self, request: web.Request) -> web.Response:
        cookie = request.cookies.get(self._cookie, "")
        state, code, error = (_only(request, name) for name in ("state", "code", "error"))
        verifier = self._tries.verifier(cookie, state, self._clock())
        back = redirect_uri(request.headers.get("Host", ""), is_tls=self._is_tls)
        if verifier is None or not back:
            return self.page(f"{_AGAIN} {_AGAIN_HINT}", 403)
        if error or not code or len(code) > limits.CONSOLE_OAUTH_TEXT_BYTES_MAX:
            return self._fail(request, LoginFailed(refusal(error), _AGAIN_HINT, is_refusal=True))
        source, now = source_of(request.remote or ""), self._clock()
        if self._pacing.wait_s(source, now) > 0 or (
            self._asking >= limits.CONSOLE_OAUTH_AT_ONCE_MAX
        ):
            return self._busy()
        self._asking += 1
        try:
            async with asyncio.timeout(limits.CONSOLE_OAUTH_S):
                user = await self._openshift.user(code, back, verifier)
        except TimeoutError:
            return self._fail(request, _late())
        except LoginFailed as failed:
            if failed.is_refusal:
                self._pacing.failed(source, now)
            return self._fail(request, failed)
        finally:
            self._asking -= 1
        # A page, not a redirect: after one from OpenShift's page, browsers send no Strict cookie.
        text = login_page.render_entered(self._site, user)
        answer = web.Response(text=text, content_type="text/html")
        self._forget(answer)
        self._admit(request, answer, user)
        return answer

    def _fail(self, request: web.Request, error: LoginFailed) -> web.Response:
        self._failed(source_of(request.remote or ""), error.reason)
        return self.page(f"{error.reason} {error.hint}", 403 if error.is_refusal else 502)

    def _busy(self) -> web.Response:
        answer = self.page("Too many logins at once, wait a moment.", 429)
        answer.headers["Retry-After"] = "3"
        return answer

    def _forget(self, answer: web.Response) -> None:
        answer.del_cookie(
            self._cookie, path="/", httponly=True, secure=self._is_tls, samesite="Lax"
        )


def _late() -> LoginFailed:
    return LoginFailed(
        f"OpenShift did not answer within {limits.CONSOLE_OAUTH_S:.0f} s.", _AGAIN_HINT
    )


def _only(request: web.Request, name: str) -> str:
    """The only value of a parameter; empty: there are none, or several."""
    found = request.query.getall(name, [])
    return found[0] if len(found) == 1 else ""
