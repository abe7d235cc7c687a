"""What is judged before anybody is asked who they are: the host, the origin, the method. Pure."""

from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import Final

from router.model.specs import EVERY_HOST

POLICY: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Ours alone, nothing inline, and no text ever becomes code or markup."""
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # With no-referrer browsers say `Origin: null` when a form is sent.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
"""Of each answer."""
_JSON: Final = "application/json"
ASKED_BY_POST: Final = {
    "/api/v1/simulate": (_JSON, "application/yaml"),
    "/api/v1/what-if": (_JSON,),
}
"""They compute and change nothing, but take more than fits into a URL; with the types of their
bodies. No page of another site can send these without asking first (Fetch, 4.8)."""
_NEVER_SHOWN: Final = ("/api/v1/commands", "/api/v1/debug")
"""What changes something, and what is for a maintainer: for the unix socket alone."""
_API: Final = "/api/"
_OWN_POSTS: Final = ("/login", "/logout")
_ALWAYS: Final = frozenset(("localhost",))


def host_name(header: str) -> str:
    """The name in a ``Host`` header, in lower case, without port, brackets and a final dot."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    name = text if text.count(":") > 1 else text.partition(":")[0]
    return name.removesuffix(".")


def is_host(header: str, names: Collection[str]) -> bool:
    """Whether ``header`` names us: ``names``, localhost, or any address.

    A page that has its own name lead to our address (DNS rebinding) still shows that name. An
    address cannot be made to lead elsewhere. `EVERY_HOST` is for where everybody must log in: what
    a browser was given as that other name, it does not show here.
    """
    name = host_name(header)
    return name in _ALWAYS or name in names or EVERY_HOST in names or _is_address(name)


def is_own_page(method: str, path: str, headers: Mapping[str, str], scheme: str) -> bool:
    """Whether a request that is no mere reading comes from our own page, or from no browser.

    Nor does another page ask the API, which it could not read: it could hold all streams, and have
    other sites asked. ``scheme``: by which the console is served, ``http`` or ``https``.
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
    """Whether a body of that type may be sent to ``path``."""
    types = ASKED_BY_POST.get(path)
    return types is None or content_type.lower() in types


def methods(path: str) -> tuple[str, ...]:
    """What may be asked of ``path``, whatever routes there are; empty: nothing."""
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
