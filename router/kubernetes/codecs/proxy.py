"""Secrets with the login of a link's HTTP proxy, made by users or by `sitectl link`."""

from typing import Final

from certs.links.proxies import ProxyLogin
from router.kubernetes.codecs.secrets import (
    PROXY_CA,
    PROXY_PASSWORD,
    PROXY_URL,
    PROXY_USER,
    SecretError,
    data_of,
)
from router.kubernetes.objects.objects import Object, name_of

_HINT: Final = "Say it again: sitectl link set NAME --proxy URL"


def decode(found: Object, proxy: str) -> ProxyLogin:
    """The login; ``proxy`` is its proxy if it names none. Line ends are not part of a password."""
    texts: dict[str, str] = {}
    for key, value in data_of(found).items():
        try:
            texts[key] = value.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise SecretError(name_of(found), key, "is not UTF-8", _HINT) from error
    return ProxyLogin(
        proxy=texts.get(PROXY_URL) or proxy,
        user=texts.get(PROXY_USER, ""),
        password=texts.get(PROXY_PASSWORD, ""),
        ca_pem=texts.get(PROXY_CA, ""),
    )


def encode(login: ProxyLogin) -> dict[str, bytes]:
    """The data of the login's Secret."""
    return {
        PROXY_URL: login.proxy.encode(),
        PROXY_USER: login.user.encode(),
        PROXY_PASSWORD: login.password.encode(),
        PROXY_CA: login.ca_pem.encode(),
    }
