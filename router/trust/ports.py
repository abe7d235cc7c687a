"""Interfaces of trust: for the router, for links, and for the store of secrets."""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec

from certs.ca.rotation import CaState
from certs.errors import CertError
from certs.joining.claims import ClaimRefused, ClaimRequest, Grant, Redeemed
from certs.links.revocation import Revocation
from router.link.neighbour import LinkedDialer, LinkPermission, Neighbour
from router.link.sessions.lost_races import LinkErrorCode
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.model.errors import HandshakeRejected
from router.model.events import Problem
from router.model.ids import SiteId
from router.model.specs import LinkSpec, ServiceProtocol
from router.net.ports import Tls
from router.routing.adverts.lsa import Bar
from router.service.ports import NoTls


class PendingLink(msgspec.Struct, frozen=True, kw_only=True):
    """A wanted link that cannot be dialed yet, as `link status` shows it.

    ``since``: when it entered that state, on the network's clock.
    """

    state: Literal["connecting", "refused"]
    error: str
    error_code: LinkErrorCode = ""
    site_name: str
    site_id: str
    cost: int
    since: float
    via: str = ""


class Bars(msgspec.Struct, frozen=True):
    """Barred sites: the bars to send to others, and the sites that are refused here."""

    told: tuple[Bar, ...] = ()
    refused: frozenset[SiteId] = frozenset()


class Credentials(Protocol):
    """Certificates of this site and of its links."""

    def listener_tls(self) -> Tls:
        """The link port's TLS settings."""

    def outgoing(self, name: str, spec: LinkSpec) -> OutgoingSpec | PendingLink:
        """The parameters for dialing link ``name``; or why it must wait (a claim in progress)."""

    def sibling_tls(self) -> Tls:
        """The TLS settings for dialing another router of this site."""

    def is_renewal_due(self, name: str) -> bool:
        """Whether the link ``name`` will request another certificate soon if it is refused."""

    def forget_links(self, keep: frozenset[str]) -> None:
        """Only ``keep`` are still wanted."""

    def service_tls(
        self, name: str, protocol: ServiceProtocol, client_trust: str = ""
    ) -> Tls | NoTls:
        """The TLS settings for listeners of a service with the credential ``name``, and
        ``client_trust``, which certifies their clients; empty: any client may connect.
        """

    def target_tls(
        self,
        trust: str,
        server_name: str,
        host: str,
        protocol: ServiceProtocol,
        *,
        check_name: bool = True,
        show_cert: bool = True,
    ) -> Tls | NoTls:
        """The TLS settings for a target at ``host`` that the credential ``trust`` certifies."""

    def keep_service_tls(
        self, shown: frozenset[str], trusted: frozenset[str], of_clients: frozenset[str]
    ) -> None:
        """Only these service credentials are still wanted: those that listeners show, and those
        that certify targets and clients.
        """

    def service_tls_changed(self) -> bool:
        """Check the files of those in use. True: some answer is different now."""

    def service_tls_problems(self) -> Sequence[Problem]:
        """Files in use that were replaced by unusable ones."""

    def site_deleted(self, site: SiteId) -> None:
        """``site`` was deleted, by its own report."""

    def admit(self, peer_certificate: bytes, neighbour: Neighbour) -> HandshakeRejected | None:
        """None unless the certificate or the site is revoked or unknown."""

    def permission_of(self, peer_certificate: bytes) -> LinkPermission:
        """The terms on which an admitted peer is let in."""

    def bars(self) -> Bars:
        """Sites that this one bars."""


ClaimResult = Redeemed | ClaimRefused | CertError | OSError
"""The result of a claim. `CertError`: its grant is damaged. `OSError`: it could not be stored."""


class Dialers(Protocol):
    """The incoming links, dialed by other sites."""

    def dialers(self) -> Sequence[LinkedDialer]:
        """The peers of live incoming links."""

    def drop_incoming(self, reason: str) -> frozenset[SiteId]:
        """End all of them in this turn; return the sites that lose access by that."""

    def tell_renewal_due(self, whom: Callable[[Neighbour], bool]) -> int:
        """Ask these peers to renew their certificates now; return how many support it and were
        asked.
        """


class Hindrance(Protocol):
    """Why a wanted link has no token."""

    @property
    def state(self) -> Literal["connecting", "refused"]:
        """Whether the cause may pass by itself."""

    @property
    def error(self) -> str:
        """The error, in readable form."""

    @property
    def error_code(self) -> Literal["", "token"]:
        """As `LinkView.error_code`."""


class PrimarySecrets(Protocol):
    """The primary store of a site's secrets, if its directory is a copy."""

    def redeem(
        self, name: str, request: ClaimRequest, now: float, done: Callable[[ClaimResult], None]
    ) -> None:
        """Judge ``request`` at ``now`` (Unix seconds); ``done`` is called once, never in this call.

        The decision is stored by then: a used claim is used for all routers.
        """

    def revoked(self, change: Revocation) -> None:
        """Store this router's change to the list of revoked sites."""

    def admitted(self, site: str) -> None:
        """Store new data on ``site`` from the register in the directory."""

    def forget_admitted(self) -> None:
        """Delete the stored register."""

    def keep_ca(self, before: CaState, after: CaState) -> None:
        """Make ``after`` the site's CA everywhere, if ``before`` still is; soon, or never."""

    def granted(self) -> Sequence[Grant]:
        """Every known claim that this site granted."""

    def last_chain(self, site: str) -> str | None:
        """The newest certificate from a claim of ``site``, PEM; None: none that counts."""

    def hindrance(self, link: str) -> Hindrance | None:
        """Why the wanted ``link`` has no token in the directory; None: it has one."""

    def poke(self) -> None:
        """Store the result of a redeemed claim of ours."""
