"""Interfaces of a site for verbs: its router's admin API, trust, tokens and credentials."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from certs.ca.authority import Authority
    from certs.ca.rotation import CaState
    from certs.joining.claims import Grant
    from certs.joining.issue import Grants
    from certs.links.proxies import ProxyLogin
    from certs.links.register import Admitted
    from certs.tls.service_tls import Contents
    from certs.token_files.tokens import Token


class RouterDoor(Protocol):
    """The admin API of a site's router, however it is reached."""

    def get(self, path: str) -> Any:
        """``item`` or ``items`` of the answer. Failure: no router, or it refuses."""

    def get_all(self, *paths: str) -> list[Any]:
        """As `get`, several at once and, where the way is long, in one go."""

    def post(self, path: str) -> Any:
        """As `get`, for a question that makes the router do something."""

    def command(self, name: str, **arguments: str) -> Any:
        """Send a command, return the answer."""

    def is_running(self) -> bool:
        """Whether there is a router to ask."""

    def events(self) -> Iterator[dict[str, Any]]:
        """Events as they happen, until the router ends the stream. No deadline."""


class Trust(Protocol):
    """A site's identity and CA, its grants and whom it revoked."""

    @property
    def site_id(self) -> str:
        """The id that its identity key gives it."""

    def authority(self) -> "Authority":
        """Its CA. Raises `CertError` when it has none that can be used."""

    def ca(self) -> "CaState":
        """Its CA with the rotation it is in. Raises `CertError` as `authority`."""

    def rotate(self, now: float, *, hurried: bool) -> "CaState":
        """Start to replace the CA, or hurry a running replacement; the stored state after it."""

    def grants(self) -> "Grants":
        """Where claims are granted."""

    def granted(self) -> "list[Grant]":
        """Every claim, as it is now. Raises `CertError` for one that is damaged."""

    def sweep(self, now: float) -> None:
        """Forget grants that expired without ever being used."""

    def revoke(self, grants: Iterable[str], serials: Iterable[str], sites: Iterable[str]) -> None:
        """Refuse these claims, certificates and sites from now on."""

    def is_revoked(self, site_id: str = "", *, serial: str = "") -> bool:
        """Whether that site is barred, or the certificate of that serial number is refused."""

    def admitted(self) -> "list[Admitted]":
        """Every site that may link here, with the certificates it was given."""

    def renew(self, now: float) -> None:
        """Make another CA and forget all claims: no earlier credential is valid after it."""


class LinkTokens(Protocol):
    """The tokens of the links that a site dials, by link name."""

    def names(self) -> list[str]:
        """Names of all links, sorted."""

    def exists(self, name: str) -> bool:
        """Whether there is a link of that name."""

    def token(self, name: str) -> "Token":
        """The token of a link. Raises `CertError` if it is missing or damaged."""

    def holds(self, name: str, token: "Token") -> bool:
        """Whether the link of that name was made of this very token; False: none, or damaged."""

    def add(self, name: str, token: "Token", proxy: str = "") -> bool:
        """Keep ``token``. False: it is there already. `CertError`: another one has the name.

        ``proxy``: that of the link's document, where a token alone is a link already.
        """

    def keep_proxy_login(self, name: str, login: "ProxyLogin | None") -> bool:
        """Store the login for the link's HTTP proxy; None: none. False: it is stored already."""

    def remove(self, name: str) -> bool:
        """Delete a link's secrets. False: there were none."""


class ServiceCredentials(Protocol):
    """Certificates and trusted CAs of services that speak TLS, by name."""

    def read(self, name: str) -> "Contents":
        """All files of ``name``; those that are missing are empty. Raises `CertError`."""

    def write(self, name: str, contents: "Contents") -> bool:
        """Replace what ``name`` has. False: it is so already."""

    def place(self, name: str) -> str:
        """The place of the token, human-readable."""
