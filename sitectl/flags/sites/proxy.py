"""Flags that say which HTTP proxy a link goes through, and where its password is kept."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from router.documents.proxies import ENVIRONMENT, EXPECTED, NONE, split_url
from sitectl.base import output
from sitectl.base.failure import usage
from sitectl.base.options import flags_as
from sitectl.base.texts import secret_text
from sitectl.site.site import Site

if TYPE_CHECKING:
    from certs.links.proxies import ProxyLogin
    from sitectl.site.directory import DirectorySite

PASSWORD_CHARS_MAX: Final = 4_096
FILE_BYTES_MAX: Final = 256 * 1024
IN_ARGUMENTS: Final = (
    "the password is in the command line, where other users of this host see it: "
    "--proxy-password-file FILE, or - to be asked"
)


class ProxyWish:
    """The flags of the proxy: ``said`` in the form of documents, and the login; None: unchanged."""

    __slots__ = ("login", "said")

    def __init__(self, said: str, login: "ProxyLogin | None") -> None:
        self.said = said
        self.login = login


class ProxyFlags(msgspec.Struct, frozen=True):
    """As typed; None: not given."""

    proxy_url: str | None = None
    proxy_password_file: str | None = None
    proxy_ca: str | None = None


def proxy_flags(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a verb ``--NAME``, and beside it flags for the password and the CA, as ``proxy``."""
    return flags_as(
        "proxy",
        ProxyFlags,
        click.option(
            f"--{name}",
            "proxy_url",
            metavar="URL",
            help="HTTP proxy to dial through: http[s]://[USER@]HOST:PORT; none; or env, by the "
            "router's HTTPS_PROXY and NO_PROXY.",
        ),
        click.option(
            f"--{name}-password-file",
            "proxy_password_file",
            metavar="FILE",
            help="File with the password of the proxy's user; - asks, or reads the standard input.",
        ),
        click.option(
            f"--{name}-ca",
            "proxy_ca",
            metavar="FILE",
            help="CA file for an https proxy. [default: those that this system trusts]",
        ),
    )


def read_wish(flags: ProxyFlags) -> ProxyWish | None:
    """None: no such flag was given. Failure: they do not fit together, or cannot be read."""
    from certs.links.proxies import ProxyLogin

    proxy, password_file, ca = flags.proxy_url, flags.proxy_password_file, flags.proxy_ca
    if proxy is None:
        if password_file is not None or ca is not None:
            raise usage("a password or CA of which proxy?", "Give the proxy's URL too")
        return None
    if proxy in (NONE, ENVIRONMENT):
        if password_file is not None or ca is not None:
            raise usage(f"proxy {proxy} takes neither password nor CA", "Leave them out")
        return ProxyWish(proxy, None)
    url = split_url(proxy)
    if url is None:
        raise usage(f"that is no proxy: {EXPECTED}")  # It may hold a password.
    if ca is not None and url.scheme != "https":
        raise usage("a CA is for an https proxy", "Leave it out, or write https://")
    password = url.password or ""
    if url.password is not None:
        output.note(IN_ARGUMENTS)
    if password_file is not None:
        if url.user is None or url.password is not None:
            raise usage("whose password?", "Write the user, without a password: http://USER@HOST")
        password = _password(password_file)
    if url.user is None and ca is None:
        return ProxyWish(url.url, None)
    ca_pem = secret_text(ca, "CA", FILE_BYTES_MAX) if ca is not None else ""
    if url.user is not None and ":" in url.user:
        raise usage("the proxy's user has a colon in it, which no proxy understands")
    login = ProxyLogin(proxy=url.url, user=url.user or "", password=password, ca_pem=ca_pem)
    return ProxyWish(url.url, login)


def said_by(wish: ProxyWish | None) -> str:
    """As a new document has it."""
    return "" if wish is None else wish.said


def keep_link_login(site: Site, link: str, wish: ProxyWish | None) -> bool:
    """Keep the login of a link's proxy. True: it was another one."""
    return wish is not None and site.links.keep_proxy_login(link, wish.login)


def keep_site_login(site: "DirectorySite", wish: ProxyWish | None) -> bool:
    """Keep the login of the proxy of a site's links. True: it was another one."""
    from certs.links import proxies

    return wish is not None and proxies.write(site.secrets / proxies.PROXY_FILE, wish.login)


def refuse_site_login(wish: ProxyWish | None) -> None:
    """Raise Failure: the password of a proxy is a link's on Kubernetes."""
    if wish is not None and wish.login is not None:
        raise usage(
            "on Kubernetes a proxy's password and CA are kept for each link",
            "sitectl link set NAME --proxy URL --proxy-password-file FILE",
        )


def _password(file: str) -> str:
    if file != "-":
        text = secret_text(file, "password", FILE_BYTES_MAX)
    elif sys.stdin.isatty():
        text = click.prompt("Password of the proxy's user", hide_input=True, err=True)
    else:
        text = sys.stdin.read(PASSWORD_CHARS_MAX + 2)
    password = text.removesuffix("\n").removesuffix("\r")
    if not password or len(password) > PASSWORD_CHARS_MAX or not password.isprintable():
        raise usage(f"a password is one line of 1 to {PASSWORD_CHARS_MAX} characters")
    return password
