"""Checks before any login: the host, the origin, the method. Pure."""

from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import Final

from router.model.specs import EVERY_HOST

POLICY: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Only our own files, nothing inline, and no text ever becomes code or markup."""
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # With no-referrer, browsers send `Origin: null` with a form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
"""Header fields of every answer."""
_JSON: Final = "application/json"
ASKED_BY_POST: Final = {
    "/api/v1/simulate": (_JSON, "application/yaml"),
    "/api/v1/what-if": (_JSON,),
}
"""Paths that compute and change nothing, but need more input than fits into a URL; with the types
of their bodies. Another site's page cannot send these without a preflight request (Fetch, 4.8)."""
_NEVER_SHOWN: Final = ("/api/v1/commands", "/api/v1/debug")
"""Paths that change something or serve a maintainer: only on the unix socket."""
_API: Final = "/api/"
_OWN_POSTS: Final = ("/login", "/logout")
_ALWAYS: Final = frozenset(("localhost",))


def host_name(header: str) -> str:
    """The name in a ``Host`` header, in lower case, without port, brackets and final dot."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    name = text if text.count(":") > 1 else text.partition(":")[0]
    return name.removesuffix(".")


def is_host(header: str, names: Collection[str]) -> bool:
    """Whether ``header`` names us: ``names``, localhost, or any address.

    If a page's own name resolves to our address (DNS rebinding), the browser still sends that name.
    An address cannot be redirected this way. `EVERY_HOST` is for consoles where every user must log
    in: a browser sends no session to another name than the one that it logged in under.
    """
    name = host_name(header)
    return name in _ALWAYS or name in names or EVERY_HOST in names or _is_address(name)


def is_own_page(method: str, path: str, headers: Mapping[str, str], scheme: str) -> bool:
    """Whether a request that is not a plain read comes from our own page, or from no browser.

    Other pages may not call the API either. They could not read the answers, but could occupy all
    streams and make the router query other sites. ``scheme`` of the console: ``http`` or ``https``.
    """
    is_reading = method in ("GET", "HEAD")
    if is_reading and (not path.startswith(_API) or headers.get("Sec-Fetch-Mode") == "navigate"):
        return True
    fetched = headers.get("Sec-Fetch-Site")
    if fetched is not None and fetched not in ("same-origin", "none"):
        return False
    origin = headers.get("Origin")
    if origin is None:
        return True
    return origin.lower() == f"{scheme}://{_host_port(headers)}"


def takes(path: str, content_type: str) -> bool:
    """Whether ``path`` accepts a body of that type."""
    types = ASKED_BY_POST.get(path)
    return types is None or content_type.lower() in types


def methods(path: str) -> tuple[str, ...]:
    """The methods allowed on ``path``, whatever routes there are; empty: none."""
    if path in _OWN_POSTS:
        return ("POST",) if path == "/logout" else ("GET", "HEAD", "POST")
    if path in ASKED_BY_POST:
        return ("POST",)
    if path.startswith(_NEVER_SHOWN):
        return ()
    return ("GET", "HEAD")


def _host_port(headers: Mapping[str, str]) -> str:
    return headers.get("Host", "").strip().lower()


def _is_address(name: str) -> bool:
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True
