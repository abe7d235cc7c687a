"""The proxy of a link, by documents and by stored credentials."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from certs.errors import CertError
from certs.links import proxies
from certs.links.credentials import LinkStore
from certs.links.proxies import PROXY_FILE, ProxyLogin
from certs.tls.contexts import proxy_context
from router.documents.proxies import ENVIRONMENT, NONE, ProxyUrl, is_left_out, split_url
from router.net.ports import Proxy, Tls
from router.net.proxy_connect import basic

VARIABLES: Final = ("HTTPS_PROXY", "https_proxy")
EXCEPTIONS: Final = ("NO_PROXY", "no_proxy")

_Made = tuple[ProxyUrl, ProxyLogin | None]


class Proxies:
    """The proxies of a site's links. A link gets the same object until something changes."""

    __slots__ = ("_files", "_links", "_made", "_site_file", "_stamps")

    def __init__(self, secrets: Path, links: LinkStore) -> None:
        self._site_file = secrets / PROXY_FILE
        self._links = links
        self._made: dict[str, tuple[_Made, Proxy]] = {}
        self._files: dict[str, str] = {}  # Of logins, by link: checked each second.
        self._stamps: dict[str, int] = {}  # Of the files behind the proxies of links.

    def via(self, link: str, said: str, hosts: Iterable[str]) -> Proxy | None:
        """The proxy by ``said``, of the link's document or the site's. ``hosts``: of its endpoints.

        Raises `CertError` if it cannot be used.
        """
        self._stamps[link] = self._stamp(link, _changed_at(self._site_file))
        url = _of_environment(hosts) if said == ENVIRONMENT else _of_document(said)
        if url is None:
            self._made.pop(link, None)
            return None
        login = self._login(link, url)
        known = self._made.get(link)
        if known is None or known[0] != (url, login):
            known = self._made[link] = (url, login), _made(url, login)
        return known[1]

    def have_changed(self) -> bool:
        """Whether a file behind a proxy has changed. True only once per change."""
        site = _changed_at(self._site_file)
        new = {link: self._stamp(link, site) for link in self._stamps}
        old, self._stamps = self._stamps, new
        return new != old

    def forget(self, keep: frozenset[str]) -> None:
        """Drop the proxies of all links except ``keep``."""
        for link in self._stamps.keys() - keep:
            del self._stamps[link]
            self._files.pop(link, None)
            self._made.pop(link, None)

    def _login(self, link: str, url: ProxyUrl) -> ProxyLogin | None:
        if url.user is not None:  # Possible only from the environment.
            return ProxyLogin(proxy=url.url, user=url.user, password=url.password or "")
        for login in (self._links.proxy_login(link), proxies.read(self._site_file)):
            if login is not None and login.proxy == url.url:
                return login
        return None

    def _stamp(self, link: str, site: int) -> int:
        """``site``: when the login for all links was written."""
        file = self._files.get(link)
        if file is None:
            file = self._files[link] = str(self._links.proxy_file(link))
        return hash((_changed_at(file), site))


def _changed_at(path: Path | str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _of_document(said: str) -> ProxyUrl | None:
    return None if said in ("", NONE) else split_url(said)


def _of_environment(hosts: Iterable[str]) -> ProxyUrl | None:
    """The environment's proxy; None: none, or one of ``hosts`` is an exception."""
    text = next(filter(None, (os.environ.get(name) for name in VARIABLES)), "")
    if not text:
        return None
    except_for = next(filter(None, (os.environ.get(name) for name in EXCEPTIONS)), "")
    if any(is_left_out(host, except_for) for host in hosts):
        return None
    url = split_url(text)
    if url is None:
        raise CertError(VARIABLES[0], "is no http or https proxy", "Correct it, and restart")
    return url


def _made(url: ProxyUrl, login: ProxyLogin | None) -> Proxy:
    tls = None
    if url.scheme == "https":
        context = proxy_context(login.ca_pem if login is not None else "")
        tls = Tls(context=context, certificate=b"", alpn=("http/1.1",), alpn_required=False)
    has_user = login is not None and bool(login.user or login.password)
    authorization = basic(login.user, login.password) if login is not None and has_user else ""
    return Proxy(host=url.host, port=url.port, tls=tls, authorization=authorization)
