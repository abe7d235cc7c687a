"""Logins of the HTTP proxies of links, from Secrets into the site directory.

A login is sent to a proxy only if its Secret was labeled ``spillway.dev/type: proxy`` here.
"""

from collections.abc import Mapping

from certs.errors import CertError
from certs.links.credentials import LinkStore
from certs.links.proxies import ProxyLogin
from router.documents import Wanted
from router.kubernetes.codecs import proxy as codec
from router.kubernetes.codecs.secrets import CODE, SecretError, is_type, proxy_name
from router.kubernetes.objects.objects import Object
from router.kubernetes.objects.picture import TokenSecret
from router.model.errors import ConfigError
from router.model.wording.system_errors import text_of


class ProxySecrets:
    """Owns the logins in ``store``, which `trust.link_proxies` checks each second."""

    def __init__(self, store: LinkStore) -> None:
        self._store = store
        self.errors: tuple[ConfigError, ...] = ()

    def look(
        self, tokens: Mapping[str, TokenSecret], secrets: Mapping[str, Object], wanted: Wanted
    ) -> None:
        """Take the Secrets of the links in ``tokens``. ``secrets``: ours."""
        errors = []
        for link, token in tokens.items():
            spec = wanted.links.get(link)
            said = "" if spec is None else spec.proxy or wanted.site.link_proxy
            try:
                self._store.keep_proxy_login(link, _login(link, token, secrets, said))
            except SecretError as error:
                errors.append(error.finding)
            except ConfigError as error:
                errors.append(error)
            except (CertError, OSError) as error:
                hint = "Free some space, or raise the pod's limit of ephemeral storage"
                reason = f"the login of its proxy cannot be kept in this pod: {text_of(error)}"
                errors.append(ConfigError(f"Secret/{link}", "", reason, hint=hint, code=CODE))
        self.errors = tuple(errors)


def _login(
    link: str, token: TokenSecret, secrets: Mapping[str, Object], said: str
) -> ProxyLogin | None:
    name = token.proxy_secret or proxy_name(link)
    found = secrets.get(name)
    if found is None or not is_type(found, "proxy"):
        if not token.proxy_secret:
            return None
        raise ConfigError(
            f"Secret/{link}",
            "",
            f"Secret {name!r}, which should have the password of its proxy, is not there or lacks "
            "its label",
            hint=f"kubectl label secret {name} spillway.dev/type=proxy",
            code=CODE,
        )
    return codec.decode(found, said)
