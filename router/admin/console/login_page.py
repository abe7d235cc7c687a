"""The login page, a form or a link, without any script; and the parser of the form."""

from html import escape
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from router.model import limits

_HEAD: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
{more}<title>Log in · {site} · Spillway</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/tokens.css">
<link rel="stylesheet" href="/static/login.css">
</head>
<body>
<main>
<h1><img src="/static/icon.svg" alt="">Spillway</h1>
<p>Console of site <strong>{site}</strong></p>
{said}"""
# Without an action: the form is sent to its page's own address, and so the browser keeps the hash,
# which names the view of the console that the user asked for.
_FORM: Final = """<form method="post" autocomplete="on">
<label for="user">User</label>
<input id="user" name="user" value="admin" autocomplete="username" autocapitalize="none"
 spellcheck="false" maxlength="64" required>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password"
 maxlength="1024" required autofocus>
<button type="submit">Log in</button>
</form>
"""
# A link: `form-action` also applies to redirects of a form.
_BY_OPENSHIFT: Final = """<a class="button" href="{begin}">Log in with OpenShift</a>
"""
_ENTERED: Final = """<p>You are logged in as <strong>{user}</strong>.</p>
<a class="button" href="/">To the console</a>
"""
_AT_ONCE: Final = """<meta http-equiv="refresh" content="0;url=/">
"""
_END: Final = """</main>
</body>
</html>
"""
WRONG: Final = "Wrong user name or password."


def render(site: str, said: str = "") -> str:
    """The page of ``site``; ``said``: why the last try failed."""
    return _whole(site, said, _FORM)


def render_openshift(site: str, begin: str, said: str = "") -> str:
    """The page for the login by OpenShift, with a link to ``begin``."""
    return _whole(site, said, _BY_OPENSHIFT.format(begin=escape(begin, quote=True)))


def render_entered(site: str, user: str) -> str:
    """The page to which OpenShift sends ``user`` back; it continues to the console by itself."""
    return _whole(site, "", _ENTERED.format(user=escape(user)), _AT_ONCE)


def _whole(site: str, said: str, body: str, more: str = "") -> str:
    shown = f'<p role="alert">{escape(said)}</p>\n' if said else ""
    return _HEAD.format(site=escape(site), said=shown, more=more) + body + _END


_FIELDS_MAX: Final = 8  # Our form has two; browsers and their extensions may add some.


async def read_login(request: web.Request) -> tuple[str, str] | None:
    """User and password from the body of a login; None: not our form. Strangers send it, so it must
    be short and plain. Raises `web.HTTPRequestEntityTooLarge`.

    aiohttp's own `post` accepts multipart bodies, and any charset that Python knows: some of these
    block the loop for seconds, others fail in other ways.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        return None
    most = limits.CONSOLE_LOGIN_BYTES_MAX
    body = b""
    async for part in request.content.iter_any():
        body += part
        if len(body) > most:
            raise web.HTTPRequestEntityTooLarge(most, len(body))
    try:
        text = body.decode()
        fields = dict(parse_qsl(text, True, errors="strict", max_num_fields=_FIELDS_MAX))
    except ValueError:
        return None
    return fields.get("user", ""), fields.get("password", "")
