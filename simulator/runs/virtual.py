"""Replacements for a router's keys, files and claims: identities are hashes, certificates are
values, and state is in memory. TLS and keys are not simulated.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence

from router.link.links import ALPN as LINK_ALPN
from router.link.neighbour import LinkPermission, Neighbour
from router.link.sessions.claims import CLAIM_ALPN, Answered
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.model.errors import HandshakeRejected
from router.model.events import Problem
from router.model.ids import RouterId, SiteId
from router.model.persisted import HeldListener
from router.model.rights.owners import Owner
from router.model.rights.sharing import FREE, Terms
from router.model.specs import LinkSpec, ServiceProtocol
from router.net.ports import Tls
from router.net.simulated.internet import SimulatedInternet
from router.node.services.ports import KnownDeclaration, OfferingSite
from router.service.ports import NoTls
from router.trust.ports import Bars, PendingLink

LINK_PORT = 55671


class SimIdentity:
    """An identity whose signatures are hashes."""

    def __init__(self, name: str, router: str, generation: int = 0) -> None:
        """``generation``: the number of sites that had this name before, each with another key."""
        self.name = name
        self.router = RouterId(router)
        self.generation = generation
        self.public_key = b"key of " + name.encode() + b"'" * generation
        self.site = self.site_of(self.public_key)

    def sign(self, data: bytes) -> bytes:
        return hashlib.sha256(self.public_key + data).digest()

    def verify(self, public_key: bytes, signature: bytes, data: bytes) -> bool:
        return hashlib.sha256(public_key + data).digest() == signature

    def site_of(self, public_key: bytes) -> SiteId:
        return SiteId(hashlib.sha256(public_key).hexdigest()[:32])


class SimCredentials:
    """Every peer is admitted, and links go to the addresses of the world."""

    def __init__(self, name: str, endpoints: dict[str, str]) -> None:
        self._certificate = b"certificate of " + name.encode()
        self._endpoints = endpoints
        self.asked: list[str] = []
        """Links whose credential was asked for: in production, files are read and parsed."""
        self.terms: dict[bytes, Terms] = {}
        """The terms on which sites are admitted, by their certificate; others are free."""
        self.token = ""
        """The token that admits them; empty: none."""

    def listener_tls(self) -> Tls:
        return Tls(None, self._certificate, (LINK_ALPN, CLAIM_ALPN), (LINK_ALPN,))

    def outgoing(self, name: str, spec: LinkSpec) -> OutgoingSpec | PendingLink:
        self.asked.append(name)
        return OutgoingSpec(
            endpoints=tuple((ip, LINK_PORT) for ip in self._endpoints[name].split()),
            cost=spec.cost or 1,
            tls=Tls(None, self._certificate, (LINK_ALPN,)),
        )

    def sibling_tls(self) -> Tls:
        return Tls(None, self._certificate, (LINK_ALPN,))

    def is_renewal_due(self, name: str) -> bool:
        return False

    def site_deleted(self, site: SiteId) -> None:
        pass

    def forget_links(self, keep: frozenset[str]) -> None:
        pass

    def service_tls(
        self, name: str, protocol: ServiceProtocol, client_trust: str = ""
    ) -> Tls | NoTls:
        return Tls(None, self._certificate, ())

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
        return Tls(None, b"", ())

    def keep_service_tls(
        self, shown: frozenset[str], trusted: frozenset[str], of_clients: frozenset[str]
    ) -> None:
        pass

    def service_tls_changed(self) -> bool:
        return False

    def service_tls_problems(self) -> tuple[Problem, ...]:
        return ()

    def admit(self, peer_certificate: bytes, neighbour: Neighbour) -> HandshakeRejected | None:
        return None

    def permission_of(self, peer_certificate: bytes) -> LinkPermission:
        return LinkPermission(self.terms.get(peer_certificate, FREE), self.token)

    def bars(self) -> Bars:
        return Bars()


class MemoryKeeper:
    """State that outlives a router of the simulation."""

    leads = True

    def __init__(
        self, internet: SimulatedInternet, unix: Callable[[], float] | None = None
    ) -> None:
        """``unix``: the wall clock's seconds; None: virtual time."""
        self.internet = internet
        self._unix = unix or (lambda: internet.now)
        self.epoch = self.writes = 0
        self._learnt: tuple[KnownDeclaration, ...] = ()
        self._learnt_at = 0.0
        self._declared: dict[str, float] = {}
        self._owners: Mapping[str, Owner] = {}
        self._pins: Mapping[str, SiteId] = {}
        self._offers: Mapping[str, Sequence[OfferingSite]] | None = None
        self._listeners: Sequence[HeldListener] = ()

    def keep_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def declared_at(self, name: str) -> float:
        return self._declared.setdefault(name, self._unix())

    def keep_declared(self, names: frozenset[str]) -> None:
        self._declared = {name: self.declared_at(name) for name in sorted(names)}

    def keep_learnt(self, learnt: tuple[KnownDeclaration, ...]) -> None:
        self._learnt, self._learnt_at = learnt, self._unix()
        self.writes += 1

    def learnt(self) -> tuple[KnownDeclaration, ...]:
        age_s = self._unix() - self._learnt_at
        if age_s < 0:
            return ()  # As of a file, when the clock was set back since.
        return tuple(
            KnownDeclaration(one.declaration, one.lost_for_s + age_s) for one in self._learnt
        )

    def keep_owners(self, owners: Mapping[str, Owner]) -> None:
        self._owners = owners
        self.writes += 1

    def owners(self) -> Mapping[str, Owner]:
        return self._owners

    def keep_listeners(self, held: Sequence[HeldListener]) -> None:
        self._listeners = held

    def listeners(self) -> Sequence[HeldListener]:
        return self._listeners

    def keep_known_offers(self, known: Mapping[str, Sequence[OfferingSite]]) -> None:
        self._offers = known

    def known_offers(self) -> Mapping[str, Sequence[OfferingSite]] | None:
        return self._offers

    def keep_links_down(self, down_for_s: Mapping[str, float]) -> None:
        """Stores nothing: a restarted router treats its links as new."""

    def links_down(self) -> Mapping[str, float]:
        return {}

    def rule_pins(self) -> Mapping[str, SiteId]:
        return self._pins

    def keep_rule_pins(self, pins: Mapping[str, SiteId]) -> None:
        self._pins = pins


class NoClaims:
    """No claim is answered in the simulation."""

    def answer(self, name: str, body: bytes, source: str, done: Answered) -> None:
        done(403, b"")

    def renew(self, name: str, body: bytes, source: str, done: Answered) -> None:
        done(403, b"")
