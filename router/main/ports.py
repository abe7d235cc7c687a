"""What a `SiteRouter` needs from the machine it runs on; the process and the tests supply it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from certs.claims import ClaimRequest, Grant, Redeemed, Refused
from certs.errors import CertError
from certs.revocation import Revocation
from certs.rotation import CaState
from router.forward.ports import NoTls
from router.link.lost_races import LinkErrorCode
from router.link.outgoing import OutgoingSpec
from router.link.ports import Neighbour
from router.model.adverts import Declaration
from router.model.errors import HandshakeRejected
from router.model.events import Problem, Severity
from router.model.ids import SiteId
from router.model.owners import Owner
from router.model.remembered import HeldListener
from router.model.sharing import Terms
from router.model.specs import LinkSpec, ServiceProtocol
from router.net.ports import Tls
from router.routing.core import RoutingCore
from router.routing.edge import EdgeRouting
from router.routing.lsa import Bar

Routing = RoutingCore | EdgeRouting
"""What a router routes by: all of the network, or, at an edge, what its neighbour tells it."""


class PendingLink(msgspec.Struct, frozen=True, kw_only=True):
    """A wanted link that cannot be dialled yet, as `link status` shows it.

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

    def forget_links(self, keep: frozenset[str]) -> None:
        """Only ``keep`` are wanted any more."""

    def service_tls(self, name: str, protocol: ServiceProtocol) -> Tls | NoTls:
        """What listeners of a service show by the credential ``name``."""

    def target_tls(
        self, trust: str, server_name: str, host: str, protocol: ServiceProtocol
    ) -> Tls | NoTls:
        """How to reach a target at ``host`` that the credential ``trust`` certifies."""

    def keep_service_tls(self, shown: frozenset[str], trusted: frozenset[str]) -> None:
        """Only these credentials of services are wanted any more."""

    def service_tls_changed(self) -> bool:
        """Look at the files of those in use. True: some answer is different now."""

    def service_tls_problems(self) -> Sequence[Problem]:
        """Files of those in use that were replaced by some that cannot be used."""

    def admit(self, peer_certificate: bytes, neighbour: Neighbour) -> HandshakeRejected | None:
        """None unless the certificate or the site is revoked or unknown."""

    def terms_of(self, peer_certificate: bytes) -> Terms:
        """On which a holder that was admitted is let in."""

    def bars(self) -> Bars:
        """Sites that this one put out."""


ClaimResult = Redeemed | Refused | CertError | OSError
"""What a claim came to. `CertError`: its grant is damaged. `OSError`: nothing could be kept."""


class Diallers(Protocol):
    """The links that other sites dialled here."""

    def diallers(self) -> Sequence[tuple[Neighbour, bool]]:
        """Who dialled those that are up, and whether it takes other certificates over them."""

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


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A declaration of another site, which has been out of reach for that long."""

    declaration: Declaration
    lost_for_s: float = 0.0


class KnownOffer(msgspec.Struct, frozen=True):
    """A site with targets of a service of another.

    ``new_for_s``: since when the operator is shown that it is new; None: it is not.
    """

    site: SiteId
    new_for_s: float | None = None


class Keeper(Protocol):
    """Small facts that outlive a restart."""

    def keep_epoch(self, epoch: int) -> None:
        """Write it down before it is used."""

    def declared_at(self, name: str) -> float:
        """Unix seconds at which this site first declared the service ``name``; kept."""

    def keep_declared(self, names: frozenset[str]) -> None:
        """These are declared here now: others are forgotten, new ones begin."""

    def keep_learnt(self, learnt: tuple[Kept, ...]) -> None:
        """Write down what other sites declare now."""

    def learnt(self) -> tuple[Kept, ...]:
        """What was kept last; it has been out of reach since then as well."""

    def keep_owners(self, owners: Mapping[str, Owner]) -> None:
        """Write down who owns which name."""

    def owners(self) -> Mapping[str, Owner]:
        """What was kept last."""

    def keep_listeners(self, held: Sequence[HeldListener]) -> None:
        """Write down which services of other sites have which ports, if this process leads."""

    def listeners(self) -> Sequence[HeldListener]:
        """What was kept last, the longest held first."""

    def keep_known_offers(self, known: Mapping[str, Sequence[KnownOffer]]) -> None:
        """Write down, by service, the sites that are known to have targets of it."""

    def known_offers(self) -> Mapping[str, Sequence[KnownOffer]] | None:
        """What was kept last; None: nothing ever was."""

    @property
    def leads(self) -> bool:
        """Whether this process decides what is kept for all processes of its router."""

    def rule_pins(self) -> Mapping[str, SiteId]:
        """The sites that names in rules mean."""

    def keep_rule_pins(self, pins: Mapping[str, SiteId]) -> None:
        """Write them down, if this process leads."""


class SharedOwners(Protocol):
    """Who owns each name, where all routers of the site remember it together."""

    def begin(self, kept: Mapping[str, Owner]) -> Mapping[str, Owner]:
        """What counts at the start; ``kept``: what this router knew in its last life."""

    def follow(
        self,
        current: Callable[[], Mapping[str, Owner]],
        take: Callable[[Mapping[str, Owner]], None],
    ) -> None:
        """``current`` is what the router knows; call ``take`` when other owners count."""

    def changed(self) -> None:
        """The router knows other owners than before."""

    def adopted(self, name: str) -> None:
        """By an operator's word: what the router knows of ``name`` counts for all."""


class LogsIn(Protocol):
    """OpenShift, asked who somebody is; raises LoginFailed."""

    async def absence(self) -> str:
        """Why it cannot be asked here; empty: it can, or nobody knows yet."""

    async def login_url(self, redirect_uri: str, state: str, challenge: str) -> str:
        """Where the browser goes."""

    async def user(self, code: str, redirect_uri: str, verifier: str) -> str:
        """The name of who came back with ``code``, if they may look."""


class Tell(Protocol):
    """Journals one event, at the time of the call."""

    def __call__(
        self, severity: Severity, code: str, subject: str, message: str, hint: str = ""
    ) -> None: ...
