"""User and password out of the body of a login: strangers send those, so it is short and plain."""

from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from router.model import limits

_FIELDS_MAX: Final = 8  # Ours has two; browsers and their extensions may add some.


async def read(request: web.Request) -> tuple[str, str] | None:
    """None: it is no such form. Raises `web.HTTPRequestEntityTooLarge`.

    aiohttp's own `post` takes bodies in parts, and any charset that Python knows: some of these
    hold the loop for seconds, others fail in ways of their own.
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
