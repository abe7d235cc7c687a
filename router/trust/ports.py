"""Interfaces: a router's to trust, and trust's to links and to the store of secrets."""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec

from certs.ca.rotation import CaState
from certs.errors import CertError
from certs.joining.claims import ClaimRefused, ClaimRequest, Grant, Redeemed
from certs.links.revocation import Revocation
from router.link.neighbour import LinkLeave, Neighbour
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

    ``since``: when it got into that state, on the network's clock.
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
    """Sites that this one put out: what others are told, and the sites that are refused here."""

    told: tuple[Bar, ...] = ()
    refused: frozenset[SiteId] = frozenset()


class Credentials(Protocol):
    """Certificates of this site and of its links."""

    def listener_tls(self) -> Tls:
        """What the link port shows and demands."""

    def outgoing(self, name: str, spec: LinkSpec) -> OutgoingSpec | PendingLink:
        """How to dial the link ``name``; or not yet, and why (a claim under way)."""

    def sibling_tls(self) -> Tls:
        """What to dial another router of this site with."""

    def is_renewal_due(self, name: str) -> bool:
        """Whether the link ``name`` asks for another certificate soon if it is refused."""

    def forget_links(self, keep: frozenset[str]) -> None:
        """Only ``keep`` are wanted any more."""

    def service_tls(
        self, name: str, protocol: ServiceProtocol, client_trust: str = ""
    ) -> Tls | NoTls:
        """What listeners of a service show by the credential ``name``, and who certifies their
        clients; empty: any client may connect.
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
        """How to reach a target at ``host`` that the credential ``trust`` certifies."""

    def keep_service_tls(
        self, shown: frozenset[str], trusted: frozenset[str], of_clients: frozenset[str]
    ) -> None:
        """Only these credentials of services are wanted any more: those that listeners show, and
        those that certify targets and clients.
        """

    def service_tls_changed(self) -> bool:
        """Look at the files of those in use. True: some answer is different now."""

    def service_tls_problems(self) -> Sequence[Problem]:
        """Files of those in use that were replaced by some that cannot be used."""

    def admit(self, peer_certificate: bytes, neighbour: Neighbour) -> HandshakeRejected | None:
        """None unless the certificate or the site is revoked or unknown."""

    def leave_of(self, peer_certificate: bytes) -> LinkLeave:
        """How a holder that was admitted is let in."""

    def bars(self) -> Bars:
        """Sites that this one put out."""


ClaimResult = Redeemed | ClaimRefused | CertError | OSError
"""What a claim came to. `CertError`: its grant is damaged. `OSError`: nothing could be kept."""


class Diallers(Protocol):
    """The links that other sites dialed here."""

    def diallers(self) -> Sequence[tuple[Neighbour, bool]]:
        """Who dialed those that are up, and whether it takes other certificates over them."""

    def drop_incoming(self, reason: str) -> frozenset[SiteId]:
        """End all of them in this turn; the sites that are put out by it."""

    def tell_renewal_due(self, whom: Callable[[Neighbour], bool]) -> int:
        """These shall ask for another certificate now; how many can, and were told."""


class Hindrance(Protocol):
    """Why a wanted link has no token."""

    @property
    def state(self) -> Literal["connecting", "refused"]:
        """Whether that may pass by itself."""

    @property
    def error(self) -> str:
        """For people."""


class KeptSecrets(Protocol):
    """The secrets of a site whose directory is a copy: what else there is to ask and to tell."""

    def redeem(
        self, name: str, request: ClaimRequest, now: float, done: Callable[[ClaimResult], None]
    ) -> None:
        """Judge ``request`` at ``now`` (Unix seconds); ``done`` comes once, never in this call.

        What was decided is kept by then: a claim that was used is used for everybody.
        """

    def revoked(self, change: Revocation) -> None:
        """Keep what this router did to the list of the revoked."""

    def admitted(self, site: str) -> None:
        """The register in the directory knows more of ``site``: keep it."""

    def forget_admitted(self) -> None:
        """Nothing of what the register had is to be kept any more."""

    def keep_ca(self, before: CaState, after: CaState) -> None:
        """Make ``after`` the site's CA everywhere, if ``before`` still is; soon, or never."""

    def granted(self) -> Sequence[Grant]:
        """Every claim that this site granted, as far as they are known."""

    def last_chain(self, site: str) -> str | None:
        """The newest certificate by a claim that ``site`` redeemed, PEM; None: none that counts."""

    def hindrance(self, link: str) -> Hindrance | None:
        """Why the wanted ``link`` has no token in the directory; None: it has one."""

    def poke(self) -> None:
        """A claim of ours was redeemed: keep what it gave."""
